import asyncio
import time
from datetime import datetime, timedelta

import pytest

from simulator.clock import COUNTY_TIME, DAY_MS, Clock, day_of, day_start_ms, minute_at, weekday


def test_a_day_begins_at_six_in_the_evening() -> None:
    begin = datetime(2026, 11, 24, 18, tzinfo=COUNTY_TIME)
    day = day_of(round(begin.timestamp() * 1000))
    assert day_start_ms(day) == begin.timestamp() * 1000
    assert day_of(day_start_ms(day) - 1) == day - 1
    assert day_of(day_start_ms(day) + DAY_MS) == day + 1
    assert weekday(day) == (begin + timedelta(hours=12)).weekday()


@pytest.mark.parametrize(("hour", "minutes"), [(18, 0), (0, 360), (6, 720), (17, 1380)])
def test_minutes_count_from_the_begin_of_the_day(hour: int, minutes: int) -> None:
    assert minute_at(hour) == minutes


def test_a_fast_clock_runs_fast() -> None:
    clock = Clock(start_ms=0, speed=3600)
    begun_s = time.monotonic()
    asyncio.run(clock.sleep_until(720_000))
    assert 0.15 < time.monotonic() - begun_s < 2
    assert clock.now_ms() >= 700_000


@pytest.mark.parametrize("speed", [0, -1, float("nan")])
def test_a_clock_that_never_arrives_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="never arrives"):
        Clock(start_ms=0, speed=speed)
