"""Devices that speak wrongly."""

from datetime import timedelta

import pytest

from alarms.incident import Report, report
from alarms.kinds import AlarmKind, AlarmSource
from analytics.detectors import Assessment, Subject, SubjectKind
from analytics.detectors.device import Battery, DeviceDrift, DeviceFault
from analytics.history import History
from analytics.settings import AnalyticsSettings
from identity.model import Actor
from protocol.model import DeviceKind
from tests.analytics.conftest import NOW, World

DAY_S = 86_400


class Worn:
    """One resident with a wristband and a mattress."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.resident_id = world.resident(world.home)
        self.band = world.device(world.home, DeviceKind.WRISTBAND, resident_id=self.resident_id)
        self.mattress = world.device(world.home, DeviceKind.SMART_MATTRESS, resident_id=self.resident_id)
        self.button = world.device(world.home, DeviceKind.SOS_BUTTON, resident_id=self.resident_id)


@pytest.fixture
def worn(world: World) -> Worn:
    return Worn(world)


def faults(assessment: Assessment) -> list[tuple[int, str]]:
    assert {subject.kind for subject in assessment.fine} <= {SubjectKind.DEVICE}
    return [(finding.subject.id, finding.evidence["fault"]) for finding in assessment.findings]


@pytest.mark.parametrize(
    ("values", "flat"),
    [
        ([72.0] * 6, True),
        ([72.0] * 5 + [73.0], False),
        ([71.0] + [72.0] * 6, True),
        ([72.0] * 2, False),  # too short
    ],
)
def test_a_stuck_pulse(
    worn: Worn, history: History, settings: AnalyticsSettings, values: list[float], flat: bool
) -> None:
    worn.world.hours(worn.band, worn.resident_id, {"hr": values})
    assessment = DeviceFault(settings).score(history)
    assert faults(assessment) == ([(worn.band, "flat")] if flat else [])
    assert (Subject(SubjectKind.DEVICE, worn.band) in assessment.fine) == (not flat)


def test_few_equal_readings_prove_nothing(worn: Worn, history: History, settings: AnalyticsSettings) -> None:
    worn.world.hours(worn.band, worn.resident_id, {"hr": [72.0] * 6}, count=2)
    assert faults(DeviceFault(settings).score(history)) == []


@pytest.mark.parametrize(("count", "found"), [(4, False), (5, True)])
def test_readings_beyond_physical_limits(
    worn: Worn, history: History, settings: AnalyticsSettings, count: int, found: bool
) -> None:
    for reason, many in (("out_of_limits", count), ("malformed", 9)):
        for _ in range(many):
            worn.world.connection.execute(
                "INSERT INTO readings.dead_letter"
                " (received_at, topic, payload, payload_bytes, reason, detail, device_id)"
                " VALUES (%s, 't', '', 0, %s, '', %s)",
                (NOW - timedelta(hours=2), reason, worn.band),
            )
    assert faults(DeviceFault(settings).score(history)) == ([(worn.band, "implausible")] if found else [])


@pytest.mark.parametrize(("before_wrong", "found"), [(False, True), (True, False)])
def test_a_clock_that_went_wrong(
    worn: Worn, history: History, settings: AnalyticsSettings, before_wrong: bool, found: bool
) -> None:
    for hour in range(1, 80, 2):
        wrong = hour < 24 or before_wrong
        worn.world.status(worn.band, hour * 3600, clock_replaced=wrong)
    assert faults(DeviceFault(settings).score(history)) == ([(worn.band, "clock")] if found else [])


@pytest.mark.parametrize(
    ("presses", "battery", "found"),
    [(9, 80, False), (10, 80, True), (10, None, True), (3, 5, True), (3, 6, False), (2, 0, False)],
)
def test_a_button_that_fires_by_itself(
    worn: Worn,
    history: History,
    settings: AnalyticsSettings,
    presses: int,
    battery: int | None,
    found: bool,
) -> None:
    connection = worn.world.connection
    alarm = report(
        connection,
        Report(
            site_id=worn.world.home.id,
            kind=AlarmKind.SOS,
            happened_at=NOW - timedelta(hours=5),
            actor=Actor("button"),
            source=AlarmSource.DEVICE,
            resident_id=worn.resident_id,
            device_id=worn.button,
        ),
    ).alarm
    for number in range(presses):
        connection.execute(
            "INSERT INTO care.alarm_signal (device_id, signal_id, state, kind, time, alarm_id)"
            " VALUES (%s, %s, 'raised', 'sos', %s, %s)",
            (worn.button, str(number), NOW - timedelta(minutes=5 * number + 1), alarm.id),
        )
    connection.execute(
        "UPDATE readings.device_state SET battery = %s WHERE device_id = %s", (battery, worn.button)
    )
    assert faults(DeviceFault(settings).score(history)) == ([(worn.button, "self_firing")] if found else [])


@pytest.mark.parametrize(("off", "found"), [(11.0, False), (14.0, True)])
def test_of_two_devices_the_one_that_moved_has_drifted(
    worn: Worn, history: History, settings: AnalyticsSettings, off: float, found: bool
) -> None:
    week_h = 7 * 24
    worn.world.hours(worn.band, worn.resident_id, {"hr": [70.0] * week_h + [70.0 + off] * week_h})
    worn.world.hours(worn.mattress, worn.resident_id, {"hr": [71.0] * week_h + [70.0] * week_h})
    assert faults(DeviceDrift(settings).score(history)) == ([(worn.band, "drift")] if found else [])


def test_a_short_disagreement_is_no_drift(worn: Worn, history: History, settings: AnalyticsSettings) -> None:
    worn.world.hours(worn.band, worn.resident_id, {"hr": [90.0] * 23})
    worn.world.hours(worn.mattress, worn.resident_id, {"hr": [70.0] * 23})
    assert faults(DeviceDrift(settings).score(history)) == []


def batteries(worn: Worn, levels: list[int]) -> None:
    for back, level in enumerate(reversed(levels)):
        worn.world.status(worn.button, back * DAY_S + 60, battery=level)


@pytest.mark.parametrize(
    ("levels", "days"),
    [
        ([40, 38, 36, 34, 32, 30, 28, 26, 24], 7),
        ([12, 11, 10, 99, 97, 95, 93, 91, 89, 87, 85, 83], None),  # replaced since
        ([100, 38, 100, 38, 100, 38, 100, 38], None),  # charged every other day
        ([60, 60, 60, 60, 60, 60, 60, 60, 60], None),
        ([40, 30, 20], None),  # too short
    ],
)
def test_days_that_a_battery_has_left(
    worn: Worn, history: History, settings: AnalyticsSettings, levels: list[int], days: int | None
) -> None:
    batteries(worn, levels)
    findings = Battery(settings).score(history).findings
    assert [(one.subject.id, one.evidence["seen"]["days_left"]) for one in findings] == (
        [] if days is None else [(worn.button, days)]
    )
