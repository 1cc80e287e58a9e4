"""A connection that is lost without a word stands in nobody's way, wherever it was lost."""

import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest

from care import registry
from care.model import SiteKind
from database.connections import connect
from ingest.database import Database
from ingest.directory import Directory
from protocol.model import DeviceKind
from tests import servers
from tests.proxy import Proxies, Proxy, proxies

ANSWER_S_MAX = 1.0
INSERT = b"INSERT INTO readings.batch (gateway_id, batch_id) VALUES (1, 'b')"


@pytest.fixture
def network() -> Iterator[Proxies]:
    with proxies() as running:
        yield running


@pytest.fixture
def way(network: Proxies, database: servers.Database) -> Proxy:
    port = urlsplit(database.ingest_url).port
    assert port is not None
    return network.to(port)


@pytest.fixture
def lost(way: Proxy, database: servers.Database) -> Iterator[Database]:
    """The database by a way that will be lost."""
    port = urlsplit(database.ingest_url).port
    reached = Database(database.ingest_url.replace(f":{port}/", f":{way.port}/"), "lost", ANSWER_S_MAX)
    yield reached
    reached.close()


def store_again(database: servers.Database, name: str) -> None:
    """Store the same batch by a way that is sound; OperationalError when it stays locked."""
    again = Database(database.ingest_url, name, 3 * ANSWER_S_MAX)
    try:
        connection = again.connection()
        assert connection is not None
        connection.execute(INSERT)
    finally:
        again.close()


def test_between_two_statements(way: Proxy, lost: Database, database: servers.Database) -> None:
    connection = lost.connection()
    assert connection is not None
    with pytest.raises(psycopg.OperationalError, match="no answer"), connection.transaction():
        connection.execute(INSERT)
        way.half_open()
        connection.execute("SELECT 1")
    store_again(database, "lost")


def test_within_a_copy(way: Proxy, lost: Database, database: servers.Database) -> None:
    lose_within_a_copy(way, lost)
    store_again(database, "lost")


def test_somebody_elses_session_is_left_alone(way: Proxy, lost: Database, database: servers.Database) -> None:
    lose_within_a_copy(way, lost)
    with pytest.raises(psycopg.OperationalError, match="no answer"):
        store_again(database, "somebody else")


def lose_within_a_copy(way: Proxy, lost: Database) -> None:
    connection = lost.connection()
    assert connection is not None
    with (
        pytest.raises(psycopg.OperationalError, match="no answer"),
        connection.transaction(),
        connection.cursor() as cursor,
    ):
        cursor.execute(INSERT)
        with cursor.copy("COPY readings.dead_letter (topic) FROM STDIN") as copy:
            way.half_open()
            copy.write_row(("t",))


def test_the_directory_hears_of_changes_again(
    way: Proxy, lost: Database, database: servers.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.directory.PROBE_S", 0.1)
    directory = Directory(lost)
    assert directory.refresh()
    way.half_open()
    way.restore()
    with connect(database.owner_url) as owner:
        site = registry.add_site(owner, code="s", kind=SiteKind.CARE_HOME, name="s", township="t")
        registry.add_device(owner, site=site, kind=DeviceKind.SOS_BUTTON, name="button")
    deadline_s = time.monotonic() + 10 * ANSWER_S_MAX
    while not len(directory):
        assert time.monotonic() < deadline_s
        directory.refresh()
        time.sleep(0.05)


def test_a_connection_closed_under_the_load_of_the_directory_is_replaced(database: servers.Database) -> None:
    reached = Database(database.ingest_url, "closed", ANSWER_S_MAX * 10)
    directory = Directory(reached)
    assert directory.refresh()
    assert directory.refresh()
    with connect(database.owner_url) as owner:
        site = registry.add_site(owner, code="s", kind=SiteKind.CARE_HOME, name="s", township="t")
        registry.add_device(owner, site=site, kind=DeviceKind.SOS_BUTTON, name="button")
    with connect(database.owner_url) as owner:
        owner.execute("LOCK care.device IN ACCESS EXCLUSIVE MODE")
        time.sleep(0.2)
        assert directory.refresh()
        assert directory.is_loading, "the register is locked"
        time.sleep(0.1)
        reached.close()
    deadline_s = time.monotonic() + 10 * ANSWER_S_MAX
    while not len(directory):
        assert time.monotonic() < deadline_s
        directory.refresh()
        time.sleep(0.05)
    reached.close()
