"""Device time rules: whose clock a reading bears."""

from datetime import datetime, timedelta

from protocol.model import EPOCH


class ClockRule:
    """Keeps the device's time unless it is absurd or missing; then the time of receipt stands in.

    Times that stand in are strictly increasing, so that two readings of one device in the same
    microsecond stay two.
    """

    def __init__(self, future_s_max: int, past_s_max: int) -> None:
        self._future_ms_max = future_s_max * 1000
        self._past_ms_max = past_s_max * 1000
        self._last_stand_in_us = 0

    def window_ms(self, received_us: int) -> tuple[int, int]:
        """Between which device times, in milliseconds, a clock is right for what is received now."""
        received_ms = received_us // 1000
        return received_ms - self._past_ms_max, received_ms + self._future_ms_max

    def stamp(self, ts_ms: int | None, received_us: int) -> tuple[int, bool]:
        """The time to store for a message with the device's `ts_ms`, received at `received_us`.

        In microseconds since 1970 UTC; and whether it replaces the device's own.
        """
        earliest_ms, latest_ms = self.window_ms(received_us)
        if ts_ms is not None and earliest_ms <= ts_ms <= latest_ms:
            return ts_ms * 1000, False
        self._last_stand_in_us = max(received_us, self._last_stand_in_us + 1)
        return self._last_stand_in_us, True


def time_of(time_us: int) -> datetime:
    """The aware UTC time of microseconds since 1970."""
    return EPOCH + timedelta(microseconds=time_us)
