"""Whole rounds on the real database: alarms come, stay, get worse, end; repeats change nothing."""

import dataclasses
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from alarms.incident import Step, take
from alarms.kinds import AlarmKind
from alarms.model import AlarmStep
from analytics.detectors import Assessment, Detector, Subject, SubjectKind
from analytics.detectors.offline import Offline
from analytics.history import History
from analytics.rounds import Rounds, detectors_of, handling_of
from analytics.settings import MOVED, AnalyticsSettings, settings_of
from care.policy import LIMITS
from database import leases
from database.connections import Connection, connect
from database.leases import DutyLock
from identity.model import Actor
from protocol.environment import SettingsError
from protocol.model import DeviceKind
from tests.analytics.conftest import NOW, World
from tests.servers import Database

WAIT_S = 60
MINUTE = timedelta(minutes=1)
SCORE_5 = {"hr": 95.0, "rr": 22.0, "spo2": 93.0}
SCORE_7 = {"hr": 115.0, "rr": 22.0, "spo2": 91.0}
WELL = {"hr": 72.0, "rr": 16.0, "spo2": 97.0}


def new_rounds(settings: AnalyticsSettings) -> Rounds:
    return Rounds(settings, detectors_of(settings), handling_of(settings))


def timeline(connection: Connection) -> list[tuple[object, ...]]:
    """Every alarm with every step: what must not change when nothing has happened."""
    rows = connection.execute(
        """
        SELECT alarm.id, alarm.kind, alarm.subject, alarm.priority, alarm.state, alarm.signal_count,
            event.step
        FROM care.alarm JOIN care.alarm_event AS event ON event.alarm_id = alarm.id ORDER BY event.id
        """
    ).fetchall()
    return [tuple(row.values()) for row in rows]


def alarms(connection: Connection) -> list[tuple[str, str, str]]:
    rows = connection.execute("SELECT kind, priority, state FROM care.alarm ORDER BY kind, id").fetchall()
    return [(row["kind"], row["priority"], row["state"]) for row in rows]


