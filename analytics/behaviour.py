"""Behaviour by day from motion and door events: how much somebody moved about, when, and how that differs.

Pure functions on frames, vectorised over people. Each has a slow, obvious twin in the tests, which it must
equal. All of it looks back only: a row of day d depends on events up to the end of d, and on nothing after.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

QUARTERS = ("night", "morning", "afternoon", "evening")
"""The four parts of a day of six hours each, from midnight."""
QUARTER_HOURS = 6
RAPID_S = 60
"""Two events closer than this are one restless stretch, not two visits."""
COUNTS = (
    "events",
    "moves",
    "rapid",
    "busiest_quarter",
    "busiest_hour",
    *(f"{quarter}_moves" for quarter in QUARTERS),
)
SHAPES = ("active_hours", "place_entropy", "loops")
HABITS = (*COUNTS, *SHAPES)
"""The columns of `daily`."""


def daily(events: pd.DataFrame) -> pd.DataFrame:
    """What each person did on each day on which anything was seen.

    Args:
        events: `person`, `place`, `time` (local wall-clock, without zone), in any order. Of two events of a
            person at one instant, the order of the place's name decides.

    Returns:
        One row for each (`person`, `day`), sorted, with the columns `HABITS`:
        events: how many.
        moves: how often the place was another than at the event before, on the same day.
        rapid: events less than `RAPID_S` after the one before, on the same day.
        busiest_quarter, busiest_hour: the most moves in any quarter, events in any hour, of the day.
        night_moves … evening_moves: moves in that quarter.
        active_hours: clock hours with an event.
        place_entropy: of the shares of events by place, in bits.
        loops: the share of moves that go back to the place left by the move before (pacing to and fro).
    """
    ordered = events.sort_values(["person", "time", "place"], kind="stable", ignore_index=True)
    day = ordered["time"].dt.floor("D")
    hour = ordered["time"].dt.hour.to_numpy(np.int64)
    keys = [ordered["person"], day.rename("day")]
    same_day = _equal_before(ordered["person"]) & _equal_before(day)
    place = pd.factorize(ordered["place"])[0]
    gap_s = np.diff(ordered["time"].to_numpy("datetime64[us]"), prepend=np.datetime64("NaT", "us"))
    frame = pd.DataFrame({"person": ordered["person"], "day": day, "hour": hour, "place": place})
    frame["move"] = same_day & (place != np.roll(place, 1))
    frame["rapid"] = same_day & (gap_s.astype("timedelta64[us]") < np.timedelta64(RAPID_S, "s"))
    groups = frame.groupby(["person", "day"], sort=True)
    habits = pd.DataFrame({"events": groups.size(), "moves": groups["move"].sum(), "rapid": groups["rapid"].sum()})
    quarters = (
        frame["move"].groupby([*keys, pd.Series(hour // QUARTER_HOURS, name="quarter")]).sum().unstack()
    ).reindex(columns=range(len(QUARTERS)))
    habits["busiest_quarter"] = quarters.max(axis=1)
    hours = frame.groupby(["person", "day", "hour"]).size()
    by_day = hours.groupby(["person", "day"])
    habits["busiest_hour"] = by_day.max()
    for number, quarter in enumerate(QUARTERS):
        habits[f"{quarter}_moves"] = quarters[number].fillna(0)
    habits["active_hours"] = by_day.size()
    shares = frame.groupby(["person", "day", "place"]).size()
    shares = shares / shares.groupby(["person", "day"]).transform("sum")
    habits["place_entropy"] = -(shares * np.log2(shares)).groupby(["person", "day"]).sum()
    habits["loops"] = _loops(frame)
    return habits[list(HABITS)].astype(np.float64)


def _loops(frame: pd.DataFrame) -> pd.Series:
    moves = frame[frame["move"]]
    # Where each move came from: the place of the event before it, which by definition of a move was on that day.
    came_from = np.roll(frame["place"].to_numpy(), 1)[frame["move"].to_numpy()]
    follows = _equal_before(moves["person"]) & _equal_before(moves["day"])
    back = follows & (moves["place"].to_numpy() == np.roll(came_from, 1))
    groups = pd.Series(back, index=moves.index).groupby([moves["person"], moves["day"]])
    shares = groups.sum() / groups.size()
    every_day = pd.MultiIndex.from_frame(frame[["person", "day"]].drop_duplicates())
    return shares.reindex(every_day).fillna(0.0)


def _equal_before(column: pd.Series) -> npt.NDArray[np.bool_]:
    """Where a value equals the one before it; the first has none before."""
    values = column.to_numpy()
    equal = np.zeros(len(values), np.bool_)
    equal[1:] = values[1:] == values[:-1]
    return equal
