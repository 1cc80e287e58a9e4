"""Pairing: one-time codes with which a new box becomes a gateway, and the renewal of gateways' secrets.

Codes are made by people, inside `sessions.scope_of`. They are redeemed by boxes that have no session: there
the database itself judges, counts failures, and locks (0009_gateways.sql). Functions do not commit.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from database.connections import Connection
from database.errors import DomainError, InvalidError, NotFoundError, translated_errors
from database.queries import queries
from identity.secrets import hash_device_secret
from protocol.enrolment import CodeError, PairingCode

_sql = queries("care", "sql/pairing.sql")

CODE_VALID = timedelta(minutes=30)
"""Time enough to read a code over the telephone to somebody who stands at the box."""
SCRYPT_COST = 2**14
SCRYPT_BLOCK = 8
"""16 MiB and about 40 ms a guess: with the hashes alone, a code is not found within its life."""


class PairingRefusedError(DomainError):
    """The code is wrong, expired or used; or the gateway's secret is wrong or revoked. Which is not said."""

    code = "pairing_refused"


class PairingLockedError(DomainError):
    """Too many failures in the last minutes; the right code would be refused too."""

    code = "pairing_locked"


class NotAllowedError(DomainError):
    """Who is signed in does not manage devices."""

    code = "not_allowed"


class NewCode(NamedTuple):
    """A code just made; it is nowhere else and cannot be shown again."""

    code: PairingCode
    expires_at: datetime


class Enrolment(NamedTuple):
    """A gateway that has proved itself. `told`: the broker knows the credential and lets it in."""

    site: str
    gateway: str
    username: str
    told: bool


def require_manager(connection: Connection) -> None:
    """NotAllowedError unless who is signed in manages devices."""
    row = connection.execute("SELECT care.manages_devices() AS may").fetchone()
    if row is None or not row["may"]:
        raise NotAllowedError("only supervisors and directors of homes manage devices")


def make_code(
    connection: Connection,
    *,
    site_id: int,
    fingerprint: bytes,
    staff_id: int,
    replaces_id: int | None = None,
    valid_for: timedelta = CODE_VALID,
) -> NewCode:
    """A new one-time code, inside `scope_of`.

    Args:
        connection: Of somebody who manages devices.
        site_id: The site that the box will stand in.
        fingerprint: SHA-256 of the centre's authority, which the code is bound to.
        staff_id: Who makes it.
        replaces_id: The gateway whose box the new one replaces; None for one more gateway.
        valid_for: At most an hour.

    Raises:
        NotAllowedError: They do not manage devices.
        NotFoundError: The site is not theirs to see.
    """
    require_manager(connection)
    if connection.execute(_sql["open_site"], {"site_id": site_id}).fetchone() is None:
        raise NotFoundError(f"there is no site {site_id} here", site_id=site_id)
    if replaces_id is not None:
        gateway = connection.execute(_sql["gateway"], {"gateway_id": replaces_id}).fetchone()
        if gateway is None or gateway["site_id"] != site_id:
            raise NotFoundError(f"there is no gateway {replaces_id} at site {site_id}", gateway=replaces_id)
    code = PairingCode.make(fingerprint)
    expires_at = datetime.now(UTC) + valid_for
    params = {
        "site_id": site_id,
        "replaces_id": replaces_id,
        "code_scrypt": _hashed(connection, code),
        "made_by": staff_id,
        "valid_for": valid_for,
    }
    with translated_errors():
        connection.execute(_sql["add_code"], params)
    return NewCode(code, expires_at)


def redeem(connection: Connection, typed: str, secret: str, address: str) -> int:
    """A box asks to become a gateway with `secret`; the id of its credential.

    The caller commits in any case, also after an error: failures are counted. Asking again with the same code
    and secret gives the same answer, so that an answer may be lost.

    Raises:
        PairingRefusedError: The code is not right, not fresh, or another box has used it.
        PairingLockedError: Too many failures from this address, or from all.
    """
    try:
        hashed = _hashed(connection, PairingCode.parse(typed))
    except CodeError as error:
        raise InvalidError(str(error)) from error
    params = {"hashed": hashed, "address": address, "secret": secret, **hash_device_secret(secret)._asdict()}
    return _credential_in(connection, "redeem", params)


def rotate(connection: Connection, username: str, secret: str, new_secret: str, address: str) -> int:
    """A gateway proves `secret` and names the next; the id of the new credential. Errors as `redeem`."""
    params = {
        "username": username,
        "hashed": _hashed_like(connection, username, secret),
        "address": address,
        "secret": new_secret,
        **hash_device_secret(new_secret)._asdict(),
    }
    return _credential_in(connection, "rotate", params)


def confirm(connection: Connection, username: str, secret: str, address: str) -> int:
    """A gateway has signed in with `secret` and kept it: its older credentials end. Errors as `redeem`."""
    params = {
        "username": username,
        "hashed": _hashed_like(connection, username, secret),
        "address": address,
    }
    return _credential_in(connection, "confirm", params)


def enrolment(connection: Connection, credential_id: int) -> Enrolment:
    """Whom a credential just made is of. PairingRefusedError when it has been revoked meanwhile."""
    row = connection.execute(_sql["enrolment"], {"credential_id": credential_id}).fetchone()
    if row is None:
        raise PairingRefusedError("the gateway has been revoked")
    return Enrolment(**row)


def revoke(connection: Connection, gateway_id: int, staff_id: int | None) -> int:
    """Everything that lets a gateway in ends now; how many credentials did. For a stolen or broken box.

    Its devices stay adopted: a new box can replace it with a new code.
    """
    with translated_errors():
        rows = connection.execute(_sql["revoke"], {"gateway_id": gateway_id, "staff_id": staff_id}).fetchall()
    return len(rows)


def _credential_in(connection: Connection, query: str, params: Mapping[str, object]) -> int:
    with translated_errors():
        row = connection.execute(_sql[query], params).fetchone()
    assert row is not None, "the function returns a row"
    if row["outcome"] == "locked":
        raise PairingLockedError("too many failures; wait ten minutes and try again")
    if row["outcome"] == "refused":
        raise PairingRefusedError("wrong, expired, or used already")
    return int(row["credential_id"])


def _hashed_like(connection: Connection, username: str, secret: str) -> bytes:
    """As the credential of that name was hashed; for an unknown name it takes as long."""
    row = connection.execute(_sql["secret_parameters"], {"username": username}).fetchone()
    assert row is not None, "unknown names get parameters too"
    return hashlib.pbkdf2_hmac("sha512", secret.encode(), row["salt"], row["iterations"])


def _hashed(connection: Connection, code: PairingCode) -> bytes:
    row = connection.execute("SELECT care.pairing_salt() AS salt").fetchone()
    assert row is not None, "a function gives a row"
    return hashlib.scrypt(
        str(code).encode(), salt=row["salt"], n=SCRYPT_COST, r=SCRYPT_BLOCK, p=1, maxmem=64 * 1024 * 1024
    )
