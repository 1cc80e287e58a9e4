"""A connection that leads nowhere any more is given up in time."""

import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest

from database.connections import Connection, connect
from tests.proxy import Proxies, Proxy, proxies
from tests.servers import Database

ANSWER_S_MAX = 0.5


@pytest.fixture
def network() -> Iterator[Proxies]:
    with proxies() as running:
        yield running


@pytest.fixture
def way(network: Proxies, database: Database) -> Proxy:
    port = urlsplit(database.owner_url).port
    assert port is not None
    return network.to(port)


@pytest.fixture
def connection(way: Proxy, database: Database) -> Iterator[Connection]:
    parts = urlsplit(database.owner_url)
    url = database.owner_url.replace(f":{parts.port}/", f":{way.port}/")
    connection = connect(url, autocommit=True, answer_s_max=ANSWER_S_MAX)
    yield connection
    connection.close()


def gives_up(connection: Connection, statement: bytes) -> float:
    """How long it took."""
    began_s = time.monotonic()
    with pytest.raises(psycopg.OperationalError, match="no answer within"):
        connection.execute(statement)
    assert connection.closed
    return time.monotonic() - began_s


def test_a_way_that_swallows_everything(way: Proxy, connection: Connection) -> None:
    way.half_open()
    assert ANSWER_S_MAX <= gives_up(connection, b"SELECT 1") < ANSWER_S_MAX + 1


def test_a_statement_that_takes_too_long(connection: Connection) -> None:
    assert gives_up(connection, b"SELECT pg_sleep(10)") < ANSWER_S_MAX + 1


def test_in_a_transaction_the_rollback_is_not_awaited_as_well(way: Proxy, connection: Connection) -> None:
    began_s = time.monotonic()
    with pytest.raises(psycopg.OperationalError, match="no answer within"), connection.transaction():
        connection.execute("SELECT 1")
        way.half_open()
        connection.execute("SELECT 2")
    assert time.monotonic() - began_s < ANSWER_S_MAX + 1


def test_within_a_copy(way: Proxy, connection: Connection) -> None:
    connection.execute("CREATE TEMP TABLE copied (a text)")
    began_s = time.monotonic()
    with (
        pytest.raises(psycopg.OperationalError, match="no answer within"),
        connection.cursor() as cursor,
        cursor.copy("COPY copied FROM STDIN") as copy,
    ):
        way.half_open()
        copy.write_row(("x",))
    assert time.monotonic() - began_s < ANSWER_S_MAX + 1


def test_answers_in_time_are_taken(connection: Connection) -> None:
    for _ in range(5):
        row = connection.execute("SELECT pg_sleep(0.2), 7 AS seven").fetchone()
        assert row is not None
        assert row["seven"] == 7


def test_a_longer_series_of_short_statements_is_not_one_long_statement(connection: Connection) -> None:
    deadline_s = time.monotonic() + 2 * ANSWER_S_MAX
    while time.monotonic() < deadline_s:
        connection.execute("SELECT 1")


def test_notifications_are_awaited_as_long_as_asked(connection: Connection) -> None:
    connection.execute("LISTEN something")
    assert list(connection.notifies(timeout=0)) == []
    connection.execute("NOTIFY something, 'heard'")
    assert [notice.payload for notice in connection.notifies(timeout=0.1, stop_after=1)] == ["heard"]
