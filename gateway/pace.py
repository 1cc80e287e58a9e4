"""How fast a backlog drains.

As much at once as the way takes within half a second, so that an alarm never stands behind more than that;
and never above a rate that the centre is spared.
"""

SIZE_MIN = 20
SIZE_MAX = 1_000
"""Messages in a batch."""
QUICK_S = 0.5
"""A batch that has its receipt sooner may be followed by a larger one …"""
SLOW_S = 1.5
"""… and one that takes longer by a smaller one."""
BURST_S = 0.25
"""So much of the rate may be used at once."""


class Pace:
    """The size of the next batch of a backlog. `now_s` is any clock that only runs forward."""

    def __init__(self, per_s_max: float) -> None:
        self._per_s_max = per_s_max
        self._allowance = 0.0
        self._counted_s: float | None = None
        self.size = SIZE_MIN * 5

    def allowed(self, now_s: float) -> int:
        """How many messages may go now; 0 while the rate is used up."""
        if self._counted_s is not None:
            earned = (now_s - self._counted_s) * self._per_s_max
            burst = max(float(self.size), self._per_s_max * BURST_S)
            self._allowance = min(burst, self._allowance + earned)
        self._counted_s = now_s
        return self.size if self._allowance >= self.size else 0

    def sent(self, count: int) -> None:
        """So many went out."""
        self._allowance -= count

    def receipted(self, took_s: float) -> None:
        """A batch had its receipt after `took_s`."""
        if took_s <= QUICK_S:
            self.size = min(SIZE_MAX, self.size * 5 // 4)
        elif took_s > SLOW_S:
            self.lost()

    def lost(self) -> None:
        """A batch had none in time, or the connection broke."""
        self.size = max(SIZE_MIN, self.size // 2)
