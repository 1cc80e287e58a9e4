"""Signs over time as a chart draws them: readings or bands, gaps that stay gaps, never too many points. Pure.

A band is (epoch ms, mean, lowest, highest) of one bucket of time, begun at that instant; a reading is a band
of no width, whose three values are one. A band of nothing marks a gap: no line is drawn over it.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from itertools import groupby, pairwise
from statistics import fmean, median
from typing import Any, NamedTuple

from protocol.model import ActivityEvent, to_epoch_ms

DECIMALS = 1

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
HOME_AHEAD_MS = 8 * HOUR_MS
"""Asia/Shanghai is so far ahead of UTC, all the year: buckets begin where its hours and days do."""

POINTS_MAX = 20_000
"""Numbers and events in a chart: more is slow on a phone, and no screen shows it."""
EVENTS_MAX = 5_000
WIDTHS_MS = (
    0,
    MINUTE_MS,
    5 * MINUTE_MS,
    15 * MINUTE_MS,
    HOUR_MS,
    3 * HOUR_MS,
    6 * HOUR_MS,
    DAY_MS,
    7 * DAY_MS,
    28 * DAY_MS,
)
"""What buckets may be widened to; 0 is single readings."""

GAP_MS_MIN = 5 * MINUTE_MS
"""Readings closer than this always belong to one line."""
GAP_INTERVALS = 3
"""So many usual intervals without a reading are a gap."""
GAP_BUCKETS = 1.5
"""Where every bucket is usually full, one that is empty is a gap."""


class Band(NamedTuple):
    """What was measured from `at_ms` on for the width of a bucket; all None: a gap."""

    at_ms: int
    mean: float | None
    low: float | None
    high: float | None


class Event(NamedTuple):
    """Something that a sensor saw; `room` None: it moves with the person."""

    at_ms: int
    event: ActivityEvent
    room: str | None


class Fitted(NamedTuple):
    """Curves that a browser can draw, and the width of their buckets."""

    curves: Mapping[str, Sequence[Band]]
    width_ms: int


class Range(StrEnum):
    """How far back a chart looks."""

    DAY = "24h"
    WEEK = "7d"
    SEASON = "90d"
    YEAR = "1y"


def readings(rows: Iterable[Mapping[str, Any]], sign: str) -> list[Band]:
    """Single readings, from rows with `time` and the sign."""
    found = ((to_epoch_ms(row["time"]), row[sign]) for row in rows)
    return [Band(at, *(3 * (round(value, DECIMALS),))) for at, value in found if value is not None]


def rollup(rows: Iterable[Mapping[str, Any]], sign: str) -> list[Band]:
    """Bands, from rows with `time`, the sign's mean under its name, and `_min` and `_max` beside it."""
    return [
        Band(
            to_epoch_ms(row["time"]),
            round(row[sign], DECIMALS),
            round(row[f"{sign}_min"], DECIMALS),
            round(row[f"{sign}_max"], DECIMALS),
        )
        for row in rows
        if row[sign] is not None
    ]


def widened(curve: Iterable[Band], width_ms: int) -> list[Band]:
    """The curve, oldest first and without gaps, in buckets of `width_ms` (> 0).

    The mean is that of the means: each reading, or each narrower bucket, counts the same.
    """

    def bucket(band: Band) -> int:
        return (band.at_ms + HOME_AHEAD_MS) // width_ms

    return [
        Band(
            number * width_ms - HOME_AHEAD_MS,
            round(fmean(band.mean for band in members if band.mean is not None), DECIMALS),
            min(band.low for band in members if band.low is not None),
            max(band.high for band in members if band.high is not None),
        )
        for number, group in groupby(curve, bucket)
        if (members := list(group))
    ]


def with_gaps(curve: Sequence[Band], width_ms: int) -> list[Band]:
    """The curve, oldest first, with a band of nothing in every gap.

    What is usual decides: three times a day is no gap for a sign that is taken by hand, one empty hour is one
    for a sign that is there every hour.
    """
    if len(curve) < 2:
        return list(curve)
    usual_ms = median(later.at_ms - earlier.at_ms for earlier, later in pairwise(curve))
    gap_ms = (
        GAP_BUCKETS * width_ms
        if width_ms and usual_ms <= width_ms
        else max(GAP_MS_MIN, GAP_INTERVALS * usual_ms)
    )
    drawn: list[Band] = [curve[0]]
    for earlier, later in pairwise(curve):
        if later.at_ms - earlier.at_ms > gap_ms:
            drawn.append(Band(earlier.at_ms + max(width_ms, 1), None, None, None))
        drawn.append(later)
    return drawn


def fitted(curves: Mapping[str, Sequence[Band]], width_ms: int = 0, points_max: int = POINTS_MAX) -> Fitted:
    """The curves with their gaps, in wider buckets if they were more than `points_max` numbers together."""
    drawn = {sign: with_gaps(curve, width_ms) for sign, curve in curves.items()}
    for wider_ms in (width for width in WIDTHS_MS if width > width_ms):
        if points(drawn, width_ms) <= points_max:
            break
        width_ms = wider_ms
        drawn = {sign: with_gaps(widened(curve, width_ms), width_ms) for sign, curve in curves.items()}
    return Fitted(drawn, width_ms)


def points(curves: Mapping[str, Sequence[Band]], width_ms: int) -> int:
    """How many numbers a chart of the curves draws: a band has a line and two edges."""
    return (3 if width_ms else 1) * sum(len(curve) for curve in curves.values())


def thinned(events: Sequence[Event], events_max: int = EVENTS_MAX) -> list[Event]:
    """The events, oldest first; of too many, the first of each sort and room in every minute, or longer."""
    kept = list(events)
    for width_ms in WIDTHS_MS[1:]:
        if len(kept) <= events_max:
            break
        first = {(event.event, event.room, event.at_ms // width_ms): event for event in reversed(kept)}
        kept = sorted(first.values(), key=lambda event: event.at_ms)
    return kept


def bed_times(events: Iterable[Event], until_ms: int) -> list[tuple[int, int]]:
    """From when to when somebody lay in bed, from the events of one span of time, oldest first."""
    times: list[tuple[int, int]] = []
    since_ms: int | None = None
    for event in events:
        if event.event is ActivityEvent.IN_BED and since_ms is None:
            since_ms = event.at_ms
        elif event.event is ActivityEvent.OUT_OF_BED and since_ms is not None:
            times.append((since_ms, event.at_ms))
            since_ms = None
    if since_ms is not None:
        times.append((since_ms, until_ms))
    return times


def as_json(curve: Sequence[Band], width_ms: int) -> Sequence[tuple[float | None, ...]]:
    """[ms, value] for each reading, [ms, mean, lowest, highest] for each band, nulls in a gap."""
    return curve if width_ms else [band[:2] for band in curve]
