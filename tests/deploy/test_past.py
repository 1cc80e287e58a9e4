"""The past of the demonstration's home: there once, whenever the process is killed, judged and rolled up."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from database.connections import Connection, connect
from deploy.county import findings, past
from deploy.demo import populate
from ingest.database import Database as IngestDatabase
from ingest.directory import Directory
from ingest.rollups import roll_up
from ingest.settle import Rhythm, settle
from simulator.county import plan_county
from simulator.plan import County
from tests.servers import Database

DAYS = 3


@pytest.fixture
def county() -> County:
    return plan_county(11, care_homes=1, day_centres=0, households=2)


@pytest.fixture
def few_days(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past, "DAYS", DAYS)


@pytest.fixture
def filled(database: Database, county: County) -> Database:
    populate(database.owner_url, county=county)
    return database


@contextmanager
def register(database: Database) -> Iterator[Directory]:
    with closing(IngestDatabase(database.owner_url, "test register")) as connection:
        directory = Directory(connection)
        while not directory.refresh():
            pass
        yield directory


def rows(connection: Connection) -> dict[str, int]:
    tables = (
        "readings.vitals",
        "readings.activity",
        "care.alarm",
        "care.alarm_feedback",
        "readings.dead_letter",
    )
    counted = {}
    for table in tables:
        row = connection.execute(f"SELECT count(*) AS n FROM {table}").fetchone()
        assert row is not None
        counted[table] = row["n"]
    return counted


def test_days_are_told_once_however_often_it_is_killed(
    filled: Database, county: County, few_days: None
) -> None:
    class KilledError(Exception):
        """As by the kernel, after the second day."""

    done = []

    def rest(took_s: float) -> None:
        done.append(took_s)
        if len(done) == 2:
            raise KilledError

    with connect(filled.owner_url, autocommit=True) as connection, register(filled) as directory:
        with pytest.raises(KilledError):
            past.write(connection, county, directory, rest)
        assert past.write(connection, county, directory, lambda _took_s: None) == DAYS - 2
        once = rows(connection)
        assert past.write(connection, county, directory, lambda _took_s: None) == 0
        assert rows(connection) == once
        assert once["readings.dead_letter"] == 0
        row = connection.execute("SELECT min(time) AS first FROM readings.vitals").fetchone()
        assert row is not None
        assert timedelta(days=DAYS - 1) < datetime.now(UTC) - row["first"] < timedelta(days=DAYS + 2)
        unknown = connection.execute(
            "SELECT FROM readings.vitals JOIN care.device ON device.id = device_id"
            " WHERE resident_id IS NULL AND kind = 'wristband'"
        ).fetchall()
        assert unknown == [], "whoever wears a device now wore it then"


def test_what_is_rolled_up_is_there_without_its_raw_data(
    filled: Database, county: County, few_days: None
) -> None:
    with connect(filled.owner_url, autocommit=True) as connection, register(filled) as directory:
        past.write(connection, county, directory, lambda _took_s: None)
        while settle(connection, Rhythm(delay_s=0, running_hour_s=0)).more:
            pass
        while roll_up(connection).more:
            pass
        connection.execute("DELETE FROM readings.vitals WHERE time < now() - interval '25 hours'")
        assert past.write(connection, county, directory, lambda _took_s: None) == 0


def test_past_alarms_are_dealt_with_and_judged(filled: Database, county: County, few_days: None) -> None:
    """So that every page has something to compare, and nothing old waits for anybody."""
    with connect(filled.owner_url, autocommit=True) as connection, register(filled) as directory:
        before = connection.execute("SELECT max(id) AS id FROM care.alarm").fetchone()
        past.write(connection, county, directory, lambda _took_s: None)
        assert before is not None
        made = connection.execute(
            "SELECT state, opened_at FROM care.alarm WHERE id > %s", (before["id"],)
        ).fetchall()
        assert made
        assert {row["state"] for row in made} <= {"closed", "cancelled", "cleared"}
        assert all(row["opened_at"] < datetime.now(UTC) - timedelta(hours=23) for row in made)


def test_findings_are_looked_for_once(
    filled: Database, county: County, few_days: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(findings, "SPAN", timedelta(days=2))
    monkeypatch.setattr(findings, "ROLLED_UP_S_MAX", 0.0)
    with connect(filled.owner_url, autocommit=True) as connection, register(filled) as directory:
        past.write(connection, county, directory, lambda _took_s: None)
        now = datetime.now(UTC)
        findings.write(connection, filled.owner_url, now)
        once = rows(connection)
        assert findings.write(connection, filled.owner_url, now) == 0
        assert rows(connection) == once


def test_each_family_has_a_number_that_is_nobody_s(filled: Database) -> None:
    with connect(filled.owner_url) as connection:
        families = connection.execute("SELECT family_contact FROM care.resident").fetchall()
        homes = connection.execute("SELECT phone FROM care.site").fetchall()
        staff = connection.execute("SELECT phone FROM care.staff").fetchall()
    assert all(" 100" in row["family_contact"] for row in families)
    assert all(row["phone"].startswith("100") for row in [*homes, *staff])
