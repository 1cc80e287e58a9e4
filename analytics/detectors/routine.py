"""Habits that have changed: each day against the same person's last weeks, and against everybody's.

A day is how often each habit was seen from 18:00 to 18:00, in personal robust deviations. Two views must
agree: the distance from the person's own past is large, and an Isolation Forest, grown on the personal
deviations of all people, calls the day rare. The last two days count together: one strange day is life. Which
habit changed is what the finding says.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np
import pandas as pd

from alarms.kinds import AlarmKind
from alarms.model import AlarmPriority
from analytics import features, wording
from analytics.baselines import residents_in
from analytics.detectors import Assessment, Finding, Subject, SubjectKind
from analytics.evidence import chart, contribution, evidence
from analytics.history import HABITS, History, Residents
from analytics.models import isolation
from analytics.models.isolation import RareDays
from analytics.news2 import Flags, Floats, Ints
from analytics.settings import AnalyticsSettings
from protocol.calendar import HOME_TIME

DAYS = 29
RECENT_DAYS = 2
PAST_DAYS_MIN = 14
ALL_HABITS = (*HABITS, "in_bed")
FLOOR: Mapping[str, float] = {
    "night_out_of_bed": 1.0,
    "night_bathroom": 2.0,
    "day_bathroom": 3.0,
    "day_bedroom": 5.0,
    "kitchen": 5.0,
    "living_room": 10.0,
    "doors": 2.0,
    "turns": 5.0,
    "day_bed": 1.0,
    "meals": 1.0,
    "active_hours": 1.5,
    "in_bed": 60.0,
}
"""The smallest deviation that counts, in events a day: two equal days differ by about so much."""
CLIP = 10.0
STRONGEST = 3
"""The distance is the root mean square of so many of the strongest deviations."""
FOREST_DAYS_MAX, FOREST_DAYS_MIN = 20_000, 200
DAY_BEGINS = timedelta(hours=18)


class PooledHabits(Protocol):
    """What days are rare among those of everybody."""

    def rare_days(self, history: History) -> RareDays | None:
        """As learnt by a training; None: grow a forest on the people at hand."""


class Routine:
    """Alarms of kind `routine_change`."""

    name = "routine"
    kind = AlarmKind.ROUTINE_CHANGE

    def __init__(self, settings: AnalyticsSettings, pooled: PooledHabits | None = None) -> None:
        self._settings = settings
        self._pooled = pooled

    def score(self, history: History) -> Assessment:
        """Residents whose last days differ from their past, and those whose do not."""
        findings: list[Finding] = []
        fine: dict[Subject, datetime] = {}
        trained = None if self._pooled is None else self._pooled.rare_days(history)
        for part in history.slices():
            found, well = self._score_part(history, part, trained)
            findings += found
            fine |= well
        return Assessment(detector=self.name, kind=self.kind, findings=tuple(findings), fine=fine)

    def _score_part(
        self, history: History, part: Residents, trained: RareDays | None
    ) -> tuple[list[Finding], dict[Subject, datetime]]:
        ends_at = last_evening(history.now)
        begins_at = ends_at - timedelta(days=DAYS)
        residents = residents_in(history, part)
        counts = daily(
            history.habits(part, begins_at, ends_at),
            history.bed_days(part, begins_at, ends_at),
            residents,
            day_number(ends_at),
        )
        past = DAYS - RECENT_DAYS
        known = are_known(counts[:, :past])
        scores = deviations(counts, past)
        recent = np.where(known[:, None], scores[:, past:].mean(axis=1), np.nan)
        far = distance(recent)
        rare = self._rare(scores[known, :past], recent, trained)
        tolerance = history.tolerance(self.name, pd.Series(residents)).to_numpy()
        limit = self._settings.routine_distance * tolerance
        sites = history.residents.set_index("resident_id").loc[residents, "site_id"].to_numpy(np.int64)
        found = [
            self._finding(history, ends_at, int(residents[row]), int(sites[row]), counts[row], recent[row])
            for row in np.flatnonzero(known & rare & (np.nan_to_num(far) >= limit))
        ]
        calm = known & (np.nan_to_num(far, nan=np.inf) < limit / 2)
        fine = {Subject(SubjectKind.RESIDENT, int(residents[row])): ends_at for row in np.flatnonzero(calm)}
        return found, fine

    def _rare(self, past: Floats, recent: Floats, trained: RareDays | None) -> Flags:
        """(n,) which days of `recent` (n, k) are rarer than nearly all days of `past` (m, days, k)."""
        if trained is None:
            days = lived_days(past)
            if len(days) < FOREST_DAYS_MIN:
                return np.ones(
                    len(recent), np.bool_
                )  # too few people to say what is rare: the own past decides
            every = max(1, len(days) // FOREST_DAYS_MAX)
            trained = isolation.grow(days[::every], ALL_HABITS, self._settings.routine_rare_share)
        return trained.are_rare(np.nan_to_num(recent))

    def _finding(
        self,
        history: History,
        ends_at: datetime,
        resident_id: int,
        site_id: int,
        counts: Floats,
        recent: Floats,
    ) -> Finding:
        past = counts[: DAYS - RECENT_DAYS]
        usual = features.nan_median(past.T)
        spread = np.fmax(features.mad_scale(past.T), 0) + np.array([FLOOR[habit] for habit in ALL_HABITS])
        now = features.trailing_mean(counts.T, RECENT_DAYS, 1)[:, -1]
        weights = np.nan_to_num(recent) ** 2
        parts = [
            contribution(
                {"habit": habit},
                now[k],
                max(usual[k] - 2 * spread[k], 0),
                usual[k] + 2 * spread[k],
                weights[k],
            )
            for k, habit in enumerate(ALL_HABITS)
            if weights[k] > 0
        ]
        changed = [k for k in np.argsort(-weights, kind="stable")[:STRONGEST] if weights[k] >= 4]
        zh = "，".join(_changed(ALL_HABITS[k], now[k], usual[k]).zh_cn for k in changed)
        en = ", ".join(_changed(ALL_HABITS[k], now[k], usual[k]).en for k in changed)
        begin = ends_at - timedelta(days=RECENT_DAYS)
        made = evidence(
            wording.sentence(
                f"近 {RECENT_DAYS} 天生活习惯与本人平时不同：{zh}。请留意身体和情绪变化。",
                f"Habits of the last {RECENT_DAYS} days differ from this person's usual: {en}. "
                "Look out for changes in health and mood.",
            ),
            begin,
            history.now,
            seen={ALL_HABITS[k]: now[k] for k in changed},
            expected={ALL_HABITS[k]: usual[k] for k in changed},
            contributions=parts,
            chart=chart("activity", ends_at - timedelta(days=14), history.now),
            distance=float(distance(recent[None, :])[0]),
        )
        return Finding(
            subject=Subject(SubjectKind.RESIDENT, resident_id),
            site_id=site_id,
            kind=self.kind,
            priority=AlarmPriority.LOW,
            since=begin,
            evidence=made,
        )


def last_evening(now: datetime) -> datetime:
    """The last 18:00, local time: what is before it is whole days."""
    evening = features.midnight(now) + DAY_BEGINS
    return evening if evening <= now else evening - timedelta(days=1)


def day_number(ends_at: datetime) -> int:
    """The number, as in `History.habits`, of the day that ends at `ends_at`."""
    return (ends_at.astimezone(HOME_TIME).date() - datetime(2000, 1, 1).date()).days  # noqa: DTZ001


def daily(habits: pd.DataFrame, beds: pd.DataFrame, residents: Ints, last_day: int) -> Floats:
    """(n, DAYS, habits): how often each habit of ALL_HABITS was seen; NaN on days on which nothing was.

    Args:
        habits: as `History.habits`.
        beds: as `History.bed_days`.
        residents: (n,) ids, ascending.
        last_day: the number of the last day.
    """
    counts = np.full((len(residents), DAYS, len(ALL_HABITS)), np.nan)
    for frame, names in ((habits, HABITS), (beds, ("in_bed",))):
        ids = frame["resident_id"].to_numpy(np.int64)
        day = frame["day"].to_numpy(np.int64) - (last_day - DAYS + 1)
        inside = np.isin(ids, residents) & (day >= 0) & (day < DAYS)
        row = np.searchsorted(residents, ids[inside])
        for name in names:
            counts[row, day[inside], ALL_HABITS.index(name)] = frame[name].to_numpy(np.float64)[inside]
    return counts


def are_known(past: Floats) -> Flags:
    """(n,) whether enough days of the past (n, days, habits) are known to judge the person."""
    return np.asarray((~np.isnan(past).all(axis=2)).sum(axis=1) >= PAST_DAYS_MIN, np.bool_)


def deviations(counts: Floats, past: int) -> Floats:
    """(n, days, habits): `counts` in personal deviations from the first `past` days, cut off at CLIP."""
    floor = np.array([FLOOR[habit] for habit in ALL_HABITS])
    return np.clip(features.personal_scores(counts, past, floor), -CLIP, CLIP)


def lived_days(scores: Floats) -> Floats:
    """(m, habits): the days of (n, days, habits) on which anything was seen; 0 for habits without sensor."""
    days = scores.reshape(-1, scores.shape[-1])
    return np.nan_to_num(days[~np.isnan(days).all(axis=1)])


def distance(scores: Floats) -> Floats:
    """(n,): root mean square of the STRONGEST largest deviations of each row of (n, k)."""
    strongest = np.sort(np.nan_to_num(np.abs(scores)), axis=1)[:, -STRONGEST:]
    return np.asarray(np.sqrt((strongest**2).mean(axis=1)))


def _changed(habit: str, now: float, usual: float) -> wording.Words:
    words = wording.HABITS[habit]
    more = now > usual
    return wording.Words(
        f"{words.zh_cn}{'增多' if more else '减少'}（{now:.0f}，平时 {usual:.0f}）",
        f"{'more' if more else 'less'} {words.en} ({now:.0f}, usually {usual:.0f})",
    )
