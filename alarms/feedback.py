"""What people say of an alarm once they have looked: right, wrong or unsure, and why.

Whoever sees the alarm may say so, and may change their mind: every word is kept with who and when, and the
last one holds. From all of it comes the precision in use of whoever raised the alarms. Functions do not
commit; the caller does.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from math import sqrt
from typing import NamedTuple

from alarms.errors import UnfinishedError
from alarms.lifecycle import ENDED
from alarms.model import Alarm, AlarmState
from database.connections import Connection
from database.errors import InvalidError, NotFoundError
from database.queries import queries
from database.record import Record
from identity.model import Actor
from protocol.model import AlarmKind

_sql = queries("alarms", "sql/feedback.sql")

NOTE_LENGTH_MAX = 500
LOOKED_AT = ENDED | {AlarmState.RESOLVED}
"""Before that nobody has seen enough to judge."""
Z_95 = 1.959964
"""The normal distribution's quantile for an interval of 95 %."""
POOR_SHARE = 0.5
"""A finder of whose alarms fewer are right teaches people not to come."""
DECIDED_MIN = 10
"""Alarms said to be right or wrong from which on that is worth a word."""


class Verdict(StrEnum):
    """Whether there was something to be alarmed about."""

    TRUE = "true"
    FALSE = "false"
    UNSURE = "unsure"


class Reason(StrEnum):
    """Why somebody thinks so. Which are offered depends on the kind of alarm: `reasons`."""

    NEEDED_HELP = "needed_help"
    ILL = "ill"
    INJURED = "injured"
    FELL_UNHURT = "fell_unhurt"
    WENT_ASTRAY = "went_astray"
    DANGER = "danger"
    HABITS_CHANGED = "habits_changed"
    RESTLESS = "restless"
    NOT_HERE = "not_here"
    DEVICE_BROKEN = "device_broken"
    BATTERY_EMPTY = "battery_empty"
    NO_POWER_OR_NETWORK = "no_power_or_network"

    PRESSED_BY_MISTAKE = "pressed_by_mistake"
    TEST = "test"
    LAY_OR_SAT_DOWN = "lay_or_sat_down"
    PET_OR_OBJECT = "pet_or_object"
    COOKING_OR_STEAM = "cooking_or_steam"
    SOMEBODY_WITH_THEM = "somebody_with_them"
    USUAL_FOR_THEM = "usual_for_them"
    AWAY_AS_KNOWN = "away_as_known"
    MEASURED_WRONGLY = "measured_wrongly"
    DEVICE_FAULT = "device_fault"
    WORKED_AGAIN = "worked_again"

    OVER_ON_ARRIVAL = "over_on_arrival"
    NOT_LOOKED = "not_looked"
    OTHER = "other"


class _Reasons(NamedTuple):
    confirming: tuple[Reason, ...]
    refuting: tuple[Reason, ...]


