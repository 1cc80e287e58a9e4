"""`anshou bench analytics`: one round over a county, from SQL to proposals, and slow detectors once.

Each elder wears a wristband that has sent five signs a minute, and has a motion sensor that saw them every
three minutes; one in ten lives alone, with motion sensors in three more rooms. The database makes the rows
itself: minutes in full, and 90 days as hourly rollups for the detectors that look at weeks. What is usual for
each person is learnt before the clock starts: that happens once a day. The ceiling is what reading the same
quarter of an hour takes without any detector.

The nightly training is the process that runs at night, from its start to its end, the second time: then it
also rehearses, and compares with the version that is live. Its ceiling is reading the same weeks.
"""

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from analytics import features
from analytics.baselines import GAP_DAYS, LEARN_DAYS, HistoryBaselines
from analytics.comparison import JUDGED_DAYS
from analytics.detectors import Detector
from analytics.detectors.restlessness import COHORT_DAYS, past_habits
from analytics.detectors.routine import DAYS, last_evening
from analytics.history import History, record_pulse
from analytics.judge import decide
from analytics.rounds import CADENCES, detectors_of, handling_of
from analytics.settings import AnalyticsSettings
from analytics.training import JUDGED, PART_COUNT
from analytics.versions import list_versions
from benchmarks.figures import Figure, figure
from benchmarks.stack import add_fleet, running_stack
from database.connections import Connection, connect

ELDERS_A_HOME = 100
ALONE_SHARE = 0.1
WALKED_HOMES = 250
"""Households with weeks of raw motion: a few more than are learnt from."""
WALKED_DAYS = COHORT_DAYS + JUDGED_DAYS
ROUNDS = 7
ROUND_S_MAX = {5_000: 1.0, 100_000: 20.0}
SLOW_S_MAX = 60.0
"""An hourly detector that takes longer holds the rounds of the minutes up by more than one."""
MEMORY_MB_MAX = 4_000
WEEKS_H = 90 * 24
SINCE = timedelta(days=100)
TRAINING_S_MAX = {5_000: 300.0}
BYTES_A_RESIDENT_MAX = 2_000

