"""Several processes have the same duty: one works, the others stand by and take over when it is gone.

The one that works holds an advisory lock, on the same connection that it works with. When that connection
breaks, lock and work end together, so that two never work at once. No state is kept here: the process that
takes over finds everything in the database.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import IntEnum

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from database.connections import Connection, connect
from database.errors import DatabaseUnavailableError
from protocol.backoff import Backoff
from protocol.watchdog import STALL_S_MAX, Loop

log = logging.getLogger(__name__)

LOCK_CLASS = 0x414E5348
"""First half of our advisory locks ("ANSH"), to keep clear of other users of the database."""
RETRY_S_MIN = 0.2
RETRY_S_MAX = 10.0
KEEPALIVE_IDLE_S = 10
KEEPALIVE_INTERVAL_S = 5
KEEPALIVE_COUNT = 3
SILENT_S_MIN = 20.0
SILENT_ROUNDS = 10
"""A holder that asks nothing for so many rounds has lost its way to the server, and the lock."""
ANSWER_GRACE_S = 10.0
"""The server gives a statement up by itself; when it has not said so by then, the way to it is gone."""


class DutyLock(IntEnum):
    """Second half of the advisory lock: which duty it guards. From `SHARES_FIRST` on they are shares."""

    ESCALATION = 1
    ANALYTICS = 2
    SETTLE = 3
    ROLLUP = 4
    RETENTION = 5
    ROLLUP_TRANSACTION = 6
    ALARM_INTAKE = 7
    NIGHTLY = 8
    TRAINING = 9


SHARES_FIRST = 1_000
"""The lock of share 0 of the readings; that of share n is n further."""
WAIT_FOR_TURN = sql.SQL("SELECT pg_advisory_xact_lock(%s::int, %s::int)")


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
        told: Is told whether this process has the duty: True when it takes it, False when it finds that
            another has it.
        retry_s_max: Longest pause before a database that is away is tried again.
        round_s_max: A round that takes longer stands still (None: than loops of the process usually may).
    """

    lock: DutyLock
    database_url: str
    interval_s: float
    standby_poll_s: float
    statement_timeout_s: float
    work: Callable[[Connection], None]
    told: Callable[[bool], None] = lambda _on_duty: None
    retry_s_max: float = RETRY_S_MAX
    round_s_max: float | None = None

    @property
    def name(self) -> str:
        """As in the log and in pg_stat_activity."""
        return f"anshou-{self.lock.name.lower()}"


def serve(duty: Duty, stop: threading.Event, loop: Loop | None = None) -> None:
    """Work, or stand by, until `stop` is set. Survives restarts of the database, of whatever length.

    `loop` tells the watchdog of each round.
    """
    loop = loop or Loop(duty.name, STALL_S_MAX)
    backoff = Backoff(RETRY_S_MIN, duty.retry_s_max)
    while not stop.is_set():
        try:
            loop.beat()
            with connected(duty) as connection:
                _serve_connection(duty, connection, stop, backoff, loop)
        except (psycopg.Error, DatabaseUnavailableError) as error:
            pause_s = backoff.failed()
            log.log(backoff.level, "%s: the database failed, again in %.1f s: %s", duty.name, pause_s, error)
            stop.wait(pause_s)
    loop.rest()


@contextmanager
def leading(duty: Duty) -> Iterator[Connection | None]:
    """A connection that holds the duty's lock, for one round by hand; None: somebody else holds it.

    Raises:
        DatabaseUnavailableError: The database is away.
    """
    with connected(duty) as connection:
        yield connection if try_to_lead(connection, duty.lock) else None


