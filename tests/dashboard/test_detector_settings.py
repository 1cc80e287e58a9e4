"""The page of what watches over somebody: who sees it, who changes it, and what its form is told."""

from datetime import datetime, timedelta

import msgspec
import pytest
from starlette.testclient import TestClient

from alarms import detector_settings
from alarms.detector_settings import Part, Problem, rules_of
from alarms.rules import Watch
from care.policy import Policy
from dashboard.languages import languages
from dashboard.sensitivity.words import PROBLEM
from dashboard.vocabulary import WATCH, WATCH_DOES
from database.connections import Connection
from identity.model import StaffRole
from protocol.calendar import HOME_TIME
from tests.care.conftest import County
from tests.dashboard.conftest import one_line, sign_in

HTMX = {"HX-Request": "true"}


@pytest.fixture
def leader(owner: Connection, county: County, visitor: TestClient) -> TestClient:
    """刘护理, who leads the shift in home-a."""
    owner.execute("UPDATE care.staff SET role = %s WHERE username = 'liu'", (StaffRole.SHIFT_LEADER,))
    return sign_in(visitor, "liu")


def today(days: int = 0) -> str:
    return (datetime.now(HOME_TIME).date() + timedelta(days=days)).isoformat()


def path(county: County, watch: str = "bed_exit") -> str:
    return f"/residents/{county.mother.id}/watch/{watch}"


def test_every_word_is_there() -> None:
    assert set(WATCH) == set(WATCH_DOES) == set(rules_of(Policy())) == set(Watch)
    assert set(PROBLEM) == set(Problem)


@pytest.mark.parametrize("code", ["zh_CN", "en"])
def test_all_that_watches_is_explained(
    leader: TestClient, owner: Connection, county: County, code: str
) -> None:
    owner.execute("UPDATE care.staff SET language = %s", (code,))
    page = leader.get(f"/residents/{county.mother.id}/watch").text
    speech = languages()[code]
    for watch in Watch:
        assert speech.word(WATCH, watch) in page
        assert speech.word(WATCH_DOES, watch) % msgspec.structs.asdict(Policy()) in one_line(page)
        form = leader.get(path(county, watch), headers=HTMX)
        assert form.status_code == 200
        assert speech.word(WATCH, watch) in form.text
    assert {"zh_CN": "始终启用", "en": "Always on"}[code] in page
    assert {"zh_CN": "还没有为这位老人改过设置", "en": "Nothing was ever changed"}[code] in page


def test_changed_seen_by_the_caregiver_and_restored(
    leader: TestClient, owner: Connection, county: County
) -> None:
    answers = {"switch": "off", "off_through": today(2), "tolerance": "1.5", "reason": "<b>住院"}
    answer = leader.post(path(county), headers=HTMX, data=answers)
    assert (answer.status_code, answer.headers["HX-Trigger-After-Swap"]) == (200, "step-taken")
    assert "夜间离床 · 已保存" in answer.text

    sign_in(leader, "wang")
    page = leader.get(f"/residents/{county.mother.id}/watch").text
    for text in (
        "已停用",
        "刘护理",
        "&lt;b&gt;住院",
        "自动恢复，还有 2 天",
        "请告诉值班组长",
        "过 45 分钟报警",
    ):
        assert text in page, text
    assert "更改…" not in page
    assert f"{path(county)}/usual" not in page
    assert "夜间离床" in leader.get(f"/residents/{county.mother.id}").text

    sign_in(leader, "liu")
    standing = detector_settings.settings_of(owner, county.mother.id)[Watch.BED_EXIT]
    form = leader.get(path(county), headers=HTMX).text
    assert f'value="{today(2)}"' in form
    assert "&lt;b&gt;住院</textarea>" in form
    assert standing.changed_at.isoformat() in form
    seen = {"seen": standing.changed_at.isoformat()}
    assert leader.post(f"{path(county)}/usual", headers=HTMX, data=seen).status_code == 200
    standing = detector_settings.settings_of(owner, county.mother.id)[Watch.BED_EXIT]
    assert (standing.off_until, standing.tolerance, standing.reason) == (None, 1, None)
    page = leader.get(f"/residents/{county.mother.id}/watch").text
    assert page.count('<span class="dot">') == 2, "both changes are in the record"


def hours(from_h: str = "", to_h: str = "") -> dict[str, str]:
    return {"span": "hours", "from_h": from_h, "to_h": to_h, "reason": "x"}


