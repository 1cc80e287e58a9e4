"""What a device says before anybody said whose it is: never without a place, and theirs afterwards."""

import itertools
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from care import proposals, registry
from care.registry import NewDevice
from database.connections import connect
from ingest import joining
from ingest.directory import Entry
from ingest.joining import join, join_readings
from ingest.rollups import roll_up
from ingest.rows import SignalRow
from protocol.model import (
    EARLY,
    Activity,
    ActivityEvent,
    AlarmSignal,
    DeviceKind,
    DeviceProposal,
    SignalKind,
    VitalSigns,
    from_epoch_ms,
)
from protocol.wire import Leaf
from tests.ingest.conftest import Home, eventually, now_ms
from tests.servers import Database

pytestmark = pytest.mark.usefixtures("ingest")

KEY = "zigbee2mqtt:0x00158d0001a2b3c4"
WAITS = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
def joined(database: Database) -> Iterator[Callable[[], int]]:
    with connect(database.ingest_url, autocommit=True) as connection:
        yield lambda: join(connection)


def alarms(home: Home) -> list[dict[str, Any]]:
    return home.rows("SELECT * FROM care.alarm ORDER BY id")


def raise_one(home: Home, device: NewDevice, kind: SignalKind) -> None:
    """An alarm of the device; it is there afterwards."""
    before = len(alarms(home))
    home.say(device, AlarmSignal(ts_ms=now_ms(), kind=kind))
    eventually(lambda: len(alarms(home)) > before)


def loose(home: Home, kind: DeviceKind) -> NewDevice:
    """A device of the home that watches nobody."""
    with home.connection.transaction():
        device = registry.add_device(
            home.connection,
            site=home.site,
            kind=kind,
            name=f"loose-{kind.replace('_', '-')}-{home.broker.site}",
        )
    home.provisioner.add_device(home.site.code, device.device.name, kind, device.secret)
    return device


def assign(home: Home, device: NewDevice) -> None:
    with home.connection.transaction():
        registry.assign_device(home.connection, device.device.id, resident_id=home.resident.id)


def test_an_open_alarm_gets_its_name_when_the_device_is_assigned_and_the_next_press_joins_it(
    home: Home, joined: Callable[[], int]
) -> None:
    button = loose(home, DeviceKind.SOS_BUTTON)
    home.say(button, AlarmSignal(ts_ms=now_ms(), kind=SignalKind.SOS))
    (alarm,) = eventually(lambda: alarms(home))
    assert (alarm["resident_id"], alarm["device_id"]) == (None, button.device.id)
    joined()
    assert alarms(home)[0]["resident_id"] is None, "nobody has said whose it is"
    assign(home, button)
    joined()
    assert alarms(home)[0]["resident_id"] == home.resident.id
    home.say(button, AlarmSignal(ts_ms=now_ms(), kind=SignalKind.SOS))
    # Intake may hear of the assignment after the press: then the two are joined.
    eventually(lambda: joined() >= 0 and alarms(home)[0]["signal_count"] == 2)
    active = [each for each in alarms(home) if each["state"] == "open"]
    assert [each["subject"] for each in active] == [f"resident:{home.resident.id}"]


def test_two_alarms_that_turn_out_to_be_one_are_joined(home: Home, joined: Callable[[], int]) -> None:
    button = loose(home, DeviceKind.SOS_BUTTON)
    home.say(button, AlarmSignal(ts_ms=now_ms(), kind=SignalKind.SOS))
    first = eventually(lambda: alarms(home))[0]
    home.say(home.button, AlarmSignal(ts_ms=now_ms(), kind=SignalKind.SOS))
    eventually(lambda: len(alarms(home)) == 2)
    assign(home, button)
    joined()
    kept, gone = alarms(home)
    assert (kept["id"], kept["resident_id"], kept["state"]) == (first["id"], home.resident.id, "open")
    assert (kept["signal_count"], gone["state"]) == (2, "cleared")
    assert {row["alarm_id"] for row in home.rows("SELECT alarm_id FROM care.alarm_signal")} == {first["id"]}
    lines = home.rows("SELECT step, detail FROM care.alarm_event WHERE alarm_id = %s ORDER BY id", gone["id"])
    assert lines[-1] == {"step": "cleared", "detail": {"joined_to": first["id"]}}
    assert joined() <= 1, "nothing is left but the second look at the readings"


