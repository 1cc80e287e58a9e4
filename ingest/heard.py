"""When each device was last heard: kept to the second in memory, to a quarter of a minute in the database.

A device that speaks every second need not be written down every second: the shortest limit by which a
silence is judged is ten minutes.
"""

from collections.abc import Mapping

STORE_EVERY_US = 15_000_000
"""The database's `last_seen_at` lags a device that keeps speaking by no more than this, in microseconds."""


class Heard:
    """What of the times at which devices were heard is worth a write."""

    def __init__(self) -> None:
        self._stored_us: dict[int, int] = {}

    def news(self, heard_us: Mapping[int, int]) -> dict[int, int]:
        """Of times by device id, in microseconds since 1970 UTC, those that should be written now."""
        stored_us = self._stored_us
        return {
            device_id: time_us
            for device_id, time_us in heard_us.items()
            if time_us >= stored_us.get(device_id, 0) + STORE_EVERY_US
        }

    def note_stored(self, stored_us: Mapping[int, int]) -> None:
        """These are committed."""
        self._stored_us.update(stored_us)
