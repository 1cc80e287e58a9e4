"""Who did what to an alarm, told in words on its page."""

import pytest
from starlette.testclient import TestClient

from alarms.incident import Step, take
from alarms.kinds import AlarmKind
from alarms.model import AlarmStep
from database.connections import Connection
from identity.model import Actor, StaffRole
from tests.dashboard.conftest import one_line
from tests.dashboard.ward import Ward


def escalate(owner: Connection, alarm_id: int, level: int, told: str, program: str = "escalation") -> None:
    """As `alarms.escalation` writes it; `watch` is what its lines were signed with before."""
    step = Step(
        step=AlarmStep.ESCALATED,
        actor=Actor(program),
        level=level,
        detail={"role" if program == "escalation" else "told": told},
    )
    assert take(owner, alarm_id, step).line is AlarmStep.ESCALATED


@pytest.mark.parametrize("program", ["escalation", "watch"])
def test_escalation_names_the_level_and_claims_no_more(
    caregiver: TestClient, owner: Connection, ward: Ward, program: str
) -> None:
    alarm = ward.alarm(owner, 0, AlarmKind.SOS)
    for level, role in enumerate((StaffRole.SHIFT_LEADER, StaffRole.HOME_DIRECTOR), start=1):
        escalate(owner, alarm.id, level, role, program)
    page = one_line(caregiver.get(f"/alarms/{alarm.id}").text)
    assert "<b>系统</b> 已升级至：值班组长 <time" in page
    assert "<b>系统</b> 已升级至：院长 <time" in page
    assert "</svg> 已升级至：院长</p>" in page
    for claim in ("上报", "已通知", f"<b>{program}</b>"):
        assert claim not in page
    assert "</svg> 已升级至：院长</p>" in one_line(caregiver.get("/desk").text)


def test_a_level_without_a_known_role_is_told_by_its_number(
    caregiver: TestClient, owner: Connection, ward: Ward
) -> None:
    alarm = ward.alarm(owner, 0, AlarmKind.SOS)
    escalate(owner, alarm.id, 2, "somebody")
    page = one_line(caregiver.get(f"/alarms/{alarm.id}").text)
    assert "已升级至第 2 级" in page
    assert "<b>系统</b> 已升级 <time" in page


def test_a_device_is_told_by_what_it_is_and_whom_it_watches(
    caregiver: TestClient, owner: Connection, ward: Ward
) -> None:
    alarm = ward.alarm(owner, 0, AlarmKind.SOS)
    page = one_line(caregiver.get(f"/alarms/{alarm.id}").text)
    assert f"<b>智能床垫（{ward.residents[0].name}）</b> 发出报警 <time" in page


def test_a_detector_that_knows_more_says_what(caregiver: TestClient, owner: Connection, ward: Ward) -> None:
    alarm = ward.alarm(owner, 0, AlarmKind.FALL)
    detail = {"grade": "likely", "sentence": {"zh_CN": "之后没有起身。"}}
    known = Step(step=AlarmStep.NOTED, actor=Actor("fall"), detail=detail)
    assert take(owner, alarm.id, known).line is AlarmStep.NOTED
    page = one_line(caregiver.get(f"/alarms/{alarm.id}").text)
    assert "</b> 判断：很可能 <time" in page
