"""The whole evaluation on TIHM: agitation by day, how late it is told, and the alerts by limits."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analytics.models.limits import Limits
from analytics.news2 import Floats
from evaluation import agitation, alerts
from evaluation.agitation import Measured, Replay
from evaluation.alerts import Conformance
from evaluation.days import Days
from evaluation.results import Result
from evaluation.tihm import Tihm

PUBLISHED_UNSUPERVISED = (0.671, 0.115)
PUBLISHED_SUPERVISED = (0.744, 0.183)
PUBLISHED_OTHER_HOMES = 0.744
"""Isolation Forest and logistic regression on the 37 homes: AUROC, average precision, mean of weeks."""
PUBLISHED_LIMITS = {"blood_pressure": (0.859, 0.863), "pulse": (0.830, 0.961)}
"""Precision and recall of plain threshold rules."""
REACH_UNSUPERVISED = (0.75, 0.19)
REACH_SUPERVISED = (0.82, 0.27)
REACH_OTHER_HOMES = 0.78


@dataclass(frozen=True, kw_only=True)
class Homes:
    """All that was found.

    Attributes:
        days: the record by day.
        replays, measured: by the names of `agitation.METHODS`.
        delays_h: `agitation.hours_after_alert`.
        limits: by `blood_pressure` and `pulse`.
    """

    days: Days
    replays: Mapping[str, Replay]
    measured: Mapping[str, Measured]
    delays_h: Floats
    limits: Mapping[str, Conformance]


def evaluate(record: Tihm) -> Homes:
    """Replay and measure everything.

    Raises:
        DatasetError: the record holds nothing to evaluate.
    """
    days = agitation.days_of(record)
    replays = {name: agitation.replay(days, method) for name, method in agitation.METHODS.items()}
    return Homes(
        days=days,
        replays=replays,
        measured={name: agitation.measure(days, replay) for name, replay in replays.items()},
        delays_h=agitation.hours_after_alert(record, days),
        limits={kind: alerts.conformance(record, kind, Limits()) for kind in PUBLISHED_LIMITS},
    )


def results(homes: Homes) -> list[Result]:
    """The figures that were asked for, without those that this record cannot tell (no such alert in it)."""
    rows: list[Result] = []
    for method, title, published, reach in (
        ("restlessness", "unsupervised", PUBLISHED_UNSUPERVISED, REACH_UNSUPERVISED),
        ("movement_and_alerts", "supervised", PUBLISHED_SUPERVISED, REACH_SUPERVISED),
    ):
        found = homes.measured[method]
        for way, auroc, precision in (
            ("mean of weeks", found.auroc, found.average_precision),
            ("all days pooled", found.pooled_auroc, found.pooled_average_precision),
        ):
            of_weeks = way == "mean of weeks"
            for name, value, k in (("AUROC", auroc, 0), ("average precision", precision, 1)):
                rows.append(
                    Result(
                        name=f"agitation, {title}: {name}, {way}",
                        value=value,
                        published=published[k] if of_weeks else None,
                        reach=reach[k],
                    )
                )
    for way, value in (
        ("mean of weeks", homes.measured["other_homes"].auroc),
        ("all days pooled", homes.measured["other_homes"].pooled_auroc),
    ):
        rows.append(
            Result(
                name=f"agitation, learnt from other homes: AUROC, {way}",
                value=value,
                published=PUBLISHED_OTHER_HOMES if way == "mean of weeks" else None,
                reach=REACH_OTHER_HOMES,
            )
        )
    for kind, (precision_published, recall_published) in PUBLISHED_LIMITS.items():
        title = kind.replace("_", " ")
        found_limits = homes.limits[kind]
        rows.append(
            Result(
                name=f"{title} alerts: precision",
                value=found_limits.precision,
                published=precision_published,
                reach=precision_published,
            )
        )
        rows.append(
            Result(
                name=f"{title} alerts: recall",
                value=found_limits.recall,
                published=recall_published,
                reach=recall_published,
            )
        )
    return [row for row in rows if not np.isnan(row.value.value)]
