"""The county's days, and a clock that can run faster than life.

A simulated day runs from 18:00 to 18:00 China time, so that a night is never cut in two.
"""

import asyncio
import time
from datetime import datetime, timedelta, timezone

COUNTY_TIME = timezone(timedelta(hours=8), "Asia/Shanghai")
"""China has had one time zone and no summer time since 1992."""

DAY_BEGINS_MIN = 18 * 60
"""Minute of the civil day, China time, with which a simulated day begins."""
DAY_MINUTES = 24 * 60
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

_FIRST_DAY_MS = DAY_BEGINS_MIN * MINUTE_MS - 8 * HOUR_MS
"""Begin of day 0 (1970-01-01 18:00 China time), in milliseconds since 1970 UTC."""


def day_of(ts_ms: int) -> int:
    """The number of the simulated day that holds `ts_ms`."""
    return (ts_ms - _FIRST_DAY_MS) // DAY_MS


def day_start_ms(day: int) -> int:
    """Begin of simulated day `day`, in milliseconds since 1970 UTC."""
    return _FIRST_DAY_MS + day * DAY_MS


def minute_at(hour: int, minute: int = 0) -> int:
    """Minutes from the begin of a simulated day to the time `hour`:`minute` in China."""
    return (hour * 60 + minute - DAY_BEGINS_MIN) % DAY_MINUTES


def weekday(day: int) -> int:
    """Weekday (Monday is 0) of the daylight part of simulated day `day`."""
    noon_ms = day_start_ms(day) + minute_at(12) * MINUTE_MS
    return datetime.fromtimestamp(noon_ms / 1000, COUNTY_TIME).weekday()


class Clock:
    """Virtual time: begins at `start_ms` and runs `speed` times as fast as the wall's clock.

    It follows the wall's clock through corrections and through the sleep of the machine.
    """

    def __init__(self, *, start_ms: int, speed: float) -> None:
        if not speed > 0:
            raise ValueError(f"a clock of speed {speed} never arrives; use a speed above 0")
        self._start_ms = start_ms
        self._speed = speed
        self._started_ms = wall_ms()

    @property
    def speed(self) -> float:
        """Virtual seconds in a second of the wall's clock."""
        return self._speed

    def now_ms(self) -> int:
        """Milliseconds since 1970 UTC in virtual time."""
        return self._start_ms + int((wall_ms() - self._started_ms) * self._speed)

    async def sleep_until(self, ts_ms: int) -> None:
        """Return once virtual time has reached `ts_ms`; at once when it has passed."""
        wait_ms = ts_ms - self.now_ms()
        if wait_ms > 0:
            await asyncio.sleep(wait_ms / 1000 / self._speed)


def wall_ms() -> int:
    """Milliseconds since 1970 UTC by the wall's clock."""
    return time.time_ns() // 1_000_000
