"""Reports in Markdown: the words stand in `prose/`, with places for what a run has found."""

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from string import Template

import numpy as np

from analytics.news2 import Floats
from evaluation import agitation, metrics, mortality, plots, simulated
from evaluation.homes import Homes
from evaluation.mortality import Mortality
from evaluation.results import Result
from evaluation.simulated import Found


def write_homes(homes: Homes, results: Sequence[Result], folder: Path) -> Path:
    """Write `tihm.md` and its plots into the folder, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    plots.agitation_curves(homes, folder / "tihm-agitation.png")
    plots.restlessness_by_day(homes, folder / "tihm-days.png")
    days, test = homes.days, agitation.weeks(homes.days) > 0
    return _write(
        folder / "tihm.md",
        {
            "homes": days.persons.max() + 1,
            "days": len(days.alarm),
            "alarms": days.alarm.sum(),
            "test_homes": len(np.unique(days.persons[test])),
            "test_days": test.sum(),
            "test_alarms": days.alarm[test].sum(),
            "resamples": metrics.RESAMPLES,
            "alarm_percent": f"{100 * agitation.ALARM_SHARE:g}",
            "asked": _asked(results),
            "methods": _methods(homes),
            "points": _points(homes),
            "told": len(homes.delays_h),
            "delay": _delay(homes.delays_h),
            "limits": _limits(homes),
        },
    )


def write_mortality(found: Mortality, results: Sequence[Result], folder: Path) -> Path:
    """Write `physionet2012.md` and its plot into the folder, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    plots.mortality_curves(found, folder / "physionet2012.png")
    measures: tuple[metrics.Measure, ...] = (
        metrics.auroc,
        metrics.average_precision,
        lambda died, score: metrics.sensitivity_at(died, score, 0.81),
        lambda died, score: metrics.sensitivity_at(died, score, 0.86),
    )
    rows = [
        [plots.TITLES[name], *(str(mortality.interval(found, name, measure)) for measure in measures)]
        for name in found.scores
    ]
    return _write(
        folder / "physionet2012.md",
        {
            "stays": len(found.died),
            "deaths": found.died.sum(),
            "age_min": f"{mortality.AGE_MIN:g}",
            "resamples": metrics.RESAMPLES,
            "asked": _asked(results),
            "methods": _table(
                ["method", "AUROC", "average precision", "sensitivity at .81", "sensitivity at .86"], rows
            ),
        },
    )


def write_simulated(found: Found, results: Sequence[Result], how: Mapping[str, object], folder: Path) -> Path:
    """Write `simulated.md` and its plot into the folder, and return its path.

    `how`: what was lived through: `seeds`, `residents`, `days`, `days_asked`, `step_min`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plots.infection_delays(found, folder / "simulated-infections.png")
    return _write(
        folder / "simulated.md",
        {
            **how,
            "learning_days": simulated.LEARNING_DAYS,
            "person_days": f"{found.person_days:,}",
            "resamples": metrics.RESAMPLES,
            "asked": _asked(results),
            "more": _asked(simulated.more_results(found)),
            "events": _events(found),
            "alarms": found.alarm_count,
            "false_count": len(found.false),
            "false": _false(found),
            "failures": found.failures,
        },
    )


def _events(found: Found) -> str:
    rows = []
    for kind in sorted({event.label.kind for event in found.events}):
        events = simulated.of_kinds(found, {kind})
        delays_h = np.array([event.delay_ms for event in events if event.found_ms is not None]) / 3_600_000
        finders = Counter(event.by for event in events if event.by is not None)
        rows.append(
            [
                str(kind).replace("_", " "),
                str(len(events)),
                _number(len(delays_h) / len(events)),
                _span(float(np.median(delays_h))) if len(delays_h) else "–",
                ", ".join(f"{name} {count}" for name, count in finders.most_common()),
            ]
        )
    return _table(["what happened", "times", "found before its end", "median delay", "first found by"], rows)


def _false(found: Found) -> str:
    rows = [
        [kind.replace("_", " "), priority, finder, str(count), f"{count / found.person_days:.5f}"]
        for (kind, priority, finder), count in simulated.false_by_finder(found).most_common()
    ]
    return _table(["alarm", "priority", "raised by", "times", "per person-day"], rows)


def _span(hours: float) -> str:
    if abs(hours) < 1 / 60:
        return "under a minute"
    return f"{hours * 60:.0f} min" if hours < 2 else f"{hours:.1f} h"


def _write(path: Path, found: Mapping[str, object]) -> Path:
    words = (resources.files("evaluation") / "prose" / path.name).read_text("utf-8")
    path.write_text(Template(words).substitute(found), encoding="utf-8")
    return path


def _asked(results: Sequence[Result]) -> str:
    return _table(
        ["figure", "found", "published", "to reach", "reached"],
        [
            [
                result.name,
                str(result.value),
                "" if result.published is None else _number(result.published),
                f"{'≥' if result.better == 'higher' else '≤'} {result.reach:g}",
                "yes" if result.is_reached else "**no**",
            ]
            for result in results
        ],
    )


def _methods(homes: Homes) -> str:
    return _table(
        ["method", "AUROC", "average precision", "AUROC, pooled", "AP, pooled", "within a person"],
        [
            [
                plots.TITLES[name],
                str(found.auroc),
                str(found.average_precision),
                str(found.pooled_auroc),
                str(found.pooled_average_precision),
                _number(found.within_person),
            ]
            for name, found in homes.measured.items()
        ],
    )


def _points(homes: Homes) -> str:
    return _table(
        ["method", "sensitivity at .81", "at .86", "alarms per person-day", "precision", "sensitivity"],
        [
            [
                plots.TITLES[name],
                str(found.sensitivity_81),
                str(found.sensitivity_86),
                str(found.alarms_per_day),
                _number(found.precision),
                _number(found.sensitivity),
            ]
            for name, found in homes.measured.items()
        ],
    )


def _limits(homes: Homes) -> str:
    return _table(
        ["alert", "verified days", "precision", "recall", "alarms per person-day with a reading"],
        [
            [
                kind.replace("_", " "),
                str(found.verified),
                str(found.precision),
                str(found.recall),
                _number(found.alarms_per_day),
            ]
            for kind, found in homes.limits.items()
        ],
    )


def _delay(delays_h: Floats) -> str:
    if not len(delays_h):
        return ""
    low, middle, high = np.quantile(delays_h, [0.25, 0.5, 0.75])
    return (
        f", in the median {middle:.1f} h after the team's first alert of the day "
        f"(quartiles {low:.1f} and {high:.1f} h; {(delays_h <= 0).sum()} before it)"
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _number(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.3f}"
