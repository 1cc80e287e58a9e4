"""People who hardly live where they are said to live."""

import pytest

from analytics.detectors import Subject, SubjectKind
from analytics.detectors.absence import Absence
from analytics.history import History
from care.model import RoomKind
from protocol.model import ActivityEvent, DeviceKind
from tests.analytics.conftest import NOW, World

DAY_H, DAY_S = 24, 86_400


class Household:
    """One subsidised elder at home, with a motion sensor that is heard."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.resident_id = world.resident(world.household)
        self.subject = Subject(SubjectKind.RESIDENT, self.resident_id)
        self.hall = world.room(world.household, "客厅", RoomKind.LIVING_ROOM)
        self.motion = world.device(world.household, DeviceKind.MOTION, room_id=self.hall)

    def mattress(self) -> int:
        return self.world.device(
            self.world.household, DeviceKind.SMART_MATTRESS, resident_id=self.resident_id
        )


@pytest.fixture
def home(world: World) -> Household:
    return Household(world)


@pytest.mark.parametrize(
    ("days", "expected"), [(2, []), (4, ["low"]), (14, ["low"]), (16, ["medium"]), (60, ["medium"])]
)
def test_no_sign_of_life(home: Household, history: History, days: int, expected: list[str]) -> None:
    home.world.activity_hours(home.motion, [days * DAY_H], room_id=home.hall)
    assessment = Absence().score(history)
    assert [str(finding.priority) for finding in assessment.findings] == expected
    assert (home.subject in assessment.fine) == (not expected)


def test_who_pays_for_themselves_may_travel(home: Household, history: History) -> None:
    home.world.connection.execute("UPDATE care.resident SET category = 'private'")
    home.world.activity_hours(home.motion, [20 * DAY_H], room_id=home.hall)
    (finding,) = Absence().score(history).findings
    assert (str(finding.priority), finding.evidence.own["subsidised"]) == ("low", False)


def test_a_broken_sensor_accuses_nobody(home: Household, history: History) -> None:
    home.world.seen(home.motion, 26 * 3600)
    home.world.activity_hours(home.motion, [20 * DAY_H], room_id=home.hall)
    assert Absence().score(history).findings == ()


def test_a_measurement_is_a_sign_of_life(home: Household, history: History) -> None:
    cuff = home.world.device(home.world.household, DeviceKind.BP_CUFF, resident_id=home.resident_id)
    home.world.vitals(cuff, home.resident_id, 3600, sbp=120)
    assert Absence().score(history).findings == ()


@pytest.mark.parametrize(("nights", "lies", "found"), [(6, False, False), (8, False, True), (8, True, False)])
def test_a_bed_that_nobody_lies_in(
    home: Household, history: History, nights: int, lies: bool, found: bool
) -> None:
    home.mattress()
    home.world.activity(home.motion, 3600, room_id=home.hall)
    home.world.latest(home.resident_id, "in_bed", lies, nights * DAY_S)
    findings = Absence().score(history).findings
    assert [str(finding.priority) for finding in findings] == (["low"] if found else [])


def test_a_bed_never_slept_in(home: Household, history: History) -> None:
    home.mattress()
    home.world.activity(home.motion, 3600, ActivityEvent.MOTION, room_id=home.hall)
    (finding,) = Absence().score(history).findings
    assert "床" in finding.evidence.sentence["zh_CN"]
    assert finding.since < NOW