def off(day: str) -> dict[str, str]:
    return {"switch": "off", "off_through": day, "reason": "x"}


@pytest.mark.parametrize(
    ("watch", "answers", "problems"),
    [
        ("bed_exit", off(""), {Part.OFF: Problem.NO_DATE}),
        ("bed_exit", off("明天"), {Part.OFF: Problem.NO_DATE}),
        ("bed_exit", off(today(-1)), {Part.OFF: Problem.PAST}),
        ("bed_exit", off("9999-12-31"), {Part.OFF: Problem.TOO_LONG}),
        ("bed_exit", off("0001-01-01"), {Part.OFF: Problem.PAST}),
        ("bed_exit", {"tolerance": "4", "reason": "x"}, {Part.TOLERANCE: Problem.NOT_OFFERED}),
        ("bed_exit", {"tolerance": "nan", "reason": "x"}, {Part.TOLERANCE: Problem.NOT_OFFERED}),
        ("bed_exit", {"tolerance": "' OR 1=1", "reason": "x"}, {Part.TOLERANCE: Problem.NOT_OFFERED}),
        ("bed_exit", hours(), {Part.HOURS: Problem.HOURS_MISSING}),
        ("bed_exit", hours("1"), {Part.HOURS: Problem.HOURS_MISSING}),
        ("bed_exit", hours("9", "77"), {Part.HOURS: Problem.NOT_OFFERED}),
        ("bed_exit", hours("9", "9"), {Part.HOURS: Problem.HOURS_EQUAL}),
        ("bed_exit", hours("9", "17"), {Part.HOURS: Problem.HOURS_FEW}),
        ("bed_exit", {"tolerance": "2"}, {Part.REASON: Problem.NO_REASON}),
        ("bed_exit", {"tolerance": "2", "reason": " \n\t "}, {Part.REASON: Problem.NO_REASON}),
        ("bed_exit", {"tolerance": "2", "reason": "\0"}, {Part.REASON: Problem.NO_REASON}),
        ("bed_exit", {"tolerance": "2", "reason": "长" * 501}, {Part.REASON: Problem.REASON_LONG}),
        (
            "inactivity",
            {"switch": "off"},
            {
                Part.OFF: Problem.NO_DATE,
                Part.REASON: Problem.NO_REASON,
                Part.CONFIRMATION: Problem.UNCONFIRMED,
            },
        ),
        ("inactivity", {"tolerance": "1.5", "reason": "x"}, {Part.CONFIRMATION: Problem.UNCONFIRMED}),
        (
            "early_warning",
            {"switch": "off", "off_through": today(9)},
            {
                Part.OFF: Problem.TOO_LONG,
                Part.REASON: Problem.NO_REASON,
                Part.CONFIRMATION: Problem.UNCONFIRMED,
            },
        ),
    ],
)
def test_what_is_wrong_is_told_beside_the_field(
    leader: TestClient,
    owner: Connection,
    county: County,
    watch: str,
    answers: dict[str, str],
    problems: dict[Part, Problem],
) -> None:
    answer = leader.post(path(county, watch), headers=HTMX, data=answers)
    assert answer.status_code == 422
    assert answer.headers["HX-Retarget"] == "#dialog-body", "the form comes back, with what was typed"
    for part in Part:
        assert (f'id="problem-{part}"' in answer.text) is (part in problems), part
    if answers.get("reason", "").isalpha():
        assert answers["reason"] in answer.text
    assert "%(" not in answer.text
    assert detector_settings.settings_of(owner, county.mother.id) == {}
    assert detector_settings.changes_of(owner, county.mother.id) == []


@pytest.mark.parametrize(
    ("method", "tail", "data", "status"),
    [
        ("GET", "watch/sos", {}, 422),
        ("POST", "watch/fall", {"switch": "off", "off_through": today(1), "reason": "x"}, 422),
        ("POST", "watch/bed_exit", {"reason": "x" * 5_000}, 422),
        ("POST", "watch/bed_exit", {"tolerance": "2", "reason": "x", "seen": "yesterday"}, 422),
        ("POST", "watch/bed_exit", {"tolerance": "2", "reason": "x", "seen": "2026-11-24T10:00:00"}, 422),
        ("POST", "watch/bed_exit/usual", {"seen": "{}"}, 422),
        ("GET", "watch/bed_exit/usual", {}, 405),
    ],
)
def test_what_no_form_of_ours_sends(
    leader: TestClient,
    owner: Connection,
    county: County,
    method: str,
    tail: str,
    data: dict[str, str],
    status: int,
) -> None:
    url = f"/residents/{county.mother.id}/{tail}"
    assert leader.request(method, url, headers=HTMX, data=data).status_code == status
    assert detector_settings.changes_of(owner, county.mother.id) == []


