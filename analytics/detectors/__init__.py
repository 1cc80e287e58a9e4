"""What a detector is: it looks at the history and says what it sees; it decides and remembers nothing.

A detector sorts its subjects into three: those with a finding, those that are fine beyond doubt, and all
others, about whom it cannot say (no data, or between the two thresholds): their alarms stay as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from alarms.kinds import AlarmKind
from alarms.model import AlarmPriority
from analytics.history import History


class SubjectKind(StrEnum):
    """What an alarm can be about; the prefix of care.alarm.subject."""

    RESIDENT = "resident"
    ROOM = "room"
    DEVICE = "device"
    SITE = "site"


class Subject(NamedTuple):
    """Whom or what a finding is about."""

    kind: SubjectKind
    id: int

    def __str__(self) -> str:
        """As in the column care.alarm.subject."""
        return f"{self.kind}:{self.id}"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that somebody should look at.

    Attributes:
        subject: Whom or what it is about.
        site_id: Where.
        kind: The alarm that it asks for.
        priority: How urgent.
        since: Since when it holds, by the clock of the readings.
        evidence: JSON: what was seen and what was expected. `evidence["sentence"]` says so to a caregiver, in
            Chinese (`zh_CN`) and English (`en`), without naming a person. Its shape: docs/detectors.md.
        severity: How bad it is, where its detector counts that (NEWS2); told of alarms as `score` of the
            evidence.
        grade: Not a finding of its own, but how sure an alarm is that somebody else has raised; it adds to
            that alarm and opens none.
    """

    subject: Subject
    site_id: int
    kind: AlarmKind
    priority: AlarmPriority
    since: datetime
    evidence: Mapping[str, Any]
    severity: float | None = None
    grade: str | None = None


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """What a detector saw at one time.

    Attributes:
        detector: Its name.
        kind: The one kind of alarm that it finds.
        findings: At most one for each subject.
        fine: Subjects that are beyond doubt fine, and since when.
    """

    detector: str
    kind: AlarmKind
    findings: tuple[Finding, ...] = ()
    fine: Mapping[Subject, datetime] = field(default_factory=dict)


class Detector(Protocol):
    """One kind of alarm, one way to see it."""

    @property
    def name(self) -> str:
        """As in care.alarm.detector and in timelines; never changes."""

    @property
    def kind(self) -> AlarmKind:
        """The kind of alarm that it finds."""

    def score(self, history: History) -> Assessment:
        """What there is to see at `history.now`, from readings up to then only. Deterministic."""