def test_whichever_somebody_is_on_the_way_to_goes_on(home: Home, joined: Callable[[], int]) -> None:
    button = loose(home, DeviceKind.SOS_BUTTON)
    home.say(button, AlarmSignal(ts_ms=now_ms(), kind=SignalKind.SOS))
    eventually(lambda: alarms(home))
    home.say(home.button, AlarmSignal(ts_ms=now_ms(), kind=SignalKind.SOS))
    own = eventually(lambda: len(alarms(home)) == 2 and alarms(home))[1]
    home.connection.execute(
        "UPDATE care.alarm SET state = 'acknowledged', acknowledged_at = now() WHERE id = %s", (own["id"],)
    )
    assign(home, button)
    joined()
    gone, kept = alarms(home)
    assert (kept["id"], kept["state"], kept["signal_count"]) == (own["id"], "acknowledged", 2)
    assert gone["state"] == "cleared"


def test_a_cause_that_lasts_in_one_of_two_is_not_over_when_they_are_joined(
    home: Home, joined: Callable[[], int]
) -> None:
    button = loose(home, DeviceKind.SOS_BUTTON)
    for each in (button, home.button):
        raise_one(home, each, SignalKind.SOS)
    home.connection.execute(
        "UPDATE care.alarm SET condition_ended_at = now() WHERE device_id = %s", (home.button.device.id,)
    )
    assign(home, button)
    joined()
    kept, gone = alarms(home)
    assert (kept["state"], gone["state"]) == ("open", "cleared")
    assert kept["condition_ended_at"] is None


def test_an_alarm_that_ends_at_the_moment_of_joining_is_left_alone(
    home: Home, joined: Callable[[], int], database: Database
) -> None:
    button = loose(home, DeviceKind.SOS_BUTTON)
    home.say(button, AlarmSignal(ts_ms=now_ms(), kind=SignalKind.SOS))
    eventually(lambda: alarms(home))
    assign(home, button)
    counts: list[int] = []
    with connect(database.owner_url) as somebody:
        somebody.execute("UPDATE care.alarm SET state = 'cancelled', ended_at = now()")
        round_ = threading.Thread(target=lambda: counts.append(joined()))
        round_.start()
        eventually(lambda: home.rows(WAITS))
        somebody.commit()
        round_.join(20)
    assert len(counts) == 1, "the round went on"
    (alarm,) = alarms(home)
    assert (alarm["state"], alarm["resident_id"]) == ("cancelled", None)


def test_alarms_that_can_have_no_name_hold_up_nobodys(
    home: Home, joined: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joining, "ALARMS_MAX", 1)
    button, other = loose(home, DeviceKind.SOS_BUTTON), loose(home, DeviceKind.PULL_CORD)
    raise_one(home, home.gateway, SignalKind.FAULT)  # of nobody, for ever
    raise_one(home, button, SignalKind.FAULT)
    raise_one(home, other, SignalKind.SOS)
    assign(home, button)
    assign(home, other)
    joined()
    assert [(each["kind"], each["resident_id"]) for each in alarms(home)] == [
        ("fault", None),
        ("fault", None),
        ("sos", home.resident.id),
    ], "the most urgent first"
    joined()
    assert [each["resident_id"] for each in alarms(home)] == [None, home.resident.id, home.resident.id]


def test_a_slow_clock_opens_no_second_alarm(home: Home) -> None:
    button = loose(home, DeviceKind.SOS_BUTTON)
    assign(home, button)
    home.say(button, AlarmSignal(ts_ms=now_ms(), kind=SignalKind.SOS))
    eventually(lambda: alarms(home))
    week_ago_ms = now_ms() - 30 * 86_400_000
    home.say(button, AlarmSignal(ts_ms=week_ago_ms, kind=SignalKind.SOS))
    (alarm,) = eventually(lambda: (found := alarms(home))[0]["signal_count"] == 2 and found)
    assert alarm["resident_id"] == home.resident.id
    assert alarm["raised_at"] == from_epoch_ms(week_ago_ms)


