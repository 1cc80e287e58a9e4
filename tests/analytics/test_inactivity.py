"""People of whom nothing is seen, with activities planted around the limits."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from alarms.incident import Report, Step, report, take
from alarms.kinds import AlarmSource
from alarms.model import AlarmPriority, AlarmStep
from analytics.baselines import HistoryBaselines
from analytics.detectors import Assessment, Subject, SubjectKind
from analytics.detectors.inactivity import Inactivity
from analytics.history import History
from analytics.settings import AnalyticsSettings
from care.model import RoomKind, SiteKind
from database.connections import Connection
from identity.model import Actor
from protocol.model import ActivityEvent, DeviceKind
from tests.analytics.conftest import NOW, World

HOUR_S = 3600
LIMIT_S = 10 * HOUR_S
BATHROOM_S = 4 * HOUR_S


class Household:
    """One elder at home: motion in bedroom and bathroom, a gateway."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.resident_id = world.resident(world.household)
        bedroom = world.room(world.household, "卧室")
        bathroom = world.room(world.household, "卫生间", RoomKind.BATHROOM)
        self.gateway = world.device(world.household, DeviceKind.GATEWAY)
        self.motion = world.device(world.household, DeviceKind.MOTION, room_id=bedroom, seen_s=HOUR_S)
        self.bathroom = world.device(world.household, DeviceKind.MOTION, room_id=bathroom, seen_s=HOUR_S)

    @property
    def subject(self) -> Subject:
        return Subject(SubjectKind.RESIDENT, self.resident_id)


@pytest.fixture
def home(world: World) -> Household:
    return Household(world)


def priorities(assessment: Assessment) -> list[str]:
    return [str(finding.priority) for finding in assessment.findings]


@pytest.mark.parametrize(
    ("silence_s", "expected"),
    [
        (LIMIT_S - 1, []),
        (LIMIT_S, ["medium"]),
        (LIMIT_S * 1.5 - 1, ["medium"]),
        (LIMIT_S * 1.5, ["high"]),
        (100 * HOUR_S, ["high"]),
    ],
)
def test_the_limit_of_a_household(
    home: Household, history: History, settings: AnalyticsSettings, silence_s: float, expected: list[str]
) -> None:
    home.world.activity(home.motion, silence_s)
    assessment = Inactivity(settings, HistoryBaselines(settings)).score(history)
    assert priorities(assessment) == expected
    assert (home.subject in assessment.fine) == (not expected)


@pytest.mark.parametrize(("silence_s", "found"), [(BATHROOM_S - 1, False), (BATHROOM_S, True)])
def test_the_bathroom_has_a_shorter_limit(
    home: Household, history: History, settings: AnalyticsSettings, silence_s: float, found: bool
) -> None:
    home.world.activity(home.motion, silence_s + HOUR_S)
    home.world.activity(home.bathroom, silence_s)
    assert bool(Inactivity(settings, HistoryBaselines(settings)).score(history).findings) == found


def test_the_finding_explains_itself(home: Household, history: History, settings: AnalyticsSettings) -> None:
    home.world.activity(home.bathroom, 4.5 * HOUR_S)
    (finding,) = Inactivity(settings, HistoryBaselines(settings)).score(history).findings
    assert finding.since == NOW - timedelta(hours=4.5)
    assert finding.evidence["sentence"] == {
        "zh_CN": "已 4小时30分钟没有活动（上限 4小时）。最后一次活动：09:30，卫生间。请马上去看或打电话。",
        "en": "No activity for 4 h 30 min (limit 4 h). Last seen at 09:30, bathroom. "
        "Please look or call now.",
    }


def test_in_a_home_a_measurement_elsewhere_brings_nobody_back_into_sight(
    world: World, service: Connection, settings: AnalyticsSettings
) -> None:
    resident_id = world.resident(world.home)
    mattress = world.device(world.home, DeviceKind.SMART_MATTRESS, resident_id=resident_id)
    cuff = world.device(world.home, DeviceKind.BP_CUFF, resident_id=resident_id)
    world.activity(mattress, 13 * HOUR_S, ActivityEvent.OUT_OF_BED)
    world.vitals(cuff, resident_id, 12 * HOUR_S, sbp=120)
    detector = Inactivity(settings, HistoryBaselines(settings))
    assert detector.score(History(service, NOW)).findings == ()
    world.activity(mattress, 12.5 * HOUR_S, ActivityEvent.IN_BED)
    (finding,) = detector.score(History(service, NOW)).findings
    assert "Last seen at 02:00, taking a measurement." in finding.evidence["sentence"]["en"]


