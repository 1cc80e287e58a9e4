"""A connection to the database that comes back by itself."""

import logging
import time

import psycopg

from database.connections import Connection, connect
from database.errors import DatabaseUnavailableError
from protocol.backoff import Backoff

log = logging.getLogger(__name__)

ANSWER_S_MAX = 10.0
"""What is asked here takes milliseconds; only whole batches of readings may take longer."""
PREDECESSOR_MS_MAX = 2_000
"""How long to wait for the end of a session that this one replaces."""
RETRY_S_MIN = 0.1
RETRY_S_MAX = 5.0


class Database:
    """One connection, made when first wanted and again after it broke or gave no answer in time.

    `application` names it at the server, and nothing else: whoever connects under that name takes over from
    whoever did before. A lock is awaited for `lock_s_max` (0: as long as any answer).
    """

    def __init__(
        self, url: str, application: str, answer_s_max: float = ANSWER_S_MAX, lock_s_max: float = 0.0
    ) -> None:
        self._url = url
        self._application = application
        self._answer_s_max = answer_s_max
        self._lock_ms_max = round(lock_s_max * 1000)
        self._connection: Connection | None = None
        self._backoff = Backoff(RETRY_S_MIN, RETRY_S_MAX)
        self._next_attempt_s = 0.0

    def connection(self) -> Connection | None:
        """The open connection; None while the database is away and the next attempt is not yet due."""
        if self._connection is not None and not self._connection.closed:
            return self._connection
        if time.monotonic() < self._next_attempt_s:
            return None
        try:
            self._connection = connect(
                self._url,
                autocommit=True,
                application=self._application,
                answer_s_max=self._answer_s_max,
            )
        except DatabaseUnavailableError as error:
            self.failed(error)
            return None
        try:
            self._end_predecessor(self._connection)
            if self._lock_ms_max:
                self._connection.execute(
                    "SELECT set_config('lock_timeout', %s, false)", (str(self._lock_ms_max),)
                )
        except psycopg.OperationalError as error:
            self.failed(error)
            return None
        if self._backoff.failures:
            log.info("connected to the database again")
        self._backoff.succeeded()
        return self._connection

    def failed(self, error: Exception) -> None:
        """An operation failed in a way that trying again may mend: start over, after a pause."""
        self._next_attempt_s = time.monotonic() + self._backoff.failed()
        log.log(self._backoff.level, "the database failed, trying again: %s", str(error).strip())
        self.close()

    def _end_predecessor(self, connection: Connection) -> None:
        """End the session that this one replaces, where the server still believes in it.

        Its locks would stand in the way of the same batch, sent again. No timeout of the server sees to it:
        PostgreSQL, waiting for the next row of a COPY, heeds nothing but the end of the connection or this.
        """
        connection.execute(
            "SELECT pg_terminate_backend(pid, %s) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND datname = current_database() AND usename = current_user"
            " AND application_name = current_setting('application_name')",
            (PREDECESSOR_MS_MAX,),
        )

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            try:
                self._connection.close()
            except psycopg.Error as error:
                log.debug("closing the connection: %s", error)
            self._connection = None
