"""Several people of one home newly ill within three days, against that home's own background.

A person is a case on a day with fever for them (38 °C, or 0.8 above their own usual), or with laboured
breathing together with a rise of temperature; new, if not a case in the week before. The number of new cases
in the last three days is compared, as in EARS C2, with such spans of the four weeks before a gap of three
days: more than their mean and three standard deviations, no more likely by chance than a Poisson process at
that mean allows, and at least three people.
"""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from alarms.kinds import AlarmKind
from alarms.model import AlarmPriority
from analytics import features, wording
from analytics.baselines import Baselines
from analytics.detectors import Assessment, Finding, Subject, SubjectKind
from analytics.evidence import evidence
from analytics.history import History, Residents
from analytics.news2 import Flags, Floats, Ints
from analytics.settings import AnalyticsSettings
from care.model import SiteKind

SPAN_DAYS, GAP_DAYS, BACKGROUND_DAYS, NEW_AFTER_DAYS = 3, 3, 28, 7
LOOK_DAYS = SPAN_DAYS + GAP_DAYS + BACKGROUND_DAYS + NEW_AFTER_DAYS
WINDOW_H, COUNT_MIN = 6, 1
FEVER_CEL, FEVER_ABOVE_USUAL_CEL, WARM_ABOVE_USUAL_CEL = 38.0, 0.8, 0.3
RR_ABOVE_USUAL, SPO2_BELOW_USUAL = 4.0, 3.0
BACKGROUND_MIN = 0.3
"""Even a home where nobody was ill for weeks must expect a case now and then."""
SIGNS = ("temp", "rr", "spo2")


