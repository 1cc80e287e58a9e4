"""The year before the demonstration's last day, of one home: its charts and pages have something to show.

It is written in the background, the newest day first, by a process that gives way to all others. A day is one
transaction, and what is there already is not written again: killed at any moment, it goes on where it was.
Raw data this old is dropped by retention once it is rolled up; the rollups stay.
"""

import logging
import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np

from database.connections import Connection, connect
from deploy.county import alarms, findings
from ingest import store
from ingest.batch import Assembler, MicroBatch
from ingest.clock import ClockRule, time_of
from ingest.database import Database
from ingest.directory import Directory
from ingest.latest import Heard
from ingest.rows import SignalRow
from protocol.calendar import HOME_TIME
from protocol.model import SignalState
from simulator import events
from simulator.clock import DAY_MS, HOUR_MS, day_of, day_start_ms
from simulator.county import plan_county
from simulator.events import Events, Said
from simulator.plan import County, SiteSort
from simulator.settings import DEMO_INCIDENT_RATE
from simulator.story import Story

log = logging.getLogger(__name__)

DAYS = 365
ALARM_DAYS = 90
"""Alarms of so many days are kept: what the pages compare."""
VITALS_EVERY_MS = HOUR_MS // 2
STATUS_EVERY_MS = DAY_MS
BEGIN_AFTER_S = 20.0
"""The first pages are looked at before."""
REST_FACTOR = 2.0
"""A day is followed by a rest of so many times as long as it took: others wait for the database as well."""
NICENESS = 19


class Day(NamedTuple):
    """A simulated day, or the part of it that is not in the last day of the county."""

    begin_ms: int
    end_ms: int


class Home(NamedTuple):
    """Whose past is told, and since when the county has been there."""

    site: int
    device_ids: Sequence[int]
    last_day_begins_ms: int


def home_of(connection: Connection, county: County) -> Home | None:
    """The first home of the county; None where it has none, or nothing was ever heard of it."""
    site = next((one.index for one in county.sites if one.sort is SiteSort.CARE_HOME), None)
    if site is None:
        return None
    row = connection.execute(
        """
        SELECT array_agg(device.id) AS ids, min(device.added_at) AS added_at FROM care.device
        WHERE device.name = ANY (%s)
        """,
        ([device.name for device in county.devices_of(site)],),
    ).fetchone()
    if row is None or row["ids"] is None:
        return None
    return Home(site, row["ids"], int((row["added_at"] - timedelta(days=1)).timestamp() * 1000))


def days(home: Home) -> Iterator[Day]:
    """The days to tell, the newest first; the first ends where the county's last day begins."""
    last = day_of(home.last_day_begins_ms)
    for day in range(last, last - DAYS, -1):
        yield Day(day_start_ms(day), min(day_start_ms(day + 1), home.last_day_begins_ms))


def is_written(connection: Connection, home: Home, day: Day) -> bool:
    """Whether the day is there: raw, or rolled up with the raw data gone.

    Its last hour may be half of the county's last day, so only whole hours tell.
    """
    begins, ends = time_of(day.begin_ms * 1000), time_of(day.end_ms * 1000)
    row = connection.execute(
        """
        SELECT EXISTS (SELECT FROM readings.vitals WHERE device_id = ANY (%(ids)s)
                AND time >= %(begins)s AND time < %(ends)s)
            OR EXISTS (SELECT FROM readings.vitals_hourly WHERE device_id = ANY (%(ids)s)
                AND hour >= %(begins)s AND hour <= %(ends)s - interval '1 hour') AS is_there
        """,
        {"ids": list(home.device_ids), "begins": begins, "ends": ends},
    ).fetchone()
    return row is not None and bool(row["is_there"])


def thinned(rows: Events) -> Events:
    """A reading of each device every half hour, a status a day; what happened is all kept."""
    keep = events.is_said(rows, Said.ACTIVITY) | events.is_said(rows, Said.ALARM)
    for said, every_ms in ((Said.VITALS, VITALS_EVERY_MS), (Said.STATUS, STATUS_EVERY_MS)):
        chosen = np.flatnonzero(events.is_said(rows, said))
        key = rows["device"][chosen].astype(np.int64) << 40 | rows["ts_ms"][chosen] // every_ms
        keep[chosen[np.unique(key, return_index=True)[1]]] = True
    kept: Events = rows[keep]
    return kept


def write_day(
    connection: Connection, story: Story, home: Home, day: Day, directory: Directory
) -> Sequence[SignalRow]:
    """Store what was measured and what happened on a day; its alarm signals. The caller commits."""
    county = story.county
    rows = story.tell(day_of(day.begin_ms), sites=range(home.site, home.site + 1)).events
    rows = thinned(rows[(rows["ts_ms"] >= day.begin_ms) & (rows["ts_ms"] < day.end_ms)])
    assembler = Assembler(directory, ClockRule(future_s_max=0, past_s_max=2 * DAYS * 86_400))
    batch, received_us = MicroBatch(), time.time_ns() // 1000
    for _, number, message in events.messages(rows):
        device = county.devices[number]
        entry = directory.find(county.site_of(number), device.name)
        assembler.add_message(batch.singles, entry, message, received_us, live=False)
    signals, batch.singles.signals = batch.singles.signals, []
    store.store(connection, store.prepare(batch), Heard())
    return signals


def write(connection: Connection, county: County, directory: Directory, rest: Callable[[float], None]) -> int:
    """Write what is missing of the past of `county`; how many days that was.

    `rest` is called after each with how long it took. `connection` is in autocommit.
    """
    home = home_of(connection, county)
    if home is None:
        return 0
    story = Story(county, incident_rate=DEMO_INCIDENT_RATE)
    dice = random.Random(county.seed)  # noqa: S311 - plays people, guards nothing
    written = 0
    for number, day in enumerate(days(home)):
        if day.begin_ms >= day.end_ms or is_written(connection, home, day):
            continue
        began_s = time.monotonic()
        with connection.transaction():
            signals = write_day(connection, story, home, day, directory)
            if number < ALARM_DAYS:
                raised = [row for row in signals if row.signal.state is SignalState.RAISED]
                alarms.write_past(connection, raised, dice)
        written += 1
        rest(time.monotonic() - began_s)
    return written


def main() -> int:
    """Write the past of the demonstration, then what the detectors would have found in it; 0 when done."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    os.nice(NICENESS)
    url = os.environ["ANSHOU_DATABASE_URL"]
    time.sleep(BEGIN_AFTER_S)
    county = plan_county()
    began_s = time.monotonic()
    with (
        connect(url, application="anshou-demo-past", autocommit=True) as connection,
        closing(Database(url, "anshou-demo-past register")) as database,
    ):
        directory = Directory(database)
        while not directory.refresh():
            time.sleep(1.0)
        written = write(connection, county, directory, lambda took_s: time.sleep(REST_FACTOR * took_s))
        log.info("%d days of the past written in %.0f s", written, time.monotonic() - began_s)
        found = findings.write(connection, url, datetime.now(HOME_TIME))
        log.info("%d findings in them", found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
