"""N workers over one broker: who takes which share of the readings.

Each of `shares` shares is a session of its own at the broker, all in one shared subscription, so that the
broker deals its messages out among them. A share is worked on by whoever holds its advisory lock. A process
takes as many as are its fair part of those that are alive; when one is killed, its locks go with its
connection, and the others take its sessions over with all that waits in them.
"""

import logging
import math
import threading
from collections.abc import Sequence
from typing import NamedTuple

import psycopg
from prometheus_client import CollectorRegistry

from database.connections import Connection
from database.errors import DatabaseUnavailableError
from database.leases import SHARES_FIRST, connection_for_locks, give_back, try_to_lead
from ingest.metrics import Metrics
from ingest.readings import ReadingsIngest
from ingest.settings import Settings
from ingest.subscriber import Session
from protocol.backoff import Backoff
from protocol.watchdog import Watchdog
from protocol.wire import ROOT, Leaf

log = logging.getLogger(__name__)

LEAVES = (Leaf.VITALS, Leaf.ACTIVITY, Leaf.STATUS, Leaf.BATCH)
CHECK_S = 1.0
STATEMENT_S_MAX = 10.0
SILENT_S_MAX = 120.0
"""Far longer than the last batch of a share that is given up takes; a machine that lost its power keeps its
shares no longer than this."""
RETRY_S_MIN = 0.2
RETRY_S_MAX = 5.0
APPLICATION = "anshou ingest shares"


class Share(NamedTuple):
    """Share `number` (from 1) of `of`."""

    number: int
    of: int


def session_of(settings: Settings, share: Share) -> Session:
    """The session at the broker that a share is."""
    plain = [f"{ROOT}/+/+/{leaf}" for leaf in LEAVES]
    shared = [f"$share/anshou-ingest-{settings.worker}/{topic_filter}" for topic_filter in plain]
    name = f"anshou-ingest-readings-{settings.worker}"
    if share.of == 1:
        return Session(f"{name}-1", filters=plain, obsolete_filters=shared)
    return Session(f"{name}-{share.number}", filters=shared, obsolete_filters=plain)


class Work:
    """One share being worked on, in a thread."""

    def __init__(self, settings: Settings, share: Share, metrics: Metrics, watchdog: Watchdog) -> None:
        self.share = share
        self.ingest = ReadingsIngest(settings, session_of(settings, share), metrics, watchdog)
        self.failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=f"share {share.number}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Commit what is in hand, acknowledge it, and leave the session to others."""
        self.ingest.stop()
        self._thread.join()

    def _run(self) -> None:
        try:
            self.ingest.run()
        except Exception as error:  # noqa: BLE001 - raised again where the process waits
            self.failure = error


class SharedReadings:
    """The process `ingest readings`: works on its fair part of the shares until it is stopped."""

    def __init__(
        self, settings: Settings, metrics: Metrics | None = None, watchdog: Watchdog | None = None
    ) -> None:
        self._settings = settings
        self._metrics = metrics or Metrics(CollectorRegistry())
        self._watchdog = watchdog or Watchdog()
        self._loop = self._watchdog.loop("shares")
        self._works: dict[int, Work] = {}
        self._stop = threading.Event()
        self._metrics.watch_pending(lambda: sum(work.ingest.pending_messages for work in self._working()))
        self._metrics.watch(
            "pending_bytes",
            "Their payload.",
            lambda: sum(work.ingest.pending_bytes for work in self._working()),
        )
        self._metrics.watch(
            "connected", "Whether the broker sends us its messages.", lambda: float(self.connected)
        )
        self._metrics.watch("shares", "Shares that this process works on.", lambda: len(self._works))

    @property
    def connected(self) -> bool:
        """Whether the broker sends us the messages of every share that is ours."""
        working = self._working()
        return bool(working) and all(work.ingest.connected for work in working)

    @property
    def shares(self) -> list[int]:
        """The numbers of the shares that are ours now."""
        return sorted(self._works)

    def stop(self) -> None:
        """Finish what is in hand and return from `run`. Safe in a signal handler."""
        self._stop.set()

    def run(self) -> None:
        """Run until `stop`. Raises what no retry can mend; nothing unacknowledged is lost by that."""
        backoff = Backoff(RETRY_S_MIN, RETRY_S_MAX)
        try:
            while not self._stop.is_set():
                self._loop.beat()
                try:
                    with connection_for_locks(
                        self._settings.database_url,
                        self._application,
                        statement_s_max=STATEMENT_S_MAX,
                        silent_s_max=SILENT_S_MAX,
                    ) as connection:
                        backoff.succeeded()
                        self._take_part(connection)
                except (psycopg.OperationalError, DatabaseUnavailableError) as error:
                    # The work goes on: storing is idempotent, and whether somebody else has taken a share
                    # over shows when the database is back.
                    pause_s = backoff.failed()
                    log.log(backoff.level, "no hold on a share: %s", error)
                    self._stop.wait(pause_s)
        finally:
            self._loop.rest()
            self._give_up(list(self._works))

    @property
    def _application(self) -> str:
        return f"{APPLICATION} {self._settings.worker}"

    def _working(self) -> Sequence[Work]:
        return list(self._works.values())

    def _take_part(self, connection: Connection) -> None:
        self._give_up(
            [number for number in self.shares if not try_to_lead(connection, SHARES_FIRST + number)]
        )
        while not self._stop.is_set():
            self._loop.beat()
            fair = math.ceil(self._settings.shares / self._alive(connection))
            for number in self.shares[fair:]:
                self._give_up([number])
                give_back(connection, SHARES_FIRST + number)
            for number in range(1, self._settings.shares + 1):
                if len(self._works) >= fair:
                    break
                if number not in self._works and try_to_lead(connection, SHARES_FIRST + number):
                    share = Share(number, self._settings.shares)
                    log.info("taking share %d of %d", *share)
                    self._works[number] = Work(self._settings, share, self._metrics, self._watchdog)
            for work in self._working():
                if work.failure is not None:
                    raise work.failure
            self._stop.wait(CHECK_S)

    def _alive(self, connection: Connection) -> int:
        row = connection.execute(
            "SELECT count(*) AS alive FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = %s",
            (self._application,),
        ).fetchone()
        assert row is not None, "an aggregate gives a row"
        return max(1, int(row["alive"]))

    def _give_up(self, numbers: Sequence[int]) -> None:
        works = [self._works.pop(number) for number in numbers]
        for work in works:
            work.ingest.stop()
        for work in works:
            work.stop()
            log.info("share %d is left to others", work.share.number)
