"""Several processes have the same duty: one works, the others stand by and take over when it is gone.

The one that works holds an advisory lock, on the same connection that it works with. When that connection
breaks, lock and work end together, so that two never work at once. No state is kept here: the process that
takes over finds everything in the database.
"""

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from database.connections import Connection, connect
from database.errors import DatabaseUnavailableError

log = logging.getLogger(__name__)

LOCK_CLASS = 0x414E5348
"""First half of our advisory locks ("ANSH"), to keep clear of other users of the database."""
BACKOFF_S_MIN = 0.2
BACKOFF_S_MAX = 10.0
KEEPALIVE_IDLE_S = 10
KEEPALIVE_INTERVAL_S = 5
KEEPALIVE_COUNT = 3
SILENT_S_MIN = 20.0
SILENT_ROUNDS = 10
"""A holder that asks nothing for so many rounds has lost its way to the server, and the lock."""
ANSWER_GRACE_S = 10.0
"""The server gives a statement up by itself; when it has not said so by then, the way to it is gone."""


class DutyLock(IntEnum):
    """Second half of the advisory lock: which duty it guards."""

    ESCALATION = 1
    ANALYTICS = 2
    SETTLE = 3
    ROLLUP = 4
    RETENTION = 5
    ROLLUP_TRANSACTION = 6
    ALARM_INTAKE = 7
    NIGHTLY = 8
    TRAINING = 9


@dataclass(frozen=True, kw_only=True)
class Duty:
    """Something that one process at a time does again and again.

    Attributes:
        lock: Which advisory lock guards it.
        database_url: The database.
        interval_s: Between the beginnings of two rounds, which fall on whole multiples of it.
        standby_poll_s: How often a process that stands by tries for the lock.
        statement_timeout_s: After how long the database gives up a statement of ours.
        work: One round, on a connection in autocommit. What it raises ends the process, but for errors of
            the database: after those the connection is made anew and the round is done again.
    """

    lock: DutyLock
    database_url: str
    interval_s: float
    standby_poll_s: float
    statement_timeout_s: float
    work: Callable[[Connection], None]

    @property
    def name(self) -> str:
        """As in the log and in pg_stat_activity."""
        return f"anshou-{self.lock.name.lower()}"


def serve(duty: Duty, stop: threading.Event) -> None:
    """Work, or stand by, until `stop` is set. Survives restarts of the database, of whatever length."""
    failures = 0

    def worked() -> None:
        nonlocal failures
        failures = 0

    while not stop.is_set():
        try:
            with connected(duty) as connection:
                _serve_connection(duty, connection, stop, worked)
        except (psycopg.Error, DatabaseUnavailableError) as error:
            backoff_s = min(BACKOFF_S_MAX, BACKOFF_S_MIN * 2 ** min(failures, 16)) * random.uniform(0.5, 1)  # noqa: S311 - jitter
            level = logging.WARNING if failures == 0 else logging.DEBUG
            log.log(level, "%s: the database failed, again in %.1f s: %s", duty.name, backoff_s, error)
            failures += 1
            stop.wait(backoff_s)


def connected(duty: Duty) -> Connection:
    """A connection for `duty`, in autocommit; either end notices in half a minute that the other is gone."""
    client = make_conninfo(
        duty.database_url,
        keepalives_idle=KEEPALIVE_IDLE_S,
        keepalives_interval=KEEPALIVE_INTERVAL_S,
        keepalives_count=KEEPALIVE_COUNT,
    )
    connection = connect(
        client,
        autocommit=True,
        application=duty.name,
        answer_s_max=duty.statement_timeout_s + ANSWER_GRACE_S,
    )
    # The server keeps the lock for as long as it believes in the connection.
    for setting, value in (
        ("statement_timeout", f"{duty.statement_timeout_s * 1000:.0f}ms"),
        ("idle_in_transaction_session_timeout", f"{duty.statement_timeout_s * 1000:.0f}ms"),
        ("idle_session_timeout", f"{max(SILENT_S_MIN, SILENT_ROUNDS * duty.interval_s) * 1000:.0f}ms"),
        ("tcp_keepalives_idle", KEEPALIVE_IDLE_S),
        ("tcp_keepalives_interval", KEEPALIVE_INTERVAL_S),
        ("tcp_keepalives_count", KEEPALIVE_COUNT),
    ):
        connection.execute(sql.SQL("SET {} = {}").format(sql.Identifier(setting), sql.Literal(value)))
    return connection


def try_to_lead(connection: Connection, lock: DutyLock) -> bool:
    """Whether this connection now holds `lock`; it keeps it until it closes."""
    row = connection.execute(
        "SELECT pg_try_advisory_lock(%s::int, %s::int) AS leads", (LOCK_CLASS, int(lock))
    ).fetchone()
    return row is not None and bool(row["leads"])


def _serve_connection(
    duty: Duty, connection: Connection, stop: threading.Event, worked: Callable[[], None]
) -> None:
    told = False
    while not try_to_lead(connection, duty.lock):
        if not told:
            log.info("%s: another process does this; standing by", duty.name)
            told = True
        worked()
        if stop.wait(duty.standby_poll_s):
            return
    log.info("%s: on duty", duty.name)
    while not stop.is_set():
        duty.work(connection)
        connection.execute("SELECT")  # even where there was nothing to do: the server must hear from us
        worked()
        stop.wait(duty.interval_s - time.time() % duty.interval_s)
