"""What is known of the people of TIHM by day: what the ways to find agitation are given."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics.news2 import Flags, Ints


@dataclass(frozen=True, kw_only=True)
class Days:
    """All that is known by day, one row for each (`person`, `day`), sorted.

    Attributes:
        habits: `behaviour.daily`; zeros on days without an event.
        alarm: whether agitation was verified on that day.
        past: `agitation.past_alarms`.
        published: `reference.published_features`.
    """

    habits: pd.DataFrame
    alarm: Flags
    past: pd.DataFrame
    published: pd.DataFrame

    @property
    def persons(self) -> Ints:
        """(n,) a number for each person."""
        return np.asarray(pd.factorize(self.habits.index.get_level_values("person"), sort=True)[0])

    @property
    def number(self) -> Ints:
        """(n,) the day's number."""
        return self.habits.index.get_level_values("day").to_numpy("datetime64[D]").astype(np.int64)
