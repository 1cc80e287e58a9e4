"""Learning at night what the detectors of the day ask for: what is usual for each person, and rare for all.

One pass over the county, in parts of PART_COUNT residents, so that memory does not grow with it: of each part
the weeks are read once, and both what may go live and its rehearsal (see `comparison`) are learnt from them.
Learns the same as `HistoryBaselines` would on that day: a function of the database and the day.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np
import pandas as pd

from analytics import comparison, features
from analytics.baselines import (
    GAP_DAYS,
    LEARN_DAYS,
    UNUSUAL,
    VitalBaseline,
    learn_vitals,
    residents_in,
    rhythm_of,
)
from analytics.comparison import JUDGED_DAYS, Tally, Verdict
from analytics.detectors import restlessness, routine
from analytics.detectors.restlessness import COHORT_DAYS, COHORT_DAYS_MIN
from analytics.detectors.routine import ALL_HABITS, FOREST_DAYS_MAX, FOREST_DAYS_MIN
from analytics.history import PERSISTENT_SIGNS, History, Residents
from analytics.learnt import (
    NAMES,
    RESTLESSNESS,
    RHYTHM,
    ROUTINE,
    VITALS,
    Model,
    RareHabits,
    RestlessHomes,
    SilenceRhythm,
    VitalUsual,
)
from analytics.models import isolation
from analytics.news2 import Flags, Floats, Ints
from analytics.settings import AnalyticsSettings
from protocol.calendar import HOME_TIME

log = logging.getLogger(__name__)

PART_COUNT = 1_000
"""Residents whose weeks are in memory at once."""
PAST_DAYS = routine.DAYS - routine.RECENT_DAYS
JUDGED = timedelta(days=JUDGED_DAYS)

Progress = Callable[[int, int], None]
"""Told after each part: of how many residents the weeks are done, and of how many there are."""


def untold(_done: int, _of: int) -> None:
    """Progress that nobody wants to know."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What was learnt, and whether it may go live.

    Attributes:
        name: Of `learnt.NAMES`.
        model: What was learnt.
        window_begin: From when on,
        window_end: and until when the readings are that it was learnt from.
        verdict: Of the comparison with the live version; None: there was no version to compare with.
        resident_count: How many people there were to learn from.
    """

    name: str
    model: Model
    window_begin: datetime
    window_end: datetime
    verdict: Verdict | None
    resident_count: int


@dataclass(frozen=True, kw_only=True)
class Rivals:
    """The live versions that candidates are compared with; None: there is none that can be used."""

    vitals: VitalUsual | None = None
    rhythm: SilenceRhythm | None = None
    routine: RareHabits | None = None
    restlessness: RestlessHomes | None = None


def train(
    history: History,
    settings: AnalyticsSettings,
    rivals: Rivals,
    progress: Progress = untold,
) -> tuple[Candidate, ...]:
    """Learn everything from the history up to `history.now`, which must be a local midnight.

    Of what nothing is known yet there is no candidate.
    """
    if history.now != features.midnight(history.now):
        raise ValueError(f"{history.now} is no local midnight")
    ids = history.residents["resident_id"].to_numpy(np.int64)
    course = _Course(history, settings, rivals, len(ids))
    done = 0
    for part in history.slices(PART_COUNT):
        course.learn(part)
        done += int(((ids >= part.first_id) & (ids <= part.last_id)).sum())
        progress(done, len(ids))
    return tuple(course.candidates())


class _Course:
    """One training: adds up what the parts of the county teach."""

    def __init__(
        self, history: History, settings: AnalyticsSettings, rivals: Rivals, resident_count: int
    ) -> None:
        self._history = history
        self._settings = settings
        self._rivals = rivals
        self._resident_count = resident_count
        self._tallies = {name: comparison.new_tally(name) for name in NAMES}
        self._vitals: list[VitalBaseline] = []
        self._rhythms: list[pd.DataFrame] = []
        self._days: dict[str, list[Floats]] = {"candidate": [], "rehearsal": [], "judged": []}

    def learn(self, part: Residents) -> None:
        """Read the weeks of one part, and let go of them."""
        residents = residents_in(self._history, part)
        self._learn_vitals(part, residents)
        self._learn_rhythm(part)
        self._learn_routine(part, residents)

    def candidates(self) -> Iterator[Candidate]:
        """What all parts together have taught."""
        midnight, month = self._history.now, timedelta(days=LEARN_DAYS)
        if self._vitals:
            usual, end = VitalUsual.joined(self._vitals), midnight - timedelta(days=GAP_DAYS)
            yield from self._candidate(VITALS, usual, self._rivals.vitals, end - month, end)
        if self._rhythms:
            rhythm = SilenceRhythm.of_table(pd.concat(self._rhythms))
            yield from self._candidate(RHYTHM, rhythm, self._rivals.rhythm, midnight - month, midnight)
        end = routine.last_evening(midnight)
        if habits := self._rare_habits():
            begin = end - timedelta(days=routine.DAYS)
            yield from self._candidate(ROUTINE, habits, self._rivals.routine, begin, end)
        if homes := self._restless_homes():
            begin = midnight - timedelta(days=COHORT_DAYS)
            yield from self._candidate(RESTLESSNESS, homes, self._rivals.restlessness, begin, midnight)

    def _candidate(
        self, name: str, model: Model, rival: Model | None, begin: datetime, end: datetime
    ) -> Iterator[Candidate]:
        if not model.known_count:
            log.info("%s: nothing is known yet", name)
            return
        verdict = None
        if rival is not None:
            verdict = comparison.knows_enough(model.known_count, self._live_known(rival))
            if verdict.no_worse:
                verdict = self._tallies[name].verdict()
        yield Candidate(
            name=name,
            model=model,
            window_begin=begin,
            window_end=end,
            verdict=verdict,
            resident_count=self._resident_count,
        )

    def _live_known(self, rival: Model) -> int:
        """How much the live version knows of those who still live here; of days: as many as before."""
        here = self._history.residents["resident_id"].to_numpy(np.int64)
        if isinstance(rival, VitalUsual):
            return int((~np.isnan(rival.spread[np.isin(rival.residents, here), :, 0])).sum())
        if isinstance(rival, SilenceRhythm):
            return int(np.isin(rival.residents, here).sum())
        return min(rival.known_count, FOREST_DAYS_MIN if isinstance(rival, RareHabits) else COHORT_DAYS_MIN)

    def _learn_vitals(self, part: Residents, residents: Ints) -> None:
        midnight = self._history.now
        end = midnight - timedelta(days=GAP_DAYS)
        begin = end - timedelta(days=LEARN_DAYS)
        rival = self._rivals.vitals
        hours = self._history.vitals_hours(part, begin - JUDGED if rival else begin, midnight)
        anomalies = self._anomalies
        self._vitals.append(learn_vitals(hours, residents, anomalies, begin))
        if rival is None:
            return
        rehearsal = learn_vitals(hours, residents, anomalies, begin - JUDGED)
        live = rival.of(residents)
        for sign in PERSISTENT_SIGNS:
            judged = features.cube(hours, sign, residents, midnight - JUDGED, JUDGED_DAYS)
            judged = features.without(judged, residents, midnight - JUDGED, anomalies)
            comparison.add_vitals(self._tallies[VITALS], judged, sign, rehearsal, live)

    @cached_property
    def _anomalies(self) -> pd.DataFrame:
        begin = self._history.now - timedelta(days=GAP_DAYS + LEARN_DAYS) - JUDGED
        return self._history.anomalies(UNUSUAL, begin)

    def _learn_rhythm(self, part: Residents) -> None:
        midnight, rival = self._history.now, self._rivals.rhythm
        begin = midnight - timedelta(days=LEARN_DAYS)
        hours = self._history.activity_hours(part, begin - JUDGED if rival else begin, midnight)
        self._rhythms.append(rhythm_of(features.gaps(hours[hours["hour"] >= begin]), self._settings))
        if rival is None:
            return
        eve = midnight - JUDGED
        before = hours[hours["hour"] < eve]
        days = comparison.known_days(before)
        people = days.index[days >= comparison.COMPARED_DAYS_MIN].to_numpy(np.int64)
        comparison.add_rhythm(
            self._tallies[RHYTHM],
            features.gaps(hours[hours["hour"] >= eve]),
            people,
            rhythm_of(features.gaps(before), self._settings),
            rival.table(),
            self._settings,
        )

    def _learn_routine(self, part: Residents, residents: Ints) -> None:
        end = routine.last_evening(self._history.now)
        begin = end - timedelta(days=routine.DAYS) - JUDGED
        if self._rivals.routine is None:
            begin += JUDGED
        habits = self._history.habits(part, begin, end)
        beds = self._history.bed_days(part, begin, end)
        last_day = routine.day_number(end)
        counts = routine.daily(habits, beds, residents, last_day)
        self._keep("candidate", *_past(counts))
        if self._rivals.routine is None:
            return
        earlier = routine.daily(habits, beds, residents, last_day - JUDGED_DAYS)
        self._keep("rehearsal", *_past(earlier))
        # As the detector does: two days together, against the person's own past before them.
        through = np.concatenate([earlier[:, :PAST_DAYS], counts[:, -JUDGED_DAYS:]], axis=1)
        scores = routine.deviations(through, PAST_DAYS)[:, PAST_DAYS:]
        pairs = (scores[:, 1:] + scores[:, :-1]) / 2
        self._keep("judged", pairs, routine.are_known(earlier[:, :PAST_DAYS]))

    def _keep(self, what: str, scores: Floats, known: Flags) -> None:
        """Keep a share of the days of people who are known, FOREST_DAYS_MAX at most in all."""
        every = max(1, self._resident_count * PAST_DAYS // FOREST_DAYS_MAX)
        self._days[what].append(routine.lived_days(scores[known])[::every])

    def _rare_habits(self) -> RareHabits | None:
        """The forest on the days of all, after its rehearsal has been tried; None: too few days."""
        if not self._days["candidate"]:
            return None
        days: Mapping[str, Floats] = {
            what: np.concatenate(kept) if kept else np.empty((0, len(ALL_HABITS)))
            for what, kept in self._days.items()
        }
        rival = self._rivals.routine
        if rival is not None and len(days["judged"]) and len(days["rehearsal"]) >= FOREST_DAYS_MIN:
            rehearsal = self._grown(days["rehearsal"])
            tally: Tally = self._tallies[ROUTINE]
            comparison.add_routine(tally, days["judged"], rehearsal.days, rival.days, self._settings)
        return self._grown(days["candidate"]) if len(days["candidate"]) >= FOREST_DAYS_MIN else None

    def _restless_homes(self) -> RestlessHomes | None:
        """From days of some people, whose rehearsal has been tried; None: too few days."""
        midnight, rival = self._history.now, self._rivals.restlessness
        begin = midnight - timedelta(days=COHORT_DAYS)
        habits = restlessness.past_habits(self._history, begin - JUDGED if rival else begin, midnight)
        day = pd.DatetimeIndex(habits.index.get_level_values("day")).tz_localize(HOME_TIME)
        days = restlessness.learn_from(habits[day >= pd.Timestamp(begin)], self._settings)
        if rival is not None:
            is_judged = day >= pd.Timestamp(midnight - JUDGED)
            rehearsal = restlessness.learn_from(habits[~is_judged], self._settings)
            if rehearsal is not None and is_judged.any():
                tally = self._tallies[RESTLESSNESS]
                comparison.add_restlessness(tally, habits[is_judged], rehearsal, rival.days, self._settings)
        return None if days is None else RestlessHomes(days=days)

    def _grown(self, days: Floats) -> RareHabits:
        return RareHabits(days=isolation.grow(days, ALL_HABITS, self._settings.routine_rare_share))


def _past(counts: Floats) -> tuple[Floats, Flags]:
    """The personal deviations of the past days, and of whom enough is known."""
    return routine.deviations(counts, PAST_DAYS)[:, :PAST_DAYS], routine.are_known(counts[:, :PAST_DAYS])