def test_readings_that_waited_are_theirs_in_history_and_state(home: Home, joined: Callable[[], int]) -> None:
    mattress = loose(home, DeviceKind.SMART_MATTRESS)
    at_ms = now_ms() - 7_200_000
    home.say(mattress, VitalSigns(ts_ms=at_ms, hr=61))
    home.say(mattress, Activity(ts_ms=at_ms, event=ActivityEvent.IN_BED))
    eventually(
        lambda: home.rows("SELECT FROM readings.vitals") and home.rows("SELECT FROM readings.activity")
    )
    home.settle()
    later = datetime.now(UTC) + timedelta(days=1)
    roll_up(home.connection, due=later)
    assert home.rows("SELECT resident_id FROM readings.vitals_hourly") == [{"resident_id": None}]
    assert home.rows("SELECT FROM readings.resident_state") == []
    assign(home, mattress)
    joined()
    home.settle()
    roll_up(home.connection, due=later)
    whose = [{"resident_id": home.resident.id}]
    for table in ("vitals", "activity", "vitals_hourly", "activity_hourly", "vitals_daily"):
        assert home.rows(f"SELECT resident_id FROM readings.{table}") == whose, table
    (state,) = home.rows("SELECT hr, in_bed, in_bed_at FROM readings.resident_state")
    assert (state["hr"], state["in_bed"], state["in_bed_at"]) == (61, True, from_epoch_ms(at_ms))
    # What comes later, of a time before the assignment, finds its person once intake has heard of it.
    times_ms = itertools.count(at_ms + 1_000, 1_000)

    def says_more() -> list[dict[str, Any]]:
        home.say(mattress, VitalSigns(ts_ms=next(times_ms), hr=62))
        return home.rows("SELECT resident_id FROM readings.vitals WHERE hr = 62 AND resident_id IS NOT NULL")

    assert eventually(says_more) == whose


def test_nothing_is_joined_from_before_they_lived_there(home: Home, joined: Callable[[], int]) -> None:
    mattress = loose(home, DeviceKind.SMART_MATTRESS)
    home.connection.execute(
        "UPDATE care.residence SET during = tstzrange(now() - interval '1 hour', NULL)"
        " WHERE resident_id = %s",
        (home.resident.id,),
    )
    home.say(mattress, VitalSigns(ts_ms=now_ms() - 7_200_000, hr=61))
    eventually(lambda: home.rows("SELECT FROM readings.vitals"))
    assign(home, mattress)
    joined()
    assert home.rows("SELECT resident_id FROM readings.vitals") == [{"resident_id": None}]


def test_what_intake_stored_late_is_joined_by_the_second_look(home: Home) -> None:
    mattress = loose(home, DeviceKind.SMART_MATTRESS)
    home.connection.execute("DELETE FROM readings.unjoined")  # the home's other devices
    assign(home, mattress)
    assert join_readings(home.connection) == 1
    assert join_readings(home.connection) == 0
    home.connection.execute("UPDATE readings.unjoined SET asked_at = now() - interval '1 minute'")
    home.connection.execute(
        "INSERT INTO readings.vitals (time, device_id, hr) VALUES (now(), %s, 70)", (mattress.device.id,)
    )
    assert join_readings(home.connection) == 1
    assert home.rows("SELECT resident_id FROM readings.vitals") == [{"resident_id": home.resident.id}]
    assert home.rows("SELECT FROM readings.unjoined") == []


def early(ts_ms: int | None, **more: Any) -> AlarmSignal:
    return AlarmSignal(ts_ms=ts_ms, kind=SignalKind.SOS, signal_id=f"{EARLY}0c1b2a39-81234-9f8e7d6c", **more)


def test_an_id_that_is_only_like_a_gateways_own_is_made_distinct_by_its_time() -> None:
    entry = Entry(7, "button-1", DeviceKind.SOS_BUTTON, 1, "home-1", ())
    for own_id in (f"{EARLY}1", f"{EARLY}warning", "1", None):
        signal = AlarmSignal(kind=SignalKind.SOS, signal_id=own_id)
        assert SignalRow(1, entry, True, signal).signal_id != SignalRow(2, entry, True, signal).signal_id


