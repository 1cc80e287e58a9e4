"""Saying whether an alarm was right: one tap, changed at will, counted for its finder."""

from datetime import UTC, datetime

import pytest
from starlette.testclient import TestClient

from alarms import feedback
from alarms.feedback import Verdict
from alarms.incident import Step, take
from alarms.kinds import AlarmKind
from alarms.model import Alarm, AlarmStep
from alarms.reasons import Reason
from database.connections import Connection
from identity.model import Actor
from identity.sessions import actor_of
from tests.care.conftest import County
from tests.dashboard.conftest import one_line, sign_in
from tests.dashboard.ward import Ward

HTMX = {"HX-Request": "true"}


@pytest.fixture
def done(owner: Connection, county: County, ward: Ward) -> Alarm:
    """An alarm that a detector raised and that the colleague has dealt with."""
    alarm = ward.alarm(owner, 0, AlarmKind.VITALS)
    owner.execute(
        "UPDATE care.alarm SET source = 'detector', detector = 'early_warning' WHERE id = %s", (alarm.id,)
    )
    for step in (AlarmStep.ACKNOWLEDGED, AlarmStep.RESOLVED):
        take(owner, alarm.id, Step(step=step, actor=actor_of(county.colleague), note="x"))
    return alarm


def test_one_tap_then_why_then_another_mind(
    caregiver: TestClient, owner: Connection, done: Alarm, county: County
) -> None:
    page = caregiver.get(f"/alarms/{done.id}").text
    assert "这次报警准不准？" in page
    assert "为什么？" not in page, "first whether, then why"
    answer = caregiver.post(f"/alarms/{done.id}/feedback", headers=HTMX, data={"verdict": "true"})
    assert (answer.status_code, answer.headers["HX-Trigger-After-Swap"]) == (200, "step-taken")
    page = caregiver.get(f"/alarms/{done.id}").text
    assert "身体不适" in page
    assert "测得不准" not in page, "reasons fit the answer"
    answer = caregiver.post(
        f"/alarms/{done.id}/feedback",
        headers=HTMX,
        data={"verdict": "false", "reason": "measured_wrongly", "note": "手环<b>松了"},
    )
    assert "不是，误报 · 测得不准" in answer.text
    page = caregiver.get(f"/alarms/{done.id}").text
    assert "手环&lt;b&gt;松了" in page
    assert "此前 1 次评价" in page
    assert [(one.actor, one.verdict) for one in feedback.of_alarm(owner, done.id)] == [
        ("王护理", Verdict.TRUE),
        ("王护理", Verdict.FALSE),
    ]
    form = caregiver.get(f"/alarms/{done.id}/feedback", headers=HTMX).text
    assert 'value="false" required checked' in form


def test_what_is_not_offered_is_refused(caregiver: TestClient, owner: Connection, done: Alarm) -> None:
    for data in (
        {},
        {"verdict": "maybe"},
        {"verdict": "true", "reason": "measured_wrongly"},
        {"verdict": "true", "reason": "x' OR 1=1"},
        {"verdict": "true", "note": "x" * 501},
    ):
        answer = caregiver.post(f"/alarms/{done.id}/feedback", headers=HTMX, data=data)
        assert answer.status_code == 422, data
    assert feedback.of_alarm(owner, done.id) == []


def test_an_alarm_that_runs_asks_nothing_yet(caregiver: TestClient, owner: Connection, ward: Ward) -> None:
    alarm = ward.alarm(owner, 1, AlarmKind.SOS)
    assert "这次报警准不准" not in caregiver.get(f"/alarms/{alarm.id}").text
    answer = caregiver.post(f"/alarms/{alarm.id}/feedback", headers=HTMX, data={"verdict": "true"})
    assert answer.status_code == 422
    assert "须先有人处理完毕" in answer.text


