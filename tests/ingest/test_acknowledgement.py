"""PUBACK only after COMMIT: what is not committed comes again."""

from collections.abc import Callable

import pytest

from database.connections import connect
from ingest.alarms import AlarmIngest
from ingest.settings import Settings
from ingest.shares import SharedReadings
from protocol.model import AlarmSignal, SignalKind, VitalSigns
from tests.ingest.conftest import Home, Running, eventually, now_ms
from tests.servers import Database


def test_what_is_said_while_ingest_is_down_is_stored_once_it_is_up(
    home: Home, settings_of: Callable[[str], Settings]
) -> None:
    for process in (SharedReadings(settings_of("ingest")), AlarmIngest(settings_of("alarms"))):
        Running(process).stop()
    for n in range(20):
        home.say(home.wristband, VitalSigns(ts_ms=now_ms() + n, hr=70))
    home.say(home.button, AlarmSignal(ts_ms=now_ms(), kind=SignalKind.SOS))
    assert home.rows("SELECT 1 FROM readings.vitals") == []
    running = [Running(SharedReadings(settings_of("ingest"))), Running(AlarmIngest(settings_of("alarms")))]
    eventually(lambda: home.rows("SELECT count(*) FROM readings.vitals")[0]["count"] == 20)
    eventually(lambda: home.rows("SELECT 1 FROM care.alarm WHERE signal_count = 1"))
    for process_running in running:
        process_running.stop()


@pytest.mark.parametrize("table", ["readings.vitals", "care.alarm_signal"])
def test_nothing_is_acknowledged_while_the_database_cannot_commit(
    home: Home, database: Database, settings_of: Callable[[str], Settings], table: str
) -> None:
    readings, alarms = (
        Running(SharedReadings(settings_of("ingest"))),
        Running(AlarmIngest(settings_of("alarms"))),
    )
    with connect(database.owner_url) as locker:
        locker.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
        home.say(home.wristband, VitalSigns(ts_ms=now_ms(), hr=70))
        home.say(home.button, AlarmSignal(ts_ms=now_ms(), kind=SignalKind.SOS))
        eventually(
            lambda: home.rows(
                "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = 'anshou_ingest'"
            )
        )
        # Killed in the middle of its transaction: the broker must send it again.
        home.connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'anshou_ingest'"
            " AND datname = current_database() AND wait_event_type = 'Lock'"
        )
    eventually(lambda: home.rows("SELECT count(*) FROM readings.vitals")[0]["count"] == 1)
    eventually(lambda: home.rows("SELECT 1 FROM care.alarm WHERE signal_count = 1"))
    readings.stop()
    alarms.stop()