class Trouble:
    """Somebody ill, a silent device in a home that is heard, somebody who does not move."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.pulses(86_400)
        self.ill = world.resident(world.home)
        self.band = world.device(world.home, DeviceKind.WRISTBAND, resident_id=self.ill)
        world.device(world.home, DeviceKind.GATEWAY)
        self.mattress = world.device(world.home, DeviceKind.SMART_MATTRESS, seen_s=3600)
        self.still = world.resident(world.household)
        self.motion = world.device(
            world.household, DeviceKind.MOTION, room_id=world.room(world.household, "卧室")
        )
        world.activity(self.motion, 11 * 3600)
        self.measure(SCORE_5)

    def measure(self, signs: dict[str, float], *, minutes_from: int = 10) -> None:
        """Every minute for ten minutes, beginning so many before NOW."""
        for minute in range(minutes_from, minutes_from - 10, -1):
            self.world.vitals(self.band, self.ill, minute * 60 + 1, **signs)


@pytest.fixture
def trouble(world: World) -> Trouble:
    return Trouble(world)


ALL_OPEN = [
    ("device_offline", "low", "open"),
    ("inactivity", "medium", "open"),
    ("vitals", "medium", "open"),
]


def test_every_detector_opens_its_alarm_with_evidence(
    trouble: Trouble, service: Connection, settings: AnalyticsSettings
) -> None:
    rounds = new_rounds(settings)
    rounds.go_at(service, NOW)
    assert alarms(service) == ALL_OPEN
    assert dict(rounds.counts) == {"raised": 3, "rounds": 1}
    rows = service.execute(
        """
        SELECT alarm.source, alarm.detector, event.actor, alarm.evidence -> 'sentence' AS sentence,
            alarm.raised_at
        FROM care.alarm JOIN care.alarm_event AS event ON event.alarm_id = alarm.id
        """
    ).fetchall()
    for row in rows:
        assert row["source"] == "detector"
        assert row["detector"] == row["actor"]
        assert set(row["sentence"]) == {"zh_CN", "en"}
        assert row["raised_at"] < NOW
    assert {row["detector"] for row in rows} == {"early_warning", "offline", "inactivity"}


def test_again_and_after_a_restart_nothing_changes(
    trouble: Trouble, service: Connection, settings: AnalyticsSettings
) -> None:
    rounds = new_rounds(settings)
    rounds.go_at(service, NOW)
    before = timeline(service)
    rounds.go_at(service, NOW)
    new_rounds(settings).go_at(service, NOW)
    new_rounds(settings).go_at(service, NOW + 3 * MINUTE)
    assert timeline(service) == before
    assert rounds.counts["raised"] == 3


def test_what_gets_worse_is_raised_in_the_same_alarm(
    trouble: Trouble, service: Connection, settings: AnalyticsSettings
) -> None:
    new_rounds(settings).go_at(service, NOW)
    trouble.measure(SCORE_7, minutes_from=0)
    trouble.measure(SCORE_7, minutes_from=-10)
    later = NOW + 20 * MINUTE
    for _ in range(2):
        new_rounds(settings).go_at(service, later)
    vitals = [row for row in timeline(service) if row[1] == "vitals"]
    assert [row[-1] for row in vitals] == ["raised", "repeated"]
    assert ("vitals", "high", "open") in alarms(service)
    row = service.execute("SELECT evidence FROM care.alarm WHERE kind = 'vitals'").fetchone()
    assert row is not None
    assert row["evidence"]["score"] == 7


def test_alarms_whose_cause_is_gone_are_cleared(
    trouble: Trouble, service: Connection, settings: AnalyticsSettings
) -> None:
    new_rounds(settings).go_at(service, NOW)
    later = NOW + 20 * MINUTE
    trouble.measure(WELL, minutes_from=0)
    trouble.measure(WELL, minutes_from=-10)
    trouble.world.seen(trouble.mattress, -1200)
    trouble.world.activity(trouble.motion, -600)
    new_rounds(settings).go_at(service, later)
    assert [state for _, _, state in alarms(service)] == ["cleared"] * 3
    before = timeline(service)
    new_rounds(settings).go_at(service, later)
    assert timeline(service) == before


def test_a_silent_wristband_does_not_clear(
    trouble: Trouble, service: Connection, settings: AnalyticsSettings
) -> None:
    new_rounds(settings).go_at(service, NOW)
    new_rounds(settings).go_at(service, NOW + timedelta(hours=2))
    assert ("vitals", "medium", "open") in alarms(service)


def test_after_an_alarm_was_dealt_with_there_is_silence(
    trouble: Trouble, service: Connection, owner: Connection, settings: AnalyticsSettings
) -> None:
    new_rounds(settings).go_at(service, NOW)
    row = service.execute("SELECT id FROM care.alarm WHERE kind = 'vitals'").fetchone()
    assert row is not None
    for step in (AlarmStep.ACKNOWLEDGED, AlarmStep.RESOLVED):
        take(service, row["id"], Step(step=step, actor=Actor("王护理")))

    def resolved(age: timedelta) -> None:
        owner.execute("UPDATE care.alarm SET resolved_at = %s WHERE id = %s", (NOW - age, row["id"]))

    resolved(29 * MINUTE)
    new_rounds(settings).go_at(service, NOW)
    assert alarms(service)[-1] == ("vitals", "medium", "resolved")
    resolved(30 * MINUTE)
    new_rounds(settings).go_at(service, NOW)
    assert alarms(service)[-2:] == [("vitals", "medium", "resolved"), ("vitals", "medium", "open")]


class Broken:
    """A detector with a mistake of ours in it."""

    name = "broken"
    kind = AlarmKind.WANDERING

    def score(self, history: History) -> Assessment:
        raise ZeroDivisionError


class BrokenQuery:
    """A detector whose query fails in the database."""

    name = "broken_query"
    kind = AlarmKind.WANDERING

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def score(self, history: History) -> Assessment:
        self._connection.execute("SELECT 1 / 0")
        raise AssertionError("the database divides by zero")


def test_a_broken_detector_does_not_stop_the_others(
    trouble: Trouble, service: Connection, settings: AnalyticsSettings, caplog: pytest.LogCaptureFixture
) -> None:
    detectors: list[Detector] = [Broken(), BrokenQuery(service), *detectors_of(settings)]
    rounds = Rounds(settings, detectors, handling_of(settings))
    rounds.go_at(service, NOW)
    assert alarms(service) == ALL_OPEN
    assert (rounds.counts["failed:broken"], rounds.counts["failed:broken_query"]) == (1, 1)
    assert "detector broken failed" in caplog.text


def test_a_finding_that_cannot_be_raised_does_not_stop_the_others(
    trouble: Trouble, service: Connection, settings: AnalyticsSettings
) -> None:
    class Mistaken(Offline):
        """Also finds something about a site that does not exist."""

        def score(self, history: History) -> Assessment:
            real = super().score(history)
            (finding,) = real.findings
            nowhere = dataclasses.replace(finding, site_id=10_000, subject=Subject(SubjectKind.SITE, 10_000))
            return dataclasses.replace(real, findings=(nowhere, finding))

    rounds = Rounds(settings, [Mistaken(settings)], handling_of(settings))
    rounds.go_at(service, NOW)
    assert alarms(service) == [("device_offline", "low", "open")]
    assert rounds.counts["failed:offline"] == 1


def wait_until(condition: Callable[[], bool]) -> None:
    """Poll, with a limit that only a failure reaches."""
    pause = threading.Event()
    for _ in range(WAIT_S * 20):
        if condition():
            return
        pause.wait(0.05)
    pytest.fail(f"not within {WAIT_S} s")


def start(database: Database) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "ANSHOU_DATABASE_URL": database.service_url,
        "ANSHOU_ANALYTICS_INTERVAL_S": "1",
        "ANSHOU_ANALYTICS_STANDBY_POLL_S": "0.05",
    }
    return subprocess.Popen([sys.executable, "-m", "analytics"], env=environment)


def leaders(owner: Connection) -> list[int]:
    rows = owner.execute(
        """
        SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = %s AND objid = %s
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        """,
        (leases.LOCK_CLASS, int(DutyLock.ANALYTICS)),
    ).fetchall()
    return [row["pid"] for row in rows]


def connected(owner: Connection) -> int:
    row = owner.execute(
        "SELECT count(*) AS n FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = 'anshou-analytics'"
    ).fetchone()
    assert row is not None
    return int(row["n"])


@pytest.mark.slow
def test_of_two_processes_one_stands_by_and_takes_over(
    world: World, database: Database, owner: Connection
) -> None:
    """The one that leads is cut off, then killed; each time the other opens what is due next, once."""

    def fall_ill() -> None:
        """Somebody whose cuff, read just now, asks for an alarm of medium priority."""
        resident_id = world.resident(world.home)
        cuff = world.device(world.home, DeviceKind.BP_CUFF, resident_id=resident_id)
        owner.execute(
            "INSERT INTO readings.vitals (time, device_id, resident_id, sbp) VALUES (now(), %s, %s, 85)",
            (cuff, resident_id),
        )

    def opened() -> int:
        row = owner.execute("SELECT count(*) AS n FROM care.alarm WHERE kind = 'vitals'").fetchone()
        assert row is not None
        return int(row["n"])

    fall_ill()
    first = start(database)
    processes = [first]
    try:
        wait_until(lambda: opened() == 1)
        processes.append(start(database))
        wait_until(lambda: connected(owner) == 2)
        (led,) = leaders(owner)
        owner.execute("SELECT pg_terminate_backend(%s)", (led,))
        wait_until(lambda: len(leaders(owner)) == 1 and leaders(owner) != [led])
        fall_ill()
        wait_until(lambda: opened() == 2)
        wait_until(lambda: connected(owner) == 2)
        first.kill()
        first.wait()
        fall_ill()
        wait_until(lambda: opened() == 3)
        rows = owner.execute("SELECT signal_count FROM care.alarm WHERE kind = 'vitals'").fetchall()
        assert [row["signal_count"] for row in rows] == [1, 1, 1]
        processes[1].terminate()
        assert processes[1].wait(WAIT_S) == 0
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_once_does_one_round_and_refuses_beside_another(
    trouble: Trouble, database: Database, service: Connection
) -> None:
    environment = {**os.environ, "ANSHOU_DATABASE_URL": database.service_url}

    def once() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "analytics", "--once"], env=environment, capture_output=True, text=True
        )

    answer = once()
    assert answer.returncode == 0, answer.stderr
    assert "round in" in answer.stderr
    assert leases.try_to_lead(service, DutyLock.ANALYTICS)
    refused = once()
    assert refused.returncode == 1
    assert "another analytics process" in refused.stderr


@pytest.mark.parametrize(
    ("variable", "told"),
    [
        ("ANSHOU_ANALYTICS_OFFLINE_SILENCE", "did you mean ANSHOU_ANALYTICS_OFFLINE_SILENCE_S?"),
        ("ANSHOU_ANALYTICS_OFFLINE_MAINS_S", "anshou policy set device_silence_mains_s"),
    ],
)
def test_a_setting_that_is_unknown_or_has_moved_stops_the_start(variable: str, told: str) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "analytics"],
        env={**os.environ, "ANSHOU_DATABASE_URL": "x", variable: "1"},
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 2
    assert told in answer.stderr


def test_each_setting_that_has_moved_says_where_to() -> None:
    for setting, hint in MOVED.items():
        with pytest.raises(SettingsError, match="is no setting any more"):
            settings_of({"ANSHOU_DATABASE_URL": "x", f"ANSHOU_ANALYTICS_{setting}".upper(): "1"})
        known = {*LIMITS, *AnalyticsSettings.__struct_fields__}
        assert hint.rpartition(" ")[2] in known, hint
        assert setting not in AnalyticsSettings.__struct_fields__


def test_an_empty_county_is_no_failure(database: Database) -> None:
    settings = AnalyticsSettings(database_url=database.service_url)
    rounds = new_rounds(settings)
    with connect(database.service_url, autocommit=True) as connection:
        rounds.go_at(connection, NOW)
    assert rounds.counts["rounds"] == 1
    assert not [what for what in rounds.counts if what.startswith("failed:")]
