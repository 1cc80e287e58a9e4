"""A post that one process at a time holds, while others stand by for it."""

import logging
import random
import threading
from collections.abc import Callable

import psycopg

from database.connections import Connection
from database.errors import DatabaseUnavailableError
from database.leases import Duty, connected, try_to_lead

log = logging.getLogger(__name__)

CHECK_S = 1.0
RETRY_S_MAX = 2.0


class Post(threading.Thread):
    """Holds an advisory lock on a connection of its own, or waits for it.

    While the database is away, `held` stays as it was: nobody can take the post then, and nothing can be done
    in it. Where only this connection broke, somebody else may have taken it meanwhile; for the moment until
    that is known, both work, which costs nothing but a repetition.
    """

    def __init__(self, duty: Duty, changed: Callable[[], None]) -> None:
        super().__init__(name=f"post {duty.name}", daemon=True)
        self._duty = duty
        self._changed = changed
        self._over = threading.Event()
        self.held = False

    def leave(self) -> None:
        """Let the next one have it."""
        self._over.set()
        self.join()

    def run(self) -> None:
        """The thread's loop."""
        while not self._over.is_set():
            try:
                with connected(self._duty) as connection:
                    self._hold(connection)
            except (psycopg.Error, DatabaseUnavailableError) as error:
                log.debug("%s: cannot ask the database: %s", self.name, error)
                self._over.wait(random.uniform(0.5, 1) * RETRY_S_MAX)  # noqa: S311 - jitter

    def _hold(self, connection: Connection) -> None:
        while not try_to_lead(connection, self._duty.lock):
            self._tell(held=False)
            if self._over.wait(CHECK_S):
                return
        self._tell(held=True)
        while not self._over.wait(CHECK_S):
            connection.execute("SELECT")  # the server must hear from us, and we of a broken connection

    def _tell(self, *, held: bool) -> None:
        if held != self.held:
            log.info("%s: %s", self.name, "on duty" if held else "another process has it; standing by")
            self.held = held
            self._changed()
