"""Once a night: train, in a process of its own that gives way to all others, and publish what came of it.

The process of the rounds looks each minute whether it is time; if there are several, only one of them looks.
A training holds a lock, at night and by hand, so that no two run at once. What was learnt becomes visible in
one transaction at the end: a training that is killed leaves everything as it was.
"""

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from datetime import datetime, timedelta

from analytics import features, training, versions
from analytics.errors import AlreadyRunningError
from analytics.history import History, record_run
from analytics.learnt import (
    NAMES,
    RESTLESSNESS,
    RHYTHM,
    ROUTINE,
    VITALS,
    RareHabits,
    RestlessHomes,
    SilenceRhythm,
    VitalUsual,
)
from analytics.rounds import Cadence
from analytics.settings import AnalyticsSettings
from analytics.training import Progress, Rivals, untold
from analytics.versions import Incumbent, Version
from database.connections import Connection
from database.leases import Duty, DutyLock, leading

log = logging.getLogger(__name__)

RUN = "training"
"""The name under which analytics.run keeps when it was done."""
CADENCE = Cadence(timedelta(days=1), timedelta(hours=3, minutes=15))
"""After midnight's late readings, and long before anybody gets up."""
LOOK_INTERVAL_S = 60.0
NICENESS = 10
STOP_S_MAX = 10.0
LOOK_AT_PROCESS_S = 0.5


class Nightly:
    """The duty that starts a training when it is due."""

    def __init__(self, settings: AnalyticsSettings, stop: threading.Event) -> None:
        self._settings = settings
        self._stop = stop

    def duty(self) -> Duty:
        """What `database.leases.serve` needs to do this every night."""
        return Duty(
            lock=DutyLock.NIGHTLY,
            database_url=self._settings.database_url,
            interval_s=LOOK_INTERVAL_S,
            standby_poll_s=max(self._settings.standby_poll_s, 1.0),
            statement_timeout_s=self._settings.statement_timeout_s,
            work=self.go,
            round_s_max=self._settings.training_s_max + self._settings.stall_s_max,
        )

    def go(self, connection: Connection) -> None:
        """Train if it is due. After a failure it is due the next night: at once it would only fail again."""
        row = connection.execute("SELECT clock_timestamp() AS now").fetchone()
        assert row is not None, "a SELECT without FROM gives a row"
        now = row["now"]
        if not CADENCE.is_due(now, History(connection, now).runs().get(RUN)):
            return
        began_s = time.monotonic()
        code = self._train(connection)
        if self._stop.is_set():
            return  # interrupted, so it is still due
        record_run(connection, RUN, now)
        if code != 0:
            log.error("the nightly training has failed (exit code %s); what is live stays so", code)
        else:
            log.info("the nightly training took %.0f s", time.monotonic() - began_s)

    def _train(self, connection: Connection) -> int | None:
        """The exit code of a process that trains; None: it took too long, or was interrupted."""
        environment = {"OMP_NUM_THREADS": "1", **os.environ}
        try:
            process = subprocess.Popen([sys.executable, "-m", "analytics", "--train"], env=environment)
        except OSError:
            log.exception("no process for the training")
            return None
        deadline_s = time.monotonic() + self._settings.training_s_max
        try:
            while process.poll() is None and time.monotonic() < deadline_s:
                connection.execute("SELECT")  # the server must hear from us, or it takes the lock away
                if self._stop.wait(LOOK_AT_PROCESS_S):
                    break
            return process.poll()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(STOP_S_MAX)


def training_duty(settings: AnalyticsSettings) -> Duty:
    """How a training connects, and the lock that it holds."""

    def work(connection: Connection) -> None:
        train_now(connection, settings)

    return Duty(
        lock=DutyLock.TRAINING,
        database_url=settings.database_url,
        interval_s=float(settings.training_s_max) / 10,
        standby_poll_s=settings.standby_poll_s,
        statement_timeout_s=settings.training_statement_s_max,
        work=work,
    )


def train_alone(settings: AnalyticsSettings, progress: Progress = untold) -> list[Version]:
    """Train now, on a connection of its own.

    Raises:
        AlreadyRunningError: somebody else trains at this moment.
        DatabaseUnavailableError: the database is away.
    """
    with leading(training_duty(settings)) as connection:
        if connection is None:
            raise AlreadyRunningError(
                "a training is at work already; look at it with: anshou analytics models"
            )
        return train_now(connection, settings, progress)


def train_now(
    connection: Connection,
    settings: AnalyticsSettings,
    progress: Progress = untold,
    now: datetime | None = None,
) -> list[Version]:
    """Learn from the history up to the last local midnight, compare, publish; what was stored.

    `connection` is in autocommit; `now` is the database's present time unless given.
    """
    if now is None:
        row = connection.execute("SELECT clock_timestamp() AS now").fetchone()
        assert row is not None, "a SELECT without FROM gives a row"
        now = row["now"]
    midnight = features.midnight(now)
    incumbents = {name: versions.incumbent(connection, name, settings, now) for name in NAMES}
    candidates = training.train(History(connection, midnight), settings, _rivals(incumbents), progress)
    return versions.publish(connection, candidates, incumbents, settings)


def _rivals(incumbents: Mapping[str, Incumbent]) -> Rivals:
    vitals, rhythm, routine, restless = (
        incumbents[name].model for name in (VITALS, RHYTHM, ROUTINE, RESTLESSNESS)
    )
    return Rivals(
        vitals=vitals if isinstance(vitals, VitalUsual) else None,
        rhythm=rhythm if isinstance(rhythm, SilenceRhythm) else None,
        routine=routine if isinstance(routine, RareHabits) else None,
        restlessness=restless if isinstance(restless, RestlessHomes) else None,
    )
