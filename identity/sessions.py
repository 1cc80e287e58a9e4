"""Signing in, and what a session may see.

The database itself checks passwords and knows the sessions: a process with the web's role that holds no
valid token sees no row, and with a token just the rows in the scope of the person who signed in. A session
ends after SESSION_LENGTH, and before that when nobody uses it for an hour (care.session.idle_limit); a desk
that is open uses it.
"""

import ipaddress
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from psycopg.rows import DictRow

from database.connections import Connection
from database.errors import DomainError
from database.record import Record
from identity.model import Actor, Staff
from identity.passwords import require_acceptable
from identity.secrets import hash_password, hash_password_like

SESSION_LENGTH = timedelta(hours=12)
"""A shift; whoever comes next signs in under their own name."""


HOME_PREFIX_BITS = 64


class SignInError(DomainError):
    """Wrong user name or password."""

    code = "sign_in_failed"


class LockedError(SignInError):
    """Too many failures from there; the right password is refused too for `params["wait_s"]` seconds."""

    code = "sign_in_locked"


class NoSessionError(DomainError):
    """The session has ended or never was."""

    code = "no_session"


class OwnSession(Record, frozen=True, kw_only=True):
    """Somewhere who is signed in is signed in; `is_this`: here."""

    id: int
    opened_at: datetime
    used_at: datetime
    expires_at: datetime
    is_this: bool


def sign_in(
    connection: Connection,
    username: str,
    password: str,
    *,
    address: str = "",
    replaces: str = "",
    hashing: Callable[[str, str], str] = hash_password_like,
) -> str:
    """A new session's token. SignInError, the same for a wrong name and a wrong password; LockedError.

    `address` is where the person sits: who guesses is locked out there, and nobody elsewhere. The session
    whose token is `replaces` ends. `hashing` is `hash_password_like`, perhaps done elsewhere.

    Takes ~50 ms of CPU and 64 MiB on purpose (argon2id). The connection is in a transaction that the
    caller commits, also after SignInError: the failure is recorded.
    """
    username = username.strip().lower()
    place = _place(address)
    wait_s = _scalar(
        connection,
        "SELECT ceil(extract(epoch FROM care.sign_in_wait(%s, %s)))::integer AS value",
        username,
        place,
    )
    _require_patience(wait_s)  # before the work that it costs
    hashed = _hash_as_kept(connection, username, password, hashing)
    row = connection.execute(
        "SELECT token, wait_s FROM care.sign_in(%s, %s, %s, %s, %s)",
        (username, hashed, SESSION_LENGTH, place, replaces),
    ).fetchone()
    assert row is not None, "the function answers always"
    _require_patience(row["wait_s"])
    if row["token"] is None:
        raise SignInError("the user name or the password is wrong")
    return str(row["token"])


@contextmanager
def scope_of(connection: Connection, token: str) -> Iterator[Staff]:
    """A transaction that sees just what the session allows; yields who is signed in.

    Commits at the end, rolls back on an error. NoSessionError when the token is not (any more) valid.
    """
    with connection.transaction():
        connection.execute("SELECT set_config('anshou.session', %s, true)", (token,))
        row = connection.execute(
            """
            SELECT id, username, name, role, scope, township, operator_id, phone, language
            FROM care.staff WHERE id = (SELECT care.use_session())
            """
        ).fetchone()
        if row is None:
            raise NoSessionError("the session has ended; sign in again")
        yield Staff.from_row(row)


def sign_out(connection: Connection, token: str) -> None:
    """End the session; nothing happens when it has ended already."""
    with connection.transaction():
        connection.execute("SELECT set_config('anshou.session', %s, true)", (token,))
        connection.execute("SELECT care.sign_out()")


def ends_at(connection: Connection) -> datetime:
    """When the session ends at the latest; inside `scope_of`."""
    at = _scalar(connection, "SELECT care.session_ends_at() AS value")
    assert isinstance(at, datetime), "there is a session"
    return at


def own_sessions(connection: Connection) -> list[OwnSession]:
    """Where else who is signed in is signed in, the latest first; inside `scope_of`."""
    return [OwnSession.from_row(row) for row in connection.execute("SELECT * FROM care.own_sessions()")]


def end_own_session(connection: Connection, session_id: int) -> bool:
    """Whether it was one of who is signed in; it has ended then. Inside `scope_of`."""
    return bool(_scalar(connection, "SELECT care.end_own_session(%s) AS value", session_id))


def change_own_password(connection: Connection, person: Staff, present: str, chosen: str) -> None:
    """Let who is signed in have another password; their other sessions end. Inside `scope_of`.

    Takes as long as signing in, twice. After SignInError the caller commits all the same: it is counted.

    Raises:
        SignInError: The present password is wrong.
        LockedError: It was wrong too often.
        InvalidError: The new one is not acceptable.
    """
    require_acceptable(chosen, person.username, person.name, person.phone or "")
    hashed = _hash_as_kept(connection, person.username, present)
    outcome = _scalar(
        connection, "SELECT care.change_own_password(%s, %s) AS value", hashed, hash_password(chosen)
    )
    if outcome == "locked":
        raise LockedError("too many failures; wait five minutes and try again", wait_s=300)
    if outcome != "changed":
        raise SignInError("the password is wrong")


def choose_language(connection: Connection, language: str) -> None:
    """Keep the language of the person who is signed in (`zh_CN` or `en`); inside `scope_of`."""
    connection.execute("SELECT care.choose_language(%s)", (language,))


def actor_of(staff: Staff) -> Actor:
    """The person as the timeline names them."""
    return Actor(staff.name, staff.id)


def _hash_as_kept(
    connection: Connection,
    username: str,
    password: str,
    hashing: Callable[[str, str], str] = hash_password_like,
) -> str:
    parameters = _scalar(connection, "SELECT care.password_parameters(%s) AS value", username)
    assert isinstance(parameters, str)
    return hashing(password, parameters)


def _require_patience(wait_s: object) -> None:
    if isinstance(wait_s, int) and wait_s > 0:
        raise LockedError("too many failures; wait and try again", wait_s=wait_s)


def _place(address: str) -> str:
    """Who may be taken for one and the same: an address, and of IPv6 the network that a home is given."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, HOME_PREFIX_BITS), strict=False))
    return address


def _scalar(connection: Connection, query: str, *params: object) -> object:
    row: DictRow | None = connection.execute(query, params).fetchone()
    return None if row is None else row["value"]
