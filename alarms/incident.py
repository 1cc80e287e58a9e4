"""What happens to alarms, one after another: reports open or join them, steps move them. Their only writer.

Every change is one row in the append-only timeline, written in the same transaction. The functions do not
commit; the caller does.

Three times are told apart. `happened_at` is when it happened, by the clock of the device or the window of the
detector. `known_at` is when the centre knew of a report, `done_at` when a step was taken; both are the
present unless something is recorded afterwards.

One rule for evidence: whoever has evidence replaces all that was there, and who has none leaves it. A repeat
and the grade of another detector are alike in this: each looks at the whole.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from msgspec import Struct, field, structs
from psycopg.types.json import Jsonb

from alarms.errors import AlreadyTakenError, IllegalStepError, KeyReusedError, UnfinishedError
from alarms.evidence import Evidence, stored
from alarms.kinds import KINDS, AlarmKind, AlarmPriority, AlarmSource
from alarms.lifecycle import BY_PEOPLE, UNDO_S, state_after
from alarms.model import Alarm, AlarmEvent, AlarmState, AlarmStep
from database.connections import Connection
from database.errors import InvalidError, NotFoundError
from database.queries import queries
from identity.model import Actor

_sql = queries("alarms", "sql/incident.sql")

NOTE_LENGTH_MAX = 2_000
KEY_LENGTH_MAX = 64


class Report(Struct, frozen=True, kw_only=True):
    """Something that somebody should look at.

    The subject is the resident if one is named, else the room, the device or the site.

    Attributes:
        site_id: Where.
        kind: What it is about.
        happened_at: When it happened.
        actor: Who says so.
        source: What sort of actor; it must be one that may raise this kind.
        resident_id: Whom it is about.
        room_id: Which room it is about.
        device_id: Which device it is about, or has seen it.
        proposal_key: Where that is a gateway: what it calls the device that nobody has adopted yet.
        priority: None: the usual one of the kind.
        detector: Its name, where one says so.
        evidence: Why; None: there is nothing to say beside it.
        known_at: When the centre knew; None: now.
    """

    site_id: int
    kind: AlarmKind
    happened_at: datetime
    actor: Actor
    source: AlarmSource
    resident_id: int | None = None
    room_id: int | None = None
    device_id: int | None = None
    proposal_key: str | None = None
    priority: AlarmPriority | None = None
    detector: str | None = None
    evidence: Evidence | None = None
    known_at: datetime | None = None


class Step(Struct, frozen=True, kw_only=True):
    """Something that is done about an alarm, or becomes known of it.

    Attributes:
        step: Which; one that `alarms.lifecycle.MOVES` knows.
        actor: Who takes it. People only move alarms and write notes.
        note: What was found or done.
        family_notice: How the family was told (when, how, who); needed to close high priority.
        level: Of an escalation: the level that is named, 1 or more.
        evidence: Of a note: what a detector knows more about an active alarm, whoever raised it.
        happened_at: Of a condition's end: since when the cause is over. Of a reminder or a loss: when the
            alarm was acknowledged; another acknowledgement is not touched. Needed there.
        taken_back: Of a condition's end: the person who raised it took it back, at the device.
        detail: More facts for the timeline.
        done_at: When it was done; None: now.
        key: Chosen by who takes the step, once for each press: the same step with the same key, sent again,
            is not taken again.
    """

    step: AlarmStep
    actor: Actor
    note: str | None = None
    family_notice: str | None = None
    level: int | None = None
    evidence: Evidence | None = None
    happened_at: datetime | None = None
    taken_back: bool = False
    detail: Mapping[str, Any] = field(default_factory=dict)
    done_at: datetime | None = None
    key: str | None = None


class Whose(NamedTuple):
    """Whom an alarm turns out to be about: the device that raised it, and whom or which room that watches."""

    device_id: int
    resident_id: int | None = None
    room_id: int | None = None


class Reported(NamedTuple):
    """The alarm that a report opened, or joined."""

    alarm: Alarm
    joined: bool


class Taken(NamedTuple):
    """The alarm as it stands after a step, and the line of its timeline that tells of it.

    None: the step does nothing there; nothing was written.
    """

    alarm: Alarm
    line: AlarmStep | None


def report(connection: Connection, told: Report) -> Reported:
    """Open an alarm, or add to the active one of the same subject and kind, and notify the desks.

    A repeat never lowers the priority, and says that the cause is not over. InvalidError where the source may
    not raise this kind.
    """
    usual = KINDS[told.kind]
    if told.source not in usual.raised_by:
        raise InvalidError(f"an alarm of kind {told.kind} is not for a {told.source} to raise")
    row = connection.execute(
        _sql["report"],
        {
            "site_id": told.site_id,
            "resident_id": told.resident_id,
            "room_id": told.room_id,
            "device_id": told.device_id,
            "proposal_key": told.proposal_key,
            "kind": told.kind,
            "priority": told.priority or usual.priority,
            "source": told.source,
            "detector": told.detector,
            "evidence": Jsonb(stored(told.evidence)),
            "happened_at": told.happened_at,
            "known_at": told.known_at,
        },
    ).fetchone()
    assert row is not None, "INSERT … RETURNING gives a row"
    alarm = Alarm.from_row(row)
    line = AlarmStep.REPEATED if row["joined"] else AlarmStep.RAISED
    detail = {"raised_at": told.happened_at.isoformat()}
    _write(connection, alarm, line, Step(step=line, actor=told.actor, detail=detail, done_at=told.known_at))
    return Reported(alarm, joined=row["joined"])


def take(connection: Connection, alarm_id: int, step: Step) -> Taken:
    """Take a step; the row is locked, so that of two at once one wins.

    Steps of `BY_PEOPLE` are refused where they are not possible. The others do nothing there: the cause of an
    alarm that is dealt with may end unheard. The cause ends once; after that only a repeat begins it anew.

    Raises:
        NotFoundError: No such alarm in the connection's scope.
        AlreadyTakenError: Somebody else has taken this very step; tells who and when.
        UnfinishedError: Something must come first: arrival, or the family's notice.
        IllegalStepError: The present state, or the actor, does not allow it.
        KeyReusedError: The key was given with another step of this alarm.
        InvalidError: The key is not one.
    """
    alarm = _lock(connection, alarm_id)
    if step.key is not None and (before := _taken_before(connection, alarm, step.key)) is not None:
        if not _is_same(before, step):
            raise KeyReusedError(f"this key was given with another step of alarm {alarm_id}", key=step.key)
        return Taken(alarm, before.step)
    if step.actor.staff_id is not None and step.step not in BY_PEOPLE | {AlarmStep.NOTED}:
        raise IllegalStepError(f"{step.step} is not for people to take", state=alarm.state, step=step.step)
    after = state_after(step.step, alarm.state, alarm.priority)
    if step.step in BY_PEOPLE:
        if after is None:
            raise _refusal(connection, alarm, step.step)
        if after is AlarmState.CLOSED and alarm.priority is AlarmPriority.HIGH and not step.family_notice:
            raise UnfinishedError(
                f"alarm {alarm_id} has high priority: say how the family was told before closing it",
                missing="family_notice",
            )
        return _take(connection, alarm, step)
    return Taken(alarm, None) if after is None else _let_happen(connection, alarm, step, after)


def _let_happen(connection: Connection, alarm: Alarm, step: Step, after: AlarmState) -> Taken:
    """What people do not press."""
    match step.step:
        case AlarmStep.CONDITION_ENDED:
            return _end_condition(connection, alarm, step, after)
        case AlarmStep.ESCALATED:
            return _escalate(connection, alarm, step)
        case AlarmStep.REMINDED | AlarmStep.OVERDUE:
            return _chase(connection, alarm, step)
        case _:
            return _note(connection, alarm, step)


def count_more(connection: Connection, alarm_id: int, count: int, last_at: datetime) -> None:
    """So many more signals of the same came, the last at a time, and none has a line of its own."""
    params = {"alarm_id": alarm_id, "count": count, "last_at": last_at}
    connection.execute(_sql["count_more"], params)


def tell_counted(connection: Connection, alarm_id: int, count: int, actor: Actor) -> None:
    """One line for so many signals that were counted and have none."""
    line = Step(step=AlarmStep.REPEATED, actor=actor, detail={"count": count})
    _write(connection, _lock(connection, alarm_id), AlarmStep.REPEATED, line)


def place(connection: Connection, alarm_id: int, whose: Whose, actor: Actor) -> Alarm:
    """Say of an alarm that is not ended whose it is: it was raised before that was known.

    Where they have an active one of the same kind, the two are one: whichever people have gone furthest with
    goes on (else the older), and the other ends with a line that names it. Returns the one that goes on.

    NotFoundError: No such alarm, or it is ended.
    """
    alarm = _lock(connection, alarm_id)
    if alarm.state.is_ended:
        raise NotFoundError(f"alarm {alarm_id} is ended", alarm_id=alarm_id)
    beside = None
    if alarm.state.is_active:
        beside = connection.execute(
            _sql["active_beside"], {"alarm_id": alarm_id, "kind": alarm.kind, **whose._asdict()}
        ).fetchone()
    if beside is not None:
        kept, joined = sorted((alarm, Alarm.from_row(beside)), key=_furthest_first)
        alarm = _join(connection, kept, joined, actor)
        if kept.id != alarm_id:
            return alarm
    row = connection.execute(_sql["place"], {"alarm_id": alarm_id, **whose._asdict()}).fetchone()
    step = Step(step=AlarmStep.NOTED, actor=actor, detail={"placed": True})
    return _written(connection, row, AlarmStep.NOTED, step).alarm


def active_of(
    connection: Connection, device_id: int, kind: AlarmKind, proposal_key: str | None = None
) -> int | None:
    """The active alarm of this kind that a device raised or joined; it is locked. None: there is none.

    With `proposal_key`: the one that a gateway raised for the device that it knows by that key.
    """
    params = {"kind": kind, "device_id": device_id, "proposal_key": proposal_key}
    row = connection.execute(_sql["active_of"], params).fetchone()
    return None if row is None else int(row["id"])


def timeline(connection: Connection, alarm_id: int) -> list[AlarmEvent]:
    """Everything that happened to an alarm, oldest first."""
    rows = connection.execute(_sql["timeline"], {"alarm_id": alarm_id}).fetchall()
    return [AlarmEvent.from_row(row) for row in rows]


def _furthest_first(alarm: Alarm) -> tuple[int, int]:
    states = (AlarmState.ARRIVED, AlarmState.ACKNOWLEDGED, AlarmState.OPEN)
    return states.index(alarm.state), alarm.id


def _join(connection: Connection, kept: Alarm, joined: Alarm, actor: Actor) -> Alarm:
    """The second is the same as the first: it ends, and its signals count there."""
    ended = {"alarm_id": joined.id, "state": AlarmState.CLEARED, "done_at": None}
    row = connection.execute(_sql["end"], ended).fetchone()
    into = Step(step=AlarmStep.CLEARED, actor=actor, detail={"joined_to": kept.id})
    _written(connection, row, AlarmStep.CLEARED, into)
    both = {"kept_id": kept.id, "joined_id": joined.id}
    connection.execute(_sql["relink"], both)
    row = connection.execute(_sql["absorb"], both).fetchone()
    taken_up = Step(step=AlarmStep.REPEATED, actor=actor, detail={"joined": joined.id})
    return _written(connection, row, AlarmStep.REPEATED, taken_up).alarm


def _lock(connection: Connection, alarm_id: int) -> Alarm:
    row = connection.execute(_sql["lock"], {"alarm_id": alarm_id}).fetchone()
    if row is None:
        raise NotFoundError(f"there is no alarm {alarm_id} here", alarm_id=alarm_id)
    return Alarm.from_row(row)


def _taken_before(connection: Connection, alarm: Alarm, key: str) -> AlarmEvent | None:
    if not (0 < len(key) <= KEY_LENGTH_MAX and key.isascii() and key.isprintable() and " " not in key):
        raise InvalidError(f"a key has 1 to {KEY_LENGTH_MAX} visible ASCII characters")
    row = connection.execute(_sql["taken_before"], {"alarm_id": alarm.id, "key": key}).fetchone()
    return None if row is None else AlarmEvent.from_row(row)


def _is_same(before: AlarmEvent, step: Step) -> bool:
    """Whether the step that left this line was the same; the end of a cause may have left several."""
    lines = {step.step}
    if step.step is AlarmStep.CONDITION_ENDED:
        lines |= {AlarmStep.CLEARED, AlarmStep.CANCELLED}
    return (
        before.step in lines
        and (before.actor, before.staff_id) == (step.actor.name, step.actor.staff_id)
        and before.note == _note_of(step)
        and before.detail.get("family_notice") == step.family_notice
    )


def _take(connection: Connection, alarm: Alarm, step: Step) -> Taken:
    """A step of people: the database moves the alarm and writes the line."""
    try:
        row = connection.execute(_sql["take"], _pressed(alarm, step)).fetchone()
    except psycopg.errors.CheckViolation as error:
        if error.diag.constraint_name != "alarm_undo":
            raise
        raise IllegalStepError(
            f"alarm {alarm.id}: only who has pressed takes it back, within {UNDO_S} s",
            state=alarm.state,
            step=step.step,
        ) from error
    assert row is not None, "the row is locked by this transaction"
    return Taken(Alarm.from_row(row), step.step)


def _pressed(alarm: Alarm, step: Step) -> Mapping[str, Any]:
    return {
        "alarm_id": alarm.id,
        "step": step.step,
        "actor": step.actor.name,
        "staff_id": step.actor.staff_id,
        "done_at": step.done_at,
        "note": _note_of(step),
        "family_notice": step.family_notice,
        "key": step.key,
        "detail": Jsonb(step.detail),
    }


def _chase(connection: Connection, alarm: Alarm, step: Step) -> Taken:
    """A reminder to arrive, or the loss of who did not; nothing where somebody else goes by now."""
    if alarm.acknowledged_at != step.happened_at:
        return Taken(alarm, None)
    if step.step is AlarmStep.REMINDED:
        _write(connection, alarm, AlarmStep.REMINDED, step)
        return Taken(alarm, AlarmStep.REMINDED)
    row = connection.execute(_sql["reopen"], {"alarm_id": alarm.id}).fetchone()
    return _written(connection, row, AlarmStep.OVERDUE, step)


def _end_condition(connection: Connection, alarm: Alarm, step: Step, after: AlarmState) -> Taken:
    assert step.happened_at is not None, "the end of a cause has its time"
    facts = {"at": step.happened_at.isoformat(), **step.detail}
    if after is not alarm.state:
        ended = AlarmState.CANCELLED if step.taken_back else after
        row = connection.execute(
            _sql["end"], {"alarm_id": alarm.id, "state": ended, "done_at": step.done_at}
        ).fetchone()
        return _written(connection, row, AlarmStep(ended), _with(step, facts))
    if alarm.condition_ended_at is not None and not step.taken_back:
        return Taken(alarm, None)
    params = {"alarm_id": alarm.id, "happened_at": step.happened_at}
    row = connection.execute(_sql["end_condition"], params).fetchone()
    facts["cancelled"] = step.taken_back
    return _written(connection, row, AlarmStep.CONDITION_ENDED, _with(step, facts))


def _escalate(connection: Connection, alarm: Alarm, step: Step) -> Taken:
    assert step.level is not None, "an escalation has its level"
    if step.level <= alarm.escalation_level:
        return Taken(alarm, None)
    params = {"alarm_id": alarm.id, "level": step.level}
    row = connection.execute(_sql["escalate"], params).fetchone()
    return _written(connection, row, AlarmStep.ESCALATED, _with(step, {**step.detail, "level": step.level}))


def _note(connection: Connection, alarm: Alarm, step: Step) -> Taken:
    if step.evidence is None:
        return _take(connection, alarm, step)
    if not alarm.state.is_active:
        return Taken(alarm, None)
    params = {"alarm_id": alarm.id, "evidence": Jsonb(stored(step.evidence))}
    row = connection.execute(_sql["amend"], params).fetchone()
    return _written(connection, row, AlarmStep.NOTED, step)


def _with(step: Step, detail: Mapping[str, Any]) -> Step:
    return structs.replace(step, detail=detail)


def _written(connection: Connection, row: Mapping[str, Any] | None, line: AlarmStep, step: Step) -> Taken:
    assert row is not None, "the row is locked by this transaction"
    alarm = Alarm.from_row(row)
    _write(connection, alarm, line, step)
    return Taken(alarm, line)


def _write(connection: Connection, alarm: Alarm, line: AlarmStep, step: Step) -> None:
    notice = {"family_notice": step.family_notice} if step.family_notice else {}
    connection.execute(
        _sql["write"],
        {
            "alarm_id": alarm.id,
            "site_id": alarm.site_id,
            "step": line,
            "state_after": alarm.state,
            "staff_id": step.actor.staff_id,
            "actor": step.actor.name,
            "note": _note_of(step),
            "detail": Jsonb({**step.detail, **notice}),
            "done_at": step.done_at,
            "key": step.key,
        },
    )


def _note_of(step: Step) -> str | None:
    return step.note[:NOTE_LENGTH_MAX] if step.note else None


def _refusal(connection: Connection, alarm: Alarm, step: AlarmStep) -> IllegalStepError:
    state = next((state for state in AlarmState if state.value == step.value), None)
    row = connection.execute(_sql["taken_by"], {"alarm_id": alarm.id, "state": state}).fetchone()
    if row is not None:
        return AlreadyTakenError(
            f"{row['actor']} has already {step} this alarm, at {row['at']:%H:%M:%S} UTC",
            actor=row["actor"],
            at=row["at"],
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
