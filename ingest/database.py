"""A connection to the database that comes back by itself."""

import logging
import random
import time

import psycopg

from care import db
from care.db import Connection
from care.errors import DatabaseUnavailableError

log = logging.getLogger(__name__)

RETRY_S_MIN = 0.1
RETRY_S_MAX = 5.0


class Database:
    """One connection, made when first wanted and again after it broke."""

    def __init__(self, url: str, application: str) -> None:
        self._url = url
        self._application = application
        self._connection: Connection | None = None
        self._failures = 0
        self._next_attempt_s = 0.0

    def connection(self) -> Connection | None:
        """The open connection; None while the database is away and the next attempt is not yet due."""
        if self._connection is not None and not self._connection.closed:
            return self._connection
        if time.monotonic() < self._next_attempt_s:
            return None
        try:
            self._connection = db.connect(self._url, autocommit=True, application=self._application)
        except DatabaseUnavailableError as error:
            self.failed(error)
            return None
        if self._failures:
            log.info("connected to the database again")
        self._failures = 0
        return self._connection

    def failed(self, error: Exception) -> None:
        """An operation failed in a way that trying again may mend: start over, after a pause."""
        level = logging.WARNING if self._failures == 0 else logging.DEBUG
        log.log(level, "the database failed, trying again: %s", str(error).strip())
        pause_s = min(RETRY_S_MAX, RETRY_S_MIN * 2**self._failures)
        self._next_attempt_s = time.monotonic() + pause_s * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        self._failures = min(self._failures + 1, 16)
        self.close()

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            try:
                self._connection.close()
            except psycopg.Error as error:
                log.debug("closing the connection: %s", error)
            self._connection = None
