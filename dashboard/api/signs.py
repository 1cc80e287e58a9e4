"""A resident's signs and activity over time, and the picture of an alarm's evidence, ready for a chart."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from dashboard import cards, charts, residents
from dashboard.context import session_of
from dashboard.curves import Event, Fitted, Range, as_json
from dashboard.params import AlarmId, Instant, ResidentId
from database.errors import NotFoundError
from protocol.model import to_epoch_ms

router = APIRouter(prefix="/api")

HOURS_MAX = charts.RAW_SPAN_MAX / timedelta(hours=1)

Hours = Annotated[float | None, Query(gt=0, le=HOURS_MAX)]


@router.get("/residents/{resident_id}/signs")
def signs(
    request: Request,
    resident_id: ResidentId,
    range: Range = Range.DAY,  # noqa: A002 - the name in the address
    hours: Hours = None,
    until: Instant = None,
) -> Response:
    """Every sign of a range, or of the `hours`, before `until` (default: now).

    `width_ms` 0: points of [epoch ms, value]; else of [epoch ms, mean, lowest, highest] for buckets that
    begin there. Nulls mark a gap. A day has `events` and `in_bed`, longer ranges have `days` instead.
    """
    end = until.astimezone(UTC) if until else datetime.now(UTC)
    with session_of(request) as session:
        person = residents.resident(session.connection, resident_id)
        if hours is None:
            found = charts.of_range(session.connection, person, range, end)
        else:
            found = charts.of_span(session.connection, person, end - timedelta(hours=hours), end)
    return _json(
        {
            "from": to_epoch_ms(found.begins_at),
            "to": to_epoch_ms(found.ends_at),
            **_drawn(found.drawn),
            "events": _events(found.events),
            "events_from": found.events_from_ms,
            "in_bed": found.in_bed,
            "days": [{"at": day.at_ms, "events": day.events} for day in found.days],
        }
    )


@router.get("/alarms/{alarm_id}/evidence")
def evidence_chart(request: Request, alarm_id: AlarmId) -> Response:
    """What the evidence of an alarm wants drawn, with what was expected. 404 when it points to nothing."""
    with session_of(request) as session:
        card = cards.of_alarm(session.connection, alarm_id)
        chart = card.why.chart
        person = residents.resident(session.connection, card.resident_id) if card.resident_id else None
        picture = None if chart is None else charts.of_evidence(session.connection, card, person, chart)
    if chart is None or picture is None:
        raise NotFoundError(f"alarm {alarm_id} has nothing to draw", alarm_id=alarm_id)
    return _json(
        {
            "from": to_epoch_ms(chart.begins_at),
            "to": to_epoch_ms(chart.ends_at),
            "sign": chart.sign,
            "low": chart.low,
            "high": chart.high,
            **_drawn(picture.drawn),
            "events": _events(picture.events),
            "in_bed": picture.in_bed,
        }
    )


def _drawn(drawn: Fitted) -> dict[str, Any]:
    return {
        "width_ms": drawn.width_ms,
        "signs": {sign: as_json(curve, drawn.width_ms) for sign, curve in drawn.curves.items()},
    }


def _events(events: Sequence[Event]) -> list[dict[str, Any]]:
    return [{"at": event.at_ms, "event": event.event, "room": event.room} for event in events]


def _json(content: Any) -> Response:
    return Response(
        msgspec.json.encode(content), media_type="application/json", headers={"Cache-Control": "no-store"}
    )
