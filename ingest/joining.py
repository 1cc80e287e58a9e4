"""Joins what a device said before it was assigned to whom it watches: alarms that wait, and stored readings.

Level-triggered, so that a process that dies in between forgets nothing: what is to be joined is found in the
database again. What comes later finds its person through the register (`ingest.directory`).
"""

import logging
from collections.abc import Callable

import psycopg

from alarms import incident
from alarms.incident import Whose
from database.connections import Connection
from database.errors import NotFoundError
from database.queries import queries
from identity.model import Actor

log = logging.getLogger(__name__)

_sql = queries("ingest", "sql/joining.sql")

ACTOR = Actor("joining")
ALARMS_MAX = 200
DEVICES_MAX = 50
LEARNT_AFTER_S = 15.0
"""Intake hears of a new assignment within a second or two; what it stored until then is joined after this."""


def join(connection: Connection, beat: Callable[[], None] = lambda: None) -> int:
    """One round; how many alarms and devices were joined. On a connection in autocommit.

    `beat` is told of each of them: a week of readings takes its time.
    """
    return join_alarms(connection, beat) + join_readings(connection, beat)


def join_alarms(connection: Connection, beat: Callable[[], None] = lambda: None) -> int:
    """Say of every alarm without a name whose it is, as soon as that is known; how many."""
    waiting = connection.execute(_sql["alarms_waiting"], {"limit": ALARMS_MAX}).fetchall()
    if not waiting:
        return 0
    ids = {"device_ids": [row["device_id"] for row in waiting]}
    watching = {row["device_id"]: row for row in connection.execute(_sql["watching"], ids)}
    placed = 0
    for row in waiting:
        beat()
        whose = Whose(row["device_id"])  # what was adopted and watches nobody yet has its own name at least
        if (watch := watching.get(row["device_id"])) is not None:
            whose = Whose(row["device_id"], watch["resident_id"], watch["room_id"])
        try:
            with connection.transaction():
                incident.place(connection, row["alarm_id"], whose, ACTOR)
        except (psycopg.errors.UniqueViolation, NotFoundError):
            # At this very moment the person's own was opened, and the next round joins the two; or somebody
            # ended it.
            continue
        placed += 1
        log.info("alarm %d: now it is known whose it is", row["alarm_id"])
    return placed


def join_readings(connection: Connection, beat: Callable[[], None] = lambda: None) -> int:
    """Join stored rows of devices that were assigned lately; how many devices were looked at."""
    found = connection.execute(
        _sql["devices_waiting"], {"limit": DEVICES_MAX, "learnt_after_s": LEARNT_AFTER_S}
    ).fetchall()
    for row in found:
        beat()
        device = {"device_id": row["device_id"]}
        try:
            with connection.transaction():
                for watch in connection.execute(_sql["watches"], device).fetchall():
                    for source in ("vitals", "activity"):
                        connection.execute(_sql[f"join_{source}"], watch)
        except psycopg.OperationalError:
            raise
        except psycopg.Error as error:
            # Compressed, or dropped meanwhile: history that cannot be written any more stays without a name.
            log.warning("what device %d said before cannot be joined: %s", row["device_id"], error)
        connection.execute(_sql["joined"], {**device, "learnt_after_s": LEARNT_AFTER_S})
    return len(found)
