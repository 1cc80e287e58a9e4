"""State and rollups equal what raw data gives, whatever happens in whatever order, and whoever is killed."""

import os
import random
import re
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from database.connections import Connection, connect
from database.leases import WAIT_FOR_TURN
from ingest import rollups
from ingest import settle as settling
from ingest.batch import MicroBatch
from ingest.clock import time_of
from ingest.latest import Heard
from ingest.rollups import roll_up
from ingest.rows import ActivityRow, VitalsRow
from ingest.settings import Settings
from ingest.settle import Rhythm, backlog, settle
from ingest.settling import Rest, Settling
from ingest.store import prepare, store
from protocol.calendar import HOME_TIME
from protocol.signs import SIGNS
from tests.ingest.conftest import eventually
from tests.servers import Database

RHYTHM = Rhythm(delay_s=0)
EVER = datetime(9999, 1, 1, tzinfo=UTC)
# Half an hour before midnight in Shanghai, so that hours, UTC days and Chinese days are crossed.
START_US = int(datetime(2026, 3, 1, 15, 30, tzinfo=UTC).timestamp()) * 1_000_000
TABLES = (
    "readings.vitals, readings.activity, readings.unsettled, readings.dirty_hour, readings.vitals_hourly,"
)
TABLES += " readings.vitals_daily, readings.activity_hourly, readings.resident_state"

moments = st.sampled_from([0, 1, 1_799, 1_800, 1_801, 5_400, 9_000, 30_599, 30_600, 34_200]).map(
    lambda second: START_US + second * 1_000_000
) | st.integers(START_US, START_US + 7_200_000_000)
values = st.none() | st.integers(200, 450).map(lambda tenths: tenths / 10)
vitals_rows = st.builds(
    VitalsRow,
    time_us=moments,
    device_id=st.integers(1, 3),
    resident_id=st.none() | st.integers(1, 2),
    clock_replaced=st.booleans(),
    signs=st.tuples(*[values] * len(SIGNS)),
)
activity_rows = st.builds(
    ActivityRow,
    time_us=moments,
    device_id=st.integers(4, 5),
    resident_id=st.none() | st.integers(1, 2),
    room_id=st.none() | st.integers(1, 2),
    clock_replaced=st.just(value=False),
    event=st.sampled_from(["in_bed", "out_of_bed", "motion"]),
)
batches = st.lists(vitals_rows | activity_rows, min_size=1, max_size=8)
steps = st.lists(
    st.tuples(st.just("ingest"), batches, st.booleans())
    | st.tuples(st.sampled_from(["settle", "roll_up"]), st.just([]), st.booleans()),
    min_size=1,
    max_size=8,
)


@pytest.fixture
def ingest_role(database: Database) -> Iterator[Connection]:
    with connect(database.ingest_url, autocommit=True) as connection:
        yield connection


class KilledError(Exception):
    """Stands for the process's end before COMMIT."""


def ingest(connection: Connection, rows: list[VitalsRow | ActivityRow]) -> None:
    """One transaction of ingest, with its note."""
    batch = MicroBatch()
    batch.singles.vitals = [row for row in rows if isinstance(row, VitalsRow)]
    batch.singles.activity = [row for row in rows if isinstance(row, ActivityRow)]
    store(connection, prepare(batch), Heard())


def drain(connection: Connection) -> None:
    """Settle and roll up all there is, in several transactions where there is much."""
    while settle(connection, RHYTHM, notes_max=3, pairs_max=4).more:
        pass
    while roll_up(connection, due=EVER, hours_max=5).more:
        pass


def rows_of(connection: Connection, table: str) -> list[dict[str, Any]]:
    return connection.execute(f"SELECT * FROM readings.{table}").fetchall()


