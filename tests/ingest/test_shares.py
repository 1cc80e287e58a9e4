"""Several workers over one broker: shares are dealt out fairly, and those of a killed one are taken over."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import msgspec
import pytest

from ingest.settings import Settings
from ingest.shares import Share, SharedReadings, session_of
from protocol.model import VitalSigns
from tests.ingest.conftest import Home, Running, eventually, now_ms

SHARES = 3


@pytest.fixture
def shared(settings_of: Callable[[str], Settings]) -> Settings:
    return msgspec.structs.replace(settings_of("ingest"), shares=SHARES)


def stored(home: Home) -> int:
    return int(home.rows("SELECT count(*) FROM readings.vitals")[0]["count"])


def say(home: Home, count: int, first: int = 0) -> None:
    for n in range(first, first + count):
        home.say(home.wristband, VitalSigns(ts_ms=now_ms() - 50_000 + n, hr=60 + n % 40))


def test_one_worker_takes_all_shares_and_two_divide_them(home: Home, shared: Settings) -> None:
    first = SharedReadings(shared)
    running = Running(first)
    eventually(lambda: len(first.shares) == SHARES and first.connected)
    say(home, 9)
    eventually(lambda: stored(home) == 9)
    second = SharedReadings(shared)
    second_running = Running(second)
    eventually(lambda: sorted(map(len, (first.shares, second.shares))) == [1, 2])
    eventually(lambda: first.connected and second.connected)
    assert not set(first.shares) & set(second.shares)
    say(home, 9, first=100)
    eventually(lambda: stored(home) == 18)
    second_running.stop()
    eventually(lambda: len(first.shares) == SHARES)
    running.stop()


@pytest.fixture
def other_process(shared: Settings) -> Iterator[subprocess.Popen[bytes]]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ANSHOU_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "ingest", "readings"],
        env={
            **environ,
            "ANSHOU_DATABASE_URL": shared.database_url,
            "ANSHOU_MQTT_URL": shared.mqtt_url,
            "ANSHOU_INGEST_WORKER": shared.worker,
            "ANSHOU_INGEST_SHARES": str(SHARES),
        },
    )
    yield process
    process.kill()
    process.wait()


def test_what_a_killed_worker_left_is_taken_over_and_nothing_is_lost(
    home: Home, shared: Settings, other_process: subprocess.Popen[bytes]
) -> None:
    ours = SharedReadings(shared)
    running = Running(ours)
    eventually(lambda: 0 < len(ours.shares) < SHARES and ours.connected)
    other_process.send_signal(signal.SIGKILL)
    say(home, 12)  # a third or two of them go to the sessions of the killed one
    eventually(lambda: len(ours.shares) == SHARES)
    eventually(lambda: stored(home) == 12)
    running.stop()


def test_going_from_one_worker_to_shares_delivers_nothing_twice(
    home: Home, settings_of: Callable[[str], Settings], shared: Settings
) -> None:
    Running(SharedReadings(settings_of("ingest"))).stop()
    ours = SharedReadings(shared)
    running = Running(ours)
    eventually(lambda: len(ours.shares) == SHARES and ours.connected)
    before = home.rows("SELECT count(*) FROM readings.unsettled")[0]["count"]
    say(home, 6)
    eventually(lambda: stored(home) == 6)
    assert home.rows("SELECT sum(cardinality(device_ids)) FROM readings.unsettled")[0]["sum"] <= before + 6
    running.stop()


def test_sessions_differ_by_share_and_only_by_that(shared: Settings) -> None:
    sessions = [session_of(shared, Share(number, SHARES)) for number in range(1, SHARES + 1)]
    assert len({session.client_id for session in sessions}) == SHARES
    assert len({tuple(session.filters) for session in sessions}) == 1
    alone = session_of(shared, Share(1, 1))
    assert alone.client_id == sessions[0].client_id
    assert (alone.filters, alone.obsolete_filters) == (sessions[0].obsolete_filters, sessions[0].filters)
