"""Device time rules: whose clock a reading bears."""

from datetime import datetime, timedelta
from typing import NamedTuple

from gateway.model import EPOCH


class StampedTime(NamedTuple):
    """The time to store, in microseconds since 1970 UTC, and whether it replaces the device's own."""

    us: int
    replaced: bool


class ClockRule:
    """Keeps the device's time unless it is absurd or missing; then the time of receipt stands in.

    Times that stand in are strictly increasing, so that two readings of one device in the same
    microsecond stay two.
    """

    def __init__(self, future_s_max: int, past_s_max: int) -> None:
        self._future_ms_max = future_s_max * 1000
        self._past_ms_max = past_s_max * 1000
        self._last_stand_in_us = 0

    def stamp(self, ts_ms: int | None, received_us: int) -> StampedTime:
        """The time for a message with the device's `ts_ms`, received at `received_us`."""
        received_ms = received_us // 1000
        if ts_ms is not None and -self._past_ms_max <= ts_ms - received_ms <= self._future_ms_max:
            return StampedTime(ts_ms * 1000, replaced=False)
        self._last_stand_in_us = max(received_us, self._last_stand_in_us + 1)
        return StampedTime(self._last_stand_in_us, replaced=True)


def time_of(time_us: int) -> datetime:
    """The aware UTC time of microseconds since 1970."""
    return EPOCH + timedelta(microseconds=time_us)
