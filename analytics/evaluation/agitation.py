"""Agitation by day on the TIHM record, replayed week by week: learn from all before, score the next seven days.

Five weeks in a row end with the last verified alert, as in the publishers' own example. A model that scores a
day knows the events up to its end and, where said so, the alerts verified on earlier days; its parameters come
from days before the week. Days on which nobody moved count as days without any moves.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics import behaviour
from analytics.evaluation import reference, tihm
from analytics.evaluation.datasets import DatasetError
from analytics.evaluation.tihm import Tihm
from analytics.models import agitation, restlessness
from analytics.news2 import Flags, Floats, Ints

KIND = "agitation"
WEEKS = 5
WEEK_DAYS = 7
HOME_GROUPS = 5
SEED = 7
ALARM_SHARE = 0.05
"""The operating point: as many alarms as one in twenty of the days learnt from would have raised."""


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


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What one method said of the test weeks.

    Attributes:
        score: (n,) of each of `Days`; NaN outside the test weeks.
        limit: (n,) the score above which it would have raised an alarm, from the days before that week.
    """

    score: Floats
    limit: Floats


Method = Callable[[Days, Flags, Flags], tuple[Floats, Floats]]
"""From (days, which to learn from, which to score): scores of the latter, and of the former for the limit."""


def days_of(record: Tihm) -> Days:
    """The record by day."""
    index = record.days
    alarm = tihm.on_days(record.alerts, KIND, index).to_numpy()
    habits = behaviour.daily(record.events).reindex(index, fill_value=0.0)
    return Days(
        habits=habits,
        alarm=alarm,
        past=agitation.past_alarms(index, alarm),
        published=reference.published_features(record, index),
    )


def weeks(days: Days) -> Ints:
    """(n,) the test week of each day, from 1, the last; 0 for days before and after.

    Raises:
        DatasetError: no alert at all, or nothing before the weeks to learn from.
    """
    if not days.alarm.any():
        raise DatasetError("No agitation was verified on any day: there is nothing to evaluate.")
    last = days.number[days.alarm].max()
    back = (last - days.number) // WEEK_DAYS
    inside = (days.number <= last) & (back < WEEKS)
    if days.number.min() > last - WEEKS * WEEK_DAYS:
        raise DatasetError(f"The record begins less than {WEEKS} weeks before the last alert.")
    return np.where(inside, back + 1, 0)


def replay(days: Days, method: Method) -> Replay:
    """Week after week: learn from the days before, score those of the week."""
    week = weeks(days)
    score = np.full(len(week), np.nan)
    limit = np.full(len(week), np.nan)
    for number in range(WEEKS, 0, -1):
        now = week == number
        if not now.any():
            continue
        before = days.number < days.number[now].min()
        score[now], learnt = method(days, before, now)
        limit[now] = np.quantile(learnt, 1 - ALARM_SHARE)
    return Replay(score=score, limit=limit)


def without_labels(days: Days, before: Flags, now: Flags) -> tuple[Floats, Floats]:
    """How restless each day was, against days of these homes."""
    cohort = restlessness.fit(days.habits[before])
    scores = cohort.restlessness(days.habits).to_numpy(np.float64)
    return scores[now], scores[before]


def from_movement(days: Days, before: Flags, now: Flags) -> tuple[Floats, Floats]:
    """Learnt from verified days; knows no earlier alerts of the person it scores."""
    if not days.alarm[before].any():
        return without_labels(days, before, now)
    scores = agitation.fit(days.habits[before], days.alarm[before]).log_odds(days.habits)
    return scores[now], scores[before]


def from_movement_and_alerts(days: Days, before: Flags, now: Flags) -> tuple[Floats, Floats]:
    """Learnt from verified days; knows what was verified about each person up to the day before."""
    if not days.alarm[before].any():
        return without_labels(days, before, now)
    model = agitation.fit(days.habits[before], days.alarm[before], days.past[before])
    scores = model.log_odds(days.habits, days.past)
    return scores[now], scores[before]


def from_other_homes(days: Days, before: Flags, now: Flags) -> tuple[Floats, Floats]:
    """Learnt from verified days of other homes only, in groups, and from movement alone."""
    score = np.full(len(before), np.nan)
    learnt: list[Floats] = []
    for home in _groups(days.persons):
        rows = now & home
        if rows.any():
            score[rows], others = from_movement(days, before & ~home, rows)
            learnt.append(others)
    return score[now], np.concatenate(learnt)


METHODS: Mapping[str, Method] = {
    "restlessness": without_labels,
    "movement": from_movement,
    "movement_and_alerts": from_movement_and_alerts,
    "other_homes": from_other_homes,
    "isolation_forest": reference.isolation_forest,
    "mean_deviation": reference.mean_deviation,
    "logistic_regression": reference.logistic_regression,
}
"""Ours first, then the published ways, computed anew."""


def hours_after_alert(record: Tihm, days: Days, result: Replay, cohort_day: pd.Timestamp) -> Floats:
    """Hours from a verified alert to the end of the quarter of the day in which restlessness passed its limit.

    Replays the unfinished day at the end of each quarter, with the cohort of the days before `cohort_day`. One
    value for each alert that was found on its day; negative: before the team's own alert.
    """
    cohort = restlessness.fit(days.habits[days.habits.index.get_level_values("day") < cohort_day])
    tested = pd.Series(result.limit, index=days.habits.index)[weeks(days) > 0]
    alerts = record.alerts[record.alerts["kind"] == KIND].copy()
    alerts["day"] = alerts["time"].dt.floor("D").astype("datetime64[us]")
    first = alerts.groupby(["person", "day"])["time"].min()
    first = first[first.index.isin(tested.index)]
    passed_at = pd.Series(np.nan, index=first.index)
    for hours in _quarter_ends():
        habits = behaviour.daily(record.events[record.events["time"].dt.hour < hours])
        score = cohort.restlessness(habits).reindex(first.index)
        passed_at[passed_at.isna() & (score > tested.reindex(first.index))] = hours
    midnight = first.index.get_level_values("day")
    at_hour = (first.to_numpy("datetime64[s]") - midnight.to_numpy("datetime64[s]")).astype(np.float64) / 3600
    return np.asarray((passed_at - at_hour).dropna().to_numpy(np.float64))


def _quarter_ends() -> Iterator[int]:
    yield from range(behaviour.QUARTER_HOURS, 25, behaviour.QUARTER_HOURS)


def _groups(persons: Ints) -> Iterator[Flags]:
    """The rows of each of `HOME_GROUPS` groups of people, drawn once and for all."""
    count = int(persons.max()) + 1
    group_of = np.random.default_rng(SEED).permutation(count) % HOME_GROUPS
    for group in range(min(HOME_GROUPS, count)):
        yield group_of[persons] == group
