"""Behaviour by day from motion and door events: how much somebody moved about the home, and when.

Pure functions on frames, vectorised over people. Each has a slow, obvious twin in the tests, which it must
equal. All of it looks back only: a row of day d depends on events up to the end of d, and on nothing after.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

QUARTERS = ("night", "morning", "afternoon", "evening")
"""The four parts of a day of six hours each, from midnight."""
QUARTER_HOURS = 6
RAPID_S = 60
"""Two events closer than this are one restless stretch, not two visits."""
HABITS = ("moves", "busiest_quarter", "rapid", *(f"{quarter}_moves" for quarter in QUARTERS))
"""The columns of `daily`."""


def daily(events: pd.DataFrame) -> pd.DataFrame:
    """How much each person moved about on each day on which anything was seen.

    Args:
        events: `person`, `place`, `time` (local wall-clock, without zone), in any order. Of two events of a
            person at one instant, the one with the smaller name of the place comes first.

    Returns:
        One row for each (`person`, `day`), sorted, with the columns `HABITS`, all counts:
        moves: how often the place was another than at the event before, on the same day.
        busiest_quarter: the most moves in any quarter of the day.
        rapid: events less than `RAPID_S` after the one before, on the same day.
        night_moves … evening_moves: moves in that quarter.
    """
    ordered = events.sort_values(["person", "time", "place"], kind="stable", ignore_index=True)
    time = ordered["time"].astype("datetime64[us]")
    day = time.dt.floor("D").rename("day")
    follows = _as_before(ordered["person"]) & _as_before(day)
    moved = follows & ~_as_before(ordered["place"])
    rapid = follows & (time.diff() < pd.Timedelta(seconds=RAPID_S)).to_numpy()
    quarter = time.dt.hour.to_numpy() // QUARTER_HOURS
    columns = {
        "moves": moved,
        "rapid": rapid,
        **{f"{name}_moves": moved & (quarter == number) for number, name in enumerate(QUARTERS)},
    }
    habits = pd.DataFrame(columns).groupby([ordered["person"], day], sort=True).sum().astype(np.float64)
    habits["busiest_quarter"] = habits[[f"{name}_moves" for name in QUARTERS]].max(axis=1)
    return habits[list(HABITS)]


def _as_before(column: "pd.Series[Any]") -> npt.NDArray[np.bool_]:
    """Where a value equals the one in the row before; the first row has none before."""
    codes = pd.factorize(column)[0]
    equal = np.zeros(len(codes), np.bool_)
    equal[1:] = codes[1:] == codes[:-1]
    return equal
