"""History's questions: right answers within the scope, from few chunks, by index."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import sql

from care import registry, trends
from care.trends import Through
from database.connections import Connection, connect
from identity.sessions import scope_of, sign_in
from protocol.model import DeviceKind
from tests.care.conftest import COUNTY, PASSWORD, SINCE, County
from tests.servers import Database, DatabaseServer, Population

DAYS = 120
UNTIL = datetime(2026, 5, 1, tzinfo=UTC)
YESTERDAY = UNTIL - timedelta(days=1)


def fill(owner: Connection, county: County) -> tuple[int, int]:
    """A wristband each for the mother and the stranger, with a reading every 10 min; their ids."""
    with owner.transaction():
        ids = [
            registry.add_device(
                owner, site=site, kind=DeviceKind.WRISTBAND, resident_id=resident.id, since=SINCE
            ).device.id
            for site, resident in ((county.home, county.mother), (county.other_home, county.stranger))
        ]
        owner.execute(
            """
            INSERT INTO readings.vitals (time, device_id, resident_id, hr, spo2)
            SELECT time, device_id, resident_id, 60 + extract(hour FROM time), 97
            FROM generate_series(%s::timestamptz, %s - interval '1 second', interval '10 minutes') AS time,
                unnest(%s::integer[], %s::integer[]) AS worn (device_id, resident_id)
            """,
            (UNTIL - timedelta(days=DAYS), UNTIL, ids, [county.mother.id, county.stranger.id]),
        )
        owner.execute(
            """
            INSERT INTO readings.vitals_hourly (device_id, resident_id, hour, row_count, hr_sum, hr_count,
                hr_min, hr_max, rr_count, spo2_count, temp_count, sbp_count, dbp_count, glucose_count,
                weight_count)
            SELECT device_id, resident_id, time_bucket('1 hour', time), count(*), sum(hr::double precision),
                count(hr), min(hr), max(hr), 0, 0, 0, 0, 0, 0, 0
            FROM readings.vitals GROUP BY 1, 2, 3
            """
        )
        owner.execute(
            """
            INSERT INTO readings.vitals_daily (resident_id, day, row_count, hr_sum, hr_count, hr_min, hr_max,
                rr_count, spo2_count, temp_count, sbp_count, dbp_count, glucose_count, weight_count)
            SELECT resident_id, (hour AT TIME ZONE 'Asia/Shanghai')::date, sum(row_count), sum(hr_sum),
                sum(hr_count), min(hr_min), max(hr_max), 0, 0, 0, 0, 0, 0, 0
            FROM readings.vitals_hourly GROUP BY 1, 2
            """
        )
        owner.execute(
            """
            INSERT INTO readings.activity (time, device_id, resident_id, event)
            SELECT time, %s, NULL, 'motion'
            FROM generate_series(%s::timestamptz, %s - interval '1 second', interval '1 hour') AS time
            """,
            (county.smoke.device.id, UNTIL - timedelta(days=DAYS), UNTIL),
        )
        owner.execute(
            """
            INSERT INTO readings.activity_hourly (hour, first_at, last_at, device_id, event_count, event)
            SELECT time_bucket('1 hour', time), min(time), max(time), device_id, count(*), event
            FROM readings.activity GROUP BY 1, device_id, event
            """
        )
        owner.execute(
            "INSERT INTO readings.resident_state (resident_id, hr, hr_at) VALUES (%s, 71, %s)",
            (county.mother.id, UNTIL),
        )
    for table in ("vitals", "vitals_hourly", "vitals_daily", "activity", "activity_hourly"):
        owner.execute(f"ANALYZE readings.{table}")
    return ids[0], ids[1]


HISTORY = Population("history", fill, upon=COUNTY)


@pytest.fixture
def population() -> Population[object]:
    return HISTORY


@pytest.fixture
def filled(database_server: DatabaseServer, owner: Connection) -> tuple[int, int]:
    return database_server.content(HISTORY, owner)


@pytest.fixture
def caregiver(database: Database, county: County) -> Iterator[Connection]:
    """The web's role in the session of a caregiver of the mother's home."""
    with connect(database.web_url, autocommit=True) as connection:
        token = sign_in(connection, "wang", PASSWORD)
        with scope_of(connection, token):
            yield connection


def test_each_question_gets_its_rows(caregiver: Connection, county: County, filled: tuple[int, int]) -> None:
    mother = county.mother.id
    raw = trends.vitals(caregiver, mother, YESTERDAY, UNTIL)
    assert len(raw) == 144
    assert (raw[0]["time"], raw[0]["hr"], raw[-1]["hr"]) == (YESTERDAY, 60.0, 83.0)
    hours = trends.hours(caregiver, mother, UNTIL - timedelta(days=90), UNTIL)
    assert len(hours) == 90 * 24
    assert (hours[5]["hr"], hours[5]["hr_min"], hours[5]["hr_max"], hours[5]["rr"]) == (
        65.0,
        65.0,
        65.0,
        None,
    )
    days = trends.days(caregiver, mother, (UNTIL - timedelta(days=365)).date(), UNTIL.date())
    assert len(days) == DAYS  # the first and the last day in Shanghai are partial
    assert (days[1]["hr"], days[1]["hr_min"], days[1]["hr_max"]) == (71.5, 60.0, 83.0)
    latest = trends.site_latest(caregiver, county.home.id)
    assert [(row["resident_id"], row["hr"]) for row in latest] == [(mother, 71.0)]


def test_sensors_of_a_room_are_counted_when_asked_for(
    caregiver: Connection, county: County, filled: tuple[int, int]
) -> None:
    mother = county.mother.id
    assert trends.activity(caregiver, mother, YESTERDAY, UNTIL) == []
    assert len(trends.activity(caregiver, mother, YESTERDAY, UNTIL, with_rooms=True)) == 24
    counted = trends.activity_days(caregiver, mother, YESTERDAY, UNTIL, with_rooms=True)
    assert [(row["day"].isoformat(), row["event_count"]) for row in counted] == [
        ("2026-04-30", 16),
        ("2026-05-01", 8),
    ]


def test_who_is_out_of_scope_is_not_answered_for(
    caregiver: Connection, county: County, filled: tuple[int, int]
) -> None:
    stranger, since = county.stranger.id, UNTIL - timedelta(days=90)
    assert trends.vitals(caregiver, stranger, since, UNTIL) == []
    assert trends.hours(caregiver, stranger, since, UNTIL) == []
    assert trends.days(caregiver, stranger, since.date(), UNTIL.date()) == []
    assert trends.site_latest(caregiver, county.other_home.id) == []
    params = {"resident_id": stranger, "device_ids": list(filled), "since": since, "until": UNTIL, "limit": 9}
    assert caregiver.execute(trends.statement("vitals", Through.SCOPE), params).fetchall() == []


def test_services_ask_without_a_session(database: Database, county: County, filled: tuple[int, int]) -> None:
    with connect(database.service_url) as service:
        for resident in (county.mother, county.stranger):
            assert len(trends.vitals(service, resident.id, YESTERDAY, UNTIL, through=Through.SERVICE)) == 144


def scans_of(
    connection: Connection, name: str, through: Through, params: Mapping[str, object]
) -> list[dict[str, Any]]:
    """The nodes of the plan that read a table; not those that only gather its chunks."""
    statement = sql.SQL("EXPLAIN (FORMAT JSON) {}").format(trends.statement(name, through))
    row = connection.execute(statement, params, prepare=False).fetchone()
    assert row is not None
    found: list[dict[str, Any]] = []

    def walk(node: dict[str, Any]) -> None:
        if "Relation Name" in node and node["Node Type"] != "Custom Scan":
            found.append(node)
        for child in node.get("Plans", []):
            walk(child)

    walk(row["QUERY PLAN"][0]["Plan"])
    return found


@pytest.mark.parametrize("through", Through)
@pytest.mark.parametrize(
    ("name", "table", "days", "chunks_max", "key"),
    [
        ("vitals", "vitals", 1, 1, "device_id"),
        ("activity", "activity", 1, 1, "device_id"),
        ("hours", "vitals_hourly", 90, 4, "resident_id"),
        ("days", "vitals_daily", 365, 1, "resident_id"),
        ("activity_days", "activity_hourly", 30, 2, "device_id"),
    ],
)
def test_plans_read_few_chunks_and_by_index(
    database: Database,
    caregiver: Connection,
    county: County,
    filled: tuple[int, int],
    owner: Connection,
    through: Through,
    name: str,
    table: str,
    days: int,
    chunks_max: int,
    key: str,
) -> None:
    params = {
        "resident_id": county.mother.id,
        "device_ids": [filled[0]],
        "since": UNTIL - timedelta(days=days),
        "until": UNTIL,
        "with_rooms": False,
        "limit": 20_000,
    }
    chunks = {
        row["chunk_name"]
        for row in owner.execute(
            "SELECT chunk_name FROM timescaledb_information.chunks"
            " WHERE hypertable_schema = 'readings' AND hypertable_name = %s",
            (table,),
        )
    }
    # Tables as small as a test's are sooner read whole: what matters is whether the index can serve.
    if through is Through.SCOPE:
        scans = without_sequential_scans(caregiver, name, through, params)
    else:
        with connect(database.service_url) as service:
            scans = without_sequential_scans(service, name, through, params)
    scans = [node for node in scans if node["Relation Name"] in chunks | {table}]
    assert 1 <= len(scans) <= chunks_max
    for node in scans:
        condition = node.get("Index Cond") or node.get("Recheck Cond")
        assert condition is not None, node
        assert key in condition
    if name in {"vitals", "activity"}:
        assert len(chunks) == DAYS


def without_sequential_scans(
    connection: Connection, name: str, through: Through, params: Mapping[str, object]
) -> list[dict[str, Any]]:
    connection.execute("SET LOCAL enable_seqscan = off")
    return scans_of(connection, name, through, params)