class Outbreak:
    """Alarms of kind `outbreak`."""

    name = "outbreak"
    kind = AlarmKind.OUTBREAK

    def __init__(self, settings: AnalyticsSettings, baselines: Baselines) -> None:
        self._settings = settings
        self._baselines = baselines

    def score(self, history: History) -> Assessment:
        """Homes and day centres with too many newly ill. All others that have readings are fine."""
        residents = history.residents.set_index("resident_id")
        shared = residents["site_kind"] != str(SiteKind.HOUSEHOLD)
        begin = features.midnight(history.now) - timedelta(days=LOOK_DAYS - 1)
        parts = [self._cases(history, part, begin) for part in history.slices()]
        if not parts or not shared.any():
            return Assessment(detector=self.name, kind=self.kind)
        ids = np.concatenate([part[0] for part in parts])
        fever, measured = (np.concatenate([part[index] for part in parts]) for index in (1, 2))
        keep = shared.loc[ids].to_numpy(np.bool_)
        ids, fever, measured = ids[keep], fever[keep], measured[keep]
        site_of = residents.loc[ids, "site_id"].to_numpy(np.int64)
        new = new_cases(fever)
        sites, row = np.unique(site_of, return_inverse=True)
        daily = np.zeros((len(sites), LOOK_DAYS))
        np.add.at(daily, row, new.astype(float))
        current, mean, spread = against_background(daily)
        expected = np.maximum(mean, BACKGROUND_MIN)
        chance = np.array([poisson_tail(int(n), float(mu)) for n, mu in zip(current, expected, strict=True)])
        many = (
            (current >= self._settings.outbreak_cases_min)
            & (current > mean + 3 * spread)
            & (chance <= self._settings.outbreak_chance_max)
        )
        heard = np.zeros(len(sites), np.bool_)
        np.logical_or.at(heard, row, measured)
        findings = tuple(
            self._finding(history, begin, int(sites[at]), ids[row == at], new[row == at], float(mean[at]))
            for at in np.flatnonzero(many)
        )
        fine = {
            Subject(SubjectKind.SITE, int(sites[at])): history.now
            for at in np.flatnonzero(heard & (current < self._settings.outbreak_cases_min))
        }
        return Assessment(detector=self.name, kind=self.kind, findings=findings, fine=fine)

    def _cases(self, history: History, part: Residents, begin: datetime) -> tuple[Ints, Flags, Flags]:
        """Ids, (n, days) who was a case on which day, and (n,) who was measured on the last two days."""
        baseline = self._baselines.vitals(history, part)
        hours = history.vitals_hours(part, begin, history.hour)
        cubes = {sign: features.cube(hours, sign, baseline.residents, begin, LOOK_DAYS) for sign in SIGNS}
        means = {sign: _window_means(cubes[sign]) for sign in SIGNS}
        off = {sign: _window_means(cubes[sign] - baseline.usual[sign][:, None, :]) for sign in SIGNS}
        with np.errstate(invalid="ignore"):
            fever = (means["temp"] >= FEVER_CEL) | (off["temp"] >= FEVER_ABOVE_USUAL_CEL)
            laboured = (off["rr"] >= RR_ABOVE_USUAL) | (off["spo2"] <= -SPO2_BELOW_USUAL)
            case = fever | (laboured & (off["temp"] >= WARM_ABOVE_USUAL_CEL))
        by_day = case.reshape(len(case), LOOK_DAYS, features.HOURS).any(axis=2)
        known = [~np.isnan(cubes[sign][:, -2:, :]).all(axis=(1, 2)) for sign in SIGNS]
        return baseline.residents, np.asarray(by_day), np.logical_or.reduce(known)

    def _finding(
        self, history: History, begin: datetime, site_id: int, ids: Ints, new: Flags, usual: float
    ) -> Finding:
        recent = new[:, -SPAN_DAYS:]
        who = np.flatnonzero(recent.any(axis=1))
        first_day = recent[who].argmax(axis=1)
        days = [begin + timedelta(days=LOOK_DAYS - SPAN_DAYS + int(day)) for day in first_day]
        cases: list[Mapping[str, Any]] = sorted(
            (
                {"resident_id": int(ids[index]), "first_at": day.isoformat()}
                for index, day in zip(who, days, strict=True)
            ),
            key=lambda case: (str(case["first_at"]), int(str(case["resident_id"]))),
        )
        count, lived = len(cases), len(ids)
        since = min(days)
        made = evidence(
            wording.sentence(
                f"近 {SPAN_DAYS} 天有 {count} 人新出现发热或呼吸道症状（共监测 {lived} 人，"
                f"平时每 {SPAN_DAYS} 天约 {usual:.1f} 人），疑似聚集性感染，请排查并报告。",
                f"{count} people with new fever or laboured breathing in {SPAN_DAYS} days (of {lived}; "
                f"usually about {usual:.1f}): may be an outbreak. Examine and report.",
            ),
            since,
            history.now,
            seen={"cases": count, "residents": lived},
            expected={"cases": usual},
            cases=cases,
        )
        return Finding(
            subject=Subject(SubjectKind.SITE, site_id),
            site_id=site_id,
            kind=self.kind,
            priority=AlarmPriority.MEDIUM,
            since=since,
            evidence=made,
        )


def new_cases(case: Flags) -> Flags:
    """(n, days): the days on which a person is a case and was no case in the NEW_AFTER_DAYS before."""
    lately = np.zeros_like(case)
    for shift in range(1, NEW_AFTER_DAYS + 1):
        lately[:, shift:] |= case[:, :-shift]
    return np.asarray(case & ~lately, np.bool_)


def against_background(daily: Floats) -> tuple[Floats, Floats, Floats]:
    """Of (sites, days) counts: the sum of the last SPAN_DAYS, and mean and deviation of such sums before."""
    sums = np.lib.stride_tricks.sliding_window_view(daily, SPAN_DAYS, axis=1).sum(axis=-1)
    background = sums[:, -GAP_DAYS - SPAN_DAYS - BACKGROUND_DAYS : -GAP_DAYS - SPAN_DAYS]
    return sums[:, -1], background.mean(axis=1), background.std(axis=1, ddof=1)


def poisson_tail(count: int, mean: float) -> float:
    """The chance of `count` or more events where `mean` are expected."""
    below = sum(math.exp(-mean + k * math.log(mean) - math.lgamma(k + 1)) for k in range(count))
    return max(0.0, 1.0 - below)


def _window_means(cube: npt.NDArray[Any]) -> Floats:
    return features.trailing_mean(cube.reshape(len(cube), -1), WINDOW_H, COUNT_MIN)
