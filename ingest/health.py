"""How a process of ingest is, told to the database every ten seconds: the page for people reads it there.

On a thread and a connection of its own, so that neither an alarm nor a reading ever waits for it. When the
database is away nothing is told, and the page says for how long nothing was: that is the truth.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Literal

import psycopg

from database.connections import Connection
from database.queries import queries
from ingest.database import Database
from ingest.metrics import BacklogMetrics, Metrics, Totals, quantile_s, served
from ingest.settings import Settings
from ingest.settle import backlog

log = logging.getLogger(__name__)

_sql = queries("ingest", "sql/health.sql")

REPORT_EVERY_S = 10.0
CONNECTING_S = 1.0
"""Until it is connected, a process tells more often: people wait for the change."""
GONE_S = 600.0
"""A process that has told nothing for so long is forgotten by its like, one of which does its work."""
KEPT_CHUNKS_MAX = 100
STOP_S_MAX = 2.0
STATEMENT_TIMEOUT_MS = 5_000

Process = Literal["readings", "alarms", "settle", "gateways"]


class Reporter(threading.Thread):
    """Tells how one process is, until `stop`; with `backlog_metrics` also asks how far behind history is."""

    def __init__(
        self,
        process: Process,
        settings: Settings,
        metrics: Metrics,
        *,
        connected: Callable[[], bool],
        backlog_metrics: BacklogMetrics | None = None,
        every_s: float = REPORT_EVERY_S,
    ) -> None:
        super().__init__(name="health", daemon=True)
        # Processes of one name share the work out among themselves, so the name alone is not one of them.
        worker = f"{settings.worker} {socket.gethostname()}:{os.getpid()}"
        self._key = {"process": process, "worker": worker}
        self._database = Database(settings.database_url, f"anshou ingest health {process} {settings.worker}")
        self._metrics = metrics
        self._connected = connected
        self._backlog_metrics = backlog_metrics
        self._every_s = every_s
        self._started_at = datetime.now(UTC)
        self._told: Totals = metrics.totals()
        self._told_at_s = time.monotonic()
        self._stop_asked = threading.Event()

    def stop(self) -> None:
        """Tell that the process leaves, and end; wait no longer than `STOP_S_MAX` for the database."""
        self._stop_asked.set()
        self.join(STOP_S_MAX)

    def run(self) -> None:
        """The thread's loop."""
        self._attempt(self._report)
        while not self._stop_asked.wait(self._every_s if self._connected() else CONNECTING_S):
            self._attempt(self._report)
        self._attempt(self._leave)
        self._database.close()

    def _attempt(self, work: Callable[[Connection], None]) -> None:
        connection = self._database.connection()
        if connection is None:
            return
        try:
            work(connection)
        except psycopg.Error as error:
            # Whatever it is: a process that cannot tell how it is still does what it is there for.
            self._database.failed(error)

    def _report(self, connection: Connection) -> None:
        connection.execute(f"SET statement_timeout = {STATEMENT_TIMEOUT_MS}")
        totals, now_s = self._metrics.totals(), time.monotonic()
        lately = totals.lags - self._told.lags
        connection.execute(
            _sql["report"],
            {
                **self._key,
                "started_at": self._started_at,
                "connected": self._connected(),
                "received": totals.received,
                "stored": totals.stored,
                "repeated_batches": totals.repeated_batches,
                "careful_stores": totals.careful_stores,
                "dead": totals.dead,
                "received_per_s": (totals.received - self._told.received)
                / max(now_s - self._told_at_s, 0.001),
                "lag_p50_s": quantile_s(lately, 0.5),
                "lag_p99_s": quantile_s(lately, 0.99),
                "pending": totals.pending,
                "broker_dropped": totals.broker_dropped,
            },
        )
        self._told, self._told_at_s = totals, now_s
        connection.execute(_sql["forget_gone"], {"process": self._key["process"], "silent_s": GONE_S})
        if self._backlog_metrics is not None:
            kept = connection.execute(_sql["kept_chunks"], {"limit": KEPT_CHUNKS_MAX}).fetchall()
            chunks = [(row["source"], row["begins"], row["because"]) for row in kept]
            self._backlog_metrics.set(backlog(connection), chunks)

    def _leave(self, connection: Connection) -> None:
        connection.execute(_sql["leave"], self._key)


@contextmanager
def watched(
    process: Process,
    settings: Settings,
    metrics: Metrics,
    *,
    connected: Callable[[], bool],
    backlog_metrics: BacklogMetrics | None = None,
) -> Iterator[None]:
    """While this lasts, machines can read how the process is at /metrics, and people on their page."""
    reporter = Reporter(process, settings, metrics, connected=connected, backlog_metrics=backlog_metrics)
    with served(metrics.registry, settings.metrics_port):
        reporter.start()
        try:
            yield
        finally:
            reporter.stop()
