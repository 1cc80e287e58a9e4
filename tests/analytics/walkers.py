"""Households whose people walk from room to room, a planted number of times on each day."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from analytics import features
from care.model import RoomKind, SiteKind
from protocol.model import ActivityEvent, DeviceKind
from tests.analytics.conftest import World

ROOMS = (RoomKind.BEDROOM, RoomKind.LIVING_ROOM, RoomKind.BATHROOM, RoomKind.KITCHEN)


Sensor = tuple[int, int]
"""A motion sensor, and its room."""


def walk(world: World, sensors: Sequence[Sensor], begin: datetime, moves: int, lasts: timedelta) -> None:
    """Change rooms `moves` times, evenly over so long from `begin` on, before each of `sensors` in turn."""
    world.connection.execute(
        "INSERT INTO readings.activity (time, device_id, room_id, event)"
        " SELECT %(begin)s + number * %(step)s::interval, (%(devices)s::int[])[1 + number %% %(count)s],"
        " (%(rooms)s::int[])[1 + number %% %(count)s], %(event)s"
        " FROM generate_series(0, %(moves)s) AS number",
        {
            "begin": begin,
            "step": lasts / (moves + 1),
            "devices": [device for device, _ in sensors],
            "rooms": [room for _, room in sensors],
            "count": len(sensors),
            "event": str(ActivityEvent.MOTION),
            "moves": moves,
        },
    )


def walk_daily(world: World, sensors: Sequence[Sensor], midnight: datetime, moves: Sequence[int]) -> None:
    """From 7 to 21 o'clock on the days before `midnight`; `moves` of each day, the last day first."""
    for day, count in enumerate(moves, 1):
        walk(world, sensors, midnight - timedelta(days=day) + timedelta(hours=7), count, timedelta(hours=14))


class Walker:
    """Lives alone in a household with a motion sensor in each of `rooms` rooms."""

    def __init__(self, world: World, code: str, *, rooms: int = 3) -> None:
        self.world = world
        self.site = world.site(code, SiteKind.HOUSEHOLD)
        self.resident_id = world.resident(self.site)
        self.sensors: list[Sensor] = []
        for number, kind in enumerate(ROOMS[:rooms]):
            room_id = world.room(self.site, f"{code}-{number}", kind)
            self.sensors.append((world.device(self.site, DeviceKind.MOTION, room_id=room_id), room_id))

    def walk(self, begin: datetime, moves: int, hours: float) -> "Walker":
        """Change rooms `moves` times, evenly over so many hours from `begin` on."""
        walk(self.world, self.sensors, begin, moves, timedelta(hours=hours))
        return self


def calm_homes(
    world: World, now: datetime, *, homes: int = 10, days: int = 28, seed: int = 5
) -> list[Walker]:
    """Households that have walked 30 to 50 times on each of the `days` before the day of `now`."""
    rng = np.random.default_rng(seed)
    walkers = [Walker(world, f"calm-{number}") for number in range(homes)]
    for walker in walkers:
        walk_daily(world, walker.sensors, features.midnight(now), rng.integers(30, 51, days).tolist())
    return walkers
