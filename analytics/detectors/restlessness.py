"""Restless days: somebody walks from room to room much more than people in such homes do.

Agitation shows as pacing and aimless walking, and pain, fear or an infection often begin this way. Counted
is how often a person changed rooms, over the local day so far and in its densest six hours. The counts are
compared with whole days of many people who live alike: alone, in a household with at least ROOMS_MIN watched
rooms. The same measure was tried on real people with dementia (docs/evaluation/tihm.md). The person's own
past plays no part: somebody who is agitated every day needs help too.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pandas as pd

from alarms.kinds import AlarmKind
from alarms.model import AlarmPriority
from analytics import behaviour, features, wording
from analytics.behaviour import QUARTER_HOURS, QUARTERS
from analytics.detectors import Assessment, Finding, Subject, SubjectKind
from analytics.evidence import chart, contribution, evidence
from analytics.history import History, Residents
from analytics.models import restlessness
from analytics.models.restlessness import MEASURES, RestlessDays
from analytics.settings import AnalyticsSettings
from protocol.calendar import HOME_TIME

ROOMS_MIN = 3
"""Two rooms are too few to see somebody pace."""
COHORT_DAYS = 28
COHORT_PEOPLE_MAX = 200
"""What days are like is learnt from so many people at most: more would be slower and tell the same."""
COHORT_DAYS_MIN = 200
"""With fewer days it cannot be said how rare a day is."""
CALM_FROM_H = 18
"""A day is not known to be calm before the evening."""


class PooledRestlessness(Protocol):
    """How restless the days of people in such homes are."""

    def restless_days(self, history: History) -> RestlessDays | None:
        """As learnt by a training; None: learn from the people at hand."""


class Restlessness:
    """Alarms of kind `restlessness`."""

    name = "restlessness"
    kind = AlarmKind.RESTLESSNESS

    def __init__(self, settings: AnalyticsSettings, pooled: PooledRestlessness | None = None) -> None:
        self._settings = settings
        self._pooled = pooled
        self._learnt_for: datetime | None = None
        self._learnt: RestlessDays | None = None

    def score(self, history: History) -> Assessment:
        """Residents whose day so far is restless, and, in the evening, those whose day was calm."""
        findings: list[Finding] = []
        fine: dict[Subject, datetime] = {}
        usual = self._usual(history)
        if usual is not None:
            for part in history.slices():
                found, calm = self._score_part(history, part, usual)
                findings += found
                fine |= calm
        return Assessment(detector=self.name, kind=self.kind, findings=tuple(findings), fine=fine)

    def _usual(self, history: History) -> RestlessDays | None:
        """From the nightly training, or learnt once a local day: a function of the history and the day."""
        stored = None if self._pooled is None else self._pooled.restless_days(history)
        if stored is not None:
            return stored
        today = features.midnight(history.now)
        if today != self._learnt_for:
            habits = past_habits(history, today - timedelta(days=COHORT_DAYS), today)
            self._learnt_for, self._learnt = today, learn_from(habits, self._settings)
        return self._learnt

    def _score_part(
        self, history: History, part: Residents, usual: RestlessDays
    ) -> tuple[list[Finding], dict[Subject, datetime]]:
        today = features.midnight(history.now).astimezone(UTC)
        habits = habits_of(history.room_events(part, today, history.now, ROOMS_MIN))
        table = habits.assign(score=usual.cohort.restlessness(habits)).droplevel("day")
        limit = usual.limit * history.tolerance(self.name, table.index.to_series())
        sites = history.residents.set_index("resident_id")["site_id"]
        restless = table[table["score"] > limit].reset_index()
        restless["site_id"] = restless["person"].map(sites)
        findings = [self._finding(history, day, usual) for day in restless.to_dict("records")]
        if history.now.astimezone(HOME_TIME).hour < CALM_FROM_H:
            return findings, {}
        calm = table.index[table["score"] < limit / 2]
        return findings, {Subject(SubjectKind.RESIDENT, int(person)): today for person in calm}

    def _finding(self, history: History, day: Mapping[Any, Any], usual: RestlessDays) -> Finding:
        today = features.midnight(history.now).astimezone(UTC)
        moves, densest = round(day["moves"]), round(day["busiest_quarter"])
        by_quarter = [day[f"{quarter}_moves"] for quarter in QUARTERS]
        begins_h = QUARTER_HOURS * by_quarter.index(max(by_quarter))
        typical, most = usual.typical(), usual.most()
        at = wording.clock(history.now, history.now)
        sentence = wording.sentence(
            f"今天到 {at} 在各房间之间走动 {moves} 次（此类家庭一整天通常约 {typical['moves']:.0f} 次），"
            f"其中 {begins_h}–{begins_h + QUARTER_HOURS} 时 {densest} 次，可能烦躁不安。"
            "请去看看：有没有疼痛、不适、害怕或感染。",
            f"Up to {at} today walked between rooms {moves} times (a whole day in such homes: about "
            f"{typical['moves']:.0f}), {densest} of them from {begins_h} to {begins_h + QUARTER_HOURS} h. "
            "May be restless: look for pain, discomfort, fear or infection.",
        )
        above = {name: max(day[name] - typical[name], 0.0) / most[name] for name in MEASURES}
        made = evidence(
            sentence,
            today,
            history.now,
            seen={"moves": moves, "busiest_quarter": densest},
            expected={name: round(typical[name]) for name in MEASURES},
            contributions=[
                contribution({"habit": name}, day[name], None, round(most[name]), above[name])
                for name in MEASURES
            ],
            chart=chart("activity", today - timedelta(days=1), history.now),
            deviations=day["score"],
            deviations_max=usual.limit,
        )
        return Finding(
            subject=Subject(SubjectKind.RESIDENT, int(day["person"])),
            site_id=int(day["site_id"]),
            kind=self.kind,
            priority=AlarmPriority.LOW,
            since=today,
            evidence=made,
        )


def learn_from(habits: pd.DataFrame, settings: AnalyticsSettings) -> RestlessDays | None:
    """How restless days are, from days as `past_habits`; None: too few."""
    if len(habits) < COHORT_DAYS_MIN:
        return None
    return restlessness.learn(habits, settings.restlessness_share)


def past_habits(history: History, begin: datetime, end: datetime) -> pd.DataFrame:
    """`behaviour.daily` of at most COHORT_PEOPLE_MAX people, on the local days from `begin` up to `end`."""
    ids = history.residents["resident_id"]
    if ids.empty:
        return habits_of(history.room_events(Residents(0, 0), begin, end, ROOMS_MIN))
    everybody = Residents(int(ids.min()), int(ids.max()))
    return habits_of(history.room_events(everybody, begin, end, ROOMS_MIN, people_max=COHORT_PEOPLE_MAX))


def habits_of(events: pd.DataFrame) -> pd.DataFrame:
    """`behaviour.daily` of events as `History.room_events`; `person` is the resident's id."""
    local = events["time"].dt.tz_convert(HOME_TIME).dt.tz_localize(None)
    return behaviour.daily(
        pd.DataFrame({"person": events["resident_id"], "place": events["place"], "time": local})
    )
