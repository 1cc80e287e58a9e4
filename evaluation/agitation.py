"""Agitation by day on the TIHM record, replayed week by week: learn from what was, score seven days.

Five weeks in a row end with the last verified alert, as in the publishers' own example. A model that scores a
day knows the events up to its end and, where said so, the alerts verified on earlier days; its parameters
come from days before the week. Days on which nobody moved count as days without any moves.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics import behaviour
from analytics.models import agitation, restlessness
from analytics.news2 import Flags, Floats, Ints
from evaluation import metrics, reference, tihm
from evaluation.datasets import DatasetError
from evaluation.days import Days
from evaluation.metrics import Interval
from evaluation.tihm import Tihm

KIND = "agitation"
WEEKS = 5
WEEK_DAYS = 7
HOME_GROUPS = 5
SEED = 7
ALARM_SHARE = restlessness.ALARM_SHARE
"""The operating point, that of production: as many alarms as this share of the days learnt from."""


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

    A week with nothing before it to learn from is none.

    Raises:
        DatasetError: no alert at all, or nothing to learn from before any of the weeks.
    """
    if not days.alarm.any():
        raise DatasetError("No agitation was verified on any day: there is nothing to evaluate.")
    last = days.number[days.alarm].max()
    back = (last - days.number) // WEEK_DAYS
    begins = last - (back + 1) * WEEK_DAYS + 1
    test = (days.number <= last) & (back < WEEKS) & (begins > days.number.min())
    if not (test & days.alarm).any():
        raise DatasetError("The record begins less than a week before its last alert: nothing to learn from.")
    return np.where(test, back + 1, 0)


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
    usual = restlessness.learn(days.habits[before], ALARM_SHARE)
    scores = np.asarray(usual.cohort.restlessness(days.habits), np.float64)
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
            score[rows], others = from_movement(days, before & np.logical_not(home), rows)
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


@dataclass(frozen=True, kw_only=True)
class Measured:
    """How well a method did on the test weeks.

    Attributes:
        auroc, average_precision: averaged over the weeks, as published results are.
        pooled_auroc, pooled_average_precision: of all days of the weeks together.
        within_person: AUROC over pairs of days of one person: does it know when, and not only who?
        sensitivity_81, sensitivity_86: share of verified days found, at these specificities, of all days
            together.
        alarms_per_day: alarms by person-day at the operating point, which was set before each week.
        precision, sensitivity: there.
    """

    auroc: Interval
    average_precision: Interval
    pooled_auroc: Interval
    pooled_average_precision: Interval
    within_person: float
    sensitivity_81: Interval
    sensitivity_86: Interval
    alarms_per_day: Interval
    precision: float
    sensitivity: float


def measure(days: Days, result: Replay) -> Measured:
    """All measures of a replay, with intervals over persons."""
    week = weeks(days)
    test = week > 0
    alarm, score, week, persons = days.alarm[test], result.score[test], week[test], days.persons[test]
    raised = score > result.limit[test]

    def averaged(measure_of: metrics.Measure) -> Interval:
        return metrics.interval(
            lambda rows: metrics.mean_over_periods(measure_of, alarm[rows], score[rows], week[rows]), persons
        )

    def pooled(measure_of: metrics.Measure) -> Interval:
        return metrics.interval(lambda rows: measure_of(alarm[rows], score[rows]), persons)

    return Measured(
        auroc=averaged(metrics.auroc),
        average_precision=averaged(metrics.average_precision),
        pooled_auroc=pooled(metrics.auroc),
        pooled_average_precision=pooled(metrics.average_precision),
        within_person=metrics.within_person(alarm, score, persons),
        sensitivity_81=pooled(lambda outcome, of: metrics.sensitivity_at(outcome, of, 0.81)),
        sensitivity_86=pooled(lambda outcome, of: metrics.sensitivity_at(outcome, of, 0.86)),
        alarms_per_day=metrics.interval(lambda rows: float(raised[rows].mean()), persons),
        precision=float(alarm[raised].mean()) if raised.any() else float("nan"),
        sensitivity=float(raised[alarm].mean()),
    )


def hours_after_alert(record: Tihm, days: Days) -> Floats:
    """Hours from each verified alert that restlessness found on its day until it would have raised its own.

    Replays the unfinished day at the end of each hour, with the cohort and the limit of the days before that
    week. One value for each day found, ascending; negative: before the team's.
    """
    week = weeks(days)
    day = days.habits.index.get_level_values("day")
    alerts = record.alerts[record.alerts["kind"] == KIND]
    told = alerts.assign(day=alerts["time"].astype("datetime64[us]").dt.floor("D"))
    told_at = told.groupby(["person", "day"])["time"].min()
    delays: list[Floats] = []
    for number in range(1, WEEKS + 1):
        verified = days.habits.index[(week == number) & days.alarm]
        if verified.empty:
            continue
        before = days.number < days.number[week == number].min()
        usual = restlessness.learn(days.habits[before], ALARM_SHARE)
        events = record.events[
            record.events["person"].isin(verified.get_level_values("person"))
            & record.events["time"].between(
                day[week == number].min(), day[week == number].max() + pd.Timedelta("1D")
            )
        ]
        raised_at = pd.Series(np.nan, index=verified)
        for hours in range(1, 25):
            habits = behaviour.daily(events[events["time"].dt.hour < hours]).reindex(verified, fill_value=0.0)
            new = raised_at.isna() & usual.are_restless(habits)
            raised_at[new] = hours
        clock = told_at.reindex(verified)
        told_hour = clock.dt.hour + clock.dt.minute / 60
        delays.append((raised_at - told_hour).dropna().to_numpy(np.float64))
    return np.sort(np.concatenate(delays)) if delays else np.empty(0)


def _groups(persons: Ints) -> Iterator[Flags]:
    """The rows of each of `HOME_GROUPS` groups of people, drawn once and for all."""
    count = int(persons.max()) + 1
    group_of = np.random.default_rng(SEED).permutation(count) % HOME_GROUPS
    for group in range(min(HOME_GROUPS, count)):
        yield group_of[persons] == group
