"""The roles of the database, and what holds for a database as a whole rather than for its tables.

Migrations make tables and rights, and a dump carries both. What a dump does not carry is kept here and is
said again after every migration: who owns what, how many may connect, what the server writes into its log.
"""

import logging
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import sql

from database.connections import Connection, connect
from database.queries import queries

log = logging.getLogger(__name__)

_sql = queries("database", "sql/roles.sql")

OWNER = "anshou_owner"
"""Owns the schemas and runs their SECURITY DEFINER functions. Not a superuser, and nobody signs in as it: it
has no password. TimescaleDB wants its owner to be able to sign in before it runs jobs (the columnstore's)."""
ROLES = ("anshou_web", "anshou_ingest", "anshou_service")
"""The roles that the migrations make; each process connects with the one that has just its rights."""
CONNECTIONS_SHARE: Mapping[str, float] = {"anshou_web": 0.4, "anshou_ingest": 0.3, "anshou_service": 0.15}
"""Of the server's connections, how many each role may take: none of them can shut the others out, and some
are left for whoever looks after the database. A limit that an administrator has set stays."""
LOG_SETTINGS: Mapping[str, str] = {
    # What is bound to a statement is secrets and health data; so are the rows that a constraint refuses.
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
    # A statement typed by hand holds its values in its text.
    "log_min_error_statement": "panic",
}
"""So that no secret and nobody's data stands in the server's log."""


def secure(connection: Connection) -> None:
    """Let the database be as this module promises; safe to repeat. Needs a superuser, else it only says so.

    Args:
        connection: As the owner, in autocommit, after the migrations.
    """
    row = connection.execute(_sql["myself"]).fetchone()
    assert row is not None, "everybody is in pg_roles"
    if not row["rolsuper"]:
        log.warning(
            "%s is no superuser: owners, connection limits and what the server logs are as its"
            " administrator has set them (docs/architecture.md)",
            row["rolname"],
        )
        return
    connection.execute(_sql["make_owner"])
    connection.execute(_sql["give_away"])
    close_to_public(connection, row["database"])
    connection.execute(_sql["keep_locks"])
    limits = connection_limits(row["connections"])
    # A limit that stands is somebody's own, or ours of an earlier start.
    for unlimited in connection.execute(_sql["unlimited"], {"roles": list(limits)}).fetchall():
        role = unlimited["rolname"]
        statement = sql.SQL("ALTER ROLE {} CONNECTION LIMIT {}")
        connection.execute(statement.format(sql.Identifier(role), sql.Literal(limits[role])))
    for setting, value in LOG_SETTINGS.items():
        statement = sql.SQL("ALTER DATABASE {} SET {} = {}")
        connection.execute(
            statement.format(sql.Identifier(row["database"]), sql.Identifier(setting), sql.Literal(value))
        )


def connection_limits(connections: int) -> dict[str, int]:
    """How many connections each role may take, of all that a server has for ordinary roles."""
    return {role: max(1, int(share * connections)) for role, share in CONNECTIONS_SHARE.items()}


def close_to_public(connection: psycopg.Connection[Any], database: str) -> None:
    """Only the owner makes schemas and temporary objects in a database. A copy of one needs it anew."""
    statement = sql.SQL("REVOKE TEMPORARY, CREATE ON DATABASE {} FROM PUBLIC")
    connection.execute(statement.format(sql.Identifier(database)))


def set_role_passwords(url: str, passwords: Mapping[str, str]) -> None:
    """Let the roles sign in with these passwords. `url` is the owner's; ValueError for another role.

    The server is told what it keeps (SCRAM), never a password.
    """
    unknown = set(passwords) - set(ROLES)
    if unknown:
        raise ValueError(f"not roles of ours: {', '.join(sorted(unknown))}")
    with connect(url) as connection:
        for role, password in passwords.items():
            verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
            statement = sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}")
            connection.execute(statement.format(sql.Identifier(role), sql.Literal(verifier.decode())))
