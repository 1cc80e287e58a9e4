"""The alarm transaction: signal stored, alarm opened or joined or ended, desks notified, as one."""

from datetime import datetime

from alarms import incident
from alarms.incident import Report, Step
from alarms.kinds import AlarmKind, AlarmSource
from alarms.model import AlarmStep
from database.connections import Connection
from database.queries import queries
from identity.model import Actor
from ingest.clock import time_of
from ingest.directory import Entry
from ingest.rows import SignalRow
from protocol.model import EARLY, SignalKind, SignalState

_sql = queries("ingest", "sql/signals.sql")


def report_flood(connection: Connection, entry: Entry, at: datetime) -> None:
    """A low notice that the device says far too much. The caller commits."""
    assignment = entry.assignment_at(int(at.timestamp() * 1_000_000))
    told = Report(
        site_id=entry.site_id,
        kind=AlarmKind.FAULT,
        happened_at=at,
        actor=Actor(entry.name),
        source=AlarmSource.DEVICE,
        room_id=assignment.room_id if assignment.resident_id is None else None,
        resident_id=assignment.resident_id,
        device_id=entry.device_id,
    )
    incident.report(connection, told)


def count_excess(connection: Connection, row: SignalRow, count: int) -> None:
    """Store the last of `count` signals of a matter as far as it changes something, and count the others.

    As long as somebody is on the way for it a repeat changes nothing, and is not stored. The caller commits.
    """
    kind, at = AlarmKind(row.signal.kind), time_of(row.time_us)
    is_raised = row.signal.state is SignalState.RAISED
    active_id = incident.active_of(connection, row.entry.device_id, kind, row.signal.key)
    if is_raised and active_id is not None:
        incident.count_more(connection, active_id, count, at)
        return
    alarm_id = store_signal(connection, row)
    if alarm_id is not None and is_raised and count > 1:
        incident.count_more(connection, alarm_id, count - 1, at)


def tell_excess(connection: Connection, entry: Entry, kind: SignalKind, key: str | None, count: int) -> None:
    """One line in the alarm's timeline for signals that have none, while it is active. The caller commits."""
    active_id = incident.active_of(connection, entry.device_id, AlarmKind(kind), key)
    if active_id is not None:
        incident.tell_counted(connection, active_id, count, Actor(entry.name))


def store_signal(connection: Connection, row: SignalRow, known_at: datetime | None = None) -> int | None:
    """Store the signal and do what it asks; the alarm's id, None when nothing came of it.

    `known_at` is when the centre heard of it, for history that is written afterwards (default: now).
    A signal that is stored already (same device, id and state) changes nothing. The caller commits.

    One press of a button that nobody has adopted comes twice: from its gateway at once, with the key by which
    that knows the button, and from the button itself once it is adopted. Whichever is second adds nothing.
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
    actor, kind = Actor(entry.name), AlarmKind(signal.kind)
    if signal.state is SignalState.RAISED:
        alarm_id = _told_before(connection, row)
        if alarm_id is not None:
            connection.execute(_sql["link_signal"], {**key, "alarm_id": alarm_id})
            return alarm_id
        assignment = entry.assignment_of_alarm(row.time_us)
        told = Report(
            site_id=entry.site_id,
            kind=kind,
            happened_at=at,
            actor=actor,
            source=AlarmSource.DEVICE,
            resident_id=assignment.resident_id,
            room_id=assignment.room_id,
            device_id=entry.device_id,
            proposal_key=signal.key,
            known_at=known_at,
        )
        alarm_id = incident.report(connection, told).alarm.id
        connection.execute(_sql["link_signal"], {**key, "alarm_id": alarm_id})
        return alarm_id
    active_id = incident.active_of(connection, entry.device_id, kind, signal.key)
    if active_id is not None:
        over = Step(
            step=AlarmStep.CONDITION_ENDED,
            actor=actor,
            happened_at=at,
            taken_back=signal.state is SignalState.CANCELLED,
            detail={"by_device": True},
            done_at=known_at,
        )
        incident.take(connection, active_id, over)
    return active_id


def _told_before(connection: Connection, row: SignalRow) -> int | None:
    """The alarm of the same press that came by the other way."""
    if not (row.signal.signal_id or "").startswith(EARLY):
        return None
    params = {"device_id": row.entry.device_id, "key": row.signal.key, "signal_id": row.signal_id}
    found = connection.execute(_sql["told_before"], params).fetchone()
    return None if found is None else int(found["alarm_id"])
