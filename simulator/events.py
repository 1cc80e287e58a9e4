"""What was said, in columns: a day of a county is half a million messages, so they are kept as arrays.

A row is one message of one device; `messages` turns rows into the values that go on the wire.
"""

from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from protocol.model import (
    Activity,
    ActivityEvent,
    AlarmSignal,
    DeviceStatus,
    Message,
    SignalKind,
    SignalState,
    VitalSigns,
)
from protocol.signs import SIGNS

EVENT = np.dtype(
    [
        ("ts_ms", "<i8"),
        ("clock_off_ms", "<i8"),  # how far ahead the clock is that it bears
        ("values", "<f4", (8,)),
        ("device", "<i4"),  # its index in the county's list
        ("delay_ms", "<i4"),  # how long after its time it is heard
        ("leaf", "<i4"),
        ("code", "<i4"),
    ]
)
"""One message. What `code` and `values` mean depends on the leaf; see the makers below."""

_WHOLE = np.dtype((np.void, EVENT.itemsize))

Events = np.ndarray[Any, np.dtype[np.void]]


class Said(IntEnum):
    """The value of column `leaf`."""

    VITALS = 0
    ACTIVITY = 1
    ALARM = 2
    STATUS = 3


class SaidMessage(NamedTuple):
    """A message with the time at which, and the device (its index) by which it is said."""

    ts_ms: int
    device: int
    message: Message


_SIGN_KEYS = tuple(SIGNS)
_DECIMALS = {key: sign.decimals for key, sign in SIGNS.items()}
ACTIVITIES = tuple(ActivityEvent)
"""What `code` counts in ACTIVITY rows."""
_ALARMS = tuple(SignalKind)
_STATES = tuple(SignalState)
_CHUNK_ROWS = 4096
DEVICES_MAX = 1 << 22
NOTHING: Events = np.zeros(0, EVENT)


def as_heard(rows: Events) -> Events:
    """The rows in the order in which they are heard, which is not that of their times."""
    return chosen(rows, np.argsort(rows["ts_ms"] + rows["delay_ms"], kind="stable"))


def chosen(rows: Events, which: np.ndarray) -> Events:
    """`rows[which]`, of a mask or of places, as a copy; numpy would go through the fields of each row."""
    places = np.flatnonzero(which) if which.dtype == bool else which
    return np.ascontiguousarray(rows).view(_WHOLE).take(places).view(EVENT)


def _rows(device: int | np.ndarray, ts_ms: np.ndarray, said: Said, code: int = 0) -> Events:
    rows = np.zeros(ts_ms.size, EVENT)
    rows["ts_ms"], rows["device"], rows["leaf"], rows["code"] = ts_ms, device, said, code
    return rows


def vitals(device: int, ts_ms: np.ndarray, signs: dict[str, np.ndarray]) -> Events:
    """Readings at `ts_ms`, each sign rounded as a device shows it and kept inside physical limits."""
    rows = _rows(device, ts_ms, Said.VITALS)
    rows["values"] = np.nan
    for key, series in signs.items():
        limits = SIGNS[key]
        shown = np.minimum(np.maximum(series, limits.low), limits.high)  # np.clip is slow on short series
        rows["values"][:, _SIGN_KEYS.index(key)] = shown.round(_DECIMALS[key])
    return rows


def activities(device: int | np.ndarray, ts_ms: np.ndarray, event: ActivityEvent) -> Events:
    """The same event seen at each of `ts_ms`, by one device or by one for each time."""
    return _rows(device, ts_ms, Said.ACTIVITY, ACTIVITIES.index(event))


def alarm(device: int, ts_ms: int, kind: SignalKind, state: SignalState, raised_ms: int) -> Events:
    """One alarm signal; `raised_ms` is when it was raised, which names it in all its states."""
    rows = _rows(device, np.array([ts_ms]), Said.ALARM, _ALARMS.index(kind))
    rows["values"][0, :2] = _STATES.index(state), (ts_ms - raised_ms) / 1000
    return rows


def statuses(device: np.ndarray, ts_ms: np.ndarray, battery: np.ndarray, rssi: np.ndarray) -> Events:
    """Statuses of many devices; `battery` in percent, NaN for what runs on mains; `rssi` in dBm."""
    rows = _rows(device, ts_ms, Said.STATUS)  # `code` is the firmware
    rows["values"][:, 0], rows["values"][:, 1] = np.round(battery), np.round(rssi)
    return rows


