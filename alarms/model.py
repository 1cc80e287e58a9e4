"""The nouns of alarms. Frozen, keyword-only; times aware, in UTC. Terms: docs/glossary.md."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from alarms.evidence import Evidence, read
from alarms.kinds import AlarmKind, AlarmSource
from alarms.kinds import AlarmPriority as AlarmPriority  # a noun of this room for whoever asks here
from database.record import Record


class AlarmState(StrEnum):
    """Where an alarm stands. What moves it is in `alarms.lifecycle`."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    ARRIVED = "arrived"
    RESOLVED = "resolved"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    CLEARED = "cleared"

    @property
    def is_active(self) -> bool:
        """Whether somebody still has to reach it: a further signal joins it (in SQL: care.is_active)."""
        return self in _ACTIVE

    @property
    def is_ended(self) -> bool:
        """Whether nothing is left to do (in SQL: care.is_ended)."""
        return self in _ENDED


_ACTIVE = frozenset({AlarmState.OPEN, AlarmState.ACKNOWLEDGED, AlarmState.ARRIVED})
_ENDED = frozenset({AlarmState.CLOSED, AlarmState.CANCELLED, AlarmState.CLEARED})


class AlarmStep(StrEnum):
    """What can happen to an alarm; each is a line of its timeline."""

    RAISED = "raised"
    REPEATED = "repeated"
    ACKNOWLEDGED = "acknowledged"
    ARRIVED = "arrived"
    RESOLVED = "resolved"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    CLEARED = "cleared"
    UNDONE = "undone"
    RELEASED = "released"
    REMINDED = "reminded"
    OVERDUE = "overdue"
    CONDITION_ENDED = "condition_ended"
    ESCALATED = "escalated"
    NOTED = "noted"


class Alarm(Record, frozen=True, kw_only=True):
    """An alarm as it stands."""

    id: int
    site_id: int
    resident_id: int | None
    room_id: int | None
    device_id: int | None
    kind: AlarmKind
    priority: AlarmPriority
    state: AlarmState
    source: AlarmSource
    detector: str | None
    evidence: dict[str, Any]
    signal_count: int
    escalation_level: int
    raised_at: datetime
    opened_at: datetime
    last_signal_at: datetime
    condition_ended_at: datetime | None
    waiting_since: datetime | None
    waiting_level: int | None
    acknowledged_at: datetime | None
    acknowledged_by: int | None
    arrived_at: datetime | None
    resolved_at: datetime | None
    ended_at: datetime | None
    family_notice: str | None

    @property
    def why(self) -> Evidence:
        """Its evidence, of whatever age."""
        return read(self.evidence)


class AlarmEvent(Record, frozen=True, kw_only=True):
    """One line of an alarm's timeline."""

    id: int
    alarm_id: int
    at: datetime
    step: AlarmStep
    state_after: AlarmState
    staff_id: int | None
    actor: str
    note: str | None
    detail: dict[str, Any]
    key: str | None
