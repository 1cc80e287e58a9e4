"""A county in a real database, and a pen to plant readings, pulses and alarms at times of the test's own."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
from psycopg import sql

from analytics.history import History
from analytics.settings import AnalyticsSettings
from care import registry
from care.model import CareCategory, RoomKind, Site, SiteKind
from database.connections import Connection, connect
from protocol.model import ActivityEvent, DeviceKind, PowerSource
from protocol.signs import SIGNS
from tests.servers import Database, DatabaseServer, Population, asked_for

NOW = datetime(2025, 3, 3, 6, 0, tzinfo=UTC)
"""14:00 of a Monday where the homes are; long ago for every clock that runs these tests."""
SINCE = NOW - timedelta(days=60)


class World:
    """Makes people and things, and writes what ingest would have written. Ages are seconds before NOW."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        registry.add_operator(connection, code="kangle", name="康乐养老")
        self.home = self.site("home-a", SiteKind.CARE_HOME, "kangle")
        self.household = self.site("house-1", SiteKind.HOUSEHOLD)

    def site(self, code: str, kind: SiteKind, operator: str | None = None) -> Site:
        return registry.add_site(
            self.connection, code=code, kind=kind, name=code, township="青石镇", operator=operator
        )

    def room(self, site: Site, name: str, kind: RoomKind = RoomKind.BEDROOM) -> int:
        return registry.add_room(self.connection, site.id, name, kind, 1)

    def resident(
        self, site: Site, *, room_id: int | None = None, spo2_scale: int = 1, on_oxygen: bool = False
    ) -> int:
        bed_id = None
        if room_id is not None:
            row = self.connection.execute("SELECT count(*) + 1 AS n FROM care.bed").fetchone()
            assert row is not None
            bed_id = registry.add_bed(self.connection, room_id, str(row["n"]))
        return registry.add_resident(
            self.connection,
            site_id=site.id,
            name="李秀英",
            sex="female",
            born_on=date(1941, 5, 4),
            category=CareCategory.TEKUN_CENTRALISED,
            bed_id=bed_id,
            spo2_scale=spo2_scale,
            on_oxygen=on_oxygen,
            since=SINCE,
        ).id

    def device(
        self,
        site: Site,
        kind: DeviceKind,
        *,
        resident_id: int | None = None,
        room_id: int | None = None,
        power: PowerSource | None = None,
        seen_s: float | None = 0,
        since: datetime = SINCE,
    ) -> int:
        """A device last heard `seen_s` ago; None: never."""
        device = registry.add_device(
            self.connection,
            site=site,
            kind=kind,
            power=power,
            resident_id=resident_id,
            room_id=room_id,
            since=since,
        ).device
        self.connection.execute("UPDATE care.device SET added_at = %s WHERE id = %s", (since, device.id))
        if seen_s is not None:
            self.seen(device.id, seen_s)
        return device.id

    def seen(self, device_id: int, age_s: float) -> None:
        self.connection.execute(
            """
            INSERT INTO readings.device_state (device_id, last_seen_at) VALUES (%s, %s)
            ON CONFLICT (device_id) DO UPDATE SET last_seen_at = excluded.last_seen_at
            """,
            (device_id, NOW - timedelta(seconds=age_s)),
        )

    def vitals(self, device_id: int, resident_id: int | None, age_s: float, **signs: float) -> None:
        """One message, also into the resident's latest state, newer wins."""
        assert set(signs) <= set(SIGNS)
        time = NOW - timedelta(seconds=age_s)
        names = [sql.Identifier(sign) for sign in signs]
        self.connection.execute(
            sql.SQL(
                "INSERT INTO readings.vitals (time, device_id, resident_id, {}) VALUES (%s, %s, %s, {})"
            ).format(sql.SQL(", ").join(names), sql.SQL(", ").join(sql.Placeholder() * len(signs))),
            (time, device_id, resident_id, *signs.values()),
        )
        for sign, value in signs.items():
            if resident_id is not None:
                self.latest(resident_id, sign, value, age_s)

    def latest(self, resident_id: int, sign: str, value: float | bool, age_s: float) -> None:
        self.connection.execute(
            sql.SQL(
                "INSERT INTO readings.resident_state AS s (resident_id, {0}, {1}) VALUES (%s, %s, %s) "
                "ON CONFLICT (resident_id) DO UPDATE SET {0} = excluded.{0}, {1} = excluded.{1} "
                "WHERE s.{1} IS NULL OR s.{1} < excluded.{1}"
            ).format(sql.Identifier(sign), sql.Identifier(f"{sign}_at")),
            (resident_id, value, NOW - timedelta(seconds=age_s)),
        )

    def activity(
        self,
        device_id: int,
        age_s: float,
        event: ActivityEvent = ActivityEvent.MOTION,
        *,
        room_id: int | None = None,
    ) -> None:
        self.connection.execute(
            "INSERT INTO readings.activity (time, device_id, room_id, event) VALUES (%s, %s, %s, %s)",
            (NOW - timedelta(seconds=age_s), device_id, room_id, str(event)),
        )

    def status(
        self, device_id: int, age_s: float, *, battery: int | None = None, clock_replaced: bool = False
    ) -> None:
        self.connection.execute(
            "INSERT INTO readings.device_status (time, device_id, clock_replaced, online, battery)"
            " VALUES (%s, %s, %s, true, %s)",
            (NOW - timedelta(seconds=age_s), device_id, clock_replaced, battery),
        )

    def hours(
        self,
        device_id: int,
        resident_id: int | None,
        signs: Mapping[str, Sequence[float]],
        *,
        count: int = 12,
        end_h: int = 0,
    ) -> None:
        """Rollups of the hours that end `end_h` before NOW, the last value of each sign in the last of them.

        NaN: nothing was measured in that hour.
        """
        columns = [f"{sign}_{what}" for sign in SIGNS for what in ("sum", "count", "min", "max")]
        lines = []
        for back in range(max(len(values) for values in signs.values()), 0, -1):
            cells: list[object] = []
            for sign in SIGNS:
                values = signs.get(sign, ())
                value = values[-back] if back <= len(values) else math.nan
                if math.isnan(value):
                    cells += [None, 0, None, None]
                else:
                    cells += [value * count, count, value, value]
            lines.append((NOW - timedelta(hours=back + end_h), device_id, resident_id, count, *cells))
        statement = sql.SQL(
            "COPY readings.vitals_hourly (hour, device_id, resident_id, row_count, {}) FROM STDIN"
        )
        with (
            self.connection.cursor() as cursor,
            cursor.copy(statement.format(sql.SQL(", ").join(map(sql.Identifier, columns)))) as copy,
        ):
            for line in lines:
                copy.write_row(line)

    def activity_hours(
        self,
        device_id: int,
        ages_h: Iterable[int],
        event: ActivityEvent = ActivityEvent.MOTION,
        *,
        room_id: int | None = None,
        resident_id: int | None = None,
        count: int = 4,
    ) -> None:
        """Rollups: so many events in the hours that begin so many hours before NOW, from :10 to :50."""
        with self.connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO readings.activity_hourly"
                " (hour, first_at, last_at, device_id, resident_id, room_id, event_count, event)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                [
                    (
                        hour,
                        hour + timedelta(minutes=10),
                        hour + timedelta(minutes=50),
                        device_id,
                        resident_id,
                        room_id,
                        count,
                        str(event),
                    )
                    for hour in (NOW - timedelta(hours=age_h) for age_h in ages_h)
                ],
            )

    def setting(self, resident_id: int, detector: str, **chosen: object) -> None:
        names = [sql.Identifier(name) for name in ("resident_id", "detector", *chosen)]
        self.connection.execute(
            sql.SQL("INSERT INTO care.detector_setting ({}) VALUES ({})").format(
                sql.SQL(", ").join(names), sql.SQL(", ").join(sql.Placeholder() * len(names))
            ),
            (resident_id, detector, *chosen.values()),
        )

    def pulses(self, first_s: float, last_s: float = 0, *, heard: int = 1) -> None:
        """A pulse in each whole minute of this span of ages."""
        self.connection.execute(
            """
            INSERT INTO analytics.pulse (at, heard)
            SELECT at, %s FROM generate_series(%s::timestamptz, %s::timestamptz, interval '1 minute') AS at
            ON CONFLICT (at) DO UPDATE SET heard = excluded.heard
            """,
            (heard, NOW - timedelta(seconds=first_s), NOW - timedelta(seconds=last_s)),
        )


@pytest.fixture
def service(database: Database) -> Iterator[Connection]:
    """As analytics itself connects."""
    with connect(database.service_url, autocommit=True) as connection:
        yield connection


WORLD = Population("world", World)


@pytest.fixture
def population(request: pytest.FixtureRequest) -> Population[object] | None:
    return asked_for(request, world=WORLD)


@pytest.fixture
def world(database_server: DatabaseServer, owner: Connection) -> World:
    return database_server.content(WORLD, owner)


@pytest.fixture
def settings(database: Database) -> AnalyticsSettings:
    return AnalyticsSettings(database_url=database.service_url, standby_poll_s=0.05)


@pytest.fixture
def history(service: Connection) -> History:
    """The county at NOW; frames are read when first asked for, so plant before."""
    return History(service, NOW)