@pytest.mark.parametrize("has_clock", [True, False])
def test_one_press_before_adoption_is_one_alarm_with_its_place_then_its_name(
    home: Home, joined: Callable[[], int], has_clock: bool
) -> None:
    gateway = home.gateway.device
    proposed = DeviceProposal(key=KEY, label="床边按钮", kind=DeviceKind.SOS_BUTTON, says=("alarm.sos",))
    assert proposals.record(home.connection, gateway.id, proposed)
    ts_ms = now_ms()
    # A box without a clock learns the time later, and then says when it was.
    home.say(home.gateway, early(ts_ms if has_clock else None, key=KEY))
    home.say(home.gateway, AlarmSignal(ts_ms=ts_ms, kind=SignalKind.SOS, key="zigbee2mqtt:other"))
    found = eventually(lambda: len(alarms(home)) == 2 and alarms(home))
    assert sorted(each["subject"] for each in found) == sorted(
        f"device:{gateway.id} {key}" for key in (KEY, "zigbee2mqtt:other")
    )
    button = loose(home, DeviceKind.SOS_BUTTON)
    home.connection.execute(
        "UPDATE care.device_proposal SET device_id = %s WHERE key = %s", (button.device.id, KEY)
    )
    assign(home, button)
    joined()
    home.say(button, early(ts_ms - 1_500 * (not has_clock)))
    eventually(lambda: len(home.rows("SELECT FROM care.alarm_signal")) == 3)
    own, other = alarms(home)
    assert (own["resident_id"], own["device_id"]) == (home.resident.id, button.device.id)
    assert (own["signal_count"], own["proposal_key"]) == (1, None)
    assert other["proposal_key"] == "zigbee2mqtt:other"


def test_a_device_says_only_what_its_kind_can(home: Home) -> None:
    home.say(home.button, VitalSigns(ts_ms=now_ms(), sbp=120, dbp=80))
    home.say(home.button, AlarmSignal(ts_ms=now_ms(), kind=SignalKind.SMOKE))
    home.say(home.motion, VitalSigns(ts_ms=now_ms(), hr=60, sbp=120))
    home.say(home.motion, AlarmSignal(ts_ms=now_ms(), kind=SignalKind.SOS))
    letters = eventually(
        lambda: len(found := home.rows("SELECT reason, detail FROM readings.dead_letter")) == 3 and found
    )
    assert {letter["reason"] for letter in letters} == {"not_of_kind"}
    assert {letter["detail"] for letter in letters} == {
        "a sos_button does not say vitals.sbp",
        "a sos_button does not say alarm.smoke",
        "a motion does not say vitals.sbp",
    }
    (kept,) = eventually(lambda: home.rows("SELECT hr, sbp FROM readings.vitals"))
    assert kept == {"hr": 60, "sbp": None}, "the value that it can measure is kept"
    assert [each["kind"] for each in eventually(lambda: alarms(home))] == ["sos"], "a call for help always"


@pytest.mark.parametrize("key", ['"left"', '""', "1", '{"side":["left"]}', f'"{KEY}"', f'"{"x" * 200}"'])
def test_a_field_of_its_own_named_key_silences_no_call(home: Home, key: str) -> None:
    topic = home.topic(home.button, Leaf.ALARM)
    home.publish(home.button, topic, f'{{"alarm":"sos","ts":{now_ms()},"key":{key}}}'.encode())
    (alarm,) = eventually(lambda: alarms(home))
    assert (alarm["device_id"], alarm["proposal_key"]) == (home.button.device.id, None)
    item = f'{{"leaf":"alarm","device":"{home.button.device.name}","alarm":"fall","key":{key}}}'
    batch = f'{{"id":"with-key","items":[{item}]}}'.encode()
    home.publish(home.gateway, home.topic(home.gateway, Leaf.BATCH), batch)
    eventually(lambda: {each["kind"] for each in alarms(home)} == {"sos", "fall"})
    assert home.rows("SELECT FROM readings.dead_letter") == []
