"""A press that is sent again is not taken again."""

import threading
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from alarms.errors import AlreadyTakenError, KeyReusedError
from alarms.incident import KEY_LENGTH_MAX, Report, Step, Taken, report, take, timeline
from alarms.kinds import AlarmKind, AlarmSource
from alarms.model import Alarm, AlarmState, AlarmStep
from database.connections import Connection, connect
from database.errors import InvalidError
from identity.sessions import actor_of
from tests.care.conftest import County
from tests.servers import Database


@pytest.fixture
def alarm(county: County, service: Connection) -> Alarm:
    told = Report(
        site_id=county.home.id,
        kind=AlarmKind.SOS,
        happened_at=datetime(2026, 3, 1, 2, 30, tzinfo=UTC),
        actor=actor_of(county.caregiver),
        source=AlarmSource.STAFF,
    )
    return report(service, told).alarm


def press(county: County, step: AlarmStep = AlarmStep.ACKNOWLEDGED, key: str | None = "k1") -> Step:
    return Step(step=step, actor=actor_of(county.caregiver), key=key)


def test_the_same_press_again_gives_the_first_outcome_and_writes_nothing(
    county: County, service: Connection, alarm: Alarm
) -> None:
    first = take(service, alarm.id, press(county))
    before = timeline(service, alarm.id)
    assert take(service, alarm.id, press(county)) == first
    assert timeline(service, alarm.id) == before


def test_it_is_heard_also_when_others_have_moved_on(
    county: County, service: Connection, alarm: Alarm
) -> None:
    take(service, alarm.id, press(county))
    colleague = actor_of(county.colleague)
    take(service, alarm.id, Step(step=AlarmStep.ARRIVED, actor=colleague))
    again = take(service, alarm.id, press(county))
    assert (again.line, again.alarm.state) == (AlarmStep.ACKNOWLEDGED, AlarmState.ARRIVED)
    assert len(timeline(service, alarm.id)) == 3


def test_without_a_key_or_with_another_it_is_another_press(
    county: County, service: Connection, alarm: Alarm
) -> None:
    take(service, alarm.id, press(county))
    for key in (None, "k2"):
        with pytest.raises(AlreadyTakenError):
            take(service, alarm.id, press(county, key=key))


def test_a_key_belongs_to_one_press(county: County, service: Connection, alarm: Alarm) -> None:
    first = structs.replace(press(county, AlarmStep.NOTED), note="门锁着")
    take(service, alarm.id, first)
    for other in (
        press(county, AlarmStep.ACKNOWLEDGED),
        structs.replace(first, note="门开着"),
        structs.replace(first, actor=actor_of(county.colleague)),
    ):
        with pytest.raises(KeyReusedError):
            take(service, alarm.id, other)
    assert len(timeline(service, alarm.id)) == 2


def test_the_same_key_at_another_alarm_is_no_matter(
    county: County, service: Connection, alarm: Alarm
) -> None:
    told = Report(
        site_id=county.household.id,
        kind=AlarmKind.SOS,
        happened_at=alarm.raised_at,
        actor=actor_of(county.caregiver),
        source=AlarmSource.STAFF,
    )
    other = report(service, told).alarm
    assert take(service, alarm.id, press(county)).line is take(service, other.id, press(county)).line


def test_a_step_that_was_refused_can_be_sent_again(county: County, service: Connection, alarm: Alarm) -> None:
    take(service, alarm.id, press(county))
    arrived = press(county, AlarmStep.ARRIVED, "k2")
    resolved = structs.replace(press(county, AlarmStep.RESOLVED, "k3"), note="好")
    with pytest.raises(Exception, match="arrive"):
        take(service, alarm.id, resolved)
    take(service, alarm.id, arrived)
    assert take(service, alarm.id, resolved).alarm.state is AlarmState.RESOLVED


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.text(max_size=KEY_LENGTH_MAX + 2))
def test_what_is_no_key_is_refused_before_the_database_sees_it(
    county: County, service: Connection, alarm: Alarm, key: str
) -> None:
    is_key = 0 < len(key) <= KEY_LENGTH_MAX and all("!" <= letter <= "~" for letter in key)
    with service.transaction(force_rollback=True):
        if is_key:
            assert take(service, alarm.id, press(county, key=key)).line is AlarmStep.ACKNOWLEDGED
        else:
            with pytest.raises(InvalidError):
                take(service, alarm.id, press(county, key=key))


def test_of_the_same_press_many_times_at_once_one_is_taken(
    county: County, database: Database, service: Connection, alarm: Alarm
) -> None:
    start = threading.Barrier(5)
    outcomes: list[Taken] = []

    def send() -> None:
        with connect(database.service_url) as connection:
            start.wait()
            outcomes.append(take(connection, alarm.id, press(county)))
            connection.commit()

    threads = [threading.Thread(target=send) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 5
    assert {outcome.line for outcome in outcomes} == {AlarmStep.ACKNOWLEDGED}
    assert [line.key for line in timeline(service, alarm.id)] == [None, "k1"]
