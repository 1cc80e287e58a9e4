"""Nights: beds left, doors used, breath too slow, nobody turned."""

from datetime import timedelta

import pytest

from analytics.detectors import Assessment, Detector, Subject, SubjectKind
from analytics.detectors.night import BedExit, Turning, Wandering, WeakBreathing
from analytics.history import History
from analytics.settings import AnalyticsSettings
from care.model import RoomKind
from database.connections import Connection
from protocol.model import ActivityEvent, DeviceKind
from tests.analytics.conftest import NOW, World

MIDNIGHT_H = 11
"""Hours from NOW (14:00) to one o'clock at night."""
MINUTE_S = 60


class Night:
    """It is 01:00. One elder at home with a mattress, motion sensors and a front door; all speak."""

    def __init__(self, world: World, service: Connection) -> None:
        self.world, self.service = world, service
        self.now = NOW + timedelta(hours=MIDNIGHT_H)
        self.resident_id = world.resident(world.household)
        self.subject = Subject(SubjectKind.RESIDENT, self.resident_id)
        self.bedroom = world.room(world.household, "卧室")
        self.hall = world.room(world.household, "客厅", RoomKind.LIVING_ROOM)
        self.mattress = world.device(world.household, DeviceKind.SMART_MATTRESS, resident_id=self.resident_id)
        self.motion = world.device(world.household, DeviceKind.MOTION, room_id=self.hall)
        self.door = world.device(world.household, DeviceKind.DOOR_CONTACT, room_id=self.hall)
        self.heard()

    def ago(self, minutes: float) -> float:
        """Seconds before NOW of a time so many minutes before this night's now."""
        return minutes * MINUTE_S - MIDNIGHT_H * 3600

    def heard(self, minutes: float = 1) -> None:
        self.world.seen(self.mattress, self.ago(minutes))

    def bed(self, minutes: float, *, lies: bool) -> None:
        self.world.latest(self.resident_id, "in_bed", lies, self.ago(minutes))
        event = ActivityEvent.IN_BED if lies else ActivityEvent.OUT_OF_BED
        self.world.activity(self.mattress, self.ago(minutes), event)

    def score(self, detector: Detector) -> Assessment:
        return detector.score(History(self.service, self.now))

    def priorities(self, detector: Detector) -> list[str]:
        return [str(finding.priority) for finding in self.score(detector).findings]


@pytest.fixture
def night(world: World, service: Connection) -> Night:
    return Night(world, service)


@pytest.mark.parametrize(
    ("minutes", "expected"), [(29, []), (30, ["medium"]), (59, ["medium"]), (60, ["high"]), (181, [])]
)
def test_out_of_bed_and_not_back(
    night: Night, settings: AnalyticsSettings, minutes: float, expected: list[str]
) -> None:
    # 181 minutes ago it was not yet 22:00: somebody sits up late, and that is not this night.
    night.bed(minutes, lies=False)
    assert night.priorities(BedExit(settings)) == expected


def test_who_moves_about_is_less_urgent(night: Night, settings: AnalyticsSettings) -> None:
    night.bed(70, lies=False)
    night.world.activity(night.motion, night.ago(40))
    assert night.priorities(BedExit(settings)) == ["medium"]


def test_back_in_bed_is_fine(night: Night, settings: AnalyticsSettings) -> None:
    night.bed(70, lies=True)
    assessment = night.score(BedExit(settings))
    assert (assessment.findings, list(assessment.fine)) == ((), [night.subject])


def test_a_silent_mattress_says_nothing(night: Night, settings: AnalyticsSettings) -> None:
    night.bed(70, lies=False)
    night.heard(minutes=11)
    assert night.priorities(BedExit(settings)) == []


def test_a_person_may_be_given_more_time(night: Night, settings: AnalyticsSettings) -> None:
    night.bed(40, lies=False)
    night.world.setting(night.resident_id, "bed_exit", tolerance=2.0)
    assert night.priorities(BedExit(settings)) == []


@pytest.mark.parametrize(
    ("minutes", "expected"), [(9, []), (10, ["medium"]), (29, ["medium"]), (30, ["high"]), (181, [])]
)
def test_out_of_the_door_at_night(
    night: Night, settings: AnalyticsSettings, minutes: float, expected: list[str]
) -> None:
    night.world.activity(night.motion, night.ago(minutes + 1))
    night.world.activity(night.door, night.ago(minutes), ActivityEvent.DOOR_CLOSED)
    assert night.priorities(Wandering(settings)) == expected


def test_whoever_is_seen_inside_has_come_back(night: Night, settings: AnalyticsSettings) -> None:
    night.world.activity(night.door, night.ago(40), ActivityEvent.DOOR_OPEN)
    night.world.activity(night.motion, night.ago(35))
    assessment = night.score(Wandering(settings))
    assert (assessment.findings, list(assessment.fine)) == ((), [night.subject])


def test_staff_may_open_doors_of_a_home(
    world: World, service: Connection, settings: AnalyticsSettings
) -> None:
    night = Night(world, service)
    room_id = world.room(world.home, "101")
    resident_id = world.resident(world.home, room_id=room_id)
    door = world.device(world.home, DeviceKind.DOOR_CONTACT, room_id=room_id)
    world.activity(door, night.ago(20), ActivityEvent.DOOR_CLOSED)
    assert night.priorities(Wandering(settings)) == []
    world.latest(resident_id, "in_bed", False, night.ago(21))
    assert night.priorities(Wandering(settings)) == ["medium"]


@pytest.mark.parametrize(
    ("rates", "found", "fine"),
    [
        ([6, 6, 6, 6, 6, 6], True, False),
        ([6, 6, 6, 6, 16, 6], True, False),
        ([6, 6, 16, 6, 16, 6], False, False),
        ([16, 15, 16, 6, 16, 16], False, True),
        ([6, 6, 6, 6], False, False),
    ],
)
def test_weak_breathing(
    night: Night, settings: AnalyticsSettings, rates: list[float], found: bool, fine: bool
) -> None:
    for index, rr in enumerate(rates):
        night.world.vitals(night.mattress, night.resident_id, night.ago(index + 0.5), rr=rr)
    assessment = night.score(WeakBreathing(settings))
    assert [str(finding.priority) for finding in assessment.findings] == (["high"] if found else [])
    assert (night.subject in assessment.fine) == fine


@pytest.mark.parametrize(
    ("hours", "cannot_turn", "event", "expected"),
    [
        (2.9, True, ActivityEvent.TURNED, []),
        (3.0, True, ActivityEvent.TURNED, ["low"]),
        (4.5, True, ActivityEvent.IN_BED, ["medium"]),
        (4.5, True, ActivityEvent.OUT_OF_BED, []),
        (4.5, False, ActivityEvent.TURNED, []),
    ],
)
def test_nobody_turned_them(
    night: Night,
    settings: AnalyticsSettings,
    hours: float,
    cannot_turn: bool,
    event: ActivityEvent,
    expected: list[str],
) -> None:
    night.world.connection.execute(
        "UPDATE care.resident SET can_get_in_and_out_of_bed = %s", (not cannot_turn,)
    )
    night.world.activity(night.mattress, night.ago(hours * 60), event)
    assessment = night.score(Turning(settings))
    assert [str(finding.priority) for finding in assessment.findings] == expected
    assert (night.subject in assessment.fine) == (cannot_turn and not expected)
