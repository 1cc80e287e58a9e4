"""The alarm transaction: signal stored, alarm opened or joined or ended, desks notified, as one."""

from datetime import datetime

from alarms import lifecycle
from alarms.kinds import AlarmKind
from database.connections import Connection
from database.queries import queries
from identity.model import Actor
from ingest.clock import time_of
from ingest.rows import SignalRow
from protocol.model import SignalState

_sql = queries("ingest", "sql/signals.sql")


def store_signal(connection: Connection, row: SignalRow, known_at: datetime | None = None) -> int | None:
    """Store the signal and do what it asks; the alarm's id, None when nothing came of it.

    `known_at` is when the centre heard of it, for history that is written afterwards (default: now).
    A signal that is stored already (same device, id and state) changes nothing. The caller commits.
    """
    entry, signal = row.entry, row.signal
    at = time_of(row.time_us)
    key = {"device_id": entry.device_id, "signal_id": row.signal_id, "state": signal.state}
    stored = connection.execute(
        _sql["store_signal"],
        {**key, "kind": signal.kind, "time": at, "clock_replaced": row.clock_replaced},
    ).fetchone()
    if stored is None:
        return None
    actor = Actor(entry.name)
    if signal.state is SignalState.RAISED:
        assignment = entry.assignment_at(row.time_us)
        alarm = lifecycle.raise_alarm(
            connection,
            site_id=entry.site_id,
            kind=AlarmKind(signal.kind),
            raised_at=at,
            actor=actor,
            source="device",
            resident_id=assignment.resident_id,
            room_id=assignment.room_id,
            device_id=entry.device_id,
            known_at=known_at,
        ).alarm
        connection.execute(_sql["link_signal"], {**key, "alarm_id": alarm.id})
        return alarm.id
    ended = lifecycle.end_condition(
        connection,
        device_id=entry.device_id,
        kind=AlarmKind(signal.kind),
        cancelled=signal.state is SignalState.CANCELLED,
        at=at,
        actor=actor,
        known_at=known_at,
    )
    return None if ended is None else ended.id
