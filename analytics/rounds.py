"""One round: every detector looks once at the county, the judge decides, and care.alarms carries it out."""

import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

import psycopg

from analytics.detectors import Detector, SubjectKind
from analytics.detectors.early_warning import EarlyWarning
from analytics.detectors.inactivity import Inactivity
from analytics.detectors.offline import Offline
from analytics.history import History, record_pulse
from analytics.judge import Clear, Policy, Proposal, Raise, decide
from analytics.settings import AnalyticsSettings
from care import alarms
from care.alarms import Actor
from care.db import Connection
from care.errors import IllegalStepError, NotFoundError
from care.leader import Duty, DutyLock
from gateway.model import AlarmKind

log = logging.getLogger(__name__)


def detectors_of(settings: AnalyticsSettings) -> tuple[Detector, ...]:
    """Every detector there is."""
    return (EarlyWarning(settings), Offline(settings), Inactivity(settings))


def policies_of(settings: AnalyticsSettings) -> Mapping[AlarmKind, Policy]:
    """How each kind of finding becomes an alarm. Their persistence is in the windows of the detectors."""
    return {
        AlarmKind.VITALS: Policy(silence_s=settings.vitals_silence_s),
        AlarmKind.DEVICE_OFFLINE: Policy(silence_s=settings.offline_silence_s),
        AlarmKind.INACTIVITY: Policy(silence_s=settings.inactivity_silence_s),
    }


class Rounds:
    """The rounds of one process. Counts what happened; keeps nothing else between two rounds.

    Attributes:
        counts: Since the start: `rounds`, `raised`, `cleared`, and `failed:NAME` for each detector.
    """

    def __init__(
        self, settings: AnalyticsSettings, detectors: Sequence[Detector], policies: Mapping[AlarmKind, Policy]
    ) -> None:
        self._settings = settings
        self._detectors = detectors
        self._policies = policies
        self.counts: Counter[str] = Counter()

    def duty(self) -> Duty:
        """What `care.leader.serve` needs to go the rounds."""
        return Duty(
            lock=DutyLock.ANALYTICS,
            database_url=self._settings.database_url,
            interval_s=self._settings.interval_s,
            standby_poll_s=self._settings.standby_poll_s,
            statement_timeout_s=self._settings.statement_timeout_s,
            work=self.go,
        )

    def go(self, connection: Connection) -> None:
        """One round at the database's present time, on a connection in autocommit."""
        row = connection.execute("SELECT clock_timestamp() AS now").fetchone()
        assert row is not None, "a SELECT without FROM gives a row"
        self.go_at(connection, row["now"])

    def go_at(self, connection: Connection, now: datetime) -> None:
        """One round at `now`. A detector that fails is logged and counted; the others go on.

        Raises psycopg.Error only when the connection is lost.
        """
        began_s = time.monotonic()
        before = self.counts.copy()
        record_pulse(connection, now)
        history = History(connection, now)
        for detector in self._detectors:
            try:
                self._run(connection, detector, history)
            except Exception:  # one broken detector must not silence the others
                if connection.closed:
                    raise
                self.counts[f"failed:{detector.name}"] += 1
                log.exception("detector %s failed; the others go on", detector.name)
        self.counts["rounds"] += 1
        done = self.counts - before
        log.info(
            "round in %.2f s: %d raised, %d cleared, %d failures",
            time.monotonic() - began_s,
            done["raised"],
            done["cleared"],
            sum(count for what, count in done.items() if what.startswith("failed:")),
        )

    def _run(self, connection: Connection, detector: Detector, history: History) -> None:
        assessment = detector.score(history)
        standing = history.standing_alarms([detector.kind])
        for proposal in decide(assessment, standing, self._policies[detector.kind], history.now):
            try:
                done = carry_out(connection, proposal)
            except psycopg.Error:
                if connection.closed:
                    raise
                self.counts[f"failed:{detector.name}"] += 1
                log.exception("detector %s: cannot carry out %s; the others go on", detector.name, proposal)
            else:
                self.counts[done] += 1


def carry_out(connection: Connection, proposal: Proposal) -> str:
    """Do what the judge proposes, in a transaction of its own; "raised", "cleared" or "too_late"."""
    actor = Actor(proposal.detector)
    with connection.transaction():
        match proposal:
            case Raise(finding=finding):
                subject = finding.subject
                alarms.raise_alarm(
                    connection,
                    site_id=finding.site_id,
                    kind=finding.kind,
                    raised_at=finding.since,
                    actor=actor,
                    source="detector",
                    resident_id=subject.id if subject.kind is SubjectKind.RESIDENT else None,
                    room_id=subject.id if subject.kind is SubjectKind.ROOM else None,
                    device_id=subject.id if subject.kind is SubjectKind.DEVICE else None,
                    priority=finding.priority,
                    detector=proposal.detector,
                    evidence=finding.evidence,
                )
                return "raised"
            case Clear(alarm_id=alarm_id, fine_since=fine_since):
                try:
                    alarms.clear(connection, alarm_id, actor, {"fine_since": fine_since.isoformat()})
                except (IllegalStepError, NotFoundError):
                    return "too_late"  # somebody took a step at this very moment; theirs counts
                return "cleared"
