"""The password of the demonstration, which everybody knows, and the end of the accounts that have it."""

import base64
import hashlib

from database.connections import Connection
from identity.secrets import hash_password_like

DEMO_PASSWORD = "anshou-demo"  # noqa: S105 - meant to be known: the county is invented
USERNAMES = r"county|township|operator\d+|director|leader|caregiver\d+|carer|assistant"
"""Every name that a demonstration can have, as a regular expression."""


def end_known(connection: Connection) -> list[str]:
    """End the accounts, and their sessions, whose password everybody knows; their names. The caller commits.

    Somebody may have such a name and a password of their own: that account stays.
    """
    ended = _with_known_password(connection, gone=False)
    ids = [person_id for person_id, _ in ended]
    connection.execute("DELETE FROM care.session WHERE staff_id = ANY(%s)", (ids,))
    connection.execute("UPDATE care.staff SET left_at = clock_timestamp() WHERE id = ANY(%s)", (ids,))
    return [username for _, username in ended]


def revive(connection: Connection) -> None:
    """Let the accounts that `end_known` has ended sign in again. The caller commits."""
    ids = [person_id for person_id, _ in _with_known_password(connection, gone=True)]
    connection.execute("UPDATE care.staff SET left_at = NULL WHERE id = ANY(%s)", (ids,))


def _with_known_password(connection: Connection, *, gone: bool) -> list[tuple[int, str]]:
    rows = connection.execute(
        "SELECT id, username, password_argon2 FROM care.staff"
        " WHERE username ~ %s AND (left_at IS NOT NULL) = %s",
        (f"^({USERNAMES})$", gone),
    ).fetchall()
    return [(row["id"], row["username"]) for row in rows if _is_known(row["password_argon2"])]


def _is_known(kept: str) -> bool:
    parameters = kept.rpartition("$")[0]
    hashed = hash_password_like(DEMO_PASSWORD, parameters)
    digest = base64.b64encode(hashlib.sha256(hashed.encode()).digest()).decode().rstrip("=")
    return kept in (hashed, f"{parameters}${digest}")
