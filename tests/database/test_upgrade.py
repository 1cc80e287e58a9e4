"""A county of the first version that could be installed, upgraded: of its week nothing is lost."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from psycopg import sql
from starlette.testclient import TestClient

from alarms.incident import Report, report
from alarms.kinds import AlarmKind, AlarmSource
from alarms.model import AlarmState
from analytics.rounds import Rounds, detectors_of, handling_of
from analytics.settings import AnalyticsSettings
from care import policy
from care.policy import Policy
from dashboard.app import create_app
from dashboard.settings import Settings
from database.connections import Connection, connect
from database.migrate import migrate, pending_migrations
from identity.model import Actor
from ingest.rollups import roll_up
from ingest.settle import Rhythm, settle
from tests.database.upgrade.make import DUMP, EXPECTED, client, extension_version, facts_of
from tests.servers import Database, DatabaseServer

PASSWORD = "anshou-demo"


@pytest.fixture(scope="module")
def older(database_server: DatabaseServer) -> Iterator[Database]:
    """The dump, restored: no migration of today has touched it."""
    name = "older_county"
    database_server.cluster.create_database(name)
    database = database_server.database(name)
    expected = json.loads(EXPECTED.read_text(encoding="utf-8"))
    with connect(database.owner_url, autocommit=True) as owner:
        owner.execute("CREATE EXTENSION timescaledb")
        version = extension_version(owner)
        assert version == expected["timescaledb"], (
            f"the dump needs TimescaleDB {expected['timescaledb']}, this is {version}:"
            " make it anew with: python -m tests.database.upgrade.make"
        )
        owner.execute("SELECT timescaledb_pre_restore()")
    options = ["--no-owner", "--exit-on-error", f"--dbname={database.owner_url}"]
    client(database_server, "pg_restore", [*options, str(DUMP)])
    with connect(database.owner_url, autocommit=True) as owner:
        owner.execute("SELECT timescaledb_post_restore()")
    yield database
    with connect(database_server.cluster.url("postgres"), autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def upgraded(older: Database) -> Database:
    """The same after the upgrade; it was what the older version had left."""
    expected = json.loads(EXPECTED.read_text(encoding="utf-8"))["facts"]
    with connect(older.owner_url) as owner:
        assert facts_of(owner) == expected, "the dump is not what its facts tell of"
    pending = pending_migrations(older.owner_url)
    assert migrate(older.owner_url) == pending
    assert pending[0] == "0007_history"
    assert pending_migrations(older.owner_url) == []
    return older


@pytest.fixture(scope="module")
def settled(upgraded: Database) -> Database:
    """Its history brought up to date as the process of settling does."""
    with connect(upgraded.ingest_url, autocommit=True) as ingest:
        while settle(ingest, Rhythm()).more:
            pass
        while roll_up(ingest).more:
            pass
    return upgraded


@pytest.fixture
def owner(settled: Database) -> Iterator[Connection]:
    with connect(settled.owner_url, autocommit=True) as connection:
        yield connection


def test_nothing_is_lost_and_nothing_changed(upgraded: Database) -> None:
    with connect(upgraded.owner_url) as connection:
        assert facts_of(connection) == json.loads(EXPECTED.read_text(encoding="utf-8"))["facts"]
        assert policy.effective(connection) == Policy()


def test_rollups_are_made_of_all_that_was_there(owner: Connection) -> None:
    span = owner.execute(
        "SELECT min(time) - interval '1 day' AS begins, max(time) + interval '1 day' AS ends"
        " FROM readings.vitals"
    ).fetchone()
    assert span is not None
    for source in ("vitals", "activity"):
        row = owner.execute(
            f"SELECT readings.wrong_{source}_hours(%(begins)s, %(ends)s) AS wrong,"
            f" (SELECT count(*) FROM readings.{source}_hourly) AS hours",
            span,
        ).fetchone()
        assert row is not None
        assert row["wrong"] == 0
        assert row["hours"] > 500
    days = owner.execute(
        "SELECT sum(row_count) AS daily, (SELECT count(*) FROM readings.vitals WHERE resident_id IS NOT NULL)"
        " AS rows FROM readings.vitals_daily"
    ).fetchone()
    assert days is not None
    assert days["daily"] == days["rows"] > 0


def test_every_page_opens(settled: Database, owner: Connection) -> None:
    app = create_app(Settings(database_url=settled.web_url, pool_wait_s=2, beat_s=0.5))
    ids = {
        name: [row["id"] for row in owner.execute(f"SELECT id FROM care.{name} ORDER BY id")]
        for name in ("resident", "alarm")
    }
    with TestClient(app, follow_redirects=True) as visitor:
        for username in ("county", "carer"):
            answer = visitor.post("/sign-in", data={"username": username, "password": PASSWORD})
            assert answer.status_code == 200, username
            opened = 0
            for path in pages(app, ids):
                answer = visitor.get(path)
                is_hidden = answer.status_code in (403, 404) and username == "carer"
                assert answer.status_code == 200 or is_hidden, (
                    f"{path}: {answer.status_code} {answer.text[:300]}"
                )
                opened += answer.status_code == 200
            assert opened > {"county": 40, "carer": 10}[username]


NO_PAGES = {
    "/live",  # never ends
    "/api/alarms/{alarm_id}/evidence",  # an SOS has no chart
    "/county/devices/pairing",  # these two need a certificate of the centre
    "/api/gateways/authority",
}


def pages(app: FastAPI, ids: dict[str, list[int]]) -> Iterator[str]:
    """Every page, and every answer of the API, about what is there; not what asks for more than an id."""
    for path, operations in get_openapi(title="", version="", routes=app.routes)["paths"].items():
        if "get" not in operations or path in NO_PAGES:
            continue
        given = operations["get"].get("parameters", [])
        needed = {one["name"]: one["in"] for one in given if one["required"]}
        if not needed:
            yield path
        elif needed in ({"resident_id": "path"}, {"alarm_id": "path"}):
            (name,) = needed
            for id_ in ids[name.removesuffix("_id")]:
                yield path.format(**{name: id_})


def test_detectors_look_at_it_and_alarms_are_raised(settled: Database, owner: Connection) -> None:
    before = owner.execute("SELECT count(*) AS n FROM care.alarm").fetchone()
    settings = AnalyticsSettings(database_url=settled.service_url)
    rounds = Rounds(settings, detectors_of(settings), handling_of(settings), cadences={})
    with connect(settled.service_url, autocommit=True) as service:
        for _ in range(2):
            rounds.go_at(service, datetime.now(UTC))
    assert {what for what in rounds.counts if what.startswith("failed:")} == set()
    resident = owner.execute("SELECT id, site_id FROM care.resident ORDER BY id DESC LIMIT 1").fetchone()
    assert resident is not None
    with connect(settled.ingest_url) as ingest:
        raised = report(
            ingest,
            Report(
                site_id=resident["site_id"],
                resident_id=resident["id"],
                kind=AlarmKind.SOS,
                happened_at=datetime.now(UTC),
                actor=Actor("an-sos1-0001"),
                source=AlarmSource.DEVICE,
            ),
        ).alarm
    assert raised.state is AlarmState.OPEN
    after = owner.execute("SELECT count(*) AS n FROM care.alarm").fetchone()
    assert before is not None
    assert after is not None
    assert after["n"] > before["n"]