def test_the_finding_says_how_long_the_system_itself_stood_still(
    home: Household, service: Connection, settings: AnalyticsSettings
) -> None:
    home.world.activity(home.motion, 14 * HOUR_S)
    home.world.pulses(20 * HOUR_S, 9 * HOUR_S)
    home.world.pulses(3 * HOUR_S)
    (finding,) = Inactivity(settings, HistoryBaselines(settings)).score(History(service, NOW)).findings
    assert finding.evidence["sentence"] == {
        "zh_CN": "已 14小时没有活动（上限 10小时）。其中 5小时59分钟系统停顿，可能漏看。"
        "最后一次活动：00:00，卧室。请马上去看或打电话。",
        "en": "No activity for 14 h (limit 10 h). For 5 h 59 min of that the system stood still and may have "
        "missed something. Last seen at 00:00, bedroom. Please look or call now.",
    }
    assert finding.evidence["missed_s"] == 6 * HOUR_S - 60


def test_a_minute_that_was_missed_is_not_worth_a_word(
    home: Household, service: Connection, settings: AnalyticsSettings
) -> None:
    home.world.activity(home.motion, 14 * HOUR_S)
    home.world.pulses(20 * HOUR_S, HOUR_S)
    home.world.pulses(HOUR_S - 300)
    (finding,) = Inactivity(settings, HistoryBaselines(settings)).score(History(service, NOW)).findings
    assert "stood still" not in finding.evidence["sentence"]["en"]


def test_sensors_that_never_saw_anything(
    home: Household, history: History, settings: AnalyticsSettings
) -> None:
    (finding,) = Inactivity(settings, HistoryBaselines(settings)).score(history).findings
    assert finding.evidence["last_activity_at"] is None
    assert finding.priority is AlarmPriority.HIGH


def test_sensors_are_given_time_after_they_are_installed(
    world: World, history: History, settings: AnalyticsSettings
) -> None:
    world.resident(world.household)
    room_id = world.room(world.household, "卧室")
    world.device(world.household, DeviceKind.GATEWAY)
    world.device(world.household, DeviceKind.MOTION, room_id=room_id, since=NOW - timedelta(hours=9))
    assessment = Inactivity(settings, HistoryBaselines(settings)).score(history)
    assert (assessment.findings, assessment.fine) == ((), {})


def test_staff_on_their_round_are_no_sign_of_life_but_a_measurement_is(
    home: Household, service: Connection, settings: AnalyticsSettings
) -> None:
    home.world.activity(home.motion, 11 * HOUR_S)
    home.world.activity(home.motion, HOUR_S, ActivityEvent.ROUND)
    assert priorities(Inactivity(settings, HistoryBaselines(settings)).score(History(service, NOW))) == [
        "medium"
    ]
    cuff = home.world.device(home.world.household, DeviceKind.BP_CUFF, resident_id=home.resident_id)
    home.world.vitals(cuff, home.resident_id, 2 * HOUR_S, sbp=120)
    assessment = Inactivity(settings, HistoryBaselines(settings)).score(History(service, NOW))
    assert assessment.findings == ()
    assert assessment.fine[home.subject] == NOW - timedelta(hours=2)


def test_a_wristband_on_the_pulse_is_no_activity(
    home: Household, history: History, settings: AnalyticsSettings
) -> None:
    home.world.activity(home.motion, 11 * HOUR_S)
    band = home.world.device(home.world.household, DeviceKind.WRISTBAND, resident_id=home.resident_id)
    home.world.vitals(band, home.resident_id, 60, hr=70)
    assert priorities(Inactivity(settings, HistoryBaselines(settings)).score(history)) == ["medium"]


@pytest.mark.parametrize(("gateway_s", "found"), [(60, True), (700, False)])
def test_a_home_that_does_not_get_through_says_nothing(
    home: Household, history: History, settings: AnalyticsSettings, gateway_s: float, found: bool
) -> None:
    home.world.activity(home.motion, 11 * HOUR_S)
    home.world.seen(home.gateway, gateway_s)
    assert bool(Inactivity(settings, HistoryBaselines(settings)).score(history).findings) == found


def at_local(hour: int, minute: int = 0) -> datetime:
    """A time of the day after NOW's, where the homes are."""
    return datetime(2025, 3, 3, 16, tzinfo=UTC) + timedelta(hours=hour, minutes=minute)


