"""Frames have the shape that History promises, and wrong shapes are refused."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from psycopg import sql

from alarms.kinds import AlarmKind
from analytics import columns
from analytics.columns import INTEGER, REAL, TIME
from analytics.errors import FetchError
from analytics.history import History, record_pulse
from database.connections import Connection
from protocol.model import ActivityEvent, DeviceKind
from tests.analytics.conftest import NOW, World

SHAPE = {"at": TIME, "n": INTEGER, "x": REAL}


def test_columns_come_as_they_are(service: Connection) -> None:
    query = sql.SQL("VALUES (%(at)s::timestamptz, 7, 1.5::float4), ('-infinity', -1, 'NaN')")
    frame = columns.fetch(service, query, {"at": NOW + timedelta(microseconds=1)}, SHAPE)
    assert [str(kind) for kind in frame.dtypes] == ["datetime64[us, UTC]", "int64", "float64"]
    assert frame["at"][0] == pd.Timestamp(NOW + timedelta(microseconds=1))
    assert frame["at"].isna().tolist() == [False, True]
    assert frame["n"].tolist() == [7, -1]
    assert frame["x"].isna().tolist() == [False, True]


def test_no_rows_are_an_empty_frame(service: Connection) -> None:
    query = sql.SQL("SELECT now() AS at, 1 AS n, 1::float4 AS x WHERE false")
    frame = columns.fetch(service, query, {}, SHAPE)
    assert (len(frame), list(frame.columns)) == (0, ["at", "n", "x"])


@pytest.mark.parametrize(
    "row",
    ["NULL::timestamptz, 1, 1::float4", "now(), 1::bigint, 1::float4", "now(), 1", "now(), 1, 1::float8"],
)
def test_other_shapes_are_refused(service: Connection, row: str) -> None:
    with pytest.raises(FetchError):
        columns.fetch(service, sql.SQL("SELECT ") + sql.SQL(row), {}, SHAPE)  # type: ignore[arg-type]


def test_a_naive_time_is_refused(service: Connection) -> None:
    with pytest.raises(ValueError, match="time zone"):
        History(service, datetime(2025, 1, 1))  # noqa: DTZ001 - that is the point


def test_every_frame_can_be_had_from_an_empty_county(service: Connection) -> None:
    history = History(service, NOW)
    frames = {
        "residents": history.residents,
        "devices": history.devices,
        "vitals": history.vitals(timedelta(minutes=15), timedelta(hours=1), 3),
        "latest_signs": history.latest_signs,
        "life_signs": history.life_signs,
        "measurements": history.measurements,
        "beds": history.beds,
        "pulses": history.pulses,
        "site_outages": history.site_outages,
        "visits": history.visits,
        "standing_alarms": history.standing_alarms([AlarmKind.VITALS]),
    }
    assert {name: len(frame) for name, frame in frames.items()} == dict.fromkeys(frames, 0)


@pytest.mark.parametrize(
    ("watched_h", "seen_h", "expected_h"),
    [
        (2, [3], None),  # of whoever had the device before
        (2, [3, 1], 1),
        (100, [5, 4], 4),
        (100, [71], 71),
        (100, [73], None),  # longer ago than is looked
        (100, [-1, 4], 4),  # not known yet
    ],
)
def test_the_last_sign_of_life_is_of_whom_the_device_watches(
    world: World, service: Connection, watched_h: int, seen_h: list[int], expected_h: int | None
) -> None:
    resident_id = world.resident(world.household)
    since = NOW - timedelta(hours=watched_h)
    mattress = world.device(world.household, DeviceKind.SMART_MATTRESS, resident_id=resident_id, since=since)
    for hours in seen_h:
        world.activity(mattress, hours * 3600, ActivityEvent.IN_BED)
    world.activity(mattress, 60, ActivityEvent.ROUND)  # of staff
    signs = History(service, NOW).life_signs.set_index("device_id")
    time = signs["time"][mattress]
    if expected_h is None:
        assert pd.isna(time)
    else:
        assert time == NOW - timedelta(hours=expected_h)


def test_a_pulse_is_kept_once_a_minute_and_old_ones_are_forgotten(world: World, service: Connection) -> None:
    world.pulses(40 * 86_400, 40 * 86_400 - 300)
    world.device(world.home, DeviceKind.GATEWAY, seen_s=10)
    world.device(world.home, DeviceKind.MOTION, seen_s=600)
    for _ in range(2):
        record_pulse(service, NOW + timedelta(seconds=20))
    record_pulse(service, NOW + timedelta(minutes=9))
    rows = service.execute("SELECT at, heard FROM analytics.pulse ORDER BY at").fetchall()
    assert [(row["at"], row["heard"]) for row in rows] == [
        (NOW, 1),
        (NOW + timedelta(minutes=9), 0),
    ]
    assert rows[0]["at"].tzinfo is UTC or rows[0]["at"].utcoffset() == timedelta(0)
