"""The carer of a dispersed elder, who comes on certain mornings: the door opens when nobody goes out."""

from collections.abc import Sequence

import numpy as np

from gateway.model import ActivityEvent, DeviceKind
from gateway.simulator import events
from gateway.simulator.chance import generator
from gateway.simulator.clock import MINUTE_MS, day_start_ms, minute_at, weekday
from gateway.simulator.events import Events
from gateway.simulator.plan import PlannedDevice
from gateway.simulator.routine import Place

VISITS_PER_WEEK = (3, 7)
STAYS_MIN = (15, 50)


def visit(
    seed: int, subject: int, reach: Sequence[PlannedDevice], day: int, places: np.ndarray
) -> list[Events]:
    """What the front door of a household says of the carer's visit on one day; nothing on other days."""
    habit = generator(seed, "carer", subject)
    days = habit.permutation(7)[: habit.integers(VISITS_PER_WEEK[0], VISITS_PER_WEEK[1] + 1)]
    usual = int(habit.integers(minute_at(8), minute_at(10, 30)))
    doors = [one for one in reach if one.kind is DeviceKind.DOOR_CONTACT and one.place is Place.OUT]
    if weekday(day) not in days or not doors:
        return []
    rng = generator(seed, "visit", subject, day)
    arrives = usual + int(rng.normal(0, 10))
    if places[arrives] in (Place.OUT, Place.DAY_CENTRE):
        return []  # nobody opens
    leaves = arrives + int(rng.integers(*STAYS_MIN))
    opened_ms = day_start_ms(day) + np.array([arrives, leaves]) * MINUTE_MS + rng.integers(0, MINUTE_MS, 2)
    return [
        events.activities(doors[0].index, opened_ms, ActivityEvent.DOOR_OPEN),
        events.activities(
            doors[0].index, opened_ms + rng.integers(3_000, 15_000, 2), ActivityEvent.DOOR_CLOSED
        ),
    ]
