"""The accounts of people, as whoever looks after the installation keeps them; the caller commits.

A new password and the end of an account end every session of it: the database sees to that.
"""

from datetime import datetime

from argon2 import PasswordHasher

from database.connections import Connection
from database.errors import NotFoundError
from database.queries import queries
from database.record import Record
from identity.model import Staff
from identity.passwords import require_acceptable
from identity.secrets import PASSWORD_HASHER, hash_password

_sql = queries("identity", "sql/accounts.sql")


class Account(Staff, frozen=True, kw_only=True):
    """Somebody who can sign in, or could until `left_at`."""

    left_at: datetime | None = None


class OpenSession(Record, frozen=True, kw_only=True):
    """Somewhere somebody is signed in."""

    id: int
    opened_at: datetime
    used_at: datetime
    expires_at: datetime


def account(connection: Connection, username: str) -> Account:
    """The account of that name, also one that was disabled. NotFoundError."""
    row = connection.execute(_sql["person"], {"username": username}).fetchone()
    if row is None:
        raise NotFoundError(f"there is no account {username!r}", username=username)
    return Account.from_row(row)


def set_password(
    connection: Connection, username: str, password: str, hasher: PasswordHasher = PASSWORD_HASHER
) -> Account:
    """Give an account a new password. NotFoundError; InvalidError where nobody should choose it."""
    person = account(connection, username)
    require_acceptable(password, person.username, person.name, person.phone or "")
    connection.execute(_sql["set_password"], {"id": person.id, "kept": hash_password(password, hasher)})
    return person


def disable(connection: Connection, username: str) -> Account:
    """Nobody signs in with it any more. What they did stays in the record under their name. NotFoundError."""
    connection.execute(_sql["disable"], {"id": account(connection, username).id})
    return account(connection, username)


def enable(connection: Connection, username: str) -> Account:
    """Take the end of an account back. NotFoundError."""
    connection.execute(_sql["enable"], {"id": account(connection, username).id})
    return account(connection, username)


def sessions_of(connection: Connection, username: str) -> list[OpenSession]:
    """Where somebody is signed in, the latest first. NotFoundError."""
    rows = connection.execute(_sql["sessions"], {"id": account(connection, username).id}).fetchall()
    return [OpenSession.from_row(row) for row in rows]


def end_sessions(connection: Connection, username: str) -> int:
    """End every session of an account; how many. NotFoundError."""
    return connection.execute(_sql["end_sessions"], {"id": account(connection, username).id}).rowcount
