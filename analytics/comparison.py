"""Whether what was learnt tonight is no worse than what is in use, on days that tonight's had not seen.

A rehearsal is compared: the same recipe, learnt without the last JUDGED_DAYS, which are then its future. The
version in use has usually learnt from some of these days, which favours it a little; the margins allow for
that. Both are tried on the same readings of the same people, where both know what is usual. People of whom
the rehearsal knew too little are left out: the first weeks of a home are no fair trial.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from analytics import features
from analytics.baselines import WINDOWS_H, VitalBaseline, count_min, is_night, personal_limit_s
from analytics.features import Cube
from analytics.models.isolation import RareDays
from analytics.models.restlessness import RestlessDays
from analytics.news2 import Flags, Floats, Ints
from analytics.settings import AnalyticsSettings
from protocol.calendar import HOME_TIME

JUDGED_DAYS = 14
COMPARED_DAYS_MIN = 21
"""A rehearsal of somebody known for fewer days is no match for a version that has seen all of them."""
DEVIATIONS_MAX = 20.0
"""A reading further off costs no more: one broken sensor must not decide."""
LOSS_MARGIN = 0.1
"""In nats for a reading: about as much as a spread that is wrong by half costs."""
ALARMS_MARGIN = 0.01
"""Alarms of inactivity for a person and day: one more in a hundred days."""
LONGER_MAX = 1.25
"""Quiet must not be bought with deafness: limits may not grow by more than this at once."""
RARE_MARGIN = 0.005
RESTLESS_MARGIN = 0.015
"""Wider than that of rare habits: one restless person makes half of a month's days restless."""
KNOWN_SHARE_MIN = 0.8
"""A version that knows fewer than this share of what is known now has lost people or readings."""