_CALL = _Reasons(
    (Reason.NEEDED_HELP, Reason.ILL, Reason.INJURED),
    (Reason.PRESSED_BY_MISTAKE, Reason.TEST, Reason.DEVICE_FAULT),
)
_FALL = _Reasons(
    (Reason.INJURED, Reason.FELL_UNHURT, Reason.NEEDED_HELP),
    (Reason.LAY_OR_SAT_DOWN, Reason.PET_OR_OBJECT, Reason.SOMEBODY_WITH_THEM, Reason.DEVICE_FAULT),
)
_DANGER = _Reasons(
    (Reason.DANGER,), (Reason.COOKING_OR_STEAM, Reason.TEST, Reason.DEVICE_FAULT, Reason.WORKED_AGAIN)
)
_NIGHT = _Reasons(
    (Reason.NEEDED_HELP, Reason.WENT_ASTRAY, Reason.FELL_UNHURT, Reason.INJURED),
    (Reason.SOMEBODY_WITH_THEM, Reason.USUAL_FOR_THEM, Reason.AWAY_AS_KNOWN, Reason.DEVICE_FAULT),
)
_BODY = _Reasons(
    (Reason.ILL, Reason.NEEDED_HELP),
    (Reason.MEASURED_WRONGLY, Reason.USUAL_FOR_THEM, Reason.SOMEBODY_WITH_THEM, Reason.DEVICE_FAULT),
)
_HABITS = _Reasons(
    (Reason.NEEDED_HELP, Reason.ILL, Reason.HABITS_CHANGED),
    (Reason.USUAL_FOR_THEM, Reason.AWAY_AS_KNOWN, Reason.SOMEBODY_WITH_THEM, Reason.DEVICE_FAULT),
)
_RESTLESS = _Reasons(
    (Reason.RESTLESS, Reason.ILL, Reason.NEEDED_HELP, Reason.HABITS_CHANGED),
    (Reason.USUAL_FOR_THEM, Reason.SOMEBODY_WITH_THEM, Reason.DEVICE_FAULT),
)
_ABSENCE = _Reasons((Reason.NOT_HERE, Reason.WENT_ASTRAY), (Reason.AWAY_AS_KNOWN, Reason.DEVICE_FAULT))
_DEVICE = _Reasons(
    (Reason.DEVICE_BROKEN, Reason.BATTERY_EMPTY, Reason.NO_POWER_OR_NETWORK),
    (Reason.WORKED_AGAIN, Reason.TEST, Reason.AWAY_AS_KNOWN),
)
_REASONS: Mapping[AlarmKind, _Reasons] = {
    AlarmKind.SOS: _CALL,
    AlarmKind.FALL: _FALL,
    AlarmKind.SMOKE: _DANGER,
    AlarmKind.GAS: _DANGER,
    AlarmKind.WATER: _DANGER,
    AlarmKind.BED_EXIT: _NIGHT,
    AlarmKind.WANDERING: _NIGHT,
    AlarmKind.WEAK_BREATHING: _BODY,
    AlarmKind.TAMPER: _DEVICE,
    AlarmKind.LOW_BATTERY: _DEVICE,
    AlarmKind.FAULT: _DEVICE,
    AlarmKind.VITALS: _BODY,
    AlarmKind.INACTIVITY: _HABITS,
    AlarmKind.DEVICE_OFFLINE: _DEVICE,
    AlarmKind.HEALTH_CHANGE: _BODY,
    AlarmKind.ROUTINE_CHANGE: _HABITS,
    AlarmKind.NO_TURNING: _HABITS,
    AlarmKind.OUTBREAK: _BODY,
    AlarmKind.ABSENCE: _ABSENCE,
    AlarmKind.RESTLESSNESS: _RESTLESS,
    AlarmKind.OUT_OF_LIMITS: _BODY,
}
_UNSURE = (Reason.OVER_ON_ARRIVAL, Reason.NOT_LOOKED)


class Feedback(Record, frozen=True, kw_only=True):
    """What somebody said of an alarm."""

    id: int
    alarm_id: int
    staff_id: int
    actor: str
    at: datetime
    verdict: Verdict
    reason: Reason | None
    note: str | None


class Interval(NamedTuple):
    """Where a share lies with 95 % confidence; between 0 and 1."""

    low: float
    high: float


class Precision(Record, frozen=True, kw_only=True):
    """What became of the alarms of one finder in the last `days`.

    A finder is a detector, or the devices (`detector` None), with the kind of alarm. Out of `raised`, people
    have judged `confirmed` + `refuted` + `unsure`.
    """

    days: int
    source: str
    detector: str | None
    kind: AlarmKind
    raised: int
    confirmed: int
    refuted: int
    unsure: int

    @property
    def decided(self) -> int:
        """How many were said to be right or wrong."""
        return self.confirmed + self.refuted

    @property
    def share(self) -> float | None:
        """Confirmed out of those decided; None when there is none."""
        return self.confirmed / self.decided if self.decided else None

    @property
    def interval(self) -> Interval | None:
        """Where the share lies, given how few were decided."""
        return wilson(self.confirmed, self.decided)

    @property
    def is_poor(self) -> bool:
        """Whether fewer than half were right, of enough to say so."""
        return self.decided >= DECIDED_MIN and self.confirmed / self.decided < POOR_SHARE

    def before(self, recent: "Precision | None") -> "Precision":
        """What this span holds besides the last days, of the same finder, that are in `recent`."""
        if recent is None:
            return self
        return Precision(
            days=self.days - recent.days,
            source=self.source,
            detector=self.detector,
            kind=self.kind,
            raised=self.raised - recent.raised,
            confirmed=self.confirmed - recent.confirmed,
            refuted=self.refuted - recent.refuted,
            unsure=self.unsure - recent.unsure,
        )