class Post(threading.Thread):
    """Holds the lock of a duty whose work is done elsewhere, on other connections; or waits for it.

    While the database is away, `held` stays as it was: nobody can take the post then, and nothing can be done
    in it. Where only this connection broke, somebody else may have taken it meanwhile; for the moment until
    that is known, both work. So whoever works under it must not mind that something is done twice.
    """

    def __init__(self, duty: Duty, changed: Callable[[], None], loop: Loop | None = None) -> None:
        super().__init__(name=f"post {duty.name}", daemon=True)
        self._duty = replace(duty, told=self._tell)
        self._changed = changed
        self._loop = loop
        self._over = threading.Event()
        self.held = False

    def leave(self) -> None:
        """Let the next one have it."""
        self._over.set()
        self.join()

    def run(self) -> None:
        """The thread's loop."""
        serve(self._duty, self._over, self._loop)

    def _tell(self, held: bool) -> None:
        if held != self.held:
            self.held = held
            self._changed()


def connected(duty: Duty) -> Connection:
    """A connection for `duty`, in autocommit; either end notices in half a minute that the other is gone."""
    return connection_for_locks(
        duty.database_url,
        duty.name,
        statement_s_max=duty.statement_timeout_s,
        silent_s_max=max(SILENT_S_MIN, SILENT_ROUNDS * duty.interval_s),
    )


def connection_for_locks(
    url: str, application: str, *, statement_s_max: float, silent_s_max: float
) -> Connection:
    """A connection in autocommit whose locks the server takes away soon after its holder is gone.

    Args:
        url: The database's address.
        application: Names it in pg_stat_activity.
        statement_s_max: After how long the server gives up a statement, or a transaction without one.
        silent_s_max: After how long without a statement the server ends the connection.
    """
    client = make_conninfo(
        url,
        keepalives_idle=KEEPALIVE_IDLE_S,
        keepalives_interval=KEEPALIVE_INTERVAL_S,
        keepalives_count=KEEPALIVE_COUNT,
    )
    connection = connect(
        client,
        autocommit=True,
        application=application,
        answer_s_max=statement_s_max + ANSWER_GRACE_S,
    )
    # The server keeps the lock for as long as it believes in the connection.
    for setting, value in (
        ("statement_timeout", f"{statement_s_max * 1000:.0f}ms"),
        ("idle_in_transaction_session_timeout", f"{statement_s_max * 1000:.0f}ms"),
        ("idle_session_timeout", f"{silent_s_max * 1000:.0f}ms"),
        ("tcp_keepalives_idle", KEEPALIVE_IDLE_S),
        ("tcp_keepalives_interval", KEEPALIVE_INTERVAL_S),
        ("tcp_keepalives_count", KEEPALIVE_COUNT),
    ):
        connection.execute(sql.SQL("SET {} = {}").format(sql.Identifier(setting), sql.Literal(value)))
    return connection


def try_to_lead(connection: Connection, lock: int) -> bool:
    """Whether this connection now holds `lock`; it keeps it until it closes, or gives it back."""
    row = connection.execute(
        "SELECT pg_try_advisory_lock(%s::int, %s::int) AS leads", (LOCK_CLASS, int(lock))
    ).fetchone()
    return row is not None and bool(row["leads"])


def give_back(connection: Connection, lock: int) -> None:
    """Somebody else may hold `lock` from now on."""
    connection.execute("SELECT pg_advisory_unlock(%s::int, %s::int)", (LOCK_CLASS, int(lock)))


def wait_for_turn(connection: Connection, lock: int) -> None:
    """Hold `lock` for the rest of the transaction; waits for whoever holds it."""
    connection.execute(WAIT_FOR_TURN, (LOCK_CLASS, int(lock)))


def _serve_connection(
    duty: Duty, connection: Connection, stop: threading.Event, backoff: Backoff, loop: Loop
) -> None:
    stands_by = False
    while not try_to_lead(connection, duty.lock):
        loop.beat()
        if not stands_by:
            log.info("%s: another process does this; standing by", duty.name)
            stands_by = True
            duty.told(False)
        backoff.succeeded()
        if stop.wait(duty.standby_poll_s):
            return
    log.info("%s: on duty", duty.name)
    duty.told(True)
    while not stop.is_set():
        loop.beat(duty.round_s_max)
        duty.work(connection)
        connection.execute("SELECT")  # even where there was nothing to do: the server must hear from us
        backoff.succeeded()
        loop.rest()
        stop.wait(duty.interval_s - time.time() % duty.interval_s)
