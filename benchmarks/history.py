"""`anshou bench history`: a year of 100 residents, once a minute: how fast pages get it, what it takes.

Raw rows are made by the database itself; state and rollups come from the code that production runs.
"""

import random
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from statistics import quantiles
from typing import NamedTuple

from benchmarks.figures import Figure, figure
from benchmarks.stack import Stack, add_fleet, running_stack
from care import registry, trends
from database.connections import Connection, connect
from identity.model import ScopeKind, StaffRole
from identity.sessions import scope_of, sign_in
from ingest.rollups import roll_up
from ingest.settle import Rhythm, settle
from protocol.signs import SIGNS

SIGNS_A_ROW = 5
PAYLOAD_BYTES = 8 + 4 + 4 + 1 + SIGNS_A_ROW * 4
"""What a row has to say, without any housekeeping: time, device, resident, flag, signs."""
ROWS_A_DEVICE_AND_DAY = 24 * 60
WARM_UPS = 30
PASSWORD = "a password of the benchmark"
MS_TARGETS = {"site's latest": 10, "24 h of raw": 20, "90 d by hour": 50, "1 y by day": 100}

# As they would arrive: minute by minute, each device at its own second. Only the size of values matters.
FILL_DAY = """
INSERT INTO readings.vitals (time, device_id, resident_id, hr, rr, spo2, temp, sbp)
SELECT minute + make_interval(secs => worn.device_id %% 60), worn.device_id, worn.resident_id,
    55 + floor(random() * 40), 11 + floor(random() * 9), 93 + floor(random() * 7),
    36 + floor(random() * 15) / 10, 105 + floor(random() * 55)
FROM generate_series(%(day)s::timestamptz, %(day)s + interval '1439 minutes', interval '1 minute') AS minute
CROSS JOIN (SELECT device_id, resident_id FROM care.device_assignment ORDER BY device_id) AS worn
ORDER BY minute
"""
NOTE_DAY = """
INSERT INTO readings.unsettled (source, device_ids, from_s)
SELECT 'vitals', array_agg(device_id),
    array_agg(extract(epoch FROM hour)::bigint - 946684800 + device_id %% 60)
FROM generate_series(%(day)s::timestamptz, %(day)s + interval '23 hours', interval '1 hour') AS hour
CROSS JOIN care.device_assignment
"""
BARE = {
    "site's latest": "SELECT * FROM readings.resident_state WHERE resident_id = ANY (%(resident_ids)s)",
    "24 h of raw": f"SELECT time, {', '.join(SIGNS)} FROM readings.vitals"
    " WHERE device_id = %(device_id)s AND time >= %(since)s AND time < %(until)s ORDER BY time",
    "90 d by hour": "SELECT hour, hr_sum, hr_min, hr_max FROM readings.vitals_hourly"
    " WHERE resident_id = %(resident_id)s AND hour >= %(since)s AND hour < %(until)s ORDER BY hour",
    "1 y by day": "SELECT day, hr_sum, hr_min, hr_max FROM readings.vitals_daily"
    " WHERE resident_id = %(resident_id)s AND day >= %(since)s AND day < %(until)s ORDER BY day",
}


def run(*, days: int = 365, homes: int = 2, residents_a_home: int = 50, samples: int = 200) -> list[Figure]:
    """All figures of this benchmark, from that many days of that many residents."""
    until = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    year = Year(until - timedelta(days=days), until, homes * residents_a_home)
    with running_stack() as stack:
        with connect(stack.owner_url) as connection:
            add_fleet(connection, homes, residents_a_home)
        print(f"filling {year.rows:,} rows …", file=sys.stderr)
        _fill(stack, year)
        with connect(stack.ingest_url, autocommit=True, application="bench settle") as connection:
            figures = _derive(connection, year)
        figures.append(_bytes(stack, year))
        figures += _questions(stack, year, samples)
    return figures


class Year(NamedTuple):
    """What is stored: every minute of every resident, from `since` until `until`."""

    since: datetime
    until: datetime
    residents: int

    @property
    def days(self) -> int:
        """Length in days."""
        return (self.until - self.since).days

    @property
    def rows(self) -> int:
        """Raw rows."""
        return self.days * self.residents * ROWS_A_DEVICE_AND_DAY


def _fill(stack: Stack, year: Year) -> None:
    def fill(day: datetime) -> None:
        with connect(stack.owner_url) as connection:
            connection.execute(FILL_DAY, {"day": day})
            connection.execute(NOTE_DAY, {"day": day})

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(fill, (year.since + timedelta(days=n) for n in range(year.days))))
    with connect(stack.owner_url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE) readings.vitals")


def _derive(connection: Connection, year: Year) -> list[Figure]:
    """State and rollups of everything, by the code that does it in production."""
    ever = datetime.max.replace(tzinfo=UTC) - timedelta(days=1)
    scan_us = _time_s(lambda: connection.execute("SELECT count(hr) FROM readings.vitals")) / year.rows * 1e6
    settle_us = _time_s(lambda: _while_more(lambda: settle(connection, Rhythm()).more)) / year.rows * 1e6
    rollup_us = _time_s(lambda: _while_more(lambda: roll_up(connection, due=ever).more)) / year.rows * 1e6
    wrong = connection.execute(
        "SELECT readings.wrong_vitals_hours(%s, %s) AS hours", (year.until - timedelta(days=7), year.until)
    ).fetchone()
    assert wrong == {"hours": 0}, "a rollup is not what its raw data gives"
    return [
        figure("settling the latest state", settle_us, "µs/row", ceiling=scan_us, target=3, better="lower"),
        figure("rollups by hour and day", rollup_us, "µs/row", ceiling=scan_us, target=5, better="lower"),
    ]


