"""Apache: nothing is done, and said so. Community: the right statements, which cannot run on what is here."""

import logging
from typing import Any

import psycopg
import pytest

from database import edition
from database.connections import Connection


def test_the_apache_edition_is_left_alone(owner: Connection, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert edition.use_edition(owner) is False
    assert "licence is apache" in caplog.text


def test_every_key_column_is_one_to_segment_or_order_by(owner: Connection) -> None:
    """Else Timescale would refuse the columnstore, or keep duplicates."""
    for hypertable, order_by in edition.ORDER_BY.items():
        row = owner.execute(
            """
            SELECT array_agg(attname::text) AS columns FROM pg_constraint
            JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY (conkey)
            WHERE conrelid = %s::regclass AND contype = 'p'
            """,
            (f"readings.{hypertable}",),
        ).fetchone()
        assert row is not None
        assert set(row["columns"]) == {"device_id", *order_by.split(", ")}


class Community:
    """A connection whose server claims the Community licence; notes what it is told. `has`: its policies."""

    def __init__(self, connection: Connection, has: set[str]) -> None:
        self._connection = connection
        self._has = has
        self.told: list[str] = []

    def execute(self, statement: Any, params: Any = None) -> Any:
        text = statement if isinstance(statement, str) else statement.as_string(self._connection)
        if "current_setting" in text:
            return self._connection.execute("SELECT 'timescale' AS license")
        if "timescaledb_information.jobs" in text:
            self._connection.execute(text, params)  # the view and its columns are there in both editions
            return self._connection.execute("SELECT %s AS found", (params[0] in self._has,))
        self.told.append(text)
        return None


def test_community_gets_the_columnstore_where_it_is_not_on_yet(owner: Connection) -> None:
    community = Community(owner, has={"activity", "device_status"})
    assert edition.use_edition(community) is True  # type: ignore[arg-type]
    switch_on, add_policy = community.told
    assert switch_on == (
        'ALTER TABLE "readings"."vitals" SET (timescaledb.enable_columnstore = true,'
        " timescaledb.segmentby = 'device_id', timescaledb.orderby = 'time')"
    )
    assert add_policy == (
        "CALL public.add_columnstore_policy('readings.vitals'::regclass,"
        " after => '7 days 0:00:00'::interval, if_not_exists => true)"
    )


def test_the_statements_are_known_to_the_server_and_refused_for_the_licence_only(owner: Connection) -> None:
    """As near as the Apache edition lets one come: the syntax is right, the licence is not."""
    for hypertable in edition.ORDER_BY:
        for statement in edition.columnstore_statements(hypertable):
            with pytest.raises(psycopg.Error, match='not supported under the current "apache" license'):
                owner.execute(statement)
