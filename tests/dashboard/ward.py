"""A home with rooms, beds, people and readings: enough to fill a desk, with plausible signs."""

import math
import random
from datetime import UTC, date, datetime, timedelta

import pytest

from alarms.incident import Report, report
from alarms.kinds import KINDS, AlarmKind, AlarmPriority, AlarmSource
from alarms.model import Alarm
from care import registry
from care.model import Ability, CareCategory, Resident
from database.connections import Connection
from identity.model import Actor
from protocol.model import (
    DeviceKind,
)
from tests.care.conftest import COUNTY, SINCE, County
from tests.servers import Population

NAMES = (
    ("李秀英", "female"), ("张桂兰", "female"), ("王德福", "male"), ("刘玉珍", "female"),
    ("陈国强", "male"), ("杨淑华", "female"), ("赵明山", "male"), ("黄金凤", "female"),
    ("周长根", "male"), ("吴翠花", "female"), ("徐志刚", "male"), ("孙凤英", "female"),
)  # fmt: skip
LOST = ((), (Ability.BATHE, Ability.DRESS), tuple(Ability)[:5])
MINUTES_OF_A_DAY = 1_440


class Ward:
    """Twelve residents in six rooms of the home of a `County`, whose devices have spoken after `speak`."""

    def __init__(self, connection: Connection, county: County) -> None:
        self.county = county
        self.now = datetime.now(UTC)
        self.random = random.Random(7)
        self.residents: list[Resident] = []
        for number, (name, sex) in enumerate(NAMES):
            bed_id = registry.bed_in(
                connection, county.home.id, f"{2 + number // 6}0{number % 6 // 2 + 1}", str(number % 2 + 1)
            )
            self.residents.append(
                registry.add_resident(
                    connection,
                    site_id=county.home.id,
                    name=name,
                    sex=sex,
                    born_on=date(1935 + number, 3, 12),
                    category=CareCategory.TEKUN_CENTRALISED,
                    lost_abilities=LOST[number % 3],
                    bed_id=bed_id,
                    on_oxygen=number == 4,
                    family_contact="女儿 李梅 555 0142" if number % 3 == 0 else None,
                    since=SINCE,
                )
            )
        self.mattresses = [
            registry.add_device(
                connection,
                site=county.home,
                kind=DeviceKind.SMART_MATTRESS,
                resident_id=resident.id,
                since=SINCE,
            ).device
            for resident in self.residents
        ]

    def speak(self, connection: Connection) -> None:
        """The latest of everybody's readings, as of now."""
        self.now = datetime.now(UTC)
        with connection.transaction():
            for number, (resident, device) in enumerate(zip(self.residents, self.mattresses, strict=True)):
                self._latest(connection, resident, number)
                connection.execute(
                    "INSERT INTO readings.device_state (device_id, last_seen_at, online, battery)"
                    " VALUES (%s, %s, true, %s)",
                    (device.id, self.now - timedelta(minutes=number), 100 - number * 8),
                )

    def _latest(self, connection: Connection, resident: Resident, number: int) -> None:
        age = timedelta(minutes=2 if number % 5 else 47)
        connection.execute(
            "INSERT INTO readings.resident_state (resident_id, hr, hr_at, rr, rr_at, spo2, spo2_at, temp,"
            " temp_at, sbp, sbp_at, dbp, dbp_at, in_bed, in_bed_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (
                resident.id,
                64 + number, self.now - age,
                14 + number % 4, self.now - age,
                97 - number % 4, self.now - age,
                36.4 + number / 20, self.now - timedelta(hours=3),
                122 + number * 2, self.now - timedelta(hours=26 if number % 4 == 0 else 3),
                74 + number, self.now - timedelta(hours=26 if number % 4 == 0 else 3),
                number % 3 != 1, self.now - timedelta(minutes=20 + 11 * number),
            ),
        )  # fmt: skip

    def fill_day(self, connection: Connection, number: int = 0) -> None:
        """One resident's last 24 hours: a reading every minute, with an hour's gap, and bed times."""
        resident, device = self.residents[number], self.mattresses[number]
        start = self.now - timedelta(minutes=MINUTES_OF_A_DAY)
        rows = []
        for minute in range(MINUTES_OF_A_DAY):
            if 600 <= minute < 660:
                continue
            swing = math.sin(minute / MINUTES_OF_A_DAY * 2 * math.pi)
            rows.append(
                (
                    start + timedelta(minutes=minute), device.id, resident.id,
                    round(72 + 9 * swing + self.random.gauss(0, 2)),
                    round(16 + 2 * swing + self.random.gauss(0, 0.7)),
                    min(100, round(96 + self.random.gauss(0, 0.8))),
                    36.6 + 0.3 * swing if minute % 360 == 0 else None,
                    128.0 if minute % 360 == 0 else None,
                    77.0 if minute % 360 == 0 else None,
                )
            )  # fmt: skip
        with connection.cursor() as cursor:
            with cursor.copy(
                "COPY readings.vitals (time, device_id, resident_id, hr, rr, spo2, temp, sbp, dbp) FROM STDIN"
            ) as copy:
                for row in rows:
                    copy.write_row(row)
            cursor.executemany(
                "INSERT INTO readings.activity (time, device_id, resident_id, event) VALUES (%s, %s, %s, %s)",
                [
                    (start + timedelta(minutes=minute), device.id, resident.id, event)
                    for minute, event in (
                        (60, "in_bed"), (290, "out_of_bed"), (300, "in_bed"), (540, "out_of_bed"),
                        (545, "motion"), (570, "meal"), (700, "motion"), (830, "meal"), (905, "door_open"),
                        (1000, "in_bed"), (1100, "out_of_bed"), (1200, "meal"),
                    )
                ],
            )  # fmt: skip

    def alarm(
        self,
        connection: Connection,
        number: int,
        kind: AlarmKind,
        *,
        seconds_ago: float = 0,
        priority: AlarmPriority | None = None,
        evidence: dict[str, object] | None = None,
    ) -> Alarm:
        """Raise an alarm for a resident, as if it had come in some seconds ago."""
        at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
        resident, device = self.residents[number], self.mattresses[number]
        source = AlarmSource.DEVICE if AlarmSource.DEVICE in KINDS[kind].raised_by else AlarmSource.DETECTOR
        alarm = report(
            connection,
            Report(
                site_id=resident.site_id,
                kind=kind,
                happened_at=at,
                actor=Actor(device.name),
                source=source,
                resident_id=resident.id,
                device_id=device.id,
                priority=priority,
                evidence=evidence or {},
            ),
        ).alarm
        if seconds_ago:
            connection.execute("UPDATE care.alarm SET opened_at = %s WHERE id = %s", (at, alarm.id))
        return alarm


WARD = Population("ward", Ward, upon=COUNTY)


def population_with_ward(request: pytest.FixtureRequest) -> Population[object] | None:
    """The ward, or the county alone, as the test wants it."""
    if "ward" in request.fixturenames:
        return WARD
    return COUNTY if "county" in request.fixturenames else None
