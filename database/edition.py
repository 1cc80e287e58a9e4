"""Where TimescaleDB's editions differ: with the Community licence, old chunks go to the columnstore.

Debian's package is the Apache edition, which has no columnstore; the official image is Community. The
statements follow Timescale's documentation, since 2.18:
https://www.tigerdata.com/docs/api/latest/hypercore/alter_table and …/add_columnstore_policy
"""

import logging
from collections.abc import Mapping
from datetime import timedelta

from psycopg import sql

from database.connections import Connection

log = logging.getLogger(__name__)

COLUMNSTORE_AFTER = timedelta(days=7)
"""By then late data is rare; what comes later still is taken, only slower."""
ORDER_BY: Mapping[str, str] = {
    "vitals": "time",
    "activity": "time, event",
    "device_status": "time, online",
}
"""The raw hypertables. Every column of a primary key must be one to segment (device_id) or to order by."""


def columnstore_statements(hypertable: str) -> list[sql.Composed]:
    """What switches the columnstore on for a table of `readings`, and its policy; may be run again."""
    table = sql.Identifier("readings", hypertable)
    return [
        sql.SQL(
            "ALTER TABLE {} SET (timescaledb.enable_columnstore = true,"
            " timescaledb.segmentby = 'device_id', timescaledb.orderby = {})"
        ).format(table, sql.Literal(ORDER_BY[hypertable])),
        sql.SQL(
            "CALL public.add_columnstore_policy({}::regclass, after => {}, if_not_exists => true)"
        ).format(sql.Literal(f"readings.{hypertable}"), sql.Literal(COLUMNSTORE_AFTER)),
    ]


def use_edition(connection: Connection) -> bool:
    """Switch on what the edition offers; whether it offers the columnstore. Idempotent.

    Args:
        connection: As the owner of the tables, in autocommit, after the migrations.
    """
    row = connection.execute("SELECT current_setting('timescaledb.license', true) AS license").fetchone()
    licence = None if row is None else row["license"]
    if licence != "timescale":
        log.info("TimescaleDB's licence is %s: there is no columnstore, chunks stay as they are", licence)
        return False
    for hypertable in ORDER_BY:
        if not _has_columnstore(connection, hypertable):
            for statement in columnstore_statements(hypertable):
                connection.execute(statement)
            log.info("readings.%s: chunks older than %s go to the columnstore", hypertable, COLUMNSTORE_AFTER)
    return True


def _has_columnstore(connection: Connection, hypertable: str) -> bool:
    """Whether its policy is there: the last of the statements."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM timescaledb_information.jobs WHERE proc_name = 'policy_compression'"
        " AND hypertable_schema = 'readings' AND hypertable_name = %s) AS found",
        (hypertable,),
    ).fetchone()
    return row is not None and bool(row["found"])