def naive_vitals(raw: list[dict[str, Any]], key_of: Any) -> dict[Any, dict[str, Any]]:
    """The slow twin: one group's rows after the other."""
    groups = defaultdict(list)
    for row in raw:
        if (key := key_of(row)) is not None:
            groups[key].append(row)
    found = {}
    for key, rows in groups.items():
        values: dict[str, Any] = {"row_count": len(rows)}
        for sign in SIGNS:
            given = [row[sign] for row in rows if row[sign] is not None]
            as_stored = [float(np.float32(value)) for value in given]
            values |= {
                f"{sign}_count": len(given),
                f"{sign}_sum": sum(as_stored) if given else None,
                f"{sign}_min": min(given, default=None),
                f"{sign}_max": max(given, default=None),
            }
        found[key] = values
    return found


def hour_of(time: datetime) -> datetime:
    return time.replace(minute=0, second=0, microsecond=0)


def assert_history_is_right(connection: Connection) -> None:
    raw = rows_of(connection, "vitals")
    key = ("device_id", "resident_id", "hour")
    hourly = {tuple(row.pop(k) for k in key): row for row in rows_of(connection, "vitals_hourly")}
    assert hourly == naive_vitals(
        raw, lambda row: (row["device_id"], row["resident_id"], hour_of(row["time"]))
    )
    daily = {(row.pop("resident_id"), row.pop("day")): row for row in rows_of(connection, "vitals_daily")}
    assert daily == naive_vitals(
        raw,
        lambda row: (
            None
            if row["resident_id"] is None
            else (row["resident_id"], row["time"].astimezone(HOME_TIME).date())
        ),
    )
    seen = defaultdict(list)
    activity = rows_of(connection, "activity")
    for row in activity:
        seen[row["device_id"], row["resident_id"], row["room_id"], row["event"], hour_of(row["time"])].append(
            row["time"]
        )
    stored = {
        (row["device_id"], row["resident_id"], row["room_id"], row["event"], row["hour"]): (
            row["event_count"],
            row["first_at"],
            row["last_at"],
        )
        for row in rows_of(connection, "activity_hourly")
    }
    assert stored == {key: (len(times), min(times), max(times)) for key, times in seen.items()}
    assert_state_is_right(connection, raw, activity)


def assert_state_is_right(
    connection: Connection, raw: list[dict[str, Any]], activity: list[dict[str, Any]]
) -> None:
    """Newest wins; of several at one instant any is right."""
    states = {row["resident_id"]: row for row in rows_of(connection, "resident_state")}
    for resident_id in (1, 2):
        state = states.get(resident_id, defaultdict(lambda: None))
        for sign in SIGNS:
            given = [
                (row["time"], row[sign])
                for row in raw
                if row["resident_id"] == resident_id and row[sign] is not None
            ]
            newest = max((time for time, _ in given), default=None)
            assert state[f"{sign}_at"] == newest
            assert state[sign] in ({value for time, value in given if time == newest} or {None})
        mine = [row for row in activity if row["resident_id"] == resident_id]
        newest = max((row["time"] for row in mine), default=None)
        assert state["activity_at"] == newest
        assert state["activity"] in ({row["event"] for row in mine if row["time"] == newest} or {None})
        assert state["activity_room_id"] in (
            {row["room_id"] for row in mine if row["time"] == newest} or {None}
        )
        beds = [row for row in mine if row["event"] in {"in_bed", "out_of_bed"}]
        newest = max((row["time"] for row in beds), default=None)
        assert state["in_bed_at"] == newest
        assert state["in_bed"] in (
            {row["event"] == "in_bed" for row in beds if row["time"] == newest} or {None}
        )


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_history_equals_recomputing_it_from_raw(
    ingest_role: Connection, steps: list[tuple[str, list[VitalsRow | ActivityRow], bool]]
) -> None:
    with ingest_role.transaction(force_rollback=True):
        for what, rows, killed in steps:
            do_or_die(ingest_role, what, rows, killed=killed)
        drain(ingest_role)
        assert_history_is_right(ingest_role)
        before = (rows_of(ingest_role, "vitals_hourly"), rows_of(ingest_role, "resident_state"))
        for table in ("unsettled", "dirty_hour"):
            assert rows_of(ingest_role, table) == []
        drain(ingest_role)
        assert (rows_of(ingest_role, "vitals_hourly"), rows_of(ingest_role, "resident_state")) == before


