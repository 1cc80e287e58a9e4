"""Connections to the database, with rows as dicts and times in UTC."""

from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg.rows import DictRow, dict_row

from database.bounded import BoundedConnection
from database.errors import DatabaseUnavailableError

Connection = psycopg.Connection[DictRow]


CONNECT_TIMEOUT_S = 10


def connect(
    url: str,
    *,
    autocommit: bool = False,
    application: str = "anshou",
    answer_s_max: float = float("inf"),
) -> Connection:
    """An open connection with rows as dicts and UTC times. DatabaseUnavailableError when it is away.

    A statement whose answer takes longer than `answer_s_max` raises psycopg.OperationalError, and the
    connection is closed: it leads nowhere any more, or to a server that is stuck.
    """
    try:
        connection = BoundedConnection.connect(
            url,
            autocommit=autocommit,
            row_factory=dict_row,
            connect_timeout=CONNECT_TIMEOUT_S,
            application_name=application,
            options="-c timezone=UTC",
        )
    except psycopg.OperationalError as error:
        raise DatabaseUnavailableError(f"cannot connect to the database: {error}") from error
    connection.answer_s_max = answer_s_max
    return connection


def url_as(url: str, user: str, password: str) -> str:
    """The same database as in `url`, for another user."""
    parts = urlsplit(url)
    server = parts.netloc.rpartition("@")[2]
    netloc = f"{quote(user, safe='')}:{quote(password, safe='')}@{server}"
    return urlunsplit(parts._replace(netloc=netloc))
