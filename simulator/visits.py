"""Who comes to see somebody: the carer of a dispersed elder on certain mornings, family and neighbours.

A visit opens doors when nobody goes out, moves about, and finds whoever lies on the floor.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from protocol.model import ActivityEvent, DeviceKind
from simulator import events
from simulator.chance import generator
from simulator.clock import MINUTE_MS, day_start_ms, minute_at, weekday
from simulator.events import Events
from simulator.person import Traits
from simulator.plan import PlannedDevice
from simulator.routine import Place, among

CARER_COMES_PER_WEEK = (3, 7)
_CARER_STAYS_MIN = (15, 50)
_GUESTS_STAY_MIN = (20, 120)
_WEEKEND_WEIGHT = (0.8, 1.5)
"""Of a day of work and of a weekend, on which family has time."""
_BUSTLE = {Place.LIVING_ROOM: 0.45, Place.KITCHEN: 0.25, Place.BEDROOM: 0.3}
"""Chance in each minute that a visitor is seen in a room of a household; in a home they sit by the bed."""
_AWAY = among((Place.OUT, Place.DAY_CENTRE))


class Visit(NamedTuple):
    """Minutes of the day in which somebody else is there, `leaves` excluded."""

    arrives: int
    leaves: int


def carer(seed: int, subject: int, day: int) -> Visit | None:
    """When the carer of a household comes on a simulated day, if they keep to what they agreed."""
    habit = generator(seed, "carer", subject)
    days = habit.permutation(7)[: habit.integers(CARER_COMES_PER_WEEK[0], CARER_COMES_PER_WEEK[1] + 1)]
    usual = int(habit.integers(minute_at(8), minute_at(10, 30)))
    if weekday(day) not in days:
        return None
    rng = generator(seed, "visit", subject, day)
    arrives = usual + int(rng.normal(0, 10))
    return Visit(arrives, arrives + int(rng.integers(*_CARER_STAYS_MIN)))


def guests(seed: int, subject: int, traits: Traits, day: int) -> Visit | None:
    """When family or neighbours come on a simulated day."""
    rng = generator(seed, "guests", subject, day)
    busy = _WEEKEND_WEIGHT[weekday(day) >= 5]
    if rng.random() >= traits.habits.guests_per_week / 7 * busy:
        return None
    arrives = int(rng.integers(minute_at(9), minute_at(16)))
    return Visit(arrives, arrives + int(rng.integers(*_GUESTS_STAY_MIN)))


def seen(
    visits: Sequence[Visit],
    reach: Sequence[PlannedDevice],
    day: int,
    places: np.ndarray,
    rng: np.random.Generator,
    *,
    household: bool,
) -> list[Events]:
    """What doors and motion sensors say of `visits` to somebody who is in `places`; nobody else opens."""
    start_ms = day_start_ms(day)
    said = []
    for visit in visits:
        if _AWAY[places[visit.arrives]]:
            continue
        for device in reach:
            if device.kind is DeviceKind.DOOR_CONTACT and (device.place is Place.OUT or not household):
                opened_ms = start_ms + np.array(visit) * MINUTE_MS + rng.integers(0, MINUTE_MS, 2)
                closed_ms = opened_ms + rng.integers(3_000, 15_000, 2)
                said.append(events.activities(device.index, opened_ms, ActivityEvent.DOOR_OPEN))
                said.append(events.activities(device.index, closed_ms, ActivityEvent.DOOR_CLOSED))
            elif device.kind is DeviceKind.MOTION and device.place in _BUSTLE and device.room is not None:
                chance = _BUSTLE[device.place] if household or device.place is Place.BEDROOM else 0
                minutes = np.arange(*visit)[rng.random(visit.leaves - visit.arrives) < chance]
                seen_ms = start_ms + minutes * MINUTE_MS + rng.integers(0, MINUTE_MS, minutes.size)
                said.append(events.activities(device.index, seen_ms, ActivityEvent.MOTION))
    return said
