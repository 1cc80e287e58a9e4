"""What leaves the outbox without a receipt, so that it stays bounded: what grew too old, or must make room.

Each function works in the caller's transaction and says how much went. Alarms that somebody adopted never go.
"""

import sqlite3

EXPIRED_AT_ONCE = 5_000
WAITING_MAX = 50_000
"""Messages of devices that nobody has adopted, all together …"""
WAITING_OF_ONE_MAX = 10_000
"""… and of one of them."""


def drop_expired(connection: sqlite3.Connection, before_ms: int) -> dict[str, int]:
    """Let go of readings from before that time, a bounded number at once; how many, by total."""
    gone = {}
    for table, total in (("message", "queued"), ("waiting", "waiting")):
        gone[total] = connection.execute(
            f"DELETE FROM {table} WHERE seq IN (SELECT seq FROM (SELECT seq, heard_ms FROM {table}"  # noqa: S608 - ours
            f" ORDER BY seq LIMIT {EXPIRED_AT_ONCE}) WHERE heard_ms < ?)",
            (before_ms,),
        ).rowcount
    batches = connection.execute(
        "DELETE FROM batch WHERE sealed_ms < ? RETURNING message_count", (before_ms,)
    ).fetchall()
    gone["queued"] += sum(count for (count,) in batches)
    return gone


def bound_waiting(connection: sqlite3.Connection, waiting: int) -> int:
    """Keep what waits for adoption bounded, `waiting` messages; how many had to go.

    The oldest readings go first, then the oldest alarms.
    """
    gone = 0
    over = connection.execute(
        "SELECT device, count(*) FROM waiting GROUP BY device HAVING count(*) > ?", (WAITING_OF_ONE_MAX,)
    ).fetchall()
    for device, count in over:
        gone += _drop_waiting(connection, f"device = {device}", count - WAITING_OF_ONE_MAX)
    excess = waiting - gone - WAITING_MAX
    return gone + (_drop_waiting(connection, "true", excess) if excess > 0 else 0)


def _drop_waiting(connection: sqlite3.Connection, condition: str, excess: int) -> int:
    gone = 0
    for sort in ("leaf != 'alarm'", "true"):
        if gone < excess:
            gone += connection.execute(
                f"DELETE FROM waiting WHERE seq IN (SELECT seq FROM waiting WHERE {condition} AND {sort}"  # noqa: S608 - ours
                " ORDER BY seq LIMIT ?)",
                (excess - gone,),
            ).rowcount
    return gone


def drop_oldest(connection: sqlite3.Connection, count: int) -> int:
    """Drop so many of the oldest readings, or of the oldest statuses where there is no reading; how many."""
    for sort in ("leaf != 'status'", "true"):
        gone = connection.execute(
            f"DELETE FROM message WHERE seq IN (SELECT seq FROM message WHERE {sort} ORDER BY seq LIMIT ?)",  # noqa: S608 - ours
            (count,),
        ).rowcount
        if gone:
            return gone
    return 0
