"""Escalation on the real database: ladders, times planted in the past, kill and restart."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import msgspec
import pytest

from alarms.escalation import Escalation, ladders
from alarms.incident import Report, Step, report, take, timeline
from alarms.kinds import AlarmKind, AlarmSource
from alarms.model import AlarmPriority, AlarmStep
from alarms.settings import EscalationSettings
from care.model import Site, SiteKind
from database import leases
from database.connections import Connection, connect
from database.leases import Duty, DutyLock
from identity.model import Actor
from tests.care.conftest import County
from tests.servers import Database

HOUSEHOLD = [("village_assistant", 120), ("township_officer", 300), ("county_supervisor", 600)]
HOME = [("shift_leader", 60), ("home_director", 180), ("operator_manager", 300), ("county_supervisor", 600)]
MARGIN_S = 20
"""So far from a deadline that the pace of the test does not matter."""
WAIT_S = 30


@pytest.fixture
def service(database: Database) -> Iterator[Connection]:
    with connect(database.service_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def settings(database: Database) -> EscalationSettings:
    return EscalationSettings(database_url=database.service_url, standby_poll_s=0.05)


@pytest.fixture
def escalation(settings: EscalationSettings) -> Escalation:
    return Escalation(settings)


def open_alarm(
    owner: Connection,
    site: Site,
    *,
    age_s: float,
    priority: AlarmPriority = AlarmPriority.HIGH,
    kind: AlarmKind = AlarmKind.SOS,
) -> int:
    """An alarm of the whole site, opened `age_s` ago."""
    row = owner.execute("SELECT now() AS now").fetchone()
    assert row is not None
    alarm = report(
        owner,
        Report(
            site_id=site.id,
            kind=kind,
            happened_at=row["now"] - timedelta(seconds=age_s),
            actor=Actor("test"),
            source=AlarmSource.STAFF,
            priority=priority,
        ),
    ).alarm
    owner.execute(
        "UPDATE care.alarm SET opened_at = now() - make_interval(secs => %s) WHERE id = %s", (age_s, alarm.id)
    )
    return alarm.id


def named(connection: Connection, alarm_id: int) -> list[str]:
    lines = timeline(connection, alarm_id)
    return [str(line.detail["role"]) for line in lines if line.step is AlarmStep.ESCALATED]


@pytest.mark.parametrize("which", ["home", "household"])
@pytest.mark.parametrize("priority", [AlarmPriority.HIGH, AlarmPriority.MEDIUM])
def test_each_level_is_named_at_its_time_and_not_before(
    county: County,
    owner: Connection,
    service: Connection,
    escalation: Escalation,
    which: str,
    priority: AlarmPriority,
) -> None:
    site: Site = getattr(county, which)
    factor = 5 if priority is AlarmPriority.MEDIUM else 1
    alarm_id = open_alarm(owner, site, age_s=0, priority=priority)
    known: list[str] = []
    for role, after_s in HOME if which == "home" else HOUSEHOLD:
        for age_s, due in ((after_s * factor - MARGIN_S, False), (after_s * factor, True)):
            owner.execute(
                "UPDATE care.alarm SET opened_at = now() - make_interval(secs => %s) WHERE id = %s",
                (age_s, alarm_id),
            )
            escalation.keep(service)
            known += [role] if due else []
            assert named(service, alarm_id) == known


def test_low_priority_never_escalates(
    county: County, owner: Connection, service: Connection, escalation: Escalation
) -> None:
    alarm_id = open_alarm(owner, county.home, age_s=86_400, priority=AlarmPriority.LOW)
    escalation.keep(service)
    assert named(service, alarm_id) == []


def test_after_a_long_absence_every_level_is_named_once_and_in_order(
    county: County,
    owner: Connection,
    service: Connection,
    escalation: Escalation,
    settings: EscalationSettings,
) -> None:
    alarm_id = open_alarm(owner, county.home, age_s=3_600)
    escalation.keep(service)
    Escalation(settings).keep(service)
    assert named(service, alarm_id) == [role for role, _ in HOME]
    row = service.execute("SELECT escalation_level FROM care.alarm WHERE id = %s", (alarm_id,)).fetchone()
    assert row == {"escalation_level": len(HOME)}


@pytest.mark.parametrize("step", [AlarmStep.ACKNOWLEDGED, AlarmStep.CANCELLED])
def test_who_answers_stops_the_ladder(
    county: County, owner: Connection, service: Connection, escalation: Escalation, step: AlarmStep
) -> None:
    alarm_id = open_alarm(owner, county.home, age_s=100)
    escalation.keep(service)
    take(service, alarm_id, Step(step=step, actor=Actor("王护理", county.caregiver.id)))
    owner.execute("UPDATE care.alarm SET opened_at = now() - interval '1 hour' WHERE id = %s", (alarm_id,))
    escalation.keep(service)
    assert named(service, alarm_id) == ["shift_leader"]


def test_many_at_once_highest_priority_first(
    county: County, owner: Connection, service: Connection, escalation: Escalation
) -> None:
    medium = open_alarm(owner, county.home, age_s=3_600, priority=AlarmPriority.MEDIUM, kind=AlarmKind.WATER)
    high = open_alarm(owner, county.household, age_s=700)
    escalation.keep(service)
    rows = service.execute(
        "SELECT alarm_id FROM care.alarm_event WHERE step = 'escalated' ORDER BY id"
    ).fetchall()
    assert [row["alarm_id"] for row in rows] == [high] * 3 + [medium] * 4


def test_ladders_that_fall_are_refused(settings: EscalationSettings) -> None:
    wrong = msgspec.structs.replace(settings, home_director_s=30)
    with pytest.raises(ValueError, match="care_home"):
        ladders(wrong)


def test_every_kind_of_site_has_a_ladder(settings: EscalationSettings) -> None:
    assert {rung.site_kind for rung in ladders(settings)} == set(SiteKind)


def wait_until(condition: Callable[[], bool]) -> None:
    """Poll, with a limit that only a failure reaches."""
    pause = threading.Event()
    for _ in range(WAIT_S * 50):
        if condition():
            return
        pause.wait(0.02)
    pytest.fail(f"not within {WAIT_S} s")


def holders(owner: Connection, lock: DutyLock) -> list[int]:
    """Process ids of the backends that hold the lock in this database."""
    rows = owner.execute(
        """
        SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = %s AND objid = %s
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        """,
        (leases.LOCK_CLASS, int(lock)),
    ).fetchall()
    return [row["pid"] for row in rows]


def test_one_works_the_other_stands_by_and_takes_over(database: Database, owner: Connection) -> None:
    stop = threading.Event()
    rounds: list[str] = []

    def duty(name: str) -> Duty:
        return Duty(
            lock=DutyLock.ESCALATION,
            database_url=database.service_url,
            interval_s=0.01,
            standby_poll_s=0.01,
            statement_timeout_s=5,
            work=lambda _: rounds.append(name),
        )

    threads = [threading.Thread(target=leases.serve, args=(duty(name), stop)) for name in ("a", "b")]
    try:
        threads[0].start()
        wait_until(lambda: "a" in rounds)
        threads[1].start()
        first = holders(owner, DutyLock.ESCALATION)
        assert len(first) == 1
        standing_by = (
            "SELECT FROM pg_stat_activity WHERE application_name = 'anshou-escalation' AND pid <> ALL(%s)"
        )
        wait_until(lambda: owner.execute(standing_by, (first,)).fetchone() is not None)
        assert set(rounds) == {"a"}
        # Whoever is cut off backs off for longer than the other polls, so the other takes over.
        owner.execute("SELECT pg_terminate_backend(%s)", first)
        wait_until(lambda: "b" in rounds)
        wait_until(lambda: len(holders(owner, DutyLock.ESCALATION)) == 1)
        assert holders(owner, DutyLock.ESCALATION) != first
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_database_that_is_away_is_waited_for(
    database: Database, owner: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    stop = threading.Event()
    rounds: list[int] = []
    duty = Duty(
        lock=DutyLock.ESCALATION,
        database_url=database.service_url,
        interval_s=0.01,
        standby_poll_s=0.01,
        statement_timeout_s=5,
        work=lambda connection: rounds.append(connection.info.backend_pid),
    )
    owner.execute("ALTER ROLE anshou_service CONNECTION LIMIT 0")
    thread = threading.Thread(target=leases.serve, args=(duty, stop))
    try:
        thread.start()
        wait_until(lambda: "the database failed" in caplog.text)
        assert rounds == []
        owner.execute("ALTER ROLE anshou_service CONNECTION LIMIT -1")
        wait_until(lambda: len(rounds) > 1)
    finally:
        owner.execute("ALTER ROLE anshou_service CONNECTION LIMIT -1")
        stop.set()
        thread.join()


def test_the_process_escalates_survives_kill_and_stops_on_sigterm(
    county: County, owner: Connection, database: Database
) -> None:
    environment = {"ANSHOU_DATABASE_URL": database.service_url, "ANSHOU_ALARMS_HOME_COUNTY_S": "900"}
    alarm_id = open_alarm(owner, county.home, age_s=200)
    first = subprocess.Popen([sys.executable, "-m", "alarms"], env=environment)
    try:
        wait_until(lambda: named(owner, alarm_id) == ["shift_leader", "home_director"])
    finally:
        first.kill()
        first.wait()
    owner.execute("UPDATE care.alarm SET opened_at = now() - interval '700 s' WHERE id = %s", (alarm_id,))
    second = subprocess.Popen([sys.executable, "-m", "alarms"], env=environment)
    try:
        wait_until(lambda: len(named(owner, alarm_id)) > 2)
        second.terminate()
        assert second.wait(WAIT_S) == 0
    finally:
        second.kill()
        second.wait()
    # The county has still time, by the setting.
    assert named(owner, alarm_id) == ["shift_leader", "home_director", "operator_manager"]


@pytest.mark.integration
def test_a_wrong_setting_stops_the_start_and_says_which() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "alarms"],
        env={"ANSHOU_DATABASE_URL": "postgresql://x", "ANSHOU_ALARMS_HOME_COUNTRY_S": "1"},
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 2
    assert "ANSHOU_ALARMS_HOME_COUNTY_S" in answer.stderr


ARRIVALS = [(SiteKind.CARE_HOME, AlarmPriority.HIGH, 300), (SiteKind.CARE_HOME, AlarmPriority.MEDIUM, 1_500)]
ARRIVALS += [(SiteKind.HOUSEHOLD, AlarmPriority.HIGH, 2_700)]


@pytest.mark.parametrize(("kind", "priority", "granted_s"), ARRIVALS)
def test_who_does_not_arrive_is_reminded_once_and_then_loses_the_alarm(
    owner: Connection,
    service: Connection,
    county: County,
    escalation: Escalation,
    kind: SiteKind,
    priority: AlarmPriority,
    granted_s: int,
) -> None:
    site = county.home if kind is SiteKind.CARE_HOME else county.household
    alarm_id = open_alarm(owner, site, age_s=0, priority=priority)

    def on_the_way_for(lasts_s: float) -> list[AlarmStep]:
        """What two rounds write of an acknowledgement that is so old."""
        before = len(timeline(owner, alarm_id))
        owner.execute(
            "UPDATE care.alarm SET acknowledged_at = now() - make_interval(secs => %s) WHERE id = %s",
            (lasts_s, alarm_id),
        )
        escalation.keep(service)
        escalation.keep(service)
        return [line.step for line in timeline(owner, alarm_id)[before:]]

    take(owner, alarm_id, Step(step=AlarmStep.ACKNOWLEDGED, actor=Actor("test")))
    assert on_the_way_for(granted_s / 2 - MARGIN_S) == []
    assert on_the_way_for(granted_s / 2 + MARGIN_S) == [AlarmStep.REMINDED]
    assert on_the_way_for(granted_s + MARGIN_S) == [AlarmStep.OVERDUE, AlarmStep.ESCALATED]
    ladder = HOME if kind is SiteKind.CARE_HOME else HOUSEHOLD
    assert named(owner, alarm_id) == [ladder[0][0]], "their time is lost: the next is named at once"


def test_what_was_given_back_climbs_from_where_it_was(
    owner: Connection, service: Connection, county: County, escalation: Escalation
) -> None:
    alarm_id = open_alarm(owner, county.home, age_s=60 + MARGIN_S)
    escalation.keep(service)
    assert named(owner, alarm_id) == ["shift_leader"]
    take(owner, alarm_id, Step(step=AlarmStep.ACKNOWLEDGED, actor=Actor("test")))
    owner.execute(
        "UPDATE care.alarm SET opened_at = opened_at - interval '2 hours' WHERE id = %s", (alarm_id,)
    )
    take(owner, alarm_id, Step(step=AlarmStep.RELEASED, actor=Actor("test")))
    escalation.keep(service)
    assert named(owner, alarm_id) == ["shift_leader"], "who has just said so does not wake the whole county"
    for waits_s, levels in (
        (120 - MARGIN_S, 1),
        (120 + MARGIN_S, 2),
        (240 - MARGIN_S, 2),
        (240 + MARGIN_S, 3),
    ):
        owner.execute(
            "UPDATE care.alarm SET waiting_since = now() - make_interval(secs => %s) WHERE id = %s",
            (waits_s, alarm_id),
        )
        escalation.keep(service)
        assert named(owner, alarm_id) == [role for role, _ in HOME[:levels]], "as far apart as ever"


def test_who_takes_and_gives_back_again_and_again_holds_up_no_level(
    owner: Connection, service: Connection, county: County, escalation: Escalation
) -> None:
    alarm_id = open_alarm(owner, county.home, age_s=0)
    for _ in range(3):
        take(owner, alarm_id, Step(step=AlarmStep.ACKNOWLEDGED, actor=Actor("test")))
        take(owner, alarm_id, Step(step=AlarmStep.RELEASED, actor=Actor("test")))
        owner.execute(
            "UPDATE care.alarm SET waiting_since = waiting_since - interval '30 seconds' WHERE id = %s",
            (alarm_id,),
        )
    escalation.keep(service)
    assert named(owner, alarm_id) == ["shift_leader"]


def test_who_has_arrived_is_not_chased(
    owner: Connection, service: Connection, county: County, escalation: Escalation
) -> None:
    alarm_id = open_alarm(owner, county.home, age_s=0)
    for step in (AlarmStep.ACKNOWLEDGED, AlarmStep.ARRIVED):
        take(owner, alarm_id, Step(step=step, actor=Actor("test")))
    owner.execute(
        "UPDATE care.alarm SET acknowledged_at = now() - interval '1 day' WHERE id = %s", (alarm_id,)
    )
    escalation.keep(service)
    assert timeline(owner, alarm_id)[-1].step is AlarmStep.ARRIVED
