"""Silent devices and sites, with last words and pulses planted around the limits."""

import pytest

from alarms.incident import Report, report
from alarms.kinds import AlarmKind, AlarmSource
from alarms.model import AlarmPriority
from analytics.detectors import Assessment, Subject, SubjectKind
from analytics.detectors.offline import Offline
from analytics.history import History
from analytics.settings import AnalyticsSettings
from care.model import SiteKind
from database.connections import Connection
from identity.model import Actor
from protocol.model import DeviceKind
from tests.analytics.conftest import NOW, World

MAINS_S = 600
BATTERY_S = 25 * 3600
DAY_S = 86_400
WEEK_S = 7 * DAY_S


def subjects(assessment: Assessment) -> list[str]:
    return [str(finding.subject) for finding in assessment.findings]


@pytest.fixture
def listened(world: World) -> World:
    """The county was listened to for the last two days, and somebody was always heard."""
    world.pulses(2 * DAY_S)
    world.device(world.site("elsewhere", SiteKind.HOUSEHOLD), DeviceKind.MOTION)
    return world


@pytest.mark.parametrize(
    ("kind", "seen_s", "offline"),
    [
        (DeviceKind.SMART_MATTRESS, MAINS_S - 1, False),
        (DeviceKind.SMART_MATTRESS, MAINS_S, False),
        (DeviceKind.SMART_MATTRESS, MAINS_S + 60, True),
        (DeviceKind.MOTION, MAINS_S + 60, False),
        (DeviceKind.MOTION, BATTERY_S, False),
        (DeviceKind.MOTION, BATTERY_S + 60, True),
        (DeviceKind.BP_CUFF, BATTERY_S + 60, False),
    ],
)
def test_the_limit_is_the_power_sources_own(
    listened: World,
    history: History,
    settings: AnalyticsSettings,
    kind: DeviceKind,
    seen_s: float,
    offline: bool,
) -> None:
    device_id = listened.device(listened.home, kind, seen_s=seen_s)
    assessment = Offline(settings).score(history)
    assert subjects(assessment) == ([f"device:{device_id}"] if offline else [])
    assert (Subject(SubjectKind.DEVICE, device_id) in assessment.fine) == (not offline)


def test_a_cuff_that_nobody_used_for_a_week_is_offline(
    world: World, history: History, settings: AnalyticsSettings
) -> None:
    world.pulses(8 * DAY_S)
    cuff = world.device(world.home, DeviceKind.BP_CUFF, seen_s=WEEK_S + 60)
    assert subjects(Offline(settings).score(history)) == [f"device:{cuff}"]


def test_the_finding_explains_itself(listened: World, history: History, settings: AnalyticsSettings) -> None:
    room_id = listened.room(listened.home, "101")
    listened.device(listened.home, DeviceKind.FALL_RADAR, room_id=room_id, seen_s=3 * 3600)
    listened.device(listened.home, DeviceKind.GATEWAY)
    (finding,) = Offline(settings).score(history).findings
    assert finding.priority is AlarmPriority.LOW
    assert finding.evidence["sentence"] == {
        "zh_CN": "101 的跌倒雷达（fall-radar-0001）自 11:00 起已 3小时没有消息，正常应在 10分钟内有消息；"
        "请检查电源、电池和网络。",
        "en": "The fall radar (fall-radar-0001) in 101 has been silent since 11:00 (3 h); it should be heard "
        "at least every 10 min. Check its power, battery and network.",
    }


def test_a_device_that_never_spoke_counts_from_when_it_was_added(
    listened: World, history: History, settings: AnalyticsSettings
) -> None:
    device_id = listened.device(listened.home, DeviceKind.SMART_MATTRESS, seen_s=None)
    listened.device(listened.home, DeviceKind.GATEWAY)
    (finding,) = Offline(settings).score(history).findings
    assert finding.subject.id == device_id
    assert finding.evidence["ever_seen"] is False
    assert "从未" in finding.evidence["sentence"]["zh_CN"]


def test_a_retired_device_is_not_missed_and_its_alarm_may_end(
    listened: World, history: History, settings: AnalyticsSettings
) -> None:
    forgotten, alarmed = (
        listened.device(listened.home, DeviceKind.SMART_MATTRESS, seen_s=DAY_S) for _ in range(2)
    )
    report(
        listened.connection,
        Report(
            site_id=listened.home.id,
            kind=AlarmKind.DEVICE_OFFLINE,
            happened_at=NOW,
            actor=Actor("offline"),
            source=AlarmSource.DETECTOR,
            detector="offline",
            device_id=alarmed,
        ),
    )
    listened.connection.execute(
        "UPDATE care.device SET retired_at = %s WHERE kind = 'smart_mattress'", (NOW,)
    )
    assessment = Offline(settings).score(history)
    assert assessment.findings == ()
    assert Subject(SubjectKind.DEVICE, alarmed) in assessment.fine
    assert Subject(SubjectKind.DEVICE, forgotten) not in assessment.fine


