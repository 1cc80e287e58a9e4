"""A small county that has lived for some weeks: signs, movements and habits, for what learns from history."""

import numpy as np

from analytics import features
from care.model import RoomKind, SiteKind
from protocol.model import DeviceKind
from tests.analytics.conftest import NOW, WORLD, World
from tests.analytics.walkers import walk_daily
from tests.servers import Population

MIDNIGHT = features.midnight(NOW)
MIDNIGHT_H = 14
"""Hours from MIDNIGHT to NOW."""


class LivedCounty:
    """Elders at home, each with a wristband and motion sensors in hall, bathroom and kitchen."""

    def __init__(self, world: World, people: int = 9, days: int = 50) -> None:
        self.world = world
        self.days = days
        self.random = np.random.default_rng(11)
        self.residents: list[int] = []
        self.bands: list[int] = []
        self.halls: list[tuple[int, int]] = []
        for _ in range(people):
            self.move_in(days)

    def move_in(self, days: int) -> int:
        """Somebody of whom so many days are known."""
        world, number = self.world, len(self.residents)
        site = world.site(f"elder-{number}", SiteKind.HOUSEHOLD)
        resident_id = world.resident(site)
        hall, bathroom = (
            world.room(site, name, kind)
            for name, kind in (("客厅", RoomKind.LIVING_ROOM), ("卫生间", RoomKind.BATHROOM))
        )
        band = world.device(site, DeviceKind.WRISTBAND, resident_id=resident_id)
        motion = world.device(site, DeviceKind.MOTION, room_id=hall)
        washroom = world.device(site, DeviceKind.MOTION, room_id=bathroom)
        self.residents.append(resident_id)
        kitchen = world.room(site, "厨房", RoomKind.KITCHEN)
        stove = world.device(site, DeviceKind.MOTION, room_id=kitchen)
        sensors = [(motion, hall), (washroom, bathroom), (stove, kitchen)]
        walk_daily(world, sensors, MIDNIGHT, [30 + (7 * day + 3 * number) % 20 for day in range(days)])
        self.bands.append(band)
        self.halls.append((motion, hall))
        self.measure(number, days * 24 + MIDNIGHT_H, 0)
        for day in range(days):
            out_h = int(self.random.integers(12, 17))
            waking = [hour for hour in range(7, 22) if hour not in {out_h, out_h + 1}]
            ages = [MIDNIGHT_H + 24 * (day + 1) - hour for hour in waking]
            world.activity_hours(motion, ages, room_id=hall, count=int(self.random.integers(2, 9)))
            visits = self.random.choice(np.arange(24), 6, replace=False)
            world.activity_hours(
                washroom, [MIDNIGHT_H + 24 * day + int(hour) for hour in visits], room_id=bathroom
            )
        return resident_id

    def measure(self, number: int, begin_h: int, end_h: int, *, off: float = 0.0) -> None:
        """Rollups from `begin_h` to `end_h` before NOW, `off` of the person's own spread beside the usual."""
        hours = begin_h - end_h
        noise = self.random.standard_normal((3, hours)) + off
        signs = {
            "hr": (62 + 2 * number + 3 * noise[0]).tolist(),
            "rr": (15 + noise[1]).tolist(),
            "temp": (36.3 + 0.05 * number + 0.15 * noise[2]).tolist(),
        }
        self.world.hours(self.bands[number], self.residents[number], signs, end_h=end_h)

    def forget_signs(self, begin_days: int, end_days: int) -> None:
        """No rollups of signs from so many to so many days before MIDNIGHT."""
        self.world.connection.execute(
            "DELETE FROM readings.vitals_hourly WHERE hour >= %(at)s - make_interval(days => %(begin)s)"
            " AND hour < %(at)s - make_interval(days => %(end)s)",
            {"at": MIDNIGHT, "begin": begin_days, "end": end_days},
        )


LIVED = Population("lived", lambda _, world: LivedCounty(world), upon=WORLD)