ALONE = """
WITH site AS (
    INSERT INTO care.site (code, kind, name, township)
    SELECT 'alone-' || n, 'household', 'Household ' || n, 'Town' FROM generate_series(1, %(alone)s) AS n
    RETURNING id
), resident AS (
    INSERT INTO care.resident (site_id, name, sex, born_on, category)
    SELECT id, 'Resident', 'male', '1941-01-01', 'tekun_dispersed' FROM site RETURNING id, site_id
), band AS (
    INSERT INTO care.device (site_id, name, kind, power)
    SELECT site_id, 'wa-' || site_id, 'wristband', 'battery' FROM resident RETURNING id, site_id
), worn AS (
    INSERT INTO care.device_assignment (device_id, resident_id, during)
    SELECT band.id, resident.id, tstzrange('2020-01-01', NULL) FROM band JOIN resident USING (site_id)
), room AS (
    INSERT INTO care.room (site_id, name, kind)
    SELECT id, kind, kind::care.room_kind FROM site, unnest(ARRAY['bedroom', 'kitchen', 'bathroom']) AS kind
    RETURNING id, site_id
), sensor AS (
    INSERT INTO care.device (site_id, name, kind, power)
    SELECT site_id, 'r-' || id, 'motion', 'battery' FROM room RETURNING id, name
)
INSERT INTO care.device_assignment (device_id, room_id, during)
SELECT id, substring(name FROM 3)::int, tstzrange('2020-01-01', NULL) FROM sensor
"""
WALKS = """
INSERT INTO readings.activity (time, device_id, room_id, event)
SELECT at + random() * interval '4 minutes', device_id, room_id, 'motion'
FROM (SELECT device_id, room_id, dense_rank() OVER (ORDER BY site_id) AS home FROM care.device_assignment
      JOIN care.device ON device.id = device_id WHERE room_id IS NOT NULL) AS sensor
CROSS JOIN generate_series(%(begin)s, %(end)s, interval '45 minutes') AS at
WHERE home <= %(homes)s
"""
MOTION = """
WITH seen AS (
    INSERT INTO care.device (site_id, name, kind, power)
    SELECT site_id, 'm-' || id, 'motion', 'battery' FROM care.resident RETURNING id, name
)
INSERT INTO care.device_assignment (device_id, resident_id, during)
SELECT id, substring(name FROM 3)::int, tstzrange('2020-01-01', NULL) FROM seen
"""
ROOMS = "INSERT INTO care.room (site_id, name, kind) SELECT id, 'hall', 'living_room' FROM care.site"
HOMES = """
INSERT INTO care.residence (resident_id, site_id, during)
SELECT id, site_id, tstzrange('2020-01-01', NULL) FROM care.resident
"""
MINUTES = """
INSERT INTO readings.vitals (time, device_id, resident_id, hr, rr, spo2, temp, sbp)
SELECT minute + make_interval(secs => worn.device_id %% 60), worn.device_id, worn.resident_id,
    60 + floor(random() * 25), 13 + floor(random() * 6), 95 + floor(random() * 5),
    36.2 + floor(random() * 8) / 10, 112 + floor(random() * 30)
FROM generate_series(
    %(now)s - interval '17 minutes', %(now)s - interval '1 minute', interval '1 minute') AS minute
CROSS JOIN (
    SELECT device_id, resident_id FROM care.device_assignment JOIN care.device ON device.id = device_id
    WHERE kind = 'wristband' ORDER BY device_id) AS worn
ORDER BY minute
"""
STATE = """
INSERT INTO readings.resident_state
    (resident_id, hr, hr_at, rr, rr_at, spo2, spo2_at, temp, temp_at, sbp, sbp_at)
SELECT DISTINCT ON (resident_id) resident_id, hr, time, rr, time, spo2, time, temp, time, sbp, time
FROM readings.vitals ORDER BY resident_id, time DESC
"""
HEARD = """
INSERT INTO readings.device_state (device_id, last_seen_at)
SELECT id, %(now)s - make_interval(secs => id %% 60) FROM care.device
"""
SEEN = """
INSERT INTO readings.activity (time, device_id, resident_id, event)
SELECT at + make_interval(secs => watching.device_id %% 60), watching.device_id, watching.resident_id,
    'motion'
FROM generate_series(
    %(now)s - interval '62 minutes', %(now)s - interval '2 minutes', interval '3 minutes') AS at
CROSS JOIN (
    SELECT device_id, resident_id FROM care.device_assignment JOIN care.device ON device.id = device_id
    WHERE kind = 'motion' ORDER BY device_id) AS watching
ORDER BY at
"""
HOURS = """
INSERT INTO readings.vitals_hourly (hour, device_id, resident_id, row_count, hr_sum, hr_count, hr_min, hr_max,
    rr_sum, rr_count, rr_min, rr_max, spo2_sum, spo2_count, spo2_min, spo2_max,
    temp_sum, temp_count, temp_min, temp_max, sbp_count, dbp_count, glucose_count, weight_count)
SELECT hour, worn.device_id, worn.resident_id, 60, hr * 60, 60, hr - 9, hr + 9, rr * 60, 60, rr - 3, rr + 3,
    spo2 * 60, 60, spo2 - 2, spo2 + 2, temp * 60, 60, temp - 0.2, temp + 0.2, 0, 0, 0, 0
FROM (SELECT device_id, resident_id FROM care.device_assignment JOIN care.device ON device.id = device_id
      WHERE kind = 'wristband') AS worn
CROSS JOIN LATERAL (
    SELECT hour, 70 + 4 * random() + worn.device_id %% 9 AS hr, 16 + random() AS rr, 96 + random() AS spo2,
        36.4 + random() / 5 AS temp
    FROM generate_series(%(hour)s - make_interval(hours => %(hours)s), %(hour)s - interval '1 hour',
        interval '1 hour') AS hour
) AS drawn
"""
ACTIVE_HOURS = """
INSERT INTO readings.activity_hourly
    (hour, first_at, last_at, device_id, resident_id, room_id, event_count, event)
SELECT hour, hour + interval '3 minutes', hour + interval '57 minutes', watching.device_id,
    watching.resident_id, watching.room_id, 8 + floor(random() * 12), 'motion'
FROM (SELECT device_id, resident_id, room.id AS room_id FROM care.device_assignment
      JOIN care.device ON device.id = device_id JOIN care.room ON room.site_id = device.site_id
      WHERE device.kind = 'motion') AS watching
CROSS JOIN generate_series(%(hour)s - make_interval(hours => %(hours)s), %(hour)s - interval '1 hour',
    interval '1 hour') AS hour
WHERE extract(hour FROM hour AT TIME ZONE 'Asia/Shanghai') BETWEEN 6 AND 20
"""
TRAIN = """
import os
from analytics.__main__ import main
from benchmarks.stack import resident_mb
assert main(["--train"]) == 0
print(resident_mb(os.getpid()))
"""


