"""What the devices around one person notice of their day."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from protocol.model import ActivityEvent, DeviceKind
from simulator import events
from simulator.clock import DAY_MINUTES, MINUTE_MS, day_start_ms, minute_at
from simulator.events import Events
from simulator.person import SelfCare, Traits
from simulator.plan import PlannedDevice
from simulator.routine import Place, among
from simulator.vitals import Signs, glucose_at, minutes_of

WRISTBAND_EVERY_MIN = 5
_TURNS_PER_HOUR_ASLEEP = 2.2
_SEEN_PER_HOUR_IN_BED = 0.9
_STAFF_TURN_EVERY_MIN = 120
_STIR = {
    Place.BEDROOM: 1.1,
    Place.BATHROOM: 1.25,
    Place.KITCHEN: 1.75,
    Place.LIVING_ROOM: 0.92,
}
"""How often people stir in each room, as a multiple of their own mobility."""
_HAND = {"sbp": 11.0, "dbp": 8.0, "hr": 3.5, "temp": 0.25, "weight": 0.6}
"""Deviation of one measurement by hand from the truth, so that people at home vary as real ones do."""
_STIR_IN = np.array([_STIR.get(place, 0.5) for place in Place])
_MOOD_MIN, _LIVELY_SHARE, _LIVELY, _SEDATE = 10, 0.5, 1.7, 0.3
"""For so many minutes a person is either lively or sedate."""
_EVENING_MIN, _EVENING = 4 * 60, 0.75
"""For so long after the day's begin, which is in the evening, they stir less."""
_INDOORS = among((Place.BED, Place.BEDROOM, Place.BATHROOM))
_AWAY = among((Place.OUT, Place.DAY_CENTRE))
_IN_BED = among((Place.BED,))
_FIRST_MINUTE = np.zeros(1, np.int64)


class PersonDay(NamedTuple):
    """One person's day: which, where in each minute, the signs in each minute, and how weak they are."""

    day: int
    places: np.ndarray
    signs: Signs
    still: np.ndarray
    """Minutes in which they do not stir, such as after a fall."""
    feverish: bool


def observed(
    traits: Traits, reach: Sequence[PlannedDevice], lived: PersonDay, rng: np.random.Generator
) -> list[Events]:
    """All that the devices in `reach` notice, in no order."""
    moves = _Moves.of(traits, lived, rng)
    said: list[Events] = []
    for device in reach:
        match device.kind:
            case DeviceKind.MOTION:
                said.append(_motion(device, moves, lived, rng))
            case DeviceKind.FALL_RADAR:
                said += _presence(device, lived, rng)
            case DeviceKind.SMART_MATTRESS:
                said += _mattress(device, traits, lived, rng)
            case DeviceKind.DOOR_CONTACT:
                said += _door(device, lived, rng)
            case DeviceKind.WRISTBAND:
                said.append(_wristband(device, traits, lived, rng))
            case DeviceKind.BP_CUFF | DeviceKind.THERMOMETER | DeviceKind.GLUCOMETER:
                said += _instrument(device, traits, lived, rng)
    return said


def at_kiosk(device: int, lived: PersonDay, minute: int, rng: np.random.Generator) -> list[Events]:
    """A person checks in at a health kiosk and measures themselves."""
    ts_ms = _at(lived.day, np.array([minute]), rng)
    keys = ("hr", "spo2", "sbp", "dbp", "weight")
    reading = _by_hand(lived.signs, keys, np.array([minute]), rng)
    check_in = events.activities(device, ts_ms, ActivityEvent.CHECK_IN)
    return [check_in, events.vitals(device, ts_ms + 90_000, reading)]