def fill_home(world: World, seen_s: float, *, mains: int = 50) -> list[int]:
    devices = [world.device(world.home, DeviceKind.GATEWAY, seen_s=seen_s)]
    devices += [world.device(world.home, DeviceKind.SMART_MATTRESS, seen_s=seen_s) for _ in range(mains - 1)]
    return [*devices, world.device(world.home, DeviceKind.MOTION, seen_s=seen_s)]


def test_a_silent_site_is_one_finding(listened: World, history: History, settings: AnalyticsSettings) -> None:
    fill_home(listened, MAINS_S + 60)
    assessment = Offline(settings).score(history)
    (finding,) = assessment.findings
    assert str(finding.subject) == f"site:{listened.home.id}"
    assert (finding.evidence["devices_silent"], finding.evidence["devices"]) == (50, 51)
    assert "50 台" in finding.evidence["sentence"]["zh_CN"]
    assert Subject(SubjectKind.SITE, listened.home.id) not in assessment.fine


def test_a_silent_gateway_speaks_for_its_household(
    listened: World, history: History, settings: AnalyticsSettings
) -> None:
    listened.device(listened.household, DeviceKind.GATEWAY, seen_s=MAINS_S + 60)
    listened.device(listened.household, DeviceKind.MOTION, seen_s=3600)
    assert subjects(Offline(settings).score(history)) == [f"site:{listened.household.id}"]


def test_a_silent_gateway_beside_a_device_that_speaks_is_just_a_device(
    listened: World, history: History, settings: AnalyticsSettings
) -> None:
    gateway = listened.device(listened.household, DeviceKind.GATEWAY, seen_s=MAINS_S + 60)
    listened.device(listened.household, DeviceKind.MOTION, seen_s=60)
    assessment = Offline(settings).score(history)
    assert subjects(assessment) == [f"device:{gateway}"]
    assert Subject(SubjectKind.SITE, listened.household.id) in assessment.fine


def test_most_of_a_site_is_one_finding_too(
    listened: World, history: History, settings: AnalyticsSettings
) -> None:
    listened.device(listened.home, DeviceKind.GATEWAY)
    for _ in range(5):
        listened.device(listened.home, DeviceKind.SMART_MATTRESS, seen_s=3600)
    assert subjects(Offline(settings).score(history)) == [f"site:{listened.home.id}"]


def test_few_of_a_site_are_named_each(listened: World, history: History, settings: AnalyticsSettings) -> None:
    listened.device(listened.home, DeviceKind.GATEWAY)
    silent = [listened.device(listened.home, DeviceKind.SMART_MATTRESS, seen_s=3600) for _ in range(4)]
    assert subjects(Offline(settings).score(history)) == [f"device:{device_id}" for device_id in silent]


def test_after_an_outage_of_the_site_its_devices_get_their_time_again(
    listened: World, service: Connection, settings: AnalyticsSettings
) -> None:
    gateway, *others = fill_home(listened, 3 * 3600)
    report(
        listened.connection,
        Report(
            site_id=listened.home.id,
            kind=AlarmKind.DEVICE_OFFLINE,
            happened_at=NOW.replace(hour=3),
            actor=Actor("offline"),
            source=AlarmSource.DETECTOR,
        ),
    )

    def ended(age_s: int) -> None:
        listened.connection.execute(
            "UPDATE care.alarm SET state = 'cleared', ended_at = %s::timestamptz - make_interval(secs => %s)",
            (NOW, age_s),
        )

    for device_id in (gateway, *others[:30]):
        listened.seen(device_id, 30)
    ended(120)
    assert subjects(Offline(settings).score(History(service, NOW))) == []
    ended(MAINS_S + 60)
    assert len(subjects(Offline(settings).score(History(service, NOW)))) == 19


def test_while_nobody_could_be_heard_nobody_is_blamed(
    world: World, history: History, settings: AnalyticsSettings
) -> None:
    # Analytics ran, and heard nothing from anybody for the last 20 minutes: broker or ingest is away.
    world.pulses(DAY_S, 1260)
    world.pulses(1200, 0, heard=0)
    fill_home(world, 1230)
    assert subjects(Offline(settings).score(history)) == []


def test_a_silence_of_all_is_believed_in_the_end(
    world: World, history: History, settings: AnalyticsSettings
) -> None:
    world.pulses(DAY_S, 2520)
    world.pulses(2460, 0, heard=0)
    fill_home(world, 2490)
    assert subjects(Offline(settings).score(history)) == [f"site:{world.home.id}"]


def test_when_ingest_is_just_back_nobody_is_blamed(
    world: World, history: History, settings: AnalyticsSettings
) -> None:
    world.pulses(DAY_S, 4 * 3600)
    world.pulses(120)
    _, *others = fill_home(world, 4 * 3600)
    world.seen(others[0], 30)
    assert subjects(Offline(settings).score(history)) == []


def test_when_analytics_is_just_back_nobody_is_blamed(
    world: World, history: History, settings: AnalyticsSettings
) -> None:
    world.pulses(DAY_S, 12 * 3600)
    fill_home(world, 12 * 3600)
    assert subjects(Offline(settings).score(history)) == []