def reasons(kind: AlarmKind, verdict: Verdict) -> tuple[Reason, ...]:
    """The reasons to choose from, the likeliest first; `Reason.OTHER` is always the last."""
    offered = {
        Verdict.TRUE: _REASONS[kind].confirming,
        Verdict.FALSE: _REASONS[kind].refuting,
        Verdict.UNSURE: _UNSURE,
    }
    return (*offered[verdict], Reason.OTHER)


def may_judge(state: AlarmState) -> bool:
    """Whether an alarm in this state has been looked at."""
    return state in LOOKED_AT


def give(
    connection: Connection,
    alarm_id: int,
    actor: Actor,
    verdict: Verdict,
    *,
    reason: Reason | None = None,
    note: str | None = None,
) -> Feedback:
    """Record what `actor` (a member of staff) says; saying the same again adds nothing.

    Raises:
        NotFoundError: no such alarm in the connection's scope.
        UnfinishedError: it is not dealt with yet.
        InvalidError: the reason is not one for this kind and verdict, or the note is too long.
    """
    if actor.staff_id is None:
        raise InvalidError("only people judge alarms")
    row = connection.execute(_sql["alarm"], {"alarm_id": alarm_id}).fetchone()
    if row is None:
        raise NotFoundError(f"there is no alarm {alarm_id} here", alarm_id=alarm_id)
    alarm = Alarm.from_row(row)
    if not may_judge(alarm.state):
        raise UnfinishedError(f"alarm {alarm_id} is not dealt with yet", missing="dealt_with")
    if reason is not None and reason not in reasons(alarm.kind, verdict):
        raise InvalidError(f"{reason} is no reason why an alarm of kind {alarm.kind} is {verdict}")
    note = (note or "").strip() or None
    if note is not None and len(note) > NOTE_LENGTH_MAX:
        raise InvalidError(f"a note has at most {NOTE_LENGTH_MAX} characters")
    standing = latest(of_alarm(connection, alarm_id))
    said = (actor.staff_id, verdict, reason, note)
    if standing and said == (standing.staff_id, standing.verdict, standing.reason, standing.note):
        return standing
    row = connection.execute(
        _sql["give"],
        {
            "alarm_id": alarm_id,
            "site_id": alarm.site_id,
            "staff_id": actor.staff_id,
            "actor": actor.name,
            "verdict": verdict,
            "reason": reason,
            "note": note,
        },
    ).fetchone()
    assert row is not None, "INSERT … RETURNING gives a row"
    return Feedback.from_row(row)


def of_alarm(connection: Connection, alarm_id: int) -> list[Feedback]:
    """Everything that was said of an alarm, oldest first; empty outside the scope."""
    return [Feedback.from_row(row) for row in connection.execute(_sql["of_alarm"], {"alarm_id": alarm_id})]


def latest(said: Sequence[Feedback]) -> Feedback | None:
    """The word that holds, of `of_alarm`."""
    return said[-1] if said else None


def precision(connection: Connection, days: Sequence[int]) -> list[Precision]:
    """What became of the alarms in scope, one record for each finder and each number of `days` back from now.

    An alarm that somebody cancelled as false counts as refuted until somebody says otherwise. Finders come
    in a fixed order, detectors before devices; those that raised nothing in a span are missing there.
    """
    rows = connection.execute(_sql["precision"], {"days": list(days)})
    return [Precision.from_row(row) for row in rows]


def wilson(hits: int, trials: int, z: float = Z_95) -> Interval | None:
    """Wilson's score interval for a share of `hits` out of `trials`; None without any.

    It stays within 0 and 1 and is honest about small numbers, where the usual one claims certainty (Wilson,
    J. Am. Stat. Assoc. 22, 1927).
    """
    if trials == 0:
        return None
    share = hits / trials
    spread = z * z / trials
    centre = (share + spread / 2) / (1 + spread)
    half = z * sqrt(share * (1 - share) / trials + spread / (4 * trials)) / (1 + spread)
    # Exactly 0 and 1 at the ends, where rounding would leave a hair.
    return Interval(centre - half if hits else 0.0, centre + half if hits < trials else 1.0)
