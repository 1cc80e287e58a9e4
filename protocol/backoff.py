"""How long to wait before the next attempt at what has failed, and how loudly to tell. Pure."""

import logging
import random
from collections.abc import Callable


class Backoff:
    """Pauses that double with each failure in a row, up to a limit, each shortened by chance.

    Chance keeps those who lost the same server from coming back all at once.
    """

    def __init__(
        self,
        first_s: float,
        longest_s: float,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """The first pause is at most `first_s`, none is longer than `longest_s`, each at least half as long.

        Args:
            first_s: Positive.
            longest_s: Not less than `first_s`.
            jitter: Picks a number between its arguments.
        """
        assert 0 < first_s <= longest_s, "a pause is positive, and the longest no shorter than the first"
        self._first_s = self._ceiling_s = first_s
        self._longest_s = longest_s
        self._jitter = jitter
        self.failures = 0
        """In a row."""

    def failed(self) -> float:
        """Another failure: how many seconds to wait before the next attempt."""
        ceiling_s, self._ceiling_s = self._ceiling_s, min(2 * self._ceiling_s, self._longest_s)
        self.failures += 1
        return self._jitter(ceiling_s / 2, ceiling_s)

    def succeeded(self) -> None:
        """It works again: the next failure is a first one."""
        self._ceiling_s = self._first_s
        self.failures = 0

    @property
    def level(self) -> int:
        """For the log: the first failure in a row is news (WARNING), those after it are not (DEBUG)."""
        return logging.DEBUG if self.failures > 1 else logging.WARNING
