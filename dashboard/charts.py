"""What charts read: a resident's signs and activity over a range, and what an alarm's evidence points to.

Each runs on a connection inside `scope_of`, asks history for raw readings, hours or days, and is fit to draw.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, time, timedelta
from itertools import groupby
from typing import Any, NamedTuple

from alarms.model import Alarm
from care import trends
from care.model import SiteKind
from care.trends import RAW_ROWS_MAX
from dashboard import curves
from dashboard.curves import POINTS_MAX, Band, Event, Fitted, Range
from dashboard.evidence import BATTERY, Chart, Source
from dashboard.residents import Resident
from database.connections import Connection
from database.queries import queries
from protocol.calendar import HOME_TIME
from protocol.model import ActivityEvent, to_epoch_ms
from protocol.signs import SIGNS

_sql = queries("dashboard", "charts.sql")

SPAN: Mapping[Range, timedelta] = {
    Range.DAY: timedelta(hours=24),
    Range.WEEK: timedelta(days=7),
    Range.SEASON: timedelta(days=90),
    Range.YEAR: timedelta(days=365),
}
RAW_SPAN_MAX = timedelta(hours=72)
HOURS_SPAN_MAX = timedelta(days=100)
"""What is longer is drawn from days."""

Rows = Sequence[Mapping[str, Any]]


class ActiveDay(NamedTuple):
    """How often what was seen on one day, which began at `at_ms`."""

    at_ms: int
    events: Mapping[ActivityEvent, int]


class Signs(NamedTuple):
    """A resident's chart. Short spans have events and bed times, long ones active days.

    `events_from_ms` is later than `begins_at` where there were too many events to read: then those before it
    are missing.
    """

    begins_at: datetime
    ends_at: datetime
    drawn: Fitted
    events: Sequence[Event] = ()
    events_from_ms: int | None = None
    in_bed: Sequence[tuple[int, int]] = ()
    days: Sequence[ActiveDay] = ()


class Picture(NamedTuple):
    """What the evidence of an alarm points to: a curve, or events."""

    drawn: Fitted
    events: Sequence[Event] = ()
    in_bed: Sequence[tuple[int, int]] = ()


def of_span(connection: Connection, person: Resident, since: datetime, until: datetime) -> Signs:
    """Every sign and event of a short span (at most RAW_SPAN_MAX)."""
    events, from_ms = _events_of(connection, person, since, until)
    found, width_ms = _readings_or_hours(connection, person.id, since, until)
    return Signs(
        since,
        until,
        curves.fitted(found, width_ms, POINTS_MAX - len(events)),
        events,
        from_ms,
        curves.bed_times(events, to_epoch_ms(until)),
    )


def of_range(connection: Connection, person: Resident, wanted: Range, until: datetime) -> Signs:
    """Every sign over a range before `until`: readings for a day, hours for a season, days for a year."""
    since = until - SPAN[wanted]
    if wanted is Range.DAY:
        return of_span(connection, person, since, until)
    rolled, width_ms = (
        _days(connection, person.id, since, until)
        if wanted is Range.YEAR
        else _hours(connection, person.id, since, until)
    )
    rows = trends.activity_days(connection, person.id, since, until, with_rooms=_lives_alone(person))
    return Signs(since, until, curves.fitted(rolled, width_ms), days=_active_days(rows))


def of_evidence(
    connection: Connection, alarm: Alarm, person: Resident | None, chart: Chart
) -> Picture | None:
    """What the evidence of `alarm` wants drawn; None when it speaks of nobody, or of no device."""
    since, until = chart.begins_at, chart.ends_at
    if chart.source is Source.ACTIVITY:
        if person is not None:
            events, _ = _events_of(connection, person, since, until)
        else:
            events = _events_at(connection, alarm, since, until)
        return Picture(Fitted({}, 0), events, curves.bed_times(events, to_epoch_ms(until)))
    assert chart.sign is not None, "only activity has no sign"
    if chart.source is Source.DEVICE:
        return _of_device(connection, alarm.device_id, chart.sign, since, until)
    if person is None:
        return None
    if until - since <= RAW_SPAN_MAX:
        found, width_ms = _readings_or_hours(connection, person.id, since, until)
    elif until - since <= HOURS_SPAN_MAX:
        found, width_ms = _hours(connection, person.id, since, until)
    else:
        found, width_ms = _days(connection, person.id, since, until)
    return Picture(curves.fitted({chart.sign: found[chart.sign]}, width_ms))


def can_draw(alarm: Alarm, chart: Chart | None) -> bool:
    """Whether `of_evidence` has something to ask of: signs belong to a person, batteries to a device."""
    if chart is None:
        return False
    needed = {Source.VITALS: alarm.resident_id, Source.DEVICE: alarm.device_id, Source.ACTIVITY: alarm.id}
    return needed[chart.source] is not None


def _readings_or_hours(
    connection: Connection, resident_id: int, since: datetime, until: datetime
) -> tuple[dict[str, list[Band]], int]:
    """Single readings; hours where those are too many to read, or so old that they were dropped."""
    rows = trends.vitals(connection, resident_id, since, until)
    if 0 < len(rows) < RAW_ROWS_MAX:
        return {sign: curves.readings(rows, sign) for sign in SIGNS}, 0
    return _hours(connection, resident_id, since, until)


def _hours(
    connection: Connection, resident_id: int, since: datetime, until: datetime
) -> tuple[dict[str, list[Band]], int]:
    begins = since.replace(minute=0, second=0, microsecond=0)
    rows = trends.hours(connection, resident_id, begins, until)
    return {sign: curves.rollup(rows, sign) for sign in SIGNS}, curves.HOUR_MS


def _days(
    connection: Connection, resident_id: int, since: datetime, until: datetime
) -> tuple[dict[str, list[Band]], int]:
    first, last = (at.astimezone(HOME_TIME).date() for at in (since, until))
    found = trends.days(connection, resident_id, first, last + timedelta(days=1))
    rows = [{**row, "time": datetime.combine(row["day"], time(), HOME_TIME)} for row in found]
    return {sign: curves.rollup(rows, sign) for sign in SIGNS}, curves.DAY_MS


def _events_of(
    connection: Connection, person: Resident, since: datetime, until: datetime
) -> tuple[list[Event], int]:
    def read(begins: datetime) -> Rows:
        return trends.activity(connection, person.id, begins, until, with_rooms=_lives_alone(person))

    rows, begins = _latest(read, since, until)
    return curves.thinned(_events(connection, rows)), to_epoch_ms(begins)


def _events_at(connection: Connection, alarm: Alarm, since: datetime, until: datetime) -> list[Event]:
    """What was seen by the device of an alarm, or in its room."""
    params: dict[str, Any] = {"room_id": alarm.room_id, "until": until}
    in_room = connection.execute(_sql["room_devices"], {**params, "since": since})
    ids = {row["device_id"] for row in in_room} | ({alarm.device_id} if alarm.device_id else set())

    def read(begins: datetime) -> Rows:
        more = {"device_ids": sorted(ids), "since": begins, "limit": RAW_ROWS_MAX}
        return connection.execute(_sql["device_events"], {**params, **more}).fetchall()

    rows, _ = _latest(read, since, until)
    return curves.thinned(_events(connection, rows))


def _of_device(
    connection: Connection, device_id: int | None, sign: str, since: datetime, until: datetime
) -> Picture | None:
    if device_id is None:
        return None
    params = {"device_id": device_id, "until": until, "limit": RAW_ROWS_MAX}
    query = _sql["device_battery" if sign == BATTERY else "device_signs"]

    def read(begins: datetime) -> Rows:
        return connection.execute(query, {**params, "since": begins}).fetchall()

    rows, _ = _latest(read, since, until)
    return Picture(curves.fitted({sign: curves.readings(rows, sign)}))


def _latest(read: Callable[[datetime], Rows], since: datetime, until: datetime) -> tuple[Rows, datetime]:
    """All rows; where they are too many to read, those of the last half, quarter … And since when."""
    rows = read(since)
    while len(rows) == RAW_ROWS_MAX and until - since > timedelta(minutes=1):
        since += (until - since) / 2
        rows = read(since)
    return rows, since


def _events(connection: Connection, rows: Rows) -> list[Event]:
    ids = {row["room_id"] for row in rows if row["room_id"] is not None}
    named = connection.execute(_sql["room_names"], {"room_ids": list(ids)})
    rooms = {row["id"]: row["name"] for row in named}
    return [
        Event(to_epoch_ms(row["time"]), ActivityEvent(row["event"]), rooms.get(row["room_id"]))
        for row in rows
    ]


def _active_days(rows: Rows) -> list[ActiveDay]:
    return [
        ActiveDay(
            to_epoch_ms(datetime.combine(day, time(), HOME_TIME)),
            {ActivityEvent(row["event"]): row["event_count"] for row in group},
        )
        for day, group in groupby(rows, lambda row: row["day"])
    ]


def _lives_alone(person: Resident) -> bool:
    """Whether what their rooms' sensors see is what they do."""
    return person.site_kind is SiteKind.HOUSEHOLD