@dataclass(kw_only=True)
class Tally:
    """What rehearsal and live version add up to over the county.

    Attributes:
        figure: The unit of what is compared; less is better.
        margin: By how much the rehearsal may be worse, beyond chance.
        candidate: Sum over what was compared, of the rehearsal,
        live: and of the live version.
        count: How much was compared.
        events: How many rare things the sums count; so few people have two more or less by mere chance.
        ratios: How the limits of the candidate compare with those of the live version.
    """

    figure: str
    margin: float
    candidate: float = 0.0
    live: float = 0.0
    count: int = 0
    events: float = 0.0
    ratios: list[Floats] = field(default_factory=list)

    def add(self, candidate: float, live: float, count: int) -> None:
        """What one part of the county adds."""
        self.candidate += candidate
        self.live += live
        self.count += count

    def verdict(self) -> "Verdict":
        """Whether the candidate may take the place of the live version, by this comparison alone."""
        if not self.count:
            return Verdict(no_worse=True, reason="nobody is known for long enough to compare")
        candidate, live = self.candidate / self.count, self.live / self.count
        longer = float(np.median(np.concatenate(self.ratios))) if self.ratios else 1.0
        margin = self.margin + 2 * math.sqrt(self.events) / self.count
        figures = {"figure": self.figure, "candidate": candidate, "live": live, "margin": margin}
        figures["compared"] = self.count
        if self.ratios:
            figures["limits_ratio"] = longer
        said = f"{self.figure} {candidate:.4f}, of the live version {live:.4f}, margin {margin:.4f}"
        if candidate > live + margin:
            return Verdict(
                no_worse=False, reason=f"worse on the last {JUDGED_DAYS} days: {said}", figures=figures
            )
        if longer > LONGER_MAX:
            return Verdict(
                no_worse=False,
                reason=f"limits have grown to {longer:.2f} times those of the live version",
                figures=figures,
            )
        return Verdict(
            no_worse=True, reason=f"no worse on the last {JUDGED_DAYS} days: {said}", figures=figures
        )


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a candidate may go live, why, and the figures that it rests on."""

    no_worse: bool
    reason: str
    figures: dict[str, Any] = field(default_factory=dict)


def new_tally(name: str) -> Tally:
    """An empty tally for the kind of model `name`."""
    figure, margin = {
        "vitals": ("nats for a reading", LOSS_MARGIN),
        "rhythm": ("alarms for a person and day", ALARMS_MARGIN),
        "routine": ("rare days off their share", RARE_MARGIN),
        "restlessness": ("restless days off their share", RESTLESS_MARGIN),
    }[name]
    return Tally(figure=figure, margin=margin)


def knows_enough(known: int, live_known: int) -> Verdict:
    """Whether a candidate that knows `known` things lost too many of the `live_known` ones."""
    if known < KNOWN_SHARE_MIN * live_known:
        reason = f"knows only {known} of {live_known} that the live version knows"
        return Verdict(no_worse=False, reason=reason)
    return Verdict(no_worse=True, reason=f"knows {known}, the live version {live_known}")


def add_vitals(tally: Tally, values: Cube, sign: str, rehearsal: VitalBaseline, live: VitalBaseline) -> None:
    """Add what the readings of `sign` in (n, days, 24) cost the two baselines of the same n residents."""
    own, other = loss(values, sign, rehearsal), loss(values, sign, live)
    enough = (rehearsal.days[sign] >= COMPARED_DAYS_MIN)[:, None]
    both = enough & ~np.isnan(own) & ~np.isnan(other)
    tally.add(float(own[both].sum()), float(other[both].sum()), int(both.sum()))


def loss(values: Cube, sign: str, baseline: VitalBaseline) -> Floats:
    """(n, t): the negative logarithm of the likelihood of the short means of (n, days, 24), in nats.

    By a Laplace distribution around what is usual at that hour, with the person's own spread: a baseline is
    good that is near, and that is no less sure of itself than it should be, nor more.
    """
    window_h = WINDOWS_H[0]
    off = (values - baseline.usual[sign][:, None, :]).reshape(len(values), -1)
    means = features.trailing_mean(off, window_h, count_min(sign, window_h))
    # Half of a Laplace distribution is within ln 2 times its scale.
    scale = (baseline.spread[sign, window_h] / features.MAD_TO_SD / math.log(2))[:, None]
    return np.asarray(np.log(2 * scale) + np.minimum(np.abs(means) / scale, DEVIATIONS_MAX))


def add_rhythm(
    tally: Tally,
    gaps: pd.DataFrame,
    people: Ints,
    rehearsal: pd.DataFrame,
    live: pd.DataFrame,
    settings: AnalyticsSettings,
) -> None:
    """Add how many of `gaps` (as `features.gaps`) of `people` (ids) are too long by the two rhythms.

    Silences of people who lie in bed at night are no alarms and left out.
    """
    local = gaps["begins_at"].dt.tz_convert(HOME_TIME)
    night = is_night(local.dt.hour, settings)
    awake = ~(night & gaps["in_bed"]) | gaps["bathroom"]
    counted = gaps[awake & gaps["resident_id"].isin(people)].assign(night=night, day=local.dt.floor("D"))
    keys = pd.MultiIndex.from_frame(counted[["resident_id", "bathroom", "leaving", "night"]])
    bathroom = counted["bathroom"].to_numpy(np.bool_)
    own, other = (
        personal_limit_s(table["limit_s"].reindex(keys).to_numpy(float), bathroom, settings)
        for table in (rehearsal, live)
    )
    both = ~np.isnan(own) & ~np.isnan(other)
    if not both.any():
        return
    gap_s = counted["gap_s"].to_numpy(float)
    person_days = len(counted.loc[both, ["resident_id", "day"]].drop_duplicates())
    own_alarms, other_alarms = (
        float((both & (gap_s >= np.nan_to_num(limits))).sum()) for limits in (own, other)
    )
    tally.add(own_alarms, other_alarms, person_days)
    tally.events += own_alarms + other_alarms
    shared = rehearsal.index.intersection(live.index)
    ratio = rehearsal.loc[shared, "limit_s"] / live.loc[shared, "limit_s"]
    tally.ratios.append(ratio[shared.get_level_values("resident_id").isin(people)].to_numpy(float))


def add_routine(
    tally: Tally, days: Floats, rehearsal: RareDays, live: RareDays, settings: AnalyticsSettings
) -> None:
    """Add how far the share of (n, habits) days that the two call rare is from what it should be."""
    _add_shares(tally, rehearsal.are_rare(days), live.are_rare(days), settings.routine_rare_share)


def add_restlessness(
    tally: Tally,
    habits: pd.DataFrame,
    rehearsal: RestlessDays,
    live: RestlessDays,
    settings: AnalyticsSettings,
) -> None:
    """Add how far the share of `behaviour.daily` that the two call restless is from what it should be."""
    _add_shares(tally, rehearsal.are_restless(habits), live.are_restless(habits), settings.restlessness_share)


def _add_shares(tally: Tally, rehearsal: Flags, live: Flags, share: float) -> None:
    off, live_off = (abs(float(called.mean()) - share) for called in (rehearsal, live))
    tally.add(off * len(rehearsal), live_off * len(live), len(live))
    tally.events += share * len(live)


def known_days(hours: pd.DataFrame) -> "pd.Series[int]":
    """On how many local days something was seen of each resident, from frames as `History.activity_hours`."""
    days = hours["hour"].dt.tz_convert(HOME_TIME).dt.floor("D")
    return hours.assign(day=days).groupby("resident_id")["day"].nunique()