def do_or_die(
    connection: Connection, what: str, rows: list[VitalsRow | ActivityRow], *, killed: bool
) -> None:
    try:
        with connection.transaction():
            if what == "ingest":
                ingest(connection, rows)
            elif what == "settle":
                settle(connection, RHYTHM, notes_max=2, pairs_max=3)
            else:
                roll_up(connection, due=EVER, hours_max=3)
            if killed:
                raise KilledError
    except KilledError:
        pass


def vitals_row(second: int, *, device_id: int = 1, hr: float = 70.0) -> VitalsRow:
    signs = tuple(hr if sign == "hr" else None for sign in SIGNS)
    return VitalsRow(START_US + second * 1_000_000, device_id, 1, False, signs)


def write_at_random(connection: Connection, generator: random.Random, device_id: int) -> None:
    for _ in range(150):
        rows = [
            vitals_row(generator.randrange(7_200), device_id=device_id, hr=generator.randrange(40, 90))
            for _ in range(generator.randrange(1, 8))
        ]
        ingest(connection, list(rows))


def tidy_at_random(
    connection: Connection, generator: random.Random, what: str, written: threading.Event
) -> None:
    while not written.is_set():
        with suppress(psycopg.errors.DeadlockDetected):  # as after a kill, another round does it
            do_or_die(connection, what, [], killed=generator.random() < 0.2)