@pytest.mark.parametrize(
    ("now", "in_bed", "found"),
    [
        (at_local(7, 59), True, False),
        (at_local(7, 59), None, False),
        (at_local(7, 59), False, True),
        (at_local(8), True, True),
        (at_local(8), None, True),
    ],
)
def test_at_night_in_bed_nobody_is_judged(
    home: Household,
    service: Connection,
    settings: AnalyticsSettings,
    now: datetime,
    in_bed: bool | None,
    found: bool,
) -> None:
    before_now_s = (NOW - (now - timedelta(hours=11))).total_seconds()
    home.world.activity(home.motion, before_now_s)
    home.world.seen(home.gateway, (NOW - now).total_seconds())
    if in_bed is not None:
        home.world.latest(home.resident_id, "in_bed", in_bed, before_now_s)
    assert (
        bool(Inactivity(settings, HistoryBaselines(settings)).score(History(service, now)).findings) == found
    )


def test_the_bathroom_counts_at_night_too(
    home: Household, service: Connection, settings: AnalyticsSettings
) -> None:
    now = at_local(4)
    home.world.activity(home.bathroom, (NOW - (now - timedelta(hours=5))).total_seconds())
    home.world.seen(home.gateway, (NOW - now).total_seconds())
    assert len(Inactivity(settings, HistoryBaselines(settings)).score(History(service, now)).findings) == 1


@pytest.mark.parametrize(
    ("event", "found"),
    [(ActivityEvent.IN_BED, True), (ActivityEvent.TURNED, True), (ActivityEvent.OUT_OF_BED, False)],
)
def test_in_a_home_who_left_the_bed_is_out_of_sight(
    world: World, history: History, settings: AnalyticsSettings, event: ActivityEvent, found: bool
) -> None:
    resident_id = world.resident(world.home)
    mattress = world.device(world.home, DeviceKind.SMART_MATTRESS, resident_id=resident_id)
    world.activity(mattress, 11 * HOUR_S, event)
    assessment = Inactivity(settings, HistoryBaselines(settings)).score(history)
    assert bool(assessment.findings) == found
    if found:
        assert "床上" in assessment.findings[0].evidence["sentence"]["zh_CN"] or event != ActivityEvent.IN_BED


def test_a_shared_room_shows_nobody_and_a_room_of_ones_own_does(
    world: World, history: History, settings: AnalyticsSettings
) -> None:
    shared, single = world.room(world.home, "101"), world.room(world.home, "102")
    world.resident(world.home, room_id=shared)
    world.resident(world.home, room_id=shared)
    alone = world.resident(world.home, room_id=single)
    world.device(world.home, DeviceKind.GATEWAY)
    for room_id in (shared, single):
        motion = world.device(world.home, DeviceKind.MOTION, room_id=room_id)
        world.activity(motion, 11 * HOUR_S, room_id=room_id)
    assessment = Inactivity(settings, HistoryBaselines(settings)).score(history)
    assert [finding.subject.id for finding in assessment.findings] == [alone]


def test_guests_of_a_day_centre_are_not_waited_for(
    world: World, history: History, settings: AnalyticsSettings
) -> None:
    centre = world.site("centre", SiteKind.DAY_CENTRE)
    resident_id = world.resident(centre)
    mattress = world.device(centre, DeviceKind.SMART_MATTRESS, resident_id=resident_id)
    world.activity(mattress, 20 * HOUR_S, ActivityEvent.IN_BED)
    assert Inactivity(settings, HistoryBaselines(settings)).score(history).findings == ()


def test_what_a_device_saw_of_another_person_does_not_count(
    world: World, history: History, settings: AnalyticsSettings
) -> None:
    resident_id = world.resident(world.home)
    mattress = world.device(
        world.home, DeviceKind.SMART_MATTRESS, resident_id=resident_id, since=NOW - timedelta(hours=2)
    )
    world.activity(mattress, 12 * HOUR_S, ActivityEvent.IN_BED)
    assert Inactivity(settings, HistoryBaselines(settings)).score(history).findings == ()


def live(home: Household, days: int, *, silence_h: int = 3) -> None:
    """Days before today: seen in each hour from 08:10 to 19:50, but for so long in the middle of the day."""
    for day in range(1, days + 1):
        awake = [hour for hour in range(8, 20) if not 11 <= hour < 11 + silence_h]
        home.world.activity_hours(home.motion, [24 * day + 14 - hour for hour in awake])


@pytest.mark.parametrize(
    ("days", "silence_h", "found"),
    [
        (20, 5.4, False),
        (20, 5.6, True),  # the longest by day was 3 h 20 min: half as much again, and half an hour
        (10, 5.6, False),  # not known well enough: 10 hours
    ],
)
def test_a_persons_own_rhythm(
    home: Household,
    history: History,
    settings: AnalyticsSettings,
    days: int,
    silence_h: float,
    found: bool,
) -> None:
    live(home, days)
    home.world.activity(home.motion, silence_h * HOUR_S)
    findings = Inactivity(settings, HistoryBaselines(settings)).score(history).findings
    assert [finding.evidence["personal"] for finding in findings] == ([True] if found else [])


