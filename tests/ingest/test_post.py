"""Two processes for alarms: one works, the other stands by; none is asked twice, none is left unanswered."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from ingest.alarms import AlarmIngest
from ingest.settings import Settings
from protocol.model import AlarmSignal, SignalKind
from tests.ingest.conftest import Home, Running, eventually, now_ms


def press(home: Home, number: int) -> None:
    home.say(home.button, AlarmSignal(ts_ms=now_ms(), kind=SignalKind.SOS, signal_id=f"press-{number}"))


def signals(home: Home) -> int:
    return len(home.rows("SELECT FROM care.alarm_signal"))


def holders(home: Home) -> list[int]:
    rows = home.rows("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = 7 AND granted")
    return [row["pid"] for row in rows]


@pytest.fixture
def other_process(settings_of: Callable[[str], Settings]) -> Iterator[subprocess.Popen[bytes]]:
    settings = settings_of("alarms")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ANSHOU_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "ingest", "alarms"],
        env={
            **environ,
            "ANSHOU_DATABASE_URL": settings.database_url,
            "ANSHOU_MQTT_URL": settings.mqtt_url,
            "ANSHOU_INGEST_WORKER": settings.worker,
        },
    )
    yield process
    process.kill()
    process.wait()


def test_who_stands_by_takes_over_from_one_that_is_killed(
    home: Home, settings_of: Callable[[str], Settings], other_process: subprocess.Popen[bytes]
) -> None:
    working = "SELECT FROM readings.ingest_health WHERE process = 'alarms' AND connected"
    eventually(lambda: home.rows(working))
    first = holders(home)
    press(home, 1)
    eventually(lambda: signals(home) == 1)
    standby = AlarmIngest(settings_of("alarms"))
    running = Running(standby, wait=False)
    for number in range(2, 6):
        press(home, number)
    eventually(lambda: signals(home) == 5)
    assert holders(home) == first
    assert not standby.connected
    other_process.send_signal(signal.SIGKILL)
    press(home, 6)
    eventually(lambda: standby.connected)
    eventually(lambda: signals(home) == 6)
    assert holders(home) != first
    assert home.rows("SELECT signal_count FROM care.alarm") == [{"signal_count": 6}]
    running.stop()


def test_a_post_that_is_lost_with_its_connection_is_taken_again(
    home: Home, settings_of: Callable[[str], Settings]
) -> None:
    running = Running(AlarmIngest(settings_of("alarms")))
    for number in range(1, 4):
        for pid in holders(home):
            home.rows(f"SELECT pg_terminate_backend({pid})")
        press(home, number)
        eventually(lambda number=number: signals(home) == number and holders(home))  # type: ignore[misc]
    running.stop()
    eventually(lambda: not holders(home))
