"""The evidence of a finding in the one shape that pages draw from; docs/detectors.md describes it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

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
    **more: Any,
) -> dict[str, Any]:
    """One JSON object. Numbers that are not finite become null; contributions come greatest first.

    Args:
        sentence: in both languages; names no person.
        begin: of the time that the finding speaks of.
        end: its end, which is when it was scored.
        seen: what was seen, by name.
        expected: what was expected, under the same names.
        contributions: as `contribution`; their shares are made to sum to 1.
        chart: as `chart`.
        more: a detector's own keys.
    """
    total = sum(one["share"] for one in contributions)
    ranked = sorted(contributions, key=lambda one: -one["share"])[:CONTRIBUTIONS_MAX]
    made: dict[str, Any] = {
        "sentence": sentence,
        "window": {"from": begin.isoformat(), "to": end.isoformat()},
        "seen": seen,
        "expected": expected,
    }
    if total > 0:
        made["contributions"] = [{**one, "share": round(one["share"] / total, 3)} for one in ranked]
    if chart is not None:
        made["chart"] = chart
    plain = _plain({**made, **more})
    assert isinstance(plain, dict), "a mapping stays one"
    return plain


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