def test_settling_while_others_write_misses_nothing(database: Database, owner: Connection) -> None:
    """Two writers, two settlers and two who roll up, all at once, each killed now and then."""
    written = threading.Event()
    failures: list[BaseException] = []

    def worker(number: int) -> None:
        generator = random.Random(number)
        try:
            with connect(database.ingest_url, autocommit=True) as connection:
                if number < 2:
                    write_at_random(connection, generator, number + 1)
                else:
                    tidy_at_random(connection, generator, ["settle", "roll_up"][number % 2], written)
        except BaseException as error:  # noqa: BLE001 - told by the test
            failures.append(error)

    threads = [threading.Thread(target=worker, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads[:2]:
        thread.join(60)
    written.set()
    for thread in threads[2:]:
        thread.join(60)
    assert failures == []
    drain(owner)
    assert_history_is_right(owner)


def test_rows_committed_between_the_reading_and_the_deleting_are_not_lost(
    database: Database, owner: Connection
) -> None:
    """A round is stopped after each of its statements in turn; meanwhile ingest and a settler commit."""
    for module, names in (
        (settling, ("take", "gather", "vitals_state", "mark_dirty", "forget")),
        (rollups, (None, "take", "dropped", "vitals", "daily")),
    ):
        for number, name in enumerate(names):
            statement = WAIT_FOR_TURN if name is None else module._sql[name]
            owner.execute(f"TRUNCATE {TABLES}")
            ingest(owner, [vitals_row(10)])
            if module is rollups:
                settle(owner, RHYTHM)
            with ExitStack() as closing:
                slow = closing.enter_context(connect(database.ingest_url, autocommit=True))
                pausing = PausingAfter(slow, statement)
                closing.callback(pausing.go_on)
                others = closing.enter_context(connect(database.ingest_url, autocommit=True))
                thread = threading.Thread(target=pausing.work, args=(module,))
                thread.start()
                assert pausing.reached.wait(20), name
                # The settler may have to wait for the mark that the paused round has deleted.
                other = threading.Thread(
                    target=ingest_and_settle, args=(others, [vitals_row(20 + number, hr=99.0)])
                )
                other.start()
                other.join(0.2)
                pausing.go_on()
                thread.join(20)
                other.join(20)
                assert pausing.failure is None
            drain(owner)
            assert_history_is_right(owner)


def ingest_and_settle(connection: Connection, rows: list[VitalsRow | ActivityRow]) -> None:
    ingest(connection, rows)
    settle(connection, RHYTHM)


class PausingAfter:
    """A connection that waits, inside its transaction, after a certain statement."""

    def __init__(self, connection: Connection, statement: object) -> None:
        self._connection = connection
        self._statement = statement
        self._go_on = threading.Event()
        self.reached = threading.Event()
        self.failure: BaseException | None = None

    def go_on(self) -> None:
        self._go_on.set()

    def work(self, module: Any) -> None:
        try:
            if module is settling:
                settle(self, RHYTHM)  # type: ignore[arg-type]
            else:
                roll_up(self, due=EVER)  # type: ignore[arg-type]
        except BaseException as error:  # noqa: BLE001 - told by the test
            self.failure = error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, statement: Any, params: Any = None) -> Any:
        cursor = self._connection.execute(statement, params)
        if statement is self._statement:
            self.reached.set()
            assert self._go_on.wait(20)
        return cursor


def test_marks_fall_due_after_the_hour_or_soon_when_it_is_late(ingest_role: Connection) -> None:
    now = datetime.now(UTC)
    now_us = int(now.timestamp()) * 1_000_000
    recent = vitals_row(0)._replace(time_us=now_us)
    ingest(ingest_role, [vitals_row(5), recent])
    settle(ingest_role, Rhythm(delay_s=60, running_hour_s=600))
    due = {row["hour"]: row["due_at"] for row in rows_of(ingest_role, "dirty_hour")}
    ended = hour_of(time_of(START_US))
    soon = timedelta(seconds=5)
    assert abs(due[ended] - (now + timedelta(seconds=60))) < soon
    running = hour_of(now)
    latest = min(running + timedelta(hours=1, seconds=60), now + timedelta(seconds=600))
    assert abs(due[running] - latest) < soon
    assert roll_up(ingest_role).hours == 0
    told = backlog(ingest_role)
    assert (told.unsettled, told.unsettled_age_s, told.dirty_hours, told.overdue_s) == (0, None, 2, None)


def test_late_data_for_a_day_whose_raw_data_is_gone_changes_no_rollup(
    ingest_role: Connection, owner: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    day = time_of(START_US).replace(hour=0, minute=0, second=0)
    ingest(ingest_role, [vitals_row(1), vitals_row(2)])
    drain(ingest_role)
    before = rows_of(ingest_role, "vitals_hourly")
    assert ingest_role.execute(
        "SELECT readings.drop_proven('vitals', %s, %s) AS kept", (day, day + timedelta(days=1))
    ).fetchone() == {"kept": None}
    ingest(ingest_role, [vitals_row(3)])
    drain(ingest_role)
    assert rows_of(ingest_role, "vitals_hourly") == before
    assert "its rollups stay as they are" in caplog.text


def test_a_round_is_rested_from() -> None:
    clock = iter([100.0, 102.0, 103.0, 111.9, 112.0, 112.1])
    rest = Rest(5.0, lambda: next(clock))
    done: list[int] = []
    assert rest.run(lambda: done.append(1))
    assert not rest.run(lambda: done.append(2))
    assert not rest.run(lambda: done.append(3))
    assert rest.run(lambda: done.append(4))
    assert done == [1, 4]


def test_a_round_that_failed_is_not_rested_from() -> None:
    clock = iter([0.0, 70.0, 70.1])
    rest = Rest(5.0, lambda: next(clock))

    def fail() -> None:
        raise psycopg.OperationalError("the database is away")

    with pytest.raises(psycopg.OperationalError):
        rest.run(fail)
    assert rest.run(lambda: None), "the time was spent waiting, not working"


def test_the_process_settles_and_a_second_one_takes_over(database: Database, owner: Connection) -> None:
    options = Settings(
        database_url=database.ingest_url,
        mqtt_url="mqtt://127.0.0.1:1",
        settle_interval_s=0.05,
        rollup_delay_s=0,
    )
    first, second = Settling(options), Settling(options)
    threads = [threading.Thread(target=keeper.run) for keeper in (first, second)]

    def newest() -> datetime | None:
        row = owner.execute("SELECT hr_at FROM readings.resident_state WHERE resident_id = 1").fetchone()
        return None if row is None else row["hr_at"]

    threads[0].start()
    ingest(owner, [vitals_row(1)])
    eventually(lambda: newest() == time_of(START_US + 1_000_000))
    threads[1].start()
    first.stop()
    threads[0].join(20)
    ingest(owner, [vitals_row(2)])
    eventually(lambda: newest() == time_of(START_US + 2_000_000))
    eventually(lambda: rows_of(owner, "vitals_daily"))
    second.stop()
    threads[1].join(20)
    assert not any(thread.is_alive() for thread in threads)


AT_WORK = """
SELECT FROM pg_stat_activity WHERE application_name = 'anshou-settle' AND datname = current_database()
"""


def test_kill_9_of_the_process_at_any_moment_loses_nothing(database: Database, owner: Connection) -> None:
    environ = {
        "ANSHOU_DATABASE_URL": database.ingest_url,
        "ANSHOU_MQTT_URL": "mqtt://127.0.0.1:1",
        "ANSHOU_INGEST_SETTLE_INTERVAL_S": "0.005",
        "ANSHOU_INGEST_ROLLUP_DELAY_S": "0",
    }
    generator = random.Random(3)
    for number in range(6):
        with subprocess.Popen(
            [sys.executable, "-m", "ingest", "settle"], env=os.environ | environ
        ) as process:
            eventually(lambda: owner.execute(AT_WORK).fetchall())
            until_s = time.monotonic() + generator.uniform(0, 0.8)
            while time.monotonic() < until_s:
                ingest(owner, [vitals_row(generator.randrange(7_200)) for _ in range(5)])
            if not number:
                eventually(lambda: rows_of(owner, "resident_state"))
            process.kill()
        eventually(lambda: not owner.execute(AT_WORK).fetchall())
    drain(owner)
    assert_history_is_right(owner)


@pytest.mark.parametrize("name", ["vitals_state", "vitals"])
def test_each_statement_looks_at_one_day_only_and_by_index(owner: Connection, name: str) -> None:
    days = 40
    first = time_of(START_US).replace(hour=0, minute=0, second=0)
    owner.execute(
        """
        INSERT INTO readings.vitals (time, device_id, resident_id, hr)
        SELECT time, 1, 1, 70 FROM generate_series(%s, %s, interval '1 hour') AS time
        """,
        (first, first + timedelta(days=days - 1, hours=23)),
    )
    begin = first + timedelta(days=7)
    params = {
        "device_ids": [1, 1],
        "from_s": [int((begin - settling.NOTE_EPOCH).total_seconds()) + 3_600 * hour for hour in (0, 5)],
        "hours": [begin, begin + timedelta(hours=5)],
        "begin": begin,
        "end": begin + timedelta(days=1),
    }
    query = (settling._sql if name == "vitals_state" else rollups._sql)[name]
    with owner.transaction():
        owner.execute("SET LOCAL enable_seqscan = off")  # a test's chunk is too small to need its index
        plan = str(owner.execute(sql.SQL("EXPLAIN (FORMAT JSON) {}").format(query), params).fetchall())
    scanned = re.findall(r"'Relation Name': '(_hyper_\d+_\d+_chunk)'", plan)
    (chunks,) = owner.execute(
        "SELECT count(*) AS n FROM timescaledb_information.chunks WHERE hypertable_name = 'vitals'"
    ).fetchall()
    assert chunks["n"] == days
    assert len(scanned) == 1
    assert "'Index Cond': '((device_id = " in plan
