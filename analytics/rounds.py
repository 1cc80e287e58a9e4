"""One round: detectors that are due look once at the county, the judge decides, alarms are opened or ended.

Most detectors are due every minute. What somebody measures is looked at every ten minutes, and what needs
weeks of history once an hour or a day; when those last ran is in the database, so that a restart neither
repeats nor forgets them.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

import psycopg

from alarms import incident
from alarms.incident import Report, Step
from alarms.kinds import AlarmKind, AlarmSource
from alarms.model import AlarmStep
from analytics.baselines import Baselines, HistoryBaselines
from analytics.detectors import Detector, Finding, SubjectKind
from analytics.detectors.absence import Absence
from analytics.detectors.baseline import Baseline
from analytics.detectors.device import Battery, DeviceDrift, DeviceFault
from analytics.detectors.early_warning import EarlyWarning
from analytics.detectors.fall import Fall
from analytics.detectors.inactivity import Inactivity
from analytics.detectors.limits import OutOfLimits
from analytics.detectors.night import BedExit, Turning, Wandering, WeakBreathing
from analytics.detectors.offline import Offline
from analytics.detectors.outbreak import Outbreak
from analytics.detectors.restlessness import PooledRestlessness, Restlessness
from analytics.detectors.routine import PooledHabits, Routine
from analytics.history import ALARMS_S, History, record_pulse, record_run
from analytics.judge import Amend, Decision, Handling, Over, Raise, decide
from analytics.settings import AnalyticsSettings
from database.connections import Connection
from database.leases import Duty, DutyLock
from identity.model import Actor
from protocol.calendar import HOME_TIME

log = logging.getLogger(__name__)


class Cadence(NamedTuple):
    """A detector is due once in each `every`, from `after` its local begin on (days begin at midnight)."""

    every: timedelta
    after: timedelta

    def slot(self, at: datetime) -> int:
        """The number of the span that `at` lies in."""
        return (at - _FIRST_MIDNIGHT - self.after) // self.every

    def is_due(self, now: datetime, ran_at: datetime | None) -> bool:
        """Whether the detector has not yet run in this span."""
        return ran_at is None or self.slot(ran_at) < self.slot(now)


_FIRST_MIDNIGHT = datetime(2000, 1, 1, tzinfo=HOME_TIME)
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
CADENCES: Mapping[str, Cadence] = {
    # Nobody is in danger within minutes that the early warning does not see.
    OutOfLimits.name: Cadence(timedelta(minutes=10), timedelta(0)),
    # An hour is whole in the rollups some minutes after its end.
    Baseline.name: Cadence(_HOUR, timedelta(minutes=15)),
    DeviceFault.name: Cadence(_HOUR, timedelta(minutes=20)),
    Outbreak.name: Cadence(6 * _HOUR, timedelta(minutes=25)),
    Restlessness.name: Cadence(_HOUR, timedelta(minutes=40)),
    # By daylight, when somebody is there to change a battery or to go and see.
    Battery.name: Cadence(_DAY, timedelta(hours=8)),
    DeviceDrift.name: Cadence(_DAY, timedelta(hours=8, minutes=10)),
    Absence.name: Cadence(_DAY, timedelta(hours=9)),
    # A day of habits ends at 18:00.
    Routine.name: Cadence(_DAY, timedelta(hours=18, minutes=30)),
}
"""Detectors that are not due every minute, by name."""
SLOW_AFTER_S_MAX = 20.0
"""After so long a round starts no more slow detectors: those of every minute come first again."""


class Pooled(PooledHabits, PooledRestlessness, Protocol):
    """What is learnt from the days of everybody together."""


def detectors_of(
    settings: AnalyticsSettings, baselines: Baselines | None = None, pooled: Pooled | None = None
) -> tuple[Detector, ...]:
    """Every detector there is, the most urgent first; by default what is usual is learnt from the history."""
    usual = baselines or HistoryBaselines(settings)
    return (
        EarlyWarning(settings),
        WeakBreathing(settings),
        Fall(settings),
        BedExit(settings),
        Wandering(settings),
        Offline(settings),
        Turning(settings),
        Inactivity(settings, usual),
        OutOfLimits(settings),
        Baseline(settings, usual),
        Outbreak(settings, usual),
        DeviceFault(settings),
        Battery(settings),
        DeviceDrift(settings),
        Absence(),
        Routine(settings, pooled),
        Restlessness(settings, pooled),
    )


def handling_of(settings: AnalyticsSettings) -> Mapping[AlarmKind, Handling]:
    """How each kind of finding becomes an alarm. Their persistence is in the windows of the detectors."""
    slow = Handling(silence_s=settings.slow_silence_s)
    at_night = Handling(silence_s=settings.vitals_silence_s)
    return {
        AlarmKind.VITALS: Handling(
            silence_s=settings.vitals_silence_s,
            repeated_silence_s_max=settings.vitals_repeated_silence_s_max,
        ),
        AlarmKind.WEAK_BREATHING: at_night,
        AlarmKind.FALL: at_night,
        AlarmKind.BED_EXIT: at_night,
        AlarmKind.WANDERING: at_night,
        AlarmKind.NO_TURNING: at_night,
        AlarmKind.DEVICE_OFFLINE: Handling(silence_s=settings.offline_silence_s),
        AlarmKind.INACTIVITY: Handling(silence_s=settings.inactivity_silence_s),
        AlarmKind.HEALTH_CHANGE: slow,
        AlarmKind.OUT_OF_LIMITS: slow,
        AlarmKind.OUTBREAK: slow,
        AlarmKind.FAULT: slow,
        AlarmKind.LOW_BATTERY: slow,
        AlarmKind.ABSENCE: Handling(silence_s=settings.absence_silence_s),
        AlarmKind.ROUTINE_CHANGE: slow,
        AlarmKind.RESTLESSNESS: slow,
    }


class Rounds:
    """The rounds of one process. Counts what happened; keeps nothing else between two rounds.

    Attributes:
        counts: Since the start: `rounds`, `raised`, `cleared`, `eased`, `amended`, `too_late`, and
            `failed:NAME` for each detector.
        alive: Called before each detector: what takes long may take its time, what stands still may not.
    """

    def __init__(
        self,
        settings: AnalyticsSettings,
        detectors: Sequence[Detector],
        handling: Mapping[AlarmKind, Handling],
        cadences: Mapping[str, Cadence] = CADENCES,
    ) -> None:
        self._settings = settings
        self._detectors = detectors
        self._handling = handling
        self._cadences = cadences
        self.counts: Counter[str] = Counter()
        self.alive: Callable[[], None] = lambda: None

    def duty(self) -> Duty:
        """What `database.leases.serve` needs to go the rounds."""
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

    def go_at(self, connection: Connection, now: datetime, *, replayed: bool = False) -> None:
        """One round at `now`. A detector that fails is logged and counted; the others go on.

        `replayed`: `now` is past, and what is decided bears that time instead of the database's.

        Raises psycopg.Error only when the connection is lost.
        """
        began_s = time.monotonic()
        before = self.counts.copy()
        record_pulse(connection, now)
        history = History(connection, now)
        runs = history.runs()
        for detector in self._detectors:
            self.alive()
            cadence = self._cadences.get(detector.name)
            if cadence is not None and (
                time.monotonic() - began_s > SLOW_AFTER_S_MAX
                or not cadence.is_due(now, runs.get(detector.name))
            ):
                continue
            try:
                self._run(connection, detector, history, now if replayed else None)
            except Exception:  # one broken detector must not silence the others
                if connection.closed:
                    raise
                self.counts[f"failed:{detector.name}"] += 1
                log.exception("detector %s failed; the others go on", detector.name)
            if cadence is not None:
                # Also after a failure: what fails on weeks of history would fail again every minute.
                record_run(connection, detector.name, now)
        self.counts["rounds"] += 1
        done = self.counts - before
        log.info(
            "round in %.2f s: %d raised, %d cleared, %d failures",
            time.monotonic() - began_s,
            done["raised"],
            done["cleared"],
            sum(count for what, count in done.items() if what.startswith("failed:")),
        )

    def _run(
        self, connection: Connection, detector: Detector, history: History, known_at: datetime | None
    ) -> None:
        assessment = detector.score(history)
        handling = self._handling[detector.kind]
        standing = history.standing_alarms([detector.kind], max(ALARMS_S, handling.remembered_s))
        for decision in decide(assessment, standing, handling, history.now, history.detector_settings):
            try:
                done = carry_out(connection, decision, known_at)
            except psycopg.Error:
                if connection.closed:
                    raise
                self.counts[f"failed:{detector.name}"] += 1
                log.exception("detector %s: cannot carry out %s; the others go on", detector.name, decision)
            else:
                self.counts[done] += 1


def carry_out(connection: Connection, decision: Decision, known_at: datetime | None = None) -> str:
    """Do what the judge proposes, in a transaction of its own; what was done, or "too_late".

    `known_at`: when it was decided, where that is not now.
    """
    actor = Actor(decision.detector)
    with connection.transaction():
        match decision:
            case Raise(finding=finding):
                incident.report(connection, _report(decision.detector, finding, known_at))
                return "raised"
            case Over(alarm_id=alarm_id, fine_since=fine_since):
                step = Step(
                    step=AlarmStep.CONDITION_ENDED,
                    actor=actor,
                    happened_at=fine_since,
                    detail={"by_device": False},
                    done_at=known_at,
                )
            case Amend(alarm_id=alarm_id, finding=finding):
                step = Step(
                    step=AlarmStep.NOTED,
                    actor=actor,
                    evidence=finding.evidence,
                    detail={"grade": finding.grade, "sentence": finding.evidence.sentence},
                    done_at=known_at,
                )
        # Somebody may have taken a step at this very moment: theirs counts.
        line = incident.take(connection, alarm_id, step).line
        return "too_late" if line is None else _DONE[line]


_DONE = {
    AlarmStep.CLEARED: "cleared",
    AlarmStep.CONDITION_ENDED: "eased",
    AlarmStep.NOTED: "amended",
}


def _report(detector: str, finding: Finding, known_at: datetime | None) -> Report:
    subject = finding.subject
    return Report(
        site_id=finding.site_id,
        kind=finding.kind,
        happened_at=finding.since,
        actor=Actor(detector),
        source=AlarmSource.DETECTOR,
        resident_id=subject.id if subject.kind is SubjectKind.RESIDENT else None,
        room_id=subject.id if subject.kind is SubjectKind.ROOM else None,
        device_id=subject.id if subject.kind is SubjectKind.DEVICE else None,
        priority=finding.priority,
        detector=detector,
        evidence=finding.evidence,
        known_at=known_at,
    )
