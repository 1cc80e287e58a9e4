"""Who did what to an alarm, told in words on its page."""

import pytest
from starlette.testclient import TestClient

from alarms.lifecycle import amend, escalate
from database.connections import Connection
from identity.model import Actor, StaffRole
from protocol.model import AlarmKind
from tests.dashboard.conftest import one_line
from tests.dashboard.ward import Ward


@pytest.mark.parametrize("program", ["escalation", "watch"])
def test_escalation_names_the_level_and_claims_no_more(
    caregiver: TestClient, owner: Connection, ward: Ward, program: str
) -> None:
    alarm = ward.alarm(owner, 0, AlarmKind.SOS)
    for level, role in enumerate((StaffRole.SHIFT_LEADER, StaffRole.HOME_DIRECTOR), start=1):
        assert escalate(owner, alarm.id, level, Actor(program), role) is not None
    page = one_line(caregiver.get(f"/alarms/{alarm.id}").text)
    assert "<b>系统</b> 已升级至：值班组长 <time" in page
    assert "<b>系统</b> 已升级至：院长 <time" in page
    assert "无人接警，已升级至：院长" in page
    for claim in ("上报", "已通知", f"<b>{program}</b>"):
        assert claim not in page
    assert "无人接警，已升级至：院长" in one_line(caregiver.get("/desk").text)


def test_a_level_without_a_known_role_is_told_by_its_number(
    caregiver: TestClient, owner: Connection, ward: Ward
) -> None:
    alarm = ward.alarm(owner, 0, AlarmKind.SOS)
    assert escalate(owner, alarm.id, 2, Actor("escalation"), "somebody") is not None
    page = one_line(caregiver.get(f"/alarms/{alarm.id}").text)
    assert "无人接警，已升级至第 2 级" in page
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
    assert amend(owner, alarm.id, Actor("fall"), {}, detail) is not None
    page = one_line(caregiver.get(f"/alarms/{alarm.id}").text)
    assert "</b> 判断：很可能 <time" in page
