"""A resident's vital signs and activity over time, ready for a chart."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from dashboard import queries
from dashboard.context import session_of
from dashboard.params import ResidentId
from dashboard.render import epoch_ms
from gateway.model import ActivityEvent

router = APIRouter(prefix="/api/residents")

SIGNS = ("hr", "rr", "spo2", "temp", "sbp", "dbp")
HOURS_MAX = 72
GAP_MS_MIN = 5 * 60_000
"""Readings closer than this always belong to one line."""
GAP_INTERVALS = 3
"""So many usual intervals without a reading are a gap."""

Point = tuple[int, float | None]
Hours = Annotated[float, Query(gt=0, le=HOURS_MAX)]


@router.get("/{resident_id}/signs")
def signs(
    request: Request,
    resident_id: ResidentId,
    hours: Hours = 24,
    until: datetime | None = None,
) -> Response:
    """Signs of the `hours` before `until` (default: now): points of [epoch ms, value], null in a gap."""
    end = until.astimezone(UTC) if until else datetime.now(UTC)
    start = end - timedelta(hours=hours)
    with session_of(request) as session:
        queries.resident(session.connection, resident_id)  # NotFoundError outside the scope
        vitals = queries.vitals(session.connection, resident_id, start, end)
        activity = queries.activity(session.connection, resident_id, start, end)
    content = {
        "from": epoch_ms(start),
        "to": epoch_ms(end),
        "signs": {sign: with_gaps(_points(vitals, sign)) for sign in SIGNS},
        "in_bed": bed_times([(epoch_ms(row["time"]), row["event"]) for row in activity], epoch_ms(end)),
        "activity": [
            {"at": epoch_ms(row["time"]), "event": row["event"], "room": row["room_name"]} for row in activity
        ],
    }
    return Response(
        msgspec.json.encode(content), media_type="application/json", headers={"Cache-Control": "no-store"}
    )


def with_gaps(points: Sequence[Point]) -> list[Point]:
    """The points with a null in every gap, so that no line is drawn over a time without readings."""
    if len(points) < 2:
        return list(points)
    usual_ms = median(later[0] - earlier[0] for earlier, later in pairwise(points))
    gap_ms = max(GAP_MS_MIN, GAP_INTERVALS * usual_ms)
    drawn: list[Point] = [points[0]]
    for earlier, later in pairwise(points):
        if later[0] - earlier[0] > gap_ms:
            drawn.append((earlier[0] + 1, None))
        drawn.append(later)
    return drawn


def bed_times(events: Iterable[tuple[int, str]], until_ms: int) -> list[tuple[int, int]]:
    """From when to when somebody lay in bed, from the events of one span of time, oldest first."""
    times: list[tuple[int, int]] = []
    since_ms: int | None = None
    for at_ms, event in events:
        if event == ActivityEvent.IN_BED and since_ms is None:
            since_ms = at_ms
        elif event == ActivityEvent.OUT_OF_BED and since_ms is not None:
            times.append((since_ms, at_ms))
            since_ms = None
    if since_ms is not None:
        times.append((since_ms, until_ms))
    return times


def _points(rows: Iterable[dict[str, Any]], sign: str) -> list[Point]:
    return [(epoch_ms(row["time"]), round(value, 1)) for row in rows if (value := row[sign]) is not None]
