"""How sure a fall is: the device's alarm stays as it is, and learns what happened next."""

from datetime import timedelta

import pytest

from alarms.incident import Report, Step, report, take, timeline
from alarms.kinds import AlarmKind, AlarmSource
from alarms.model import AlarmStep
from analytics.detectors.fall import Fall
from analytics.history import History
from analytics.rounds import Rounds, handling_of
from analytics.settings import AnalyticsSettings
from care.model import RoomKind
from database.connections import Connection
from identity.model import Actor
from protocol.model import ActivityEvent, DeviceKind
from tests.analytics.conftest import NOW, World


class Fallen:
    """One elder at home; the radar in the bathroom has raised a fall five minutes ago."""

    def __init__(self, world: World, age_s: float = 300) -> None:
        self.world = world
        self.resident_id = world.resident(world.household)
        self.bathroom = world.room(world.household, "卫生间", RoomKind.BATHROOM)
        self.hall = world.room(world.household, "客厅", RoomKind.LIVING_ROOM)
        self.radar = world.device(world.household, DeviceKind.FALL_RADAR, room_id=self.bathroom)
        self.motion = world.device(world.household, DeviceKind.MOTION, room_id=self.hall)
        self.door = world.device(world.household, DeviceKind.DOOR_CONTACT, room_id=self.hall)
        self.alarm_id = report(
            world.connection,
            Report(
                site_id=world.household.id,
                kind=AlarmKind.FALL,
                happened_at=NOW - timedelta(seconds=age_s),
                actor=Actor("radar"),
                source=AlarmSource.DEVICE,
                room_id=self.bathroom,
                device_id=self.radar,
            ),
        ).alarm.id


def grades(service: Connection, settings: AnalyticsSettings) -> list[str | None]:
    return [finding.grade for finding in Fall(settings).score(History(service, NOW)).findings]


def test_nothing_moves(world: World, service: Connection, settings: AnalyticsSettings) -> None:
    Fallen(world)
    assert grades(service, settings) == ["certain"]


def test_at_first_it_is_likely(world: World, service: Connection, settings: AnalyticsSettings) -> None:
    Fallen(world, age_s=60)
    assert grades(service, settings) == ["likely"]


@pytest.mark.parametrize(
    ("device", "event", "age_s", "expected"),
    [
        ("motion", ActivityEvent.MOTION, 200, "doubtful"),  # walked into the next room
        ("door", ActivityEvent.DOOR_OPEN, 200, "doubtful"),
        ("radar", ActivityEvent.PRESENCE, 200, "likely"),  # moves, where they fell
        ("motion", ActivityEvent.MOTION, 400, "certain"),  # before the fall
    ],
)
def test_what_follows_weighs(
    world: World,
    service: Connection,
    settings: AnalyticsSettings,
    device: str,
    event: ActivityEvent,
    age_s: float,
    expected: str,
) -> None:
    fallen = Fallen(world)
    room_id = fallen.bathroom if device == "radar" else fallen.hall
    world.activity(getattr(fallen, device), age_s, event, room_id=room_id)
    assert grades(service, settings) == [expected]


@pytest.mark.parametrize(("later_s", "expected"), [(0, "doubtful"), (1, "likely")])
def test_late_movement_is_help_and_no_false_alarm(
    world: World, service: Connection, settings: AnalyticsSettings, later_s: float, expected: str
) -> None:
    fallen = Fallen(world, age_s=1800)
    world.activity(fallen.motion, 1800 - settings.fall_walk_s - later_s, room_id=fallen.hall)
    assert grades(service, settings) == [expected]


def test_the_grade_goes_into_the_devices_alarm_once(
    world: World, service: Connection, settings: AnalyticsSettings
) -> None:
    fallen = Fallen(world)
    rounds = Rounds(settings, [Fall(settings)], handling_of(settings))
    rounds.go_at(service, NOW)
    rounds.go_at(service, NOW)
    row = service.execute("SELECT priority, state, signal_count, evidence FROM care.alarm").fetchone()
    assert row is not None
    assert (row["priority"], row["state"], row["signal_count"]) == ("high", "open", 1)
    assert row["evidence"]["grade"] == "certain"
    steps = [event.step for event in timeline(service, fallen.alarm_id)]
    assert steps == [AlarmStep.RAISED, AlarmStep.NOTED]
    world.activity(fallen.motion, 120, room_id=fallen.hall)
    rounds.go_at(service, NOW)
    row = service.execute("SELECT priority, evidence ->> 'grade' AS grade FROM care.alarm").fetchone()
    assert row == {"priority": "high", "grade": "doubtful"}


def test_once_somebody_is_there_nothing_is_weighed(
    world: World, service: Connection, settings: AnalyticsSettings
) -> None:
    fallen = Fallen(world)
    for step in (AlarmStep.ACKNOWLEDGED, AlarmStep.ARRIVED):
        with service.transaction():
            take(service, fallen.alarm_id, Step(step=step, actor=Actor("王芳")))
    assert grades(service, settings) == []
