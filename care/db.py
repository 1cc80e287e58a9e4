"""The database: connections, migrations, named queries, and the driver's errors in our words."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import resources
from typing import Any, LiteralString, cast
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
import yoyo
from psycopg import errors, sql
from psycopg.rows import DictRow, dict_row

from care.bounded import BoundedConnection
from care.errors import ConflictError, DatabaseUnavailableError, InvalidError, NotFoundError

Connection = psycopg.Connection[DictRow]

ROLES = ("anshou_web", "anshou_ingest", "anshou_service")
"""The roles that the migrations make; each process connects with the one that has just its rights."""

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


def migrate(url: str) -> list[str]:
    """Apply, in order, the migrations not yet applied; their names. Safe to run from two at once.

    Raises DatabaseUnavailableError, or what the database refuses, in this room's errors.
    """
    with translated_errors(), resources.as_file(resources.files("care") / "sql" / "migrations") as folder:
        migrations = yoyo.read_migrations(str(folder))
        with yoyo.get_backend(_yoyo_url(url)) as backend, backend.lock():
            wanted = backend.to_apply(migrations)
            names = [migration.id for migration in wanted]
            backend.apply_migrations(wanted)
    return names


def pending_migrations(url: str) -> list[str]:
    """Names of the migrations that `migrate` would apply."""
    with resources.as_file(resources.files("care") / "sql" / "migrations") as folder:
        migrations = yoyo.read_migrations(str(folder))
        with yoyo.get_backend(_yoyo_url(url)) as backend:
            return [migration.id for migration in backend.to_apply(migrations)]


def set_role_passwords(url: str, passwords: Mapping[str, str]) -> None:
    """Let the roles sign in with these passwords. `url` is the owner's; ValueError for another role."""
    unknown = set(passwords) - set(ROLES)
    if unknown:
        raise ValueError(f"not roles of ours: {', '.join(sorted(unknown))}")
    with connect(url) as connection:
        for role, password in passwords.items():
            statement = sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}")
            connection.execute(statement.format(sql.Identifier(role), sql.Literal(password)))


def url_as(url: str, user: str, password: str) -> str:
    """The same database as in `url`, for another user."""
    parts = urlsplit(url)
    server = parts.netloc.rpartition("@")[2]
    netloc = f"{quote(user, safe='')}:{quote(password, safe='')}@{server}"
    return urlunsplit(parts._replace(netloc=netloc))


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn the driver's errors into this room's, keeping the name of the constraint."""
    try:
        yield
    except (errors.UniqueViolation, errors.ExclusionViolation, errors.ForeignKeyViolation) as error:
        constraint = error.diag.constraint_name
        raise ConflictError(
            error.diag.message_detail or str(error),
            constraint=constraint,
        ) from error
    except errors.NoDataFound as error:
        raise NotFoundError(str(error)) from error
    except (errors.CheckViolation, errors.NotNullViolation, errors.DataError) as error:
        raise InvalidError(
            error.diag.message_primary or str(error),
            constraint=error.diag.constraint_name,
        ) from error
    except psycopg.OperationalError as error:
        raise DatabaseUnavailableError(str(error)) from error


_QUERY_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def queries(package: str, file: str) -> Mapping[str, sql.SQL]:
    """The named queries of a `.sql` file: each starts with a line `-- name: its_name`.

    Args:
        package: the package that holds the file, such as "care".
        file: its path in that package, such as "sql/alarms.sql".
    """
    text = resources.files(package).joinpath(file).read_text(encoding="utf-8")
    pieces = _QUERY_NAME.split(text)[1:]
    return {
        name: sql.SQL(cast("LiteralString", body.strip()))
        for name, body in zip(pieces[::2], pieces[1::2], strict=True)
    }


def one(connection: Connection, query: sql.SQL, params: Mapping[str, Any]) -> DictRow | None:
    """The first row, or None."""
    return connection.execute(query, params).fetchone()


def _yoyo_url(url: str) -> str:
    """`url` as yoyo wants it: its own scheme, with the options as a query string."""
    return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", url)