@pytest.mark.parametrize(("silence_h", "found"), [(11.9, False), (12.1, True)])
def test_nobody_is_left_longer_than_half_a_day(
    home: Household, service: Connection, settings: AnalyticsSettings, silence_h: float, found: bool
) -> None:
    # Often silent for 8 h 20 min by day: half as much again would be 13 hours.
    live(home, 20, silence_h=8)
    home.world.activity(home.motion, 5.9 * HOUR_S)
    at = NOW + timedelta(hours=silence_h - 5.9)
    home.world.seen(home.gateway, -(silence_h - 6) * HOUR_S)
    late = msgspec.structs.replace(settings, rest_from_h=23)
    findings = Inactivity(late, HistoryBaselines(late)).score(History(service, at)).findings
    assert bool(findings) == found


def test_a_wider_tolerance(home: Household, history: History, settings: AnalyticsSettings) -> None:
    home.world.activity(home.motion, 12 * HOUR_S)
    home.world.setting(home.resident_id, "inactivity", tolerance=1.5)
    assert Inactivity(settings, HistoryBaselines(settings)).score(history).findings == ()


def test_whom_staff_have_gone_to_see_is_asked_for_again_only_after_another_silence(
    home: Household, owner: Connection, service: Connection, settings: AnalyticsSettings
) -> None:
    home.world.activity(home.bathroom, 5 * HOUR_S)
    home.world.device(home.world.household, DeviceKind.GATEWAY, seen_s=-5 * HOUR_S)
    detector = Inactivity(settings, HistoryBaselines(settings))
    (first,) = detector.score(History(service, NOW)).findings
    with owner.transaction():
        raised = report(
            owner,
            Report(
                site_id=first.site_id,
                kind=first.kind,
                happened_at=first.since,
                actor=Actor("inactivity"),
                source=AlarmSource.DETECTOR,
                resident_id=home.resident_id,
                detector="inactivity",
                evidence=first.evidence,
                known_at=NOW,
            ),
        )
    carer = Actor("wang")
    take(
        owner,
        raised.alarm.id,
        Step(step=AlarmStep.ACKNOWLEDGED, actor=carer, done_at=NOW + timedelta(minutes=2)),
    )
    later = detector.score(History(service, NOW + timedelta(minutes=3)))
    assert len(later.findings) == 1, "to acknowledge is not to go"
    take(
        owner, raised.alarm.id, Step(step=AlarmStep.ARRIVED, actor=carer, done_at=NOW + timedelta(minutes=10))
    )
    later = detector.score(History(service, NOW + timedelta(minutes=11)))
    assert (later.findings, later.fine) == ((), {}), "that somebody is there does not end the alarm"

    seen_at = NOW + timedelta(minutes=10)
    later = detector.score(History(service, seen_at + timedelta(seconds=BATHROOM_S - 60)))
    assert later.findings == ()
    (again,) = detector.score(History(service, seen_at + timedelta(seconds=BATHROOM_S))).findings
    assert (again.since, again.priority) == (first.since, AlarmPriority.MEDIUM)
    assert "Staff went to look at 14:10." in again.evidence["sentence"]["en"]
    home.world.activity(home.motion, -4.5 * HOUR_S)
    later = detector.score(History(service, NOW + timedelta(hours=5)))
    assert (later.findings, set(later.fine)) == ((), {home.subject})


@pytest.mark.parametrize(("unseen_h", "expected"), [(71, 1), (73, 0)])
def test_of_whom_nothing_is_seen_for_days_though_staff_came_absence_tells(
    home: Household,
    owner: Connection,
    service: Connection,
    settings: AnalyticsSettings,
    unseen_h: int,
    expected: int,
) -> None:
    home.world.activity(home.motion, unseen_h * HOUR_S)
    home.world.device(home.world.household, DeviceKind.GATEWAY)
    detector = Inactivity(settings, HistoryBaselines(settings))
    (first,) = detector.score(History(service, NOW)).findings
    with owner.transaction():
        raised = report(
            owner,
            Report(
                site_id=first.site_id,
                kind=first.kind,
                happened_at=first.since,
                actor=Actor("inactivity"),
                source=AlarmSource.DETECTOR,
                resident_id=home.resident_id,
                known_at=NOW - timedelta(hours=13),
            ),
        )
    for step, hours in ((AlarmStep.ACKNOWLEDGED, 13), (AlarmStep.ARRIVED, 12)):
        take(
            owner, raised.alarm.id, Step(step=step, actor=Actor("wang"), done_at=NOW - timedelta(hours=hours))
        )
    assert len(detector.score(History(service, NOW)).findings) == expected