def _bytes(stack: Stack, year: Year) -> Figure:
    with connect(stack.owner_url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE) readings.vitals_hourly")
        connection.execute("VACUUM (ANALYZE) readings.vitals_daily")
        sizes = connection.execute(
            """
            SELECT hypertable_size('readings.vitals') AS raw,
                hypertable_size('readings.vitals_hourly') AS hourly,
                pg_total_relation_size('readings.vitals_daily') AS daily, count(*) AS hours
            FROM readings.vitals_hourly
            """
        ).fetchone()
    assert sizes is not None
    print(
        f"raw {sizes['raw'] / 2**20:,.0f} MiB; by hour {sizes['hourly'] / 2**20:,.0f} MiB,"
        f" {sizes['hourly'] / sizes['hours']:,.0f} bytes a row; by day {sizes['daily'] / 2**20:,.1f} MiB",
        file=sys.stderr,
    )
    return figure(
        "raw readings with their index",
        sizes["raw"] / (year.rows * SIGNS_A_ROW),
        "bytes/reading",
        ceiling=PAYLOAD_BYTES / SIGNS_A_ROW,
        target=25,
        better="lower",
    )


def _questions(stack: Stack, year: Year, samples: int) -> list[Figure]:
    """Each as a page asks it: as the web's role, in the transaction of a session, with row security."""
    generator = random.Random(9)
    with connect(stack.owner_url) as owner:
        registry.add_staff(
            owner,
            username="bench",
            name="Bench",
            role=StaffRole.COUNTY_SUPERVISOR,
            password=PASSWORD,
            scope=ScopeKind.COUNTY,
        )
        site_ids = [row["id"] for row in owner.execute("SELECT id FROM care.site")]
        worn = owner.execute("SELECT resident_id, device_id FROM care.device_assignment").fetchall()
    web_url = stack.cluster.url("anshou_bench", "anshou_web", stack.passwords["anshou_web"])

    def span(days: int) -> tuple[datetime, datetime]:
        days = min(days, year.days)
        end = year.until - timedelta(hours=generator.randrange((year.days - days) * 24 + 1))
        return end - timedelta(days=days), end

    def resident_id() -> int:
        return int(generator.choice(worn)["resident_id"])

    with connect(web_url, autocommit=True) as web, connect(stack.owner_url, autocommit=True) as owner:
        token = sign_in(web, "bench", PASSWORD)

        @contextmanager
        def session() -> Iterator[Connection]:
            with scope_of(web, token):
                yield web

        def asked(ask: Callable[[Connection], object]) -> Callable[[], object]:
            def one() -> object:
                with session() as connection:
                    return ask(connection)

            return one

        def bare(name: str, days: int) -> Callable[[], object]:
            def one() -> object:
                since, until = span(days)
                one_worn = generator.choice(worn)
                ids = [row["resident_id"] for row in generator.sample(worn, min(50, len(worn)))]
                params = {**one_worn, "since": since, "until": until, "resident_ids": ids}
                return owner.execute(BARE[name], params, prepare=False).fetchall()

            return one

        def year_by_day(connection: Connection) -> object:
            since, until = span(365)
            return trends.days(connection, resident_id(), since.date(), until.date())

        questions: dict[str, tuple[Callable[[Connection], object], int]] = {
            "site's latest": (lambda c: trends.site_latest(c, generator.choice(site_ids)), 1),
            "24 h of raw": (lambda c: trends.vitals(c, resident_id(), *span(1)), 1),
            "90 d by hour": (lambda c: trends.hours(c, resident_id(), *span(90)), 90),
            "1 y by day": (year_by_day, 365),
        }
        round_trip = _percentiles_ms(lambda: owner.execute("SELECT 1").fetchone(), samples)
        print(f"a round trip: p50 {round_trip.p50:.2f} ms, p99 {round_trip.p99:.2f} ms", file=sys.stderr)
        figures = []
        for name, (ask, days) in questions.items():
            measured = _percentiles_ms(asked(ask), samples)
            ceiling = _percentiles_ms(bare(name, days), samples)
            print(f"{name}: p50 {measured.p50:.2f} ms, p99 {measured.p99:.2f} ms", file=sys.stderr)
            figures.append(
                figure(
                    f"{name}, p50",
                    measured.p50,
                    "ms",
                    ceiling=ceiling.p50,
                    target=MS_TARGETS[name],
                    better="lower",
                )
            )
    return figures


class _Percentiles(NamedTuple):
    p50: float
    p99: float


def _percentiles_ms(work: Callable[[], object], samples: int) -> _Percentiles:
    for _ in range(WARM_UPS):
        work()
    taken = quantiles((_time_s(work) * 1000 for _ in range(samples)), n=100)
    return _Percentiles(taken[49], taken[98])


def _time_s(work: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    work()
    return time.perf_counter() - began_s


def _while_more(more: Callable[[], bool]) -> None:
    while more():
        pass
