"""The private database cluster."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from deploy.local.postgres import PostgresCluster
from tests import servers

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def cluster() -> object:
    with servers.cluster_running() as cluster:
        yield cluster


def test_timescaledb_and_chinese_sorting_are_there(cluster: PostgresCluster) -> None:
    assert cluster.create_database("first")
    assert not cluster.create_database("first"), "the second time it is there already"
    with psycopg.connect(cluster.url("first"), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION timescaledb")
        row = connection.execute(
            """
            SELECT current_setting('timescaledb.license'),
                   current_setting('data_checksums'),
                   '阿' < '张' COLLATE "zh-x-icu",
                   current_setting('TimeZone')
            """
        ).fetchone()
    assert row == ("apache", "on", True, "UTC")


def test_nobody_gets_in_without_the_password(cluster: PostgresCluster) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(cluster.url("postgres", password="not it"), connect_timeout=5)


def test_making_it_twice_keeps_the_first(cluster: PostgresCluster) -> None:
    before = (cluster.data / "PG_VERSION").stat().st_mtime_ns
    cluster.initialise()
    assert (cluster.data / "PG_VERSION").stat().st_mtime_ns == before


def test_a_cluster_half_made_is_made_again() -> None:
    with servers.cluster_running() as cluster:
        cluster.stop_leftover()
        (cluster.data / "anshou-initialised").unlink()
        (cluster.data / "PG_VERSION").unlink()
        cluster.initialise()
        server = cluster.start(cluster.folder.parent / "again.log")
        try:
            assert cluster.is_ready()
        finally:
            server.send_signal(signal.SIGINT)
            assert server.wait(30) == 0


def test_a_server_left_behind_is_stopped_before_the_next_start(tmp_path: Path) -> None:
    with servers.cluster_running() as cluster:
        left_behind = int((cluster.data / "postmaster.pid").read_text().split()[0])
        server = replace(cluster).start(tmp_path / "second.log")
        try:
            now = int((cluster.data / "postmaster.pid").read_text().split()[0])
            assert now == server.pid != left_behind
            assert cluster.is_ready()
        finally:
            server.send_signal(signal.SIGINT)
            assert server.wait(30) == 0


def test_a_pid_file_from_before_a_crash_stops_nobody(cluster: PostgresCluster) -> None:
    with servers.cluster_running() as crashed:
        assert crashed.stop_leftover()
        # As after a power cut: the pid belongs to somebody else by now, here to this test.
        (crashed.data / "postmaster.pid").write_text(f"{os.getpid()}\n{crashed.data}\n")
        assert not crashed.stop_leftover()
        assert not (crashed.data / "postmaster.pid").exists()
