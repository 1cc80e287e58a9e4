"""The minutes in which anybody could be heard: not those in which broker, ingest or analytics was away."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

PULSE_S = 60

Times = npt.NDArray[np.datetime64]


@dataclass(frozen=True)
class Listening:
    """Minutes in which the county was listened to, in order of time; counts them after given times."""

    minutes: Times

    def seconds_after(self, begin: Times, end: Times) -> npt.NDArray[np.float64]:
        """For each pair of times how long was listened in (begin, end]; 0 where end comes before begin."""
        count = np.searchsorted(self.minutes, end, side="right") - np.searchsorted(
            self.minutes, begin, side="right"
        )
        return np.asarray(PULSE_S * np.maximum(count, 0), np.float64)

    def seconds_missed(self, begin: Times, end: np.datetime64) -> npt.NDArray[np.float64]:
        """For each time how long was not listened in (begin, end], back to the first minute at most."""
        if len(self.minutes) == 0:
            return np.zeros(len(begin))
        known = np.minimum(np.maximum(begin, self.minutes[0]), end)
        wall_s = (end - known).astype("timedelta64[us]").astype(np.int64) / 1e6
        return np.asarray(
            np.maximum(wall_s - self.seconds_after(known, np.full(len(known), end)), 0), np.float64
        )
