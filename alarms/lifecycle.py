"""The alarm state machine, and the only writer of alarms.

    open -> acknowledged -> arrived -> resolved -> closed

`cancelled` ends an alarm that was pressed by mistake, `cleared` one of low or medium priority whose cause
went away by itself before anybody had to come. An alarm of high priority has no short cut: it is resolved
only after arrival, and closed only with a note of how the family was told (docs: domain, alarm practice).

Every change is one row in the append-only timeline, written in the same transaction. The functions do not
commit; the caller does.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb

from alarms.errors import AlreadyTakenError, IllegalStepError, UnfinishedError
from alarms.kinds import KINDS, AlarmKind
from alarms.model import Alarm, AlarmEvent, AlarmPriority, AlarmState, AlarmStep
from database.connections import Connection
from database.errors import NotFoundError
from database.queries import queries
from identity.model import Actor

_sql = queries("alarms", "sql/lifecycle.sql")

NOTE_LENGTH_MAX = 2_000

STATE_AFTER: Mapping[AlarmStep, AlarmState] = {
    AlarmStep.ACKNOWLEDGED: AlarmState.ACKNOWLEDGED,
    AlarmStep.ARRIVED: AlarmState.ARRIVED,
    AlarmStep.RESOLVED: AlarmState.RESOLVED,
    AlarmStep.CLOSED: AlarmState.CLOSED,
    AlarmStep.CANCELLED: AlarmState.CANCELLED,
    AlarmStep.CLEARED: AlarmState.CLEARED,
}

LEGAL_FROM: Mapping[AlarmStep, frozenset[AlarmState]] = {
    AlarmStep.ACKNOWLEDGED: frozenset({AlarmState.OPEN}),
    AlarmStep.ARRIVED: frozenset({AlarmState.ACKNOWLEDGED}),
    AlarmStep.RESOLVED: frozenset({AlarmState.ACKNOWLEDGED, AlarmState.ARRIVED}),
    AlarmStep.CLOSED: frozenset({AlarmState.RESOLVED}),
    AlarmStep.CANCELLED: frozenset({AlarmState.OPEN, AlarmState.ACKNOWLEDGED}),
    AlarmStep.CLEARED: frozenset({AlarmState.OPEN, AlarmState.ACKNOWLEDGED}),
}
"""From which states a step may be taken; `legal_steps` adds the rules of priority."""


class Raised(NamedTuple):
    """The alarm that a signal or finding opened, or joined."""

    alarm: Alarm
    joined: bool


def legal_steps(state: AlarmState, priority: AlarmPriority) -> frozenset[AlarmStep]:
    """The steps that may be taken from `state` at `priority`."""
    steps = {step for step, states in LEGAL_FROM.items() if state in states}
    if priority is AlarmPriority.HIGH:
        steps.discard(AlarmStep.CLEARED)
        if state is AlarmState.ACKNOWLEDGED:
            steps.discard(AlarmStep.RESOLVED)
    return frozenset(steps)


def raise_alarm(
    connection: Connection,
    *,
    site_id: int,
    kind: AlarmKind,
    raised_at: datetime,
    actor: Actor,
    source: str,
    resident_id: int | None = None,
    room_id: int | None = None,
    device_id: int | None = None,
    priority: AlarmPriority | None = None,
    detector: str | None = None,
    evidence: Mapping[str, Any] | None = None,
    known_at: datetime | None = None,
) -> Raised:
    """Open an alarm, or add to the active one of the same subject and kind, and notify the desks.

    The subject is the resident if one is named, else the room, the device or the site. A repeat never
    lowers the priority. `raised_at` is when it happened, by the clock of the device or the window of the
    detector; `source` is "device", "detector" or "staff". `known_at` is when the centre knew, for what
    is recorded afterwards; default: now.
    """
    row = connection.execute(
        _sql["raise_alarm"],
        {
            "site_id": site_id,
            "resident_id": resident_id,
            "room_id": room_id,
            "device_id": device_id,
            "kind": kind,
            "priority": priority or KINDS[kind].priority,
            "source": source,
            "detector": detector,
            "evidence": Jsonb(evidence or {}),
            "raised_at": raised_at,
            "at": known_at,
        },
    ).fetchone()
    assert row is not None, "INSERT … RETURNING gives a row"
    alarm = Alarm.from_row(row)
    step = AlarmStep.REPEATED if row["joined"] else AlarmStep.RAISED
    detail = {"raised_at": raised_at.isoformat()}
    _add_event(connection, alarm, step, alarm.state, actor, detail=detail, at=known_at)
    return Raised(alarm, joined=row["joined"])


def end_condition(
    connection: Connection,
    *,
    device_id: int,
    kind: AlarmKind,
    cancelled: bool,
    at: datetime,
    actor: Actor,
    known_at: datetime | None = None,
) -> Alarm | None:
    """A device says that its alarm's cause is over, or that the person took it back.

    Low and medium alarms that are not yet attended end as `cleared`. One of high priority stays with the
    people: only its timeline tells that the condition ended or that the button was cancelled, because
    somebody must still look. None when no alarm is active. `at` is by the device's clock; `known_at` is
    when the centre knew (default: now).
    """
    row = connection.execute(_sql["find_active"], {"kind": kind, "device_id": device_id}).fetchone()
    if row is None:
        return None
    return _end_condition(
        connection,
        Alarm.from_row(row),
        AlarmStep.CANCELLED if cancelled else AlarmStep.CLEARED,
        actor,
        {"at": at.isoformat(), "by_device": True},
        at=at,
        known_at=known_at,
    )


def end_condition_of(
    connection: Connection, alarm_id: int, *, at: datetime, actor: Actor, known_at: datetime | None = None
) -> Alarm | None:
    """A detector sees that the cause of this alarm is over since `at`; `known_at`: when it saw that (now).

    As `end_condition`: what nobody has come for yet ends, unless it is of high priority; of the rest only
    the timeline tells. None when the alarm is not active any more, or is known to be over already.
    """
    row = connection.execute(_sql["lock_alarm"], {"alarm_id": alarm_id}).fetchone()
    if row is None:
        return None
    alarm = Alarm.from_row(row)
    if alarm.state not in LEGAL_FROM[AlarmStep.CLEARED] | {AlarmState.ARRIVED} or alarm.condition_ended_at:
        return None
    detail = {"at": at.isoformat(), "by_device": False}
    return _end_condition(connection, alarm, AlarmStep.CLEARED, actor, detail, at=at, known_at=known_at)


def amend(
    connection: Connection,
    alarm_id: int,
    actor: Actor,
    evidence: Mapping[str, Any],
    detail: Mapping[str, Any],
    *,
    known_at: datetime | None = None,
) -> Alarm | None:
    """A detector knows more about an active alarm, whoever raised it: `evidence` is laid over what is there.

    Priority and state stay: what a device has raised is never made less urgent. `detail` tells in the
    timeline what is new, `known_at` since when (default: now). None when the alarm is not active any more.
    """
    row = connection.execute(_sql["amend"], {"alarm_id": alarm_id, "evidence": Jsonb(evidence)}).fetchone()
    if row is None:
        return None
    alarm = Alarm.from_row(row)
    _add_event(connection, alarm, AlarmStep.NOTED, alarm.state, actor, detail=detail, at=known_at)
    return alarm


def clear(
    connection: Connection,
    alarm_id: int,
    actor: Actor,
    detail: Mapping[str, Any] | None = None,
    *,
    known_at: datetime | None = None,
) -> Alarm:
    """A detector no longer sees the cause. High-priority alarms refuse this: see `take_step`."""
    return take_step(connection, alarm_id, AlarmStep.CLEARED, actor, detail=detail, at=known_at)


def take_step(
    connection: Connection,
    alarm_id: int,
    step: AlarmStep,
    actor: Actor,
    *,
    note: str | None = None,
    family_notice: str | None = None,
    detail: Mapping[str, Any] | None = None,
    at: datetime | None = None,
) -> Alarm:
    """Move an alarm by one step; the row is locked, so that of two at once one wins.

    Args:
        connection: in a transaction that the caller commits.
        alarm_id: which alarm.
        step: acknowledged, arrived, resolved, closed, cancelled or cleared.
        actor: who does it.
        note: what was found or done.
        family_notice: how the family was told (when, how, who); needed to close high priority.
        detail: facts for the timeline.
        at: when it was done, for what is recorded afterwards; default: now.

    Raises:
        NotFoundError: no such alarm in the connection's scope.
        AlreadyTakenError: somebody else has taken this very step; tells who and when.
        UnfinishedError: something must come first: arrival, or the family's notice.
        IllegalStepError: the present state does not allow it.
    """
    row = connection.execute(_sql["lock_alarm"], {"alarm_id": alarm_id}).fetchone()
    if row is None:
        raise NotFoundError(f"there is no alarm {alarm_id} here", alarm_id=alarm_id)
    alarm = Alarm.from_row(row)
    if step not in legal_steps(alarm.state, alarm.priority):
        raise _refusal(connection, alarm, step)
    if step is AlarmStep.CLOSED and alarm.priority is AlarmPriority.HIGH and not family_notice:
        raise UnfinishedError(
            f"alarm {alarm_id} has high priority: say how the family was told before closing it",
            missing="family_notice",
        )
    return _move(
        connection,
        alarm,
        step,
        actor,
        note=note,
        detail={**(detail or {}), **({"family_notice": family_notice} if family_notice else {})},
        family_notice=family_notice,
        at=at,
    )


def add_note(connection: Connection, alarm_id: int, actor: Actor, note: str) -> None:
    """Write a note into the timeline without moving the alarm. NotFoundError outside the scope."""
    row = connection.execute(_sql["lock_alarm"], {"alarm_id": alarm_id}).fetchone()
    if row is None:
        raise NotFoundError(f"there is no alarm {alarm_id} here", alarm_id=alarm_id)
    alarm = Alarm.from_row(row)
    _add_event(connection, alarm, AlarmStep.NOTED, alarm.state, actor, note=note)


def escalate(connection: Connection, alarm_id: int, level: int, actor: Actor, told: str) -> Alarm | None:
    """Tell the next level (1, 2, …); None when the alarm is no longer open or that level knows already."""
    row = connection.execute(_sql["escalate"], {"alarm_id": alarm_id, "level": level}).fetchone()
    if row is None:
        return None
    alarm = Alarm.from_row(row)
    detail = {"level": level, "told": told}
    _add_event(connection, alarm, AlarmStep.ESCALATED, alarm.state, actor, detail=detail)
    return alarm


def timeline(connection: Connection, alarm_id: int) -> list[AlarmEvent]:
    """Everything that happened to an alarm, oldest first."""
    rows = connection.execute(_sql["timeline"], {"alarm_id": alarm_id}).fetchall()
    return [AlarmEvent.from_row(row) for row in rows]


def _end_condition(
    connection: Connection,
    alarm: Alarm,
    step: AlarmStep,
    actor: Actor,
    detail: Mapping[str, Any],
    *,
    at: datetime,
    known_at: datetime | None = None,
) -> Alarm:
    may_end = alarm.priority is not AlarmPriority.HIGH and alarm.state in LEGAL_FROM[step]
    if may_end:
        return _move(connection, alarm, step, actor, note=None, detail=detail, at=known_at)
    connection.execute("UPDATE care.alarm SET condition_ended_at = %s WHERE id = %s", (at, alarm.id))
    detail = {**detail, "cancelled": step is AlarmStep.CANCELLED}
    _add_event(connection, alarm, AlarmStep.CONDITION_ENDED, alarm.state, actor, detail=detail, at=known_at)
    return alarm


_AT = "coalesce(%(at)s::timestamptz, clock_timestamp())"
_UPDATE_OF: Mapping[AlarmStep, str] = {
    AlarmStep.ACKNOWLEDGED: f"acknowledged_at = {_AT}, acknowledged_by = %(staff_id)s",
    AlarmStep.ARRIVED: f"arrived_at = {_AT}",
    AlarmStep.RESOLVED: f"resolved_at = {_AT}",
    AlarmStep.CLOSED: f"ended_at = {_AT}, family_notice = %(family_notice)s",
    AlarmStep.CANCELLED: f"ended_at = {_AT}",
    AlarmStep.CLEARED: f"ended_at = {_AT}",
}


def _move(
    connection: Connection,
    alarm: Alarm,
    step: AlarmStep,
    actor: Actor,
    *,
    note: str | None,
    detail: Mapping[str, Any],
    family_notice: str | None = None,
    at: datetime | None = None,
) -> Alarm:
    row = connection.execute(
        f"UPDATE care.alarm SET state = %(state)s, {_UPDATE_OF[step]} WHERE id = %(alarm_id)s RETURNING *",  # noqa: S608 - the fragments are the constants above
        {
            "state": STATE_AFTER[step],
            "alarm_id": alarm.id,
            "staff_id": actor.staff_id,
            "family_notice": family_notice,
            "at": at,
        },
    ).fetchone()
    assert row is not None, "the row is locked by this transaction"
    moved = Alarm.from_row(row)
    _add_event(connection, moved, step, moved.state, actor, note=note, detail=detail, at=at)
    return moved


def _add_event(
    connection: Connection,
    alarm: Alarm,
    step: AlarmStep,
    state_after: AlarmState,
    actor: Actor,
    *,
    note: str | None = None,
    detail: Mapping[str, Any] | None = None,
    at: datetime | None = None,
) -> None:
    connection.execute(
        _sql["add_event"],
        {
            "alarm_id": alarm.id,
            "site_id": alarm.site_id,
            "step": step,
            "state_after": state_after,
            "staff_id": actor.staff_id,
            "actor": actor.name,
            "note": note[:NOTE_LENGTH_MAX] if note else None,
            "detail": Jsonb(detail or {}),
            "at": at,
        },
    )


def _refusal(connection: Connection, alarm: Alarm, step: AlarmStep) -> IllegalStepError:
    wanted = STATE_AFTER.get(step)
    by = connection.execute(
        _sql["last_step_by"], {"alarm_id": alarm.id, "state": wanted or alarm.state}
    ).fetchone()
    if by is not None:
        return AlreadyTakenError(
            f"{by['actor']} has already {step} this alarm, at {by['at']:%H:%M:%S} UTC",
            actor=by["actor"],
            at=by["at"],
            step=step,
        )
    if step is AlarmStep.RESOLVED and alarm.state is AlarmState.ACKNOWLEDGED:
        return UnfinishedError(
            f"alarm {alarm.id} has high priority: somebody must arrive before it is resolved",
            missing="arrival",
        )
    return IllegalStepError(
        f"alarm {alarm.id} is {alarm.state}; it cannot be {step} from there",
        state=alarm.state,
        step=step,
    )