class _Moves(NamedTuple):
    """How much a person stirs in each minute, and whether they come into a room in it."""

    stirring: np.ndarray
    arrives: np.ndarray
    drawn: np.ndarray

    @classmethod
    def of(cls, traits: Traits, lived: PersonDay, rng: np.random.Generator) -> Self:
        """People sit and stir by turns: their minutes of motion come in clusters, as in real homes."""
        lively = rng.random(DAY_MINUTES // _MOOD_MIN) < _LIVELY_SHARE
        mood = np.where(lively, _LIVELY, _SEDATE).repeat(_MOOD_MIN)
        mood[:_EVENING_MIN] *= _EVENING
        arrives = np.empty(DAY_MINUTES, bool)
        arrives[0] = False
        np.not_equal(lived.places[1:], lived.places[:-1], out=arrives[1:])
        stirring = np.minimum(0.97, traits.habits.mobility * _STIR_IN[lived.places] * mood)
        return cls(stirring, arrives, rng.random(DAY_MINUTES))


def _motion(device: PlannedDevice, moves: _Moves, lived: PersonDay, rng: np.random.Generator) -> Events:
    assert device.place is not None, "a motion sensor hangs in a room"
    here = lived.places == device.place
    seen = here & ~lived.still & (moves.arrives | (moves.drawn < moves.stirring))
    if device.place is Place.BEDROOM:
        # A sleeper who throws back the blanket is seen as well.
        seen |= (lived.places == Place.BED) & (moves.drawn < _SEEN_PER_HOUR_IN_BED / 60)
    return _activity(device, lived.day, np.flatnonzero(seen), ActivityEvent.MOTION, rng)


def _presence(device: PlannedDevice, lived: PersonDay, rng: np.random.Generator) -> list[Events]:
    assert device.place is not None, "a radar hangs in a room"
    watched = (device.place, Place.BED) if device.place is Place.BEDROOM else (device.place,)
    begins, ends = _comings_and_goings(lived.places, among(watched))
    return [
        _activity(device, lived.day, begins, ActivityEvent.PRESENCE, rng),
        _activity(device, lived.day, ends, ActivityEvent.ABSENCE, rng),
    ]


def _mattress(
    device: PlannedDevice,
    traits: Traits,
    lived: PersonDay,
    rng: np.random.Generator,
) -> list[Events]:
    in_bed = lived.places == Place.BED
    begins, ends = _comings_and_goings(lived.places, _IN_BED)
    turns = in_bed & (rng.random(DAY_MINUTES) < _TURNS_PER_HOUR_ASLEEP / 60)
    if traits.self_care is SelfCare.TOTAL_LOSS:
        # Those who cannot turn themselves are turned by staff, against pressure sores.
        turns = np.zeros(DAY_MINUTES, bool)
        every = np.arange(int(rng.integers(_STAFF_TURN_EVERY_MIN)), DAY_MINUTES, _STAFF_TURN_EVERY_MIN)
        turns[(every + rng.integers(-12, 13, every.size)).clip(0, DAY_MINUTES - 1)] = True
        turns &= in_bed
    # The mattress needs a minute of lying still before it hears heart and breath.
    measured = np.flatnonzero(in_bed[1:] & in_bed[:-1] & ~turns[1:]) + 1
    every_minute = minutes_of(lived.day)[measured] + device.index * 7919 % MINUTE_MS
    readings = {key: lived.signs[key][measured] for key in ("hr", "rr")}
    return [
        events.vitals(device.index, every_minute, readings),
        _activity(device, lived.day, begins, ActivityEvent.IN_BED, rng),
        _activity(device, lived.day, ends, ActivityEvent.OUT_OF_BED, rng),
        _activity(device, lived.day, np.flatnonzero(turns), ActivityEvent.TURNED, rng),
    ]


def _door(device: PlannedDevice, lived: PersonDay, rng: np.random.Generator) -> list[Events]:
    """The front door of a household opens for outings, a bedroom's door in a home for the common rooms."""
    inside = ~_AWAY if device.place is Place.OUT else _INDOORS
    begins, ends = _comings_and_goings(lived.places, inside)
    passed = np.sort(np.concatenate([begins[begins > 0], ends[ends > 0]]))
    opened_ms = _at(lived.day, passed, rng, within_ms=40_000)
    closed_ms = opened_ms + rng.integers(3_000, 15_000, passed.size)
    return [
        events.activities(device.index, opened_ms, ActivityEvent.DOOR_OPEN),
        events.activities(device.index, closed_ms, ActivityEvent.DOOR_CLOSED),
    ]


def _wristband(device: PlannedDevice, traits: Traits, lived: PersonDay, rng: np.random.Generator) -> Events:
    """Heart rate, oxygen and temperature every five minutes; off the wrist to wash and to charge."""
    every = np.arange(device.index % WRISTBAND_EVERY_MIN, DAY_MINUTES, WRISTBAND_EVERY_MIN)
    worn = np.ones(DAY_MINUTES, bool)
    off = int(rng.integers(5, 120))
    worn[off : off + int(rng.integers(30, 70))] = False
    if rng.random() > traits.habits.adherence:
        forgotten = int(rng.integers(minute_at(6), minute_at(9)))
        worn[forgotten : forgotten + int(rng.integers(120, 420))] = False
    taken = every[worn[every]]
    ts_ms = minutes_of(lived.day)[taken] + device.index * 7919 % MINUTE_MS
    return events.vitals(
        device.index, ts_ms, {key: lived.signs[key][taken] for key in ("hr", "spo2", "temp")}
    )


def _instrument(
    device: PlannedDevice, traits: Traits, lived: PersonDay, rng: np.random.Generator
) -> list[Events]:
    """Readings that somebody has to take: cuff, thermometer, glucometer."""
    keys: tuple[str, ...]
    match device.kind:
        case DeviceKind.BP_CUFF:
            usual, keys = [minute_at(7, 25), minute_at(16, 40)], ("sbp", "dbp", "hr")
        case DeviceKind.THERMOMETER:
            usual, keys = [minute_at(7, 35), minute_at(16, 30)], ("temp",)
            if lived.feverish:
                usual += [minute_at(19, 30), minute_at(11, 0)]
        case _:
            usual, keys = [minute_at(6, 25), minute_at(13, 25)], ()
    minutes = np.array(usual) + rng.integers(-15, 16, len(usual))
    away = _AWAY[lived.places[minutes]]
    minutes = minutes[(rng.random(len(usual)) < traits.habits.adherence) & ~away & ~lived.still[minutes]]
    if not minutes.size:
        return []
    if keys:
        readings = _by_hand(lived.signs, keys, minutes, rng)
    else:
        after_meal = minutes > minute_at(12)
        sugar = [glucose_at(traits, rng, after_meal=bool(after)) for after in after_meal]
        readings = {"glucose": np.array(sugar)}
    return [events.vitals(device.index, _at(lived.day, minutes, rng), readings)]


def _by_hand(
    signs: Signs, keys: Sequence[str], minutes: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """What instruments show in somebody's hands: a cuff too loose, a cold tongue, stairs just climbed."""
    stirred = rng.standard_normal(minutes.size)
    shown = {}
    for key in keys:
        own = rng.standard_normal(minutes.size)
        # Whatever stirs the pressure stirs both of its numbers.
        error = 0.8 * stirred + 0.6 * own if key in ("sbp", "dbp") else own
        shown[key] = signs[key][minutes] + _HAND.get(key, 0.0) * error
    return shown


def _comings_and_goings(places: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Minutes in which a person enters, and leaves, the places for which `inside` is true.

    The state at the begin of the day counts as a change, so that no sensor is left with yesterday's.
    """
    there = inside[places]
    changes = np.flatnonzero(there[1:] != there[:-1]) + 1
    begun_inside = bool(there[0])
    changes = np.concatenate([_FIRST_MINUTE, changes])
    return changes[int(not begun_inside) :: 2], changes[int(begun_inside) :: 2]


def _activity(
    device: PlannedDevice, day: int, minutes: np.ndarray, event: ActivityEvent, rng: np.random.Generator
) -> Events:
    return events.activities(device.index, _at(day, minutes, rng), event)


def _at(day: int, minutes: np.ndarray, rng: np.random.Generator, within_ms: int = MINUTE_MS) -> np.ndarray:
    """Times inside the given minutes of a day, in milliseconds since 1970 UTC."""
    inside = (rng.random(minutes.size) * within_ms).astype(np.int64)  # whole numbers are slower to draw
    return np.asarray(day_start_ms(day) + minutes * MINUTE_MS + inside, np.int64)