def run(*, elders: int = 5_000, weeks: int = 1) -> list[Figure]:
    """All figures of this benchmark for so many elders; `weeks` 0 leaves out what needs rollups of weeks."""
    now = datetime.now(UTC).replace(second=30, microsecond=0)
    with running_stack() as stack:
        print(f"making the history of {elders:,} elders …", file=sys.stderr)
        with connect(stack.owner_url) as connection:
            _fill(connection, elders, now, with_weeks=bool(weeks))
        with connect(stack.owner_url, autocommit=True) as connection:
            connection.execute("ANALYZE")
        service = stack.cluster.url("anshou_bench", "anshou_service", stack.passwords["anshou_service"])
        settings = AnalyticsSettings(database_url=service)
        with connect(service, autocommit=True) as connection:
            figures = _measure(connection, settings, elders, now, with_weeks=bool(weeks))
            return [*figures, *_training(connection, settings, elders, now)] if weeks else figures


def _fill(connection: Connection, elders: int, now: datetime, *, with_weeks: bool) -> None:
    alone = round(elders * ALONE_SHARE)
    add_fleet(connection, (elders - alone) // ELDERS_A_HOME, ELDERS_A_HOME)
    connection.execute(ALONE, {"alone": alone})
    connection.execute("UPDATE care.resident SET admitted_on = current_date - 100")
    connection.execute("UPDATE care.device SET added_at = %s", (now - SINCE,))
    hour = now.replace(minute=0, second=0)
    times = {"now": now, "hour": hour, "hours": WEEKS_H}
    for statement in (MOTION, ROOMS, HOMES, MINUTES, STATE, HEARD, SEEN):
        connection.execute(statement, times)
    midnight = features.midnight(now)
    today = {"begin": midnight, "end": now - timedelta(minutes=5), "homes": alone}
    past = {
        "begin": midnight - timedelta(days=WALKED_DAYS),
        "end": midnight - timedelta(minutes=5),
        "homes": WALKED_HOMES,
    }
    connection.execute(WALKS, today)
    if with_weeks:
        connection.execute(WALKS, past)
        for statement in (HOURS, ACTIVE_HOURS):
            connection.execute(statement, times)


def _measure(
    connection: Connection, settings: AnalyticsSettings, elders: int, now: datetime, *, with_weeks: bool
) -> list[Figure]:
    baselines = HistoryBaselines(settings)
    detectors = detectors_of(settings, baselines)
    quick = [detector for detector in detectors if detector.name not in CADENCES]
    began_s = time.perf_counter()
    baselines.rhythm(History(connection, now))
    rhythm_s = time.perf_counter() - began_s
    _round(connection, settings, quick, now)
    rounds_s = [_timed_round(connection, settings, quick, now + timedelta(seconds=n)) for n in range(ROUNDS)]
    bare_s = [_bare(connection, settings, now + timedelta(seconds=n)) for n in range(ROUNDS)]
    figures = [
        figure(
            f"round over {elders:,} residents, from SQL to proposals",
            statistics.median(rounds_s),
            "s",
            target=ROUND_S_MAX.get(elders, max(1.0, 20.0 * elders / 100_000)),
            better="lower",
            ceiling=statistics.median(bare_s),
        )
    ]
    if with_weeks:
        figures.append(
            figure("rhythm of all, learnt once a day", rhythm_s, "s", target=SLOW_S_MAX, better="lower")
        )
        for detector in (detector for detector in detectors if detector.name in CADENCES):
            took_s = _timed_round(connection, settings, [detector], now)
            name = f"{detector.name}, hourly or daily"
            figures.append(figure(name, took_s, "s", target=SLOW_S_MAX, better="lower"))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures.append(figure("peak memory of the process", peak_mb, "MB", target=MEMORY_MB_MAX, better="lower"))
    return figures


def _training(
    connection: Connection, settings: AnalyticsSettings, elders: int, now: datetime
) -> list[Figure]:
    """The nightly training as a process, and what it leaves."""
    print("training …", file=sys.stderr)
    _train(settings)
    began_s = time.perf_counter()
    peak_mb = _train(settings)
    took_s = time.perf_counter() - began_s
    newest = {version.name: version for version in reversed(list_versions(connection))}
    for version in newest.values():
        print(f"{version.name} version {version.version}: {version.state}, {version.reason}", file=sys.stderr)
    stored = sum(version.size_bytes for version in newest.values()) / elders
    most_s = TRAINING_S_MAX.get(elders, max(60.0, 300.0 * elders / 5_000))
    return [
        figure(
            f"nightly training of {elders:,} residents × 90 days",
            took_s,
            "s",
            target=most_s,
            better="lower",
            ceiling=_bare_weeks(connection, now),
        ),
        figure("peak memory of the training", peak_mb, "MB", target=MEMORY_MB_MAX, better="lower"),
        figure(
            "stored for a resident by one night", stored, "bytes", target=BYTES_A_RESIDENT_MAX, better="lower"
        ),
    ]


def _train(settings: AnalyticsSettings) -> float:
    """The most memory that the process has held, in MB."""
    environment = {**os.environ, "ANSHOU_DATABASE_URL": settings.database_url, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", TRAIN]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout)


def _bare_weeks(connection: Connection, now: datetime) -> float:
    """Reading what a training reads, without learning."""
    history = History(connection, features.midnight(now))
    end, evening = history.now, last_evening(history.now)
    began_s = time.perf_counter()
    for part in history.slices(PART_COUNT):
        history.vitals_hours(part, end - timedelta(days=GAP_DAYS + LEARN_DAYS) - JUDGED, end)
        history.activity_hours(part, end - timedelta(days=LEARN_DAYS) - JUDGED, end)
        history.habits(part, evening - timedelta(days=DAYS) - JUDGED, evening)
        history.bed_days(part, evening - timedelta(days=DAYS) - JUDGED, evening)
    past_habits(history, end - timedelta(days=COHORT_DAYS) - JUDGED, end)
    return time.perf_counter() - began_s


def _timed_round(
    connection: Connection, settings: AnalyticsSettings, detectors: Sequence[Detector], now: datetime
) -> float:
    began_s = time.perf_counter()
    _round(connection, settings, detectors, now)
    return time.perf_counter() - began_s


def _round(
    connection: Connection, settings: AnalyticsSettings, detectors: Sequence[Detector], now: datetime
) -> None:
    """As `Rounds.go_at`, up to the proposals."""
    handling = handling_of(settings)
    record_pulse(connection, now)
    history = History(connection, now)
    for detector in detectors:
        assessment = detector.score(history)
        standing = history.standing_alarms([detector.kind])
        decide(assessment, standing, handling[detector.kind], now, history.detector_settings)


def _bare(connection: Connection, settings: AnalyticsSettings, now: datetime) -> float:
    """Reading the last minutes, without looking at them."""
    began_s = time.perf_counter()
    History(connection, now).vitals(
        timedelta(seconds=settings.vitals_window_s),
        timedelta(seconds=settings.vitals_lookback_s),
        settings.vitals_samples_min,
    )
    return time.perf_counter() - began_s
