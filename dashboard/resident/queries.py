"""What a resident's page asks. Each query runs on a connection inside `scope_of`."""

from datetime import UTC, datetime

from alarms.kinds import AlarmKind
from alarms.model import AlarmPriority, AlarmState
from dashboard import readings
from dashboard.readings import Reading
from database.connections import Connection
from database.queries import queries
from database.record import Record
from protocol.model import (
    DeviceKind,
    PowerSource,
)

_sql = queries("dashboard.resident", "queries.sql")

ALARMS_MAX = 20


class WornDevice(Record, frozen=True, kw_only=True):
    """A device that watches a resident now. `live`: heard lately, and it does not say that it is offline."""

    id: int
    name: str
    kind: DeviceKind
    model: str | None
    power: PowerSource
    since: datetime
    last_seen_at: datetime | None
    battery: int | None
    live: bool


class PastAlarm(Record, frozen=True, kw_only=True):
    """A line in a resident's list of alarms."""

    id: int
    kind: AlarmKind
    priority: AlarmPriority
    state: AlarmState
    opened_at: datetime
    acknowledged_at: datetime | None
    ended_at: datetime | None


def latest_readings(connection: Connection, resident_id: int) -> list[Reading]:
    """The latest value of every sign that was ever measured."""
    row = connection.execute(_sql["latest"], {"resident_id": resident_id}).fetchone()
    if row is None:
        return []
    return readings.latest(row, datetime.now(UTC), readings.SHOWN)


def devices_of(connection: Connection, resident_id: int) -> list[WornDevice]:
    """The devices that watch a resident now."""
    rows = connection.execute(_sql["devices"], {"resident_id": resident_id})
    return [WornDevice.from_row(row) for row in rows]


def alarms_of(connection: Connection, resident_id: int) -> list[PastAlarm]:
    """A resident's last alarms, the newest first."""
    params = {"resident_id": resident_id, "limit": ALARMS_MAX}
    return [PastAlarm.from_row(row) for row in connection.execute(_sql["alarms"], params)]