def test_the_answer_can_come_with_dealing_with_it(
    caregiver: TestClient, owner: Connection, ward: Ward
) -> None:
    alarm = ward.alarm(owner, 1, AlarmKind.VITALS)
    caregiver.post(f"/alarms/{alarm.id}/steps/acknowledged", headers=HTMX)
    assert "这次报警准不准？" in caregiver.get(f"/alarms/{alarm.id}/steps/resolved", headers=HTMX).text
    data = {"note": "已量体温", "verdict": "true"}
    assert caregiver.post(f"/alarms/{alarm.id}/steps/resolved", headers=HTMX, data=data).status_code == 200
    (said,) = feedback.of_alarm(owner, alarm.id)
    assert (said.actor, said.verdict) == ("王护理", Verdict.TRUE)


def test_a_cancelled_alarm_is_false_until_somebody_says_otherwise(
    caregiver: TestClient, owner: Connection, ward: Ward
) -> None:
    alarm = ward.alarm(owner, 1, AlarmKind.SOS)
    caregiver.post(f"/alarms/{alarm.id}/steps/cancelled", headers=HTMX, data={"note": "误按"})
    page = one_line(caregiver.get(f"/alarms/{alarm.id}").text)
    assert 'name="verdict" value="false" aria-pressed="true"' in page
    assert "误按" in page
    caregiver.post(f"/alarms/{alarm.id}/feedback", headers=HTMX, data={"verdict": "unsure"})
    page = one_line(caregiver.get(f"/alarms/{alarm.id}").text)
    assert 'name="verdict" value="unsure" aria-pressed="true"' in page


def test_how_good_the_finders_are(
    visitor: TestClient, owner: Connection, county: County, ward: Ward, done: Alarm
) -> None:
    feedback.give(owner, done.id, actor_of(county.colleague), Verdict.TRUE, reason=Reason.ILL)
    supervisor = sign_in(visitor, "county")
    assert 'href="/county/detectors"' in supervisor.get("/county").text
    page = supervisor.get("/county/detectors").text
    for text in ("体征异常", "预警评分", "100%", "可信范围 21%–100%", "准 1，误报 0，说不准 0", "此前 60 天"):
        assert text in page
    supervisor.post("/language", data={"code": "en"})
    page = supervisor.get("/county/detectors").text
    for text in (
        "Vital signs abnormal",
        "early warning score",
        "1 right, 0 wrong, 0 unsure",
        "1 of 1 judged",
    ):
        assert text in page


def test_a_finder_that_is_mostly_wrong_is_told(
    visitor: TestClient, owner: Connection, county: County, ward: Ward
) -> None:
    def judged(verdict: Verdict, days_ago: int) -> None:
        alarm = ward.alarm(owner, 0, AlarmKind.VITALS)
        owner.execute(
            "UPDATE care.alarm SET source = 'detector', detector = 'early_warning' WHERE id = %s", (alarm.id,)
        )
        for step in (AlarmStep.ACKNOWLEDGED, AlarmStep.RESOLVED):
            take(owner, alarm.id, Step(step=step, actor=actor_of(county.colleague), note="x"))
        owner.execute(
            "UPDATE care.alarm SET opened_at = opened_at - make_interval(days => %s) WHERE id = %s",
            (days_ago, alarm.id),
        )
        feedback.give(owner, alarm.id, actor_of(county.colleague), verdict)

    for _ in range(9):
        judged(Verdict.FALSE, 1)
    for _ in range(8):
        judged(Verdict.TRUE, 40)
    supervisor = sign_in(visitor, "county")
    page = supervisor.get("/county/detectors").text
    assert "比以前差" in page
    assert "不到一半" not in page, "nine are too few to say so"
    judged(Verdict.TRUE, 1)
    page = supervisor.get("/county/detectors").text
    assert "不到一半是准的" in page
    assert "准 1，误报 9" in page
    assert "准 8，误报 0" in page, "what was before stands beside it, not in it"


def test_without_alarms_there_is_nothing_to_judge(visitor: TestClient, county: County) -> None:
    assert "近 90 天没有报警" in sign_in(visitor, "zhao").get("/county/detectors").text


