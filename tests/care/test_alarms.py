"""The alarm state machine, on the real database."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest
from msgspec import structs

from alarms.errors import AlreadyTakenError, UnfinishedError
from alarms.incident import Report, Reported, Step, Whose, active_of, place, report, take, timeline
from alarms.kinds import AlarmKind, AlarmSource
from alarms.model import AlarmPriority, AlarmState, AlarmStep
from care import registry
from database.connections import Connection, connect
from database.errors import NotFoundError
from identity.model import Actor
from identity.sessions import actor_of, scope_of, sign_in
from protocol.model import DeviceKind
from tests.care.conftest import PASSWORD, County
from tests.servers import Database

NOW = datetime(2026, 3, 1, 2, 30, tzinfo=UTC)
BUTTON = Actor("sos-button-0001")
NOTICE = "10:42, 电话, 女儿李梅"


@pytest.fixture
def service(database: Database) -> Iterator[Connection]:
    with connect(database.service_url, autocommit=True) as connection:
        yield connection


def press_sos(connection: Connection, county: County, at: datetime = NOW) -> Reported:
    return report(
        connection,
        Report(
            site_id=county.home.id,
            kind=AlarmKind.SOS,
            happened_at=at,
            actor=BUTTON,
            source=AlarmSource.DEVICE,
            resident_id=county.mother.id,
            device_id=county.button.device.id,
        ),
    )


def over(actor: Actor, *, taken_back: bool = False) -> Step:
    return Step(
        step=AlarmStep.CONDITION_ENDED,
        actor=actor,
        happened_at=NOW,
        taken_back=taken_back,
        detail={"by_device": True},
    )


def test_the_way_of_an_sos_to_its_end(county: County, service: Connection) -> None:
    caregiver = actor_of(county.caregiver)
    alarm = press_sos(service, county).alarm
    assert (alarm.state, alarm.priority, alarm.signal_count) == (AlarmState.OPEN, AlarmPriority.HIGH, 1)
    take(service, alarm.id, Step(step=AlarmStep.ACKNOWLEDGED, actor=caregiver))
    take(service, alarm.id, Step(step=AlarmStep.ARRIVED, actor=caregiver))
    take(service, alarm.id, Step(step=AlarmStep.RESOLVED, actor=caregiver, note="滑倒, 无外伤"))
    closed = take(service, alarm.id, Step(step=AlarmStep.CLOSED, actor=caregiver, family_notice=NOTICE)).alarm
    assert (closed.state, closed.family_notice) == (AlarmState.CLOSED, NOTICE)
    assert closed.acknowledged_by == county.caregiver.id
    lines = timeline(service, alarm.id)
    assert [line.step for line in lines] == ["raised", "acknowledged", "arrived", "resolved", "closed"]
    assert [line.actor for line in lines] == [BUTTON.name] + ["王护理"] * 4
    assert lines[3].note == "滑倒, 无外伤"
    assert [line.at for line in lines] == sorted(line.at for line in lines)


def test_a_second_press_joins_the_active_alarm(county: County, service: Connection) -> None:
    first = press_sos(service, county)
    take(service, first.alarm.id, Step(step=AlarmStep.ACKNOWLEDGED, actor=actor_of(county.caregiver)))
    second = press_sos(service, county)
    assert (first.joined, second.joined) == (False, True)
    assert second.alarm.id == first.alarm.id
    assert (second.alarm.signal_count, second.alarm.state) == (2, AlarmState.ACKNOWLEDGED)
    assert timeline(service, first.alarm.id)[-1].step is AlarmStep.REPEATED


def test_a_press_after_the_resolution_is_a_new_alarm(county: County, service: Connection) -> None:
    caregiver = actor_of(county.caregiver)
    first = press_sos(service, county).alarm
    for step in (AlarmStep.ACKNOWLEDGED, AlarmStep.ARRIVED, AlarmStep.RESOLVED):
        take(service, first.id, Step(step=step, actor=caregiver))
    second = press_sos(service, county)
    assert not second.joined
    assert second.alarm.id != first.id


def test_high_priority_has_no_short_cut(county: County, service: Connection) -> None:
    caregiver = actor_of(county.caregiver)
    alarm = press_sos(service, county).alarm
    take(service, alarm.id, Step(step=AlarmStep.ACKNOWLEDGED, actor=caregiver))
    with pytest.raises(UnfinishedError, match="arrive"):
        take(service, alarm.id, Step(step=AlarmStep.RESOLVED, actor=caregiver))
    over = Step(step=AlarmStep.CONDITION_ENDED, actor=Actor("inactivity"), happened_at=NOW)
    assert take(service, alarm.id, over).alarm.state is AlarmState.ACKNOWLEDGED
    take(service, alarm.id, Step(step=AlarmStep.ARRIVED, actor=caregiver))
    take(service, alarm.id, Step(step=AlarmStep.RESOLVED, actor=caregiver))
    with pytest.raises(UnfinishedError, match="family"):
        take(service, alarm.id, Step(step=AlarmStep.CLOSED, actor=caregiver))


def test_the_second_of_two_is_told_who_was_first(county: County, service: Connection) -> None:
    alarm = press_sos(service, county).alarm
    take(service, alarm.id, Step(step=AlarmStep.ACKNOWLEDGED, actor=actor_of(county.caregiver)))
    with pytest.raises(AlreadyTakenError, match="王护理") as refusal:
        take(service, alarm.id, Step(step=AlarmStep.ACKNOWLEDGED, actor=actor_of(county.colleague)))
    assert refusal.value.params["actor"] == "王护理"


def test_of_many_at_once_one_wins(county: County, database: Database, service: Connection) -> None:
    alarm = press_sos(service, county).alarm
    start = threading.Barrier(6)
    outcomes: list[str] = []

    def press(name: str) -> None:
        with connect(database.service_url) as connection:
            start.wait()
            try:
                take(connection, alarm.id, Step(step=AlarmStep.ACKNOWLEDGED, actor=Actor(name)))
                connection.commit()
                outcomes.append("won")
            except AlreadyTakenError as error:
                outcomes.append(str(error.params["actor"]))

    threads = [threading.Thread(target=press, args=(f"caregiver {n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winner = timeline(service, alarm.id)[-1].actor
    assert sorted(outcomes) == sorted(["won", *[winner] * 5])


def test_many_signals_at_once_open_one_alarm(county: County, database: Database, owner: Connection) -> None:
    start = threading.Barrier(6)

    def press() -> None:
        with connect(database.ingest_url) as connection:
            start.wait()
            press_sos(connection, county)
            connection.commit()

    threads = [threading.Thread(target=press) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = owner.execute("SELECT signal_count FROM care.alarm").fetchall()
    assert rows == [{"signal_count": 6}]


def test_a_low_alarm_that_clears_by_itself_ends(county: County, service: Connection) -> None:
    device_id = county.smoke.device.id
    alarm = report(
        service,
        Report(
            site_id=county.home.id,
            kind=AlarmKind.LOW_BATTERY,
            happened_at=NOW,
            actor=Actor("smoke-0001"),
            source=AlarmSource.DEVICE,
            device_id=device_id,
        ),
    ).alarm
    assert active_of(service, device_id, AlarmKind.LOW_BATTERY) == alarm.id
    ended = take(service, alarm.id, over(Actor("smoke-0001"))).alarm
    assert (ended.id, ended.state) == (alarm.id, AlarmState.CLEARED)


def test_what_a_gateway_told_for_others_is_no_alarm_of_its_own(
    county: County, owner: Connection, service: Connection
) -> None:
    gateway = registry.add_device(owner, site=county.home, kind=DeviceKind.GATEWAY)
    gateway_id, button = gateway.device.id, county.button.device
    told = Report(
        site_id=county.home.id,
        kind=AlarmKind.SOS,
        happened_at=NOW,
        actor=Actor("gateway-0001"),
        source=AlarmSource.DEVICE,
        device_id=gateway_id,
    )
    ids = {key: report(service, structs.replace(told, proposal_key=key)).alarm.id for key in ("a", "b")}
    for key, alarm_id in ids.items():
        owner.execute(
            "INSERT INTO care.alarm_signal (device_id, signal_id, state, kind, time, alarm_id)"
            " VALUES (%s, %s, 'raised', 'sos', %s, %s)",
            (gateway_id, key, NOW, alarm_id),
        )
        assert active_of(service, gateway_id, AlarmKind.SOS, key) == alarm_id
    place(service, ids["a"], Whose(button.id, resident_id=county.mother.id), Actor("joining"))
    assert active_of(service, button.id, AlarmKind.SOS) == ids["a"]
    assert active_of(service, gateway_id, AlarmKind.SOS, "a") is None
    assert active_of(service, gateway_id, AlarmKind.SOS) is None
    assert active_of(service, gateway_id, AlarmKind.SOS, "b") == ids["b"]


def test_a_cancelled_sos_still_wants_a_look(county: County, service: Connection) -> None:
    alarm = press_sos(service, county).alarm
    assert active_of(service, county.button.device.id, AlarmKind.SOS) == alarm.id
    take(service, alarm.id, over(BUTTON, taken_back=True))
    row = service.execute("SELECT state, condition_ended_at FROM care.alarm").fetchone()
    assert row == {"state": "open", "condition_ended_at": NOW}
    assert timeline(service, alarm.id)[-1].detail["cancelled"] is True


def test_the_timeline_cannot_be_rewritten(county: County, owner: Connection, service: Connection) -> None:
    press_sos(service, county)
    for statement in ("UPDATE care.alarm_event SET actor = 'x'", "DELETE FROM care.alarm_event"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            owner.execute(statement)


def test_nobody_acts_outside_their_scope_or_in_anothers_name(
    county: County, database: Database, service: Connection
) -> None:
    alarm = press_sos(service, county).alarm
    with connect(database.web_url, autocommit=True) as web:
        with scope_of(web, sign_in(web, "zhao", PASSWORD)) as staff, pytest.raises(NotFoundError):
            take(web, alarm.id, Step(step=AlarmStep.ACKNOWLEDGED, actor=actor_of(staff)))
        token = sign_in(web, "wang", PASSWORD)
        with scope_of(web, token):
            moved = take(
                web, alarm.id, Step(step=AlarmStep.ACKNOWLEDGED, actor=actor_of(county.colleague))
            ).alarm
    assert moved.acknowledged_by == county.caregiver.id


def test_each_change_notifies(county: County, database: Database, service: Connection) -> None:
    with connect(database.web_url, autocommit=True) as listener:
        listener.execute("LISTEN anshou_alarm")
        alarm = press_sos(service, county).alarm
        heard = list(listener.notifies(timeout=5, stop_after=1))
    assert [f'"alarm" : {alarm.id}' in notice.payload for notice in heard] == [True]
