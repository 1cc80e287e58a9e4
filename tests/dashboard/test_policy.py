"""The page of the county's rules: who sees it, who changes it, and what its form is told."""

import re

import msgspec
import pytest
from starlette.testclient import TestClient

from care import policy
from care.policy import LIMITS, Policy, Problem
from dashboard.languages import languages
from dashboard.policy.page import step_of, unit_of
from dashboard.policy.words import GROUPS, HELP, LABEL, PROBLEM, UNIT, UNIT_NAME, Unit
from database.connections import Connection
from identity.model import StaffRole
from tests.care.conftest import County
from tests.dashboard.conftest import one_line, sign_in

HTMX = {"HX-Request": "true"}
URL = "/county/policy"
USUAL = msgspec.structs.asdict(Policy())


@pytest.fixture
def supervisor(owner: Connection, county: County, visitor: TestClient) -> TestClient:
    """县民政, a supervisor of the county."""
    owner.execute("UPDATE care.staff SET role = %s WHERE username = 'county'", (StaffRole.COUNTY_SUPERVISOR,))
    return sign_in(visitor, "county")


def form(**typed: str) -> dict[str, str]:
    """The form as it opens on the usual, with some fields typed anew."""
    return {"seen": "1", **{name: str(USUAL[name] // step_of(name)) for name in LIMITS}, **typed}


def fields(page: str) -> dict[str, str]:
    """What stands in each field."""
    return dict(
        re.findall(r'<input class="form-control"[^>]* name="(\w+)"[^>]*?value="([^"]*)"', one_line(page))
    )


def test_every_word_is_there() -> None:
    assert [name for names in GROUPS.values() for name in names] == list(LIMITS)
    assert set(LABEL) == set(HELP) == set(LIMITS)
    assert set(PROBLEM) == set(Problem)
    assert set(UNIT) == set(UNIT_NAME) == set(Unit)
    assert {unit_of(name) for name in LIMITS} == set(Unit)


@pytest.mark.parametrize("code", ["zh_CN", "en"])
def test_every_value_with_what_is_usual_and_its_limits(
    supervisor: TestClient, owner: Connection, code: str
) -> None:
    owner.execute("UPDATE care.staff SET language = %s", (code,))
    answer = supervisor.get(URL)
    assert answer.status_code == 200
    page, speech = one_line(answer.text), languages()[code]
    for name, limit in LIMITS.items():
        assert speech.gettext(LABEL[name]) in page
        assert speech.gettext(HELP[name]) in page
        low, high = limit.low // limit.step, limit.high // limit.step
        assert speech.gettext("%(low)s to %(high)s") % {"low": low, "high": high} in page
    assert fields(answer.text) == {name: str(USUAL[name] // LIMITS[name].step) for name in LIMITS}
    assert "%(" not in page
    assert {"zh_CN": "还没有改过", "en": "Nothing was ever changed"}[code] in page


def test_changed_and_told_by_whom(supervisor: TestClient, owner: Connection) -> None:
    answer = supervisor.post(URL, headers=HTMX, data=form(bed_exit_s="20", night_from_h=" 21 "))
    assert (answer.status_code, answer.headers["HX-Trigger-After-Swap"]) == (200, "step-taken")
    assert "已保存" in answer.text
    standing = policy.standing(owner)
    assert (standing.revision, standing.policy.bed_exit_s, standing.policy.night_from_h) == (2, 1_200, 21)
    page = one_line(supervisor.get(URL).text)
    for text in ("通常为 30", "原为 30 分钟", "通常为 22", "县民政", "夜间离床未回：多久后报警 20 分钟"):
        assert text in page, text
    assert 'name="seen" value="2"' in page


@pytest.mark.parametrize(
    ("typed", "problems"),
    [
        ({"bed_exit_s": ""}, {"bed_exit_s": "请填写整数"}),
        ({"bed_exit_s": "2.5"}, {"bed_exit_s": "请填写整数"}),
        ({"bed_exit_s": "-5"}, {"bed_exit_s": "请填写整数"}),
        ({"bed_exit_s": "١٢"}, {"bed_exit_s": "请填写整数"}),
        ({"bed_exit_s": "9" * 400}, {"bed_exit_s": "请填写整数"}),
        ({"bed_exit_s": "4"}, {"bed_exit_s": "不能小于 5"}),
        ({"bed_exit_s": "241"}, {"bed_exit_s": "不能大于 240"}),
        ({"device_silence_mains_s": "1440", "device_silence_battery_s": "1"},
         {"device_silence_battery_s": "不能小于“插电设备：多久无消息算离线”"}),
        ({"night_from_h": "9"}, {"night_to_h": "包含凌晨 2 点到 3 点"}),
        ({"night_to_h": "24", "absence_days": "x"},
         {"night_to_h": "不能大于 23", "absence_days": "请填写整数"}),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_beside_the_field(
    supervisor: TestClient, owner: Connection, typed: dict[str, str], problems: dict[str, str]
) -> None:
    answer = supervisor.post(URL, headers=HTMX, data=form(**typed))
    assert answer.status_code == 422
    assert answer.headers["HX-Retarget"] == "#policy"
    page = one_line(answer.text)
    for name in LIMITS:
        assert (f'id="problem-{name}"' in page) is (name in problems), name
    for text in problems.values():
        assert text in page
    assert fields(answer.text) == {name: value for name, value in form(**typed).items() if name != "seen"}
    assert policy.standing(owner).revision == 1


@pytest.mark.parametrize("seen", ["", "x", "0", "99999999999", "-1"])
def test_what_no_form_of_ours_sends(supervisor: TestClient, owner: Connection, seen: str) -> None:
    assert supervisor.post(URL, headers=HTMX, data={**form(bed_exit_s="20"), "seen": seen}).status_code == 422
    assert policy.standing(owner).revision == 1


def test_what_somebody_else_changed_is_not_undone(supervisor: TestClient, owner: Connection) -> None:
    policy.put(owner, {"bed_exit_s": 900}, seen=1, by="root")
    answer = supervisor.post(URL, headers=HTMX, data=form(bed_exit_s="20"))
    assert answer.status_code == 409
    assert "刚才有别人改过这一项" in answer.text
    assert policy.effective(owner).bed_exit_s == 900


def test_who_looks_after_the_county_looks(visitor: TestClient, owner: Connection, county: County) -> None:
    """县民政 is no supervisor here, as somebody was recorded before role and scope had to go together."""
    owner.execute("ALTER TABLE care.staff DROP CONSTRAINT role_and_scope_go_together")
    owner.execute("UPDATE care.staff SET role = 'caregiver' WHERE username = 'county'")
    sign_in(visitor, "county")
    page = visitor.get(URL)
    assert page.status_code == 200
    assert "readonly" in page.text
    assert 'class="policy-save"' not in page.text
    answer = visitor.post(URL, headers=HTMX, data=form(bed_exit_s="20"))
    assert answer.status_code == 403
    assert "只有县级监管人员可以更改全县规则" in answer.text
    assert URL in visitor.get("/county").text
    assert policy.standing(owner).revision == 1


@pytest.mark.parametrize("username", ["wang", "town", "manager"])
def test_all_others_find_nothing(
    visitor: TestClient, owner: Connection, county: County, username: str
) -> None:
    sign_in(visitor, username)
    assert visitor.get(URL).status_code == 404
    assert visitor.post(URL, headers=HTMX, data=form(bed_exit_s="20")).status_code == 404
    assert URL not in visitor.get("/county").text
    assert policy.standing(owner).revision == 1
