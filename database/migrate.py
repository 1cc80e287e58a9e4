"""The schema: its migrations."""

import re
from importlib import resources

import yoyo

from database.connections import connect
from database.errors import translated_errors
from database.roles import secure


def migrate(url: str) -> list[str]:
    """Apply, in order, the migrations not yet applied, and secure the database; their names.

    Safe to run from two at once, and again: what holds for the database as a whole is said anew each time.

    Raises DatabaseUnavailableError, or what the database refuses, in this room's errors.
    """
    with translated_errors(), resources.as_file(resources.files("database") / "sql" / "migrations") as folder:
        migrations = yoyo.read_migrations(str(folder))
        with yoyo.get_backend(_yoyo_url(url)) as backend, backend.lock():
            wanted = backend.to_apply(migrations)
            names = [migration.id for migration in wanted]
            backend.apply_migrations(wanted)
            with connect(url, autocommit=True) as connection:
                secure(connection)
    return names


def pending_migrations(url: str) -> list[str]:
    """Names of the migrations that `migrate` would apply."""
    with resources.as_file(resources.files("database") / "sql" / "migrations") as folder:
        migrations = yoyo.read_migrations(str(folder))
        with yoyo.get_backend(_yoyo_url(url)) as backend:
            return [migration.id for migration in backend.to_apply(migrations)]


def _yoyo_url(url: str) -> str:
    """`url` as yoyo wants it: its own scheme, with the options as a query string."""
    return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", url)
