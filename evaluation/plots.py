"""Plots of the reports: small PNG files, the same for the same data."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analytics.news2 import Flags, Floats
from evaluation import agitation, metrics, simulated
from evaluation.homes import Homes
from evaluation.mortality import Mortality
from evaluation.simulated import Found

DPI = 110
PERSONS_MAX = 8
SHOWN = (-2.0, 4.0)
"""Scores beyond are drawn at the edge: days on which a home was silent say nothing of restlessness."""
COLOURS = ("#0f766e", "#b45309", "#1d4ed8", "#6b7280", "#9ca3af", "#d1d5db")
TITLES = {
    "restlessness": "restlessness, without labels",
    "movement": "movement",
    "movement_and_alerts": "movement and earlier alerts",
    "other_homes": "learnt from other homes",
    "isolation_forest": "Isolation Forest (published)",
    "mean_deviation": "mean absolute deviation (published)",
    "logistic_regression": "logistic regression (published)",
    "deterioration": "vital signs, age, how often measured",
    "without_watch": "vital signs and age",
    "early_warning": "NEWS2 without consciousness",
}


def agitation_curves(homes: Homes, path: Path) -> None:
    """ROC and precision over recall of the methods on the test weeks."""
    test = agitation.weeks(homes.days) > 0
    shown = ("restlessness", "movement_and_alerts", "other_homes", "logistic_regression", "isolation_forest")
    scores = {name: homes.replays[name].score[test] for name in shown}
    _curves(homes.days.alarm[test], scores, path)


def mortality_curves(found: Mortality, path: Path) -> None:
    """ROC and precision over recall of the methods."""
    _curves(found.died, found.scores, path)


def restlessness_by_day(homes: Homes, path: Path) -> None:
    """The score of each test day of the people with the most verified alerts, the alerts, and the limit."""
    days, replay = homes.days, homes.replays["restlessness"]
    test = agitation.weeks(days) > 0
    persons, counts = np.unique(days.persons[test & days.alarm], return_counts=True)
    chosen = persons[np.argsort(-counts, kind="stable")][:PERSONS_MAX]
    first = days.number[test].min()
    with mpl.rc_context({"font.size": 8}):
        figure = Figure(figsize=(8, 0.6 * len(chosen) + 0.8), layout="constrained")
        rows = figure.subplots(len(chosen), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        for axes, person in zip(rows, chosen, strict=True):
            mine = test & (days.persons == person)
            day = days.number[mine] - first + 1
            # A day without a row leaves a gap in the line.
            line = pd.Series(replay.score[mine].clip(*SHOWN), index=day).reindex(range(1, day.max() + 1))
            axes.step(line.index, line, where="mid", color=COLOURS[3], linewidth=1)
            axes.step(day, replay.limit[mine], where="mid", color=COLOURS[1], linewidth=0.8, linestyle="--")
            verified = day[days.alarm[mine]]
            axes.plot(verified, line[verified], "o", color=COLOURS[0], markersize=4)
            axes.spines[["top", "right"]].set_visible(False)
            axes.set_ylim(SHOWN[0] - 0.2, SHOWN[1] + 0.2)
            axes.set_ylabel(f"home {person + 1}", rotation=0, ha="right", va="center")
        rows[-1].set_xlabel(
            "day of the test weeks  (dots: verified by the clinical team; dashes: alarm limit)"
        )
        _save(figure, path)


def infection_delays(found: Found, path: Path) -> None:
    """For each infection its severity, when it was first noticed, and how far from its height that was."""
    infections = simulated.of_kinds(found, simulated.INFECTIONS)
    with mpl.rc_context({"font.size": 8}):
        figure = Figure(figsize=(8, 3.6), layout="constrained")
        axes = figure.subplots()
        for colour, kind in zip(COLOURS, sorted(simulated.INFECTIONS), strict=False):
            mine = [event for event in infections if event.label.kind == kind]
            seen = [event for event in mine if event.found_ms is not None]
            hours = [event.delay_ms / 3_600_000 for event in seen]
            name = f"{kind.replace('_', ' ')} ({len(seen)} of {len(mine)} found)"
            severity = [event.label.severity or 0.0 for event in seen]
            axes.plot(hours, severity, "o", color=colour, ms=4, label=name)
            if mine:
                label = mine[0].label
                early_h = simulated.height_middle_ms(label) - simulated.INFECTION_FOUND_BEFORE_MS
                axes.axvline((early_h - label.begin_ms) / 3_600_000, color=colour, lw=0.8, ls="--")
        axes.set(xlabel="hours from onset to the first alarm (dashes: 24 h before the middle of the height)")
        axes.set(ylabel="severity (share of full strain)", ylim=(0.2, 1.2))
        axes.spines[["top", "right"]].set_visible(False)
        if infections:
            axes.legend(frameon=False, loc="upper right")
        _save(figure, path)


def _curves(outcome: Flags, scores: dict[str, Floats], path: Path) -> None:
    with mpl.rc_context({"font.size": 8}):
        figure = Figure(figsize=(8, 3.8), layout="constrained")
        left, right = figure.subplots(1, 2)
        for colour, (name, score) in zip(COLOURS, scores.items(), strict=False):
            false, true = metrics.roc(outcome, score)
            precision, recall = metrics.precision_recall(outcome, score)
            left.plot(false, true, color=colour, label=f"{TITLES[name]}: {metrics.auroc(outcome, score):.3f}")
            value = metrics.average_precision(outcome, score)
            right.plot(recall, precision, color=colour, label=f"{TITLES[name]}: {value:.3f}")
        left.plot([0, 1], [0, 1], color="black", linewidth=0.6, linestyle=":")
        right.axhline(outcome.mean(), color="black", linewidth=0.6, linestyle=":")
        _label(left, "1 - specificity", "sensitivity", "AUROC", "lower right")
        _label(right, "recall", "precision", "average precision", "upper right")
        _save(figure, path)


def _label(axes: Any, x: str, y: str, legend: str, where: str) -> None:
    axes.set(xlabel=x, ylabel=y, xlim=(0, 1), ylim=(0, 1.02))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(title=legend, loc=where, frameon=False)


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=DPI, metadata={"Software": None})
