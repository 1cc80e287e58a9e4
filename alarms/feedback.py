"""What people say of an alarm once they have looked: right, wrong or unsure, and why.

Whoever sees the alarm may say so, and may change their mind: every word is kept with who and when, and the
last one holds. From all of it comes the precision in use of whoever raised the alarms. Functions do not
commit; the caller does.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from math import sqrt
from typing import NamedTuple

from alarms.errors import UnfinishedError
from alarms.kinds import KINDS, AlarmKind
from alarms.model import Alarm, AlarmState
from alarms.reasons import Reason
from database.connections import Connection
from database.errors import InvalidError, NotFoundError
from database.queries import queries
from database.record import Record
from identity.model import Actor

_sql = queries("alarms", "sql/feedback.sql")

NOTE_LENGTH_MAX = 500
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
        Verdict.TRUE: KINDS[kind].reasons.confirming,
        Verdict.FALSE: KINDS[kind].reasons.refuting,
        Verdict.UNSURE: _UNSURE,
    }
    return (*offered[verdict], Reason.OTHER)


def may_judge(state: AlarmState) -> bool:
    """Whether an alarm in this state has been looked at: before, nobody has seen enough to judge."""
    return not state.is_active


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
