"""What the desk asks. Each query runs on a connection inside `scope_of`."""

from datetime import UTC, datetime
from typing import NamedTuple

from alarms.kinds import AlarmKind
from alarms.model import AlarmPriority, AlarmState
from care.model import SelfCareLevel
from dashboard import readings
from dashboard.readings import Reading, is_fresh
from dashboard.residents import age_years
from database.connections import Connection
from database.queries import queries
from database.record import Record

_sql = queries("dashboard.desk", "queries.sql")

BEDS_MAX = 120
MISSED_MAX = 50


class Counts(Record, frozen=True, kw_only=True):
    """Alarms: urgent ones that nobody answers, those of medium priority, all of them, all that are active."""

    urgent: int
    medium: int
    open: int
    active: int


class Missed(Record, frozen=True, kw_only=True):
    """An alarm that began and ended while a page was cut off."""

    id: int
    kind: AlarmKind
    priority: AlarmPriority
    state: AlarmState
    opened_at: datetime
    ended_at: datetime
    resident_name: str | None
    site_name: str


class Bed(NamedTuple):
    """A resident in the bed grid; `active_at`, `active_room`: when and where something last moved."""

    id: int
    name: str
    sex: str
    age_years: int
    self_care_level: SelfCareLevel
    on_oxygen: bool
    site_id: int
    site_name: str
    room_name: str | None
    bed_label: str | None
    readings: list[Reading]
    in_bed: bool | None
    in_bed_at: datetime | None
    active_at: datetime | None
    active_room: str | None
    alarm_id: int | None
    alarm_priority: AlarmPriority | None
    alarm_kind: AlarmKind | None


def site_ids(connection: Connection) -> frozenset[int]:
    """The ids of all sites in scope."""
    return frozenset(row["id"] for row in connection.execute(_sql["site_ids"]))


def last_event_id(connection: Connection, site_id: int | None) -> int:
    """The newest line of the timelines in scope; 0 when there is none."""
    row = connection.execute(_sql["last_event"], {"site_id": site_id}).fetchone()
    return 0 if row is None else int(row["id"])


def last_feedback_id(connection: Connection, site_id: int | None) -> int:
    """The newest of what people said of alarms in scope; 0 when there is none."""
    row = connection.execute(_sql["last_feedback"], {"site_id": site_id}).fetchone()
    return 0 if row is None else int(row["id"])


def counts(connection: Connection, site_id: int | None = None) -> Counts:
    """How many alarms wait."""
    row = connection.execute(_sql["alarm_counts"], {"site_id": site_id}).fetchone()
    assert row is not None, "an aggregate gives a row"
    return Counts.from_row(row)


def silent_mains(connection: Connection, site_id: int | None) -> int:
    """How many devices on mains power are not heard."""
    row = connection.execute(_sql["silent_mains"], {"site_id": site_id}).fetchone()
    assert row is not None, "an aggregate gives a row"
    return int(row["silent"])


def missed(connection: Connection, site_id: int | None, after: int) -> list[Missed]:
    """Alarms that began after the event `after` (or just before it) and have ended."""
    params = {"site_id": site_id, "after": after, "limit": MISSED_MAX}
    return [Missed.from_row(row) for row in connection.execute(_sql["ended_since"], params)]


def beds(connection: Connection, site_id: int | None, now: datetime | None = None) -> list[Bed]:
    """The residents with their beds and latest signs, at most BEDS_MAX."""
    now = now or datetime.now(UTC)
    rows = connection.execute(_sql["beds"], {"site_id": site_id, "limit": BEDS_MAX})
    return [
        Bed(
            id=row["id"],
            name=row["name"],
            sex=row["sex"],
            age_years=age_years(row["born_on"], now.date()),
            self_care_level=SelfCareLevel(row["self_care_level"]),
            on_oxygen=row["on_oxygen"],
            site_id=row["site_id"],
            site_name=row["site_name"],
            room_name=row["room_name"],
            bed_label=row["bed_label"],
            readings=readings.latest(row, now, ("hr", "rr", "spo2", "temp", "bp")),
            in_bed=row["in_bed"] if is_fresh(row["in_bed_at"], "in_bed", now) else None,
            in_bed_at=row["in_bed_at"],
            active_at=row["activity_at"],
            active_room=row["activity_room"],
            alarm_id=row["alarm_id"],
            alarm_priority=row["alarm_priority"] and AlarmPriority(row["alarm_priority"]),
            alarm_kind=row["alarm_kind"] and AlarmKind(row["alarm_kind"]),
        )
        for row in rows
    ]