def joined(parts: Sequence[Events]) -> Events:
    """The rows of `parts`, one after the other."""
    if len(parts) == 1:
        return parts[0]
    # As bytes: numpy would work out the common type of all parts first, which takes longer than joining.
    return np.concatenate([NOTHING.view(np.uint8), *(part.view(np.uint8) for part in parts)]).view(EVENT)


def in_order(parts: Sequence[Events]) -> Events:
    """All rows of `parts` by time, then device; what is said at once keeps the order of `parts`."""
    rows = joined(parts)
    if not rows.size:
        return rows
    since_ms = rows["ts_ms"] - rows["ts_ms"].min()
    return chosen(rows, np.argsort(since_ms * DEVICES_MAX + rows["device"], kind="stable"))


def is_said(rows: Events, said: Said) -> np.ndarray:
    """Which rows carry `said`."""
    found: np.ndarray = rows["leaf"] == said
    return found


def is_activity(rows: Events, event: ActivityEvent) -> np.ndarray:
    """Which rows are activities of this kind."""
    found: np.ndarray = is_said(rows, Said.ACTIVITY) & (rows["code"] == ACTIVITIES.index(event))
    return found


def is_alarm(rows: Events, kind: SignalKind) -> np.ndarray:
    """Which rows are alarm signals of this kind."""
    found: np.ndarray = is_said(rows, Said.ALARM) & (rows["code"] == _ALARMS.index(kind))
    return found


def sign(rows: Events, key: str) -> np.ndarray:
    """Column of one vital sign; NaN where it was not measured. Meaningful for VITALS rows only."""
    return np.asarray(rows["values"][:, _SIGN_KEYS.index(key)])


def set_sign(rows: Events, which: np.ndarray, key: str, values: np.ndarray, *, inside: bool = True) -> None:
    """Put other values of one sign into the rows `which`, as `vitals` does; past limits unless `inside`."""
    limits = SIGNS[key]
    kept = np.clip(values, limits.low, limits.high) if inside else values
    rows["values"][which, _SIGN_KEYS.index(key)] = np.round(kept, _DECIMALS[key])


def signal_id(ts_ms: int, device: int) -> str:
    """The id under which a device sends the alarm it raised at `ts_ms`."""
    return f"{ts_ms:x}-{device:x}"


def messages(rows: Events) -> Iterator[SaidMessage]:
    """The rows as messages, in their order; made as they are asked for."""
    for begin in range(0, rows.size, _CHUNK_ROWS):
        chunk = rows[begin : begin + _CHUNK_ROWS]
        columns = (
            chunk[name].tolist() for name in ("ts_ms", "clock_off_ms", "device", "leaf", "code", "values")
        )
        for ts_ms, clock_off_ms, device, leaf, code, values in zip(*columns, strict=True):
            yield SaidMessage(ts_ms, device, _message(ts_ms + clock_off_ms, device, leaf, code, values))


def _message(ts_ms: int, device: int, leaf: int, code: int, values: list[float]) -> Message:
    if leaf == Said.VITALS:
        present = {
            key: round(value, _DECIMALS[key])
            for key, value in zip(_SIGN_KEYS, values, strict=True)
            if value == value  # NaN: not measured
        }
        return VitalSigns(ts_ms=ts_ms, **present)
    if leaf == Said.ACTIVITY:
        return Activity(ts_ms=ts_ms, event=ACTIVITIES[code])
    if leaf == Said.ALARM:
        raised_ms = ts_ms - round(values[1] * 1000)
        return AlarmSignal(
            ts_ms=ts_ms,
            kind=_ALARMS[code],
            state=_STATES[int(values[0])],
            signal_id=signal_id(raised_ms, device),
        )
    battery, rssi = values[:2]
    return DeviceStatus(
        ts_ms=ts_ms,
        online=True,
        battery=int(battery) if battery == battery else None,
        rssi=int(rssi),
        fw=FIRMWARES[code],
    )


FIRMWARES = ("2.4.1", "2.5.0")
"""Firmware versions that the simulated devices report: the usual one, and one that changes a field."""
