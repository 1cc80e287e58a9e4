"""Makes the evidence of a finding, from what detectors compute with."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from alarms.evidence import VERSION, Evidence, Grade, read
from analytics.wording import Sentence

CONTRIBUTIONS_MAX = 6


def evidence(
    sentence: Sentence,
    begin: datetime,
    end: datetime,
    *,
    seen: Mapping[str, Any],
    expected: Mapping[str, Any],
    contributions: Sequence[Mapping[str, Any]] = (),
    chart: Mapping[str, Any] | None = None,
    grade: Grade | None = None,
    cases: Sequence[Mapping[str, Any]] = (),
    score: float | None = None,
    **own: Any,
) -> Evidence:
    """Evidence out of numbers that may be NumPy's; what is not finite counts as unknown.

    A part that the schema refuses is left out: an alarm does not wait for its reasons. Tests ask of every
    detector that nothing is.

    Args:
        sentence: in both languages; names no person.
        begin: of the time that the finding speaks of.
        end: its end, which is when it was scored.
        seen: what was seen, by name.
        expected: what was expected, under the same names.
        contributions: as `contribution`; the greatest come first, their shares are made to sum to 1.
        chart: as `chart`.
        grade: how sure a fall is.
        cases: who is part of an outbreak.
        score: how bad it is, where the detector counts that.
        own: a detector's own numbers.
    """
    total = sum(one["share"] for one in contributions)
    ranked = sorted(contributions, key=lambda one: -one["share"])[:CONTRIBUTIONS_MAX]
    made = {
        "version": VERSION,
        "sentence": sentence,
        "window": {"from": begin.isoformat(), "to": end.isoformat()},
        "seen": seen,
        "expected": expected,
        "contributions": [{**one, "share": round(one["share"] / total, 3)} for one in ranked if total > 0],
        "chart": chart,
        "grade": grade,
        "cases": list(cases),
        "score": score,
        "own": own,
    }
    return read(_plain(made))


def contribution(
    what: Mapping[str, str], value: float, low: float | None, high: float | None, weight: float
) -> dict[str, Any]:
    """How much one sign or habit adds: `what` is {"sign": …} or {"habit": …}, `weight` at least 0."""
    return {**what, "value": value, "expected_low": low, "expected_high": high, "share": max(weight, 0.0)}


def chart(
    source: str, begin: datetime, end: datetime, *, sign: str | None = None, low: Any = None, high: Any = None
) -> dict[str, Any]:
    """What a small chart should draw: `source` is vitals, activity or device; `low` to `high` is expected."""
    drawn = {"source": source, "from": begin.isoformat(), "to": end.isoformat(), "low": low, "high": high}
    return drawn if sign is None else {**drawn, "sign": sign}


def _plain(value: Any) -> Any:
    """JSON that PostgreSQL takes: no NumPy scalars, no NaN."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return round(float(value), 3) if np.isfinite(value) else None
    return value
