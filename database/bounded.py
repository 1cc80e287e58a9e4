"""A connection on which no answer is awaited for ever.

A server's own timeouts do not help when the way to it swallows what is sent: something in between (a load
balancer, a forwarder, a firewall that forgot the connection) goes on acknowledging, so that TCP's keepalives
are content as well. Only the side that waits can notice.
"""

import time
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg
from psycopg.rows import DictRow

T = TypeVar("T")

GIVEN_UP_BY_THE_SERVER = frozenset({"25P03", "25006"})
"""SQLSTATE: idle in a transaction for too long; not (or no longer) the primary."""


class BoundedConnection(psycopg.Connection[DictRow]):
    """Gives a statement up, and the connection with it, when its answer takes longer than `answer_s_max`.

    Where the server is the first to give up, that is an OperationalError as well: trying again may help.

    What it asked may have been done all the same: whoever tries again must not mind doing it twice.
    """

    answer_s_max: float = float("inf")

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **options: Any) -> T:
        """As in psycopg. OperationalError: no answer in time; the connection is closed."""
        return super().wait(self._within(gen), *args, **options)

    def _within(self, gen: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        # psycopg sends in what the socket is ready for, or several times a second that it is for nothing.
        deadline_s = time.monotonic() + self.answer_s_max
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and time.monotonic() > deadline_s:
                    # Closed first: a rollback on it would wait just as long.
                    self.pgconn.finish()
                    raise psycopg.OperationalError(f"no answer within {self.answer_s_max:.1f} s")
                wanted = gen.send(ready)
        except StopIteration as done:
            value: T = done.value
            return value
        except psycopg.InternalError as error:
            if error.sqlstate not in GIVEN_UP_BY_THE_SERVER:
                raise
            raise psycopg.OperationalError(str(error)) from error
