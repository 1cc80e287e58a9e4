"""Clock sanity: what time it is on a box whose clock may have started in 1970, and how sure that is.

The kernel's boot clock runs on whatever the wall clock is set to, and survives a restart of this process,
though not of the box. So what is stamped while the time is unsure keeps its boot time as well, and can be
put right as soon as the centre has told the time during the same boot.
"""

import ctypes
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

log = logging.getLogger(__name__)

BUILT_MS = 1_793_491_200_000
"""2026-11-01: no clock that shows an earlier time can be right, for this software did not exist."""
AGREES_MS = 2_000
"""So far from the centre's time a clock counts as right: as long as an answer may be under way."""
ANSWER_MS_MAX = 10_000
"""The centre's time in an answer that took longer says too little."""
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

_TIMEX_BYTES = 512
_TIME_ERROR = 5


class Stamp(NamedTuple):
    """When something was heard.

    Attributes:
        ms: The best guess, milliseconds since 1970 UTC; None where the clock cannot be right.
        boot_ms: Milliseconds since the box was started.
        sure: Whether `ms` is known to be right.
    """

    ms: int | None
    boot_ms: int
    sure: bool


def wall_ms() -> int:
    """The system's wall clock, in milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


def boot_ms() -> int:
    """Milliseconds since the box was started, counting sleep."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def boot_id() -> str:
    """What tells this start of the box from every other."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        # Each start of the process then counts as one of the box: less can be put right, nothing wrongly.
        return f"process-{time.time_ns():x}"


def synchronised_by_kernel() -> bool:
    """Whether a time service (NTP, PTP) keeps the wall clock right, as adjtimex(2) says."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        return False
    return 0 <= int(state) < _TIME_ERROR


class Clock:
    """Tells the time. It is sure once the centre has told it during this boot, or a time service keeps it."""

    def __init__(
        self,
        *,
        wall_ms: Callable[[], int] = wall_ms,
        boot_ms: Callable[[], int] = boot_ms,
        boot_id: str | None = None,
        synchronised: Callable[[], bool] = synchronised_by_kernel,
    ) -> None:
        self._wall_ms = wall_ms
        self._boot_ms = boot_ms
        self._synchronised = synchronised
        self._begins_ms: int | None = None
        """When this boot began, by the centre's time."""
        self.boot_id = boot_id or _boot_id()
        self.floor_ms = BUILT_MS
        """The newest time that is known to have passed."""
        self.off_ms: int | None = None
        """By how much the wall clock was ahead when the centre last told the time."""

    @property
    def sure(self) -> bool:
        """Whether the time is known to be right."""
        return self._begins_ms is not None or (self._synchronised() and self._wall_ms() >= self.floor_ms)

    def now(self) -> Stamp:
        """The time now."""
        since_boot_ms = self._boot_ms()
        if self._begins_ms is not None:
            return Stamp(self._begins_ms + since_boot_ms, since_boot_ms, sure=True)
        wall = self._wall_ms()
        if wall < self.floor_ms:
            return Stamp(None, since_boot_ms, sure=False)
        return Stamp(wall, since_boot_ms, self._synchronised())

    def resume(self, begins_ms: int | None, floor_ms: int | None) -> None:
        """Know again what was learnt before a restart: when this boot began, and what time has passed."""
        self._begins_ms = begins_ms
        self.floor_ms = max(self.floor_ms, floor_ms or 0)

    def learn(self, centre_ms: int, took_ms: int) -> int | None:
        """The centre's time came in an answer that took `took_ms`; when this boot began, None: no use.

        A wall clock that agrees is kept: it has no jitter. What goes wrong by sudden jumps is left aside.
        """
        if not 0 <= took_ms <= ANSWER_MS_MAX or centre_ms < BUILT_MS:
            return None
        since_boot_ms, wall = self._boot_ms(), self._wall_ms()
        true_ms = centre_ms + took_ms // 2
        off_ms = wall - true_ms
        agrees = abs(off_ms) <= max(AGREES_MS, took_ms)
        if not agrees and self.off_ms != off_ms:
            level = logging.DEBUG if self.off_ms else logging.WARNING
            log.log(level, "this box's clock is %.1f s off; times are put right", off_ms / 1000)
        self.off_ms = 0 if agrees else off_ms
        begins_ms = (wall if agrees else true_ms) - since_boot_ms
        if self._begins_ms is None or agrees or abs(begins_ms - self._begins_ms) > AGREES_MS:
            self._begins_ms = begins_ms
        self.floor_ms = max(self.floor_ms, self._begins_ms + since_boot_ms)
        return self._begins_ms


_boot_id = boot_id
