"""Device faults as they are seen in real life, and what each does to what a device says.

A fault is drawn for each device and span of `WINDOW_DAYS`. It bends rows that are already told; what a
device never said it does not invent, but for the button that presses itself.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from protocol.model import ActivityEvent, DeviceKind, SignalKind, SignalState
from simulator import events
from simulator.chance import generator
from simulator.clock import DAY_MS, HOUR_MS, MINUTE_MS, day_start_ms
from simulator.events import Events, Said
from simulator.labels import Label, LabelKind
from simulator.plan import County

WINDOW_DAYS = 30
LONGEST_DAYS = 14
"""No fault lasts longer."""

WORN_OR_BED = (DeviceKind.WRISTBAND, DeviceKind.SMART_MATTRESS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """Which kinds of device a fault strikes, how often in a device-year, and how long it lasts."""

    kinds: tuple[DeviceKind, ...]
    per_device_year: float
    lasts_h: tuple[float, float]


FAILINGS: Mapping[LabelKind, Failing] = {
    LabelKind.FLAT_LINE: Failing(kinds=WORN_OR_BED, per_device_year=0.15, lasts_h=(6, 96)),
    LabelKind.DRIFT: Failing(kinds=(DeviceKind.WRISTBAND,), per_device_year=0.12, lasts_h=(120, 330)),
    LabelKind.DROP_OUT: Failing(
        kinds=(*WORN_OR_BED, DeviceKind.MOTION), per_device_year=0.3, lasts_h=(8, 120)
    ),
    LabelKind.DUPLICATES: Failing(
        kinds=(*WORN_OR_BED, DeviceKind.MOTION, DeviceKind.DOOR_CONTACT),
        per_device_year=0.2,
        lasts_h=(4, 72),
    ),
    LabelKind.BURST: Failing(
        kinds=(*WORN_OR_BED, DeviceKind.MOTION, DeviceKind.DOOR_CONTACT),
        per_device_year=0.5,
        lasts_h=(1, 20),
    ),
    LabelKind.CLOCK_JUMP: Failing(
        kinds=(DeviceKind.WRISTBAND, DeviceKind.HEALTH_KIOSK), per_device_year=0.1, lasts_h=(2, 48)
    ),
    LabelKind.STUCK_PRESENCE: Failing(
        kinds=(DeviceKind.FALL_RADAR,), per_device_year=0.25, lasts_h=(12, 150)
    ),
    LabelKind.SELF_FIRING: Failing(
        kinds=(DeviceKind.SOS_BUTTON, DeviceKind.PULL_CORD), per_device_year=0.06, lasts_h=(6, 60)
    ),
    LabelKind.FIELD_CHANGE: Failing(kinds=(DeviceKind.WRISTBAND,), per_device_year=0.05, lasts_h=(24, 120)),
    LabelKind.BATTERY_DECAY: Failing(
        kinds=(DeviceKind.SOS_BUTTON, DeviceKind.PULL_CORD, DeviceKind.MOTION, DeviceKind.DOOR_CONTACT),
        per_device_year=0.05,
        lasts_h=(72, 330),
    ),
}
_DRIFT_PER_DAY = {"temp": 0.25, "spo2": -1.1, "hr": 2.5}
_DROPPED = 0.7
_REPEATED = 0.4
_FIRES_EVERY_MIN = (20, 150)
_CLOCK_JUMPS_H = (-9, -1, 3, 26, -480_000)
"""A time zone taken for another, a day, the year in which clocks begin."""
_EMPTY_AFTER = 0.6
"""Share of its span after which a battery that decays is empty, and its device silent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault of one device."""

    kind: LabelKind
    device: int
    begin_ms: int
    end_ms: int

    def label(self, county: County) -> Label:
        """What it is called afterwards."""
        site = county.devices[self.device].site
        return Label(
            kind=self.kind,
            site=site,
            device=self.device,
            begin_ms=self.begin_ms,
            end_ms=self.end_ms,
            detail=f"{self.clock_jumps_h():+d} h" if self.kind is LabelKind.CLOCK_JUMP else None,
        )

    def clock_jumps_h(self) -> int:
        """By how much the clock of a device jumps, if it is that which is wrong."""
        return int(generator("jump", self.device, self.begin_ms).choice(_CLOCK_JUMPS_H))


def faults_on(county: County, day: int, rate: float) -> tuple[Fault, ...]:
    """The faults that touch simulated day `day`, by kind, then device."""
    begin_ms = day_start_ms(day)
    windows = range((day - LONGEST_DAYS) // WINDOW_DAYS, day // WINDOW_DAYS + 1)
    found = [fault for window in windows for fault in _in_window(county, window, rate)]
    return tuple(fault for fault in found if fault.begin_ms < begin_ms + DAY_MS and fault.end_ms > begin_ms)


def afflicted(
    rows: Events, said: np.ndarray, faults: Sequence[Fault], here: np.ndarray, seed: int, day: int
) -> Events:
    """Those rows of a day that are `said` (told of each), as faulty devices say them; not in order.

    `here` tells of each device whether these are all its rows.
    """
    by_device: dict[int, list[Fault]] = {}
    for fault in faults:
        by_device.setdefault(fault.device, []).append(fault)
    is_faulty = np.zeros(here.size, bool)
    is_faulty[list(by_device)] = True
    faulty = is_faulty[rows["device"]]
    parts, at_fault = [events.chosen(rows, said & ~faulty)], events.chosen(rows, said & faulty)
    # One device after the other, so that none disturbs the draws of another.
    for device, its_faults in by_device.items():
        if not here[device] and not (at_fault["device"] == device).any():
            continue
        own: Events = at_fault[at_fault["device"] == device]
        for fault in its_faults:
            struck = (own["ts_ms"] >= fault.begin_ms) & (own["ts_ms"] < fault.end_ms)
            rng = generator(seed, fault.kind, device, day)
            own = _EFFECTS[fault.kind](own, struck, fault, rng, day_start_ms(day))
        parts.append(own)
    return events.joined(parts)


@lru_cache(maxsize=64)
def _in_window(county: County, window: int, rate: float) -> list[Fault]:
    start_ms = day_start_ms(window * WINDOW_DAYS)
    found = []
    for kind, failing in FAILINGS.items():
        rng = generator(county.seed, "fault", kind, window)
        devices = [device.index for device in county.devices if device.kind in failing.kinds]
        chance = failing.per_device_year * WINDOW_DAYS / 365 * rate
        # Three draws for each device whatever they decide, so that none disturbs another's.
        for device, (happens, begins, lasts) in zip(devices, rng.random((len(devices), 3)), strict=True):
            if happens < chance:
                begin_ms = start_ms + int(begins * WINDOW_DAYS * DAY_MS)
                shortest_h, longest_h = failing.lasts_h
                hours = shortest_h + lasts * (longest_h - shortest_h)
                found.append(
                    Fault(kind=kind, device=device, begin_ms=begin_ms, end_ms=begin_ms + int(hours * HOUR_MS))
                )
    return found


Effect = Callable[[Events, np.ndarray, Fault, np.random.Generator, int], Events]


def _flat_line(rows: Events, struck: np.ndarray, *_: object) -> Events:
    readings = np.flatnonzero(struck & events.is_said(rows, Said.VITALS))
    if readings.size:
        rows["values"][readings] = rows["values"][readings[0]]
    return rows


def _drift(
    rows: Events, struck: np.ndarray, fault: Fault, _rng: np.random.Generator, _start_ms: int
) -> Events:
    readings = np.flatnonzero(struck & events.is_said(rows, Said.VITALS))
    days = (rows["ts_ms"][readings] - fault.begin_ms) / DAY_MS
    for key, per_day in _DRIFT_PER_DAY.items():
        events.set_sign(rows, readings, key, events.sign(rows, key)[readings] + per_day * days)
    return rows


def _drop_out(
    rows: Events, struck: np.ndarray, _fault: Fault, rng: np.random.Generator, _start_ms: int
) -> Events:
    kept: Events = rows[~(struck & (rng.random(rows.size) < _DROPPED))]
    return kept


def _duplicates(
    rows: Events, struck: np.ndarray, _fault: Fault, rng: np.random.Generator, _start_ms: int
) -> Events:
    again = rows[struck & (rng.random(rows.size) < _REPEATED)]
    again["delay_ms"] += rng.integers(50, 20_000, again.size)
    return events.joined([rows, again])


def _burst(
    rows: Events, struck: np.ndarray, fault: Fault, _rng: np.random.Generator, _start_ms: int
) -> Events:
    """All that was said while the link was away comes when it is back, with its own times."""
    rows["delay_ms"][struck] = fault.end_ms - rows["ts_ms"][struck]
    return rows


def _clock_jump(
    rows: Events, struck: np.ndarray, fault: Fault, _rng: np.random.Generator, _start_ms: int
) -> Events:
    rows["clock_off_ms"][struck] = fault.clock_jumps_h() * HOUR_MS
    return rows


def _stuck_presence(rows: Events, struck: np.ndarray, *_: object) -> Events:
    cleared = events.is_activity(rows, ActivityEvent.ABSENCE)
    kept: Events = rows[~(struck & cleared)]
    return kept


def _self_firing(
    rows: Events, _struck: np.ndarray, fault: Fault, rng: np.random.Generator, start_ms: int
) -> Events:
    at_ms, until_ms = max(fault.begin_ms, start_ms), min(fault.end_ms, start_ms + DAY_MS)
    fired = [rows]
    while (at_ms := at_ms + int(rng.integers(*_FIRES_EVERY_MIN)) * MINUTE_MS) < until_ms:
        fired.append(events.alarm(fault.device, at_ms, SignalKind.SOS, SignalState.RAISED, at_ms))
    return events.joined(fired)


def _field_change(rows: Events, struck: np.ndarray, *_: object) -> Events:
    """A new firmware says temperature in Fahrenheit, and its statuses bear its number."""
    rows["code"][struck & events.is_said(rows, Said.STATUS)] = 1
    readings = np.flatnonzero(struck & events.is_said(rows, Said.VITALS))
    events.set_sign(rows, readings, "temp", events.sign(rows, "temp")[readings] * 1.8 + 32, inside=False)
    return rows


def _battery_decay(
    rows: Events, struck: np.ndarray, fault: Fault, _rng: np.random.Generator, _start_ms: int
) -> Events:
    """A bad battery is empty within days; its device never says that it is low, and falls silent."""
    empty_ms = fault.begin_ms + int((fault.end_ms - fault.begin_ms) * _EMPTY_AFTER)
    statuses = np.flatnonzero(struck & events.is_said(rows, Said.STATUS))
    left = (empty_ms - rows["ts_ms"][statuses]) / (empty_ms - fault.begin_ms)
    rows["values"][statuses, 0] = np.round(rows["values"][statuses, 0] * left)
    kept: Events = rows[~(struck & (rows["ts_ms"] >= empty_ms))]
    return kept


_EFFECTS: Mapping[LabelKind, Effect] = {
    LabelKind.FLAT_LINE: _flat_line,
    LabelKind.DRIFT: _drift,
    LabelKind.DROP_OUT: _drop_out,
    LabelKind.DUPLICATES: _duplicates,
    LabelKind.BURST: _burst,
    LabelKind.CLOCK_JUMP: _clock_jump,
    LabelKind.STUCK_PRESENCE: _stuck_presence,
    LabelKind.SELF_FIRING: _self_firing,
    LabelKind.FIELD_CHANGE: _field_change,
    LabelKind.BATTERY_DECAY: _battery_decay,
}
