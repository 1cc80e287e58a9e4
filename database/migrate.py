"""The schema: its migrations, and the roles that the migrations make."""

import re
from collections.abc import Mapping
from importlib import resources

import yoyo
from psycopg import sql

from database.connections import connect
from database.errors import translated_errors

ROLES = ("anshou_web", "anshou_ingest", "anshou_service")
"""The roles that the migrations make; each process connects with the one that has just its rights."""


def migrate(url: str) -> list[str]:
    """Apply, in order, the migrations not yet applied; their names. Safe to run from two at once.

    Raises DatabaseUnavailableError, or what the database refuses, in this room's errors.
    """
    with translated_errors(), resources.as_file(resources.files("database") / "sql" / "migrations") as folder:
        migrations = yoyo.read_migrations(str(folder))
        with yoyo.get_backend(_yoyo_url(url)) as backend, backend.lock():
            wanted = backend.to_apply(migrations)
            names = [migration.id for migration in wanted]
            backend.apply_migrations(wanted)
    return names


def pending_migrations(url: str) -> list[str]:
    """Names of the migrations that `migrate` would apply."""
    with resources.as_file(resources.files("database") / "sql" / "migrations") as folder:
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


def _yoyo_url(url: str) -> str:
    """`url` as yoyo wants it: its own scheme, with the options as a query string."""
    return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", url)