def test_a_caregiver_looks_and_is_refused(caregiver: TestClient, owner: Connection, county: County) -> None:
    page = caregiver.get(f"/residents/{county.mother.id}/watch")
    assert page.status_code == 200
    assert "更改…" not in page.text
    answers = {"tolerance": "2", "reason": "x"}
    for answer in (
        caregiver.get(path(county), headers=HTMX),
        caregiver.post(path(county), headers=HTMX, data=answers),
        caregiver.post(f"{path(county)}/usual", headers=HTMX),
    ):
        assert answer.status_code == 403
        assert "只有监管人员、院长和值班组长可以更改守护设置" in answer.text
    assert detector_settings.changes_of(owner, county.mother.id) == []


@pytest.mark.parametrize("username", ["zhao", "manager"])
def test_another_home_s_staff_find_nothing(
    visitor: TestClient, owner: Connection, county: County, username: str
) -> None:
    sign_in(visitor, username)
    assert visitor.get(f"/residents/{county.mother.id}/watch").status_code == 404
    assert visitor.get(path(county), headers=HTMX).status_code == 404
    answer = visitor.post(path(county), headers=HTMX, data={"tolerance": "2", "reason": "x"})
    assert answer.status_code == 404
    assert detector_settings.changes_of(owner, county.mother.id) == []


def test_nobody_signed_in_is_sent_to_sign_in(visitor: TestClient, county: County) -> None:
    assert visitor.get(f"/residents/{county.mother.id}/watch").status_code == 303
    assert visitor.post(path(county), headers=HTMX, data={"reason": "x"}).status_code == 401


def test_what_somebody_else_changed_meanwhile_is_not_undone(leader: TestClient, county: County) -> None:
    first = leader.post(path(county), headers=HTMX, data={"tolerance": "2", "reason": "起夜多"})
    assert first.status_code == 200
    second = leader.post(path(county), headers=HTMX, data={"tolerance": "0.5", "reason": "易跌倒"})
    assert second.status_code == 409
    assert "刚才有别人改过这一项" in second.text
    restored = leader.post(f"{path(county)}/usual", headers=HTMX)
    assert restored.status_code == 409


def test_a_value_of_the_centre_s_own_can_stay(leader: TestClient, owner: Connection, county: County) -> None:
    owner.execute(
        "INSERT INTO care.detector_setting (resident_id, detector, tolerance, reason)"
        " VALUES (%s, 'bed_exit', 2.5, '试点')",
        (county.mother.id,),
    )
    form = one_line(leader.get(path(county), headers=HTMX).text)
    assert 'value="2.5" class="is-less" checked' in form
    seen = detector_settings.settings_of(owner, county.mother.id)[Watch.BED_EXIT].changed_at
    answers = {"tolerance": "2.5", "reason": "试点延长", "seen": seen.isoformat()}
    assert leader.post(path(county), headers=HTMX, data=answers).status_code == 200


def test_off_without_an_end_is_told_loudly(leader: TestClient, owner: Connection, county: County) -> None:
    owner.execute(
        "INSERT INTO care.detector_setting (resident_id, detector, is_on) VALUES (%s, 'turning', false)",
        (county.mother.id,),
    )
    page = leader.get(f"/residents/{county.mother.id}/watch").text
    assert "已停用，没有期限" in page
    assert 'name="off_through" value=""' in leader.get(path(county, "turning"), headers=HTMX).text


def test_who_has_left_shows_no_buttons(leader: TestClient, owner: Connection, county: County) -> None:
    owner.execute("UPDATE care.resident SET left_on = '2026-11-01' WHERE id = %s", (county.mother.id,))
    assert "更改…" not in leader.get(f"/residents/{county.mother.id}/watch").text
    answer = leader.post(path(county), headers=HTMX, data={"tolerance": "2", "reason": "x"})
    assert answer.status_code == 409