EVIDENCE = {
    "sentence": {"zh_CN": "体温偏高。", "en": "Warm."},
    "window": {"from": "2026-11-20T06:00:00+00:00", "to": "2026-11-23T06:00:00+00:00"},
    "seen": {"silence_s": 12_600, "samples_weak": 3},
    "expected": {"silence_s": 7_200},
    "contributions": [
        {"sign": "temp", "value": 37.6, "expected_low": 36.1, "expected_high": 36.9, "share": 0.62},
        {"habit": "turns", "value": 5, "expected_low": 8, "expected_high": None, "share": 0.3},
        {"habit": "something_new", "value": 1, "share": 0.08},
    ],
}


def test_evidence_is_told_in_full(
    caregiver: TestClient, owner: Connection, county: County, ward: Ward
) -> None:
    cases = [{"resident_id": ward.residents[2].id}, {"resident_id": county.stranger.id}]
    alarm = ward.alarm(owner, 0, AlarmKind.OUTBREAK, evidence={**EVIDENCE, "grade": "likely", "cases": cases})
    page = caregiver.get(f"/alarms/{alarm.id}").text
    for text in (
        "体温偏高。", "36.1–36.9 °C", "37.6 °C", "62%", "翻身", "不低于 8", "something new",
        "无活动时长", "3 小时 30 分钟", "应为 2 小时", "samples_weak", "很可能", "王德福",
    ):  # fmt: skip
        assert text in page, text
    assert "张建国" not in page, "names of others' residents stay hidden"
    caregiver.post("/language", data={"code": "en"})
    page = caregiver.get(f"/alarms/{alarm.id}").text
    for text in ("Warm.", "at least 8", "3 hr 30 min", "Likely"):
        assert text in page, text


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"score": 7, "points": {"hr": 3}, "values": {"hr": 126}},
        {"sentence": 3, "window": [], "seen": [1], "contributions": {"a": 1}, "chart": "x", "cases": "y"},
        {"chart": {"source": "vitals", "sign": "hr", "from": "x", "to": "y"}, "seen": {"at": None}},
    ],
)
def test_old_and_odd_evidence_leaves_a_good_page(
    caregiver: TestClient, owner: Connection, ward: Ward, raw: dict[str, object]
) -> None:
    alarm = ward.alarm(owner, 0, AlarmKind.VITALS, evidence=raw)
    answer = caregiver.get(f"/alarms/{alarm.id}")
    assert answer.status_code == 200
    assert "处置过程" in answer.text
    assert "evidence-chart" not in answer.text


@pytest.mark.parametrize(
    ("by_device", "line", "note"),
    [
        (True, "报告原因已消除", "设备报告原因已消除，仍请到场查看"),
        (False, "分析显示原因已消除", "系统分析显示原因已消除，仍请到场查看"),
    ],
)
def test_who_says_that_a_cause_has_ended(
    caregiver: TestClient, owner: Connection, ward: Ward, *, by_device: bool, line: str, note: str
) -> None:
    alarm = ward.alarm(owner, 0, AlarmKind.WEAK_BREATHING)
    at, device = datetime.now(UTC), ward.mattresses[0]
    actor = Actor(device.name if by_device else "weak_breathing")
    over = Step(step=AlarmStep.CONDITION_ENDED, actor=actor, happened_at=at, detail={"by_device": by_device})
    assert take(owner, alarm.id, over).line is AlarmStep.CONDITION_ENDED
    page = one_line(caregiver.get(f"/alarms/{alarm.id}").text)
    assert f"</b> {line} <time" in page
    assert note in page
    assert "<b>weak_breathing</b>" not in page, "who it was is told in words"
    caregiver.post("/language", data={"code": "en"})
    page = one_line(caregiver.get(f"/alarms/{alarm.id}").text)
    assert ("</b> reports that" in page) is by_device
    assert ("</b> shows that" in page) is not by_device
    assert ("The device reports" in page) is by_device
    assert ("The analysis shows" in page) is not by_device
    assert "The analysis shows" in caregiver.get("/desk").text or by_device
