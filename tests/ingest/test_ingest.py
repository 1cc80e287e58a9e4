"""Messages on the real broker become rows in the real database."""

import json
import secrets
import subprocess

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from database.connections import Connection
from deploy.local import debian
from protocol import wire
from protocol.model import (
    Activity,
    ActivityEvent,
    AlarmSignal,
    DeviceKind,
    DeviceStatus,
    Message,
    SignalKind,
    SignalState,
    VitalSigns,
    from_epoch_ms,
)
from protocol.wire import Leaf
from tests.ingest.conftest import Home, eventually, now_ms
from tests.servers import Database

pytestmark = pytest.mark.usefixtures("ingest")


def dead_letters(home: Home) -> list[dict[str, object]]:
    return home.rows("SELECT topic, payload, reason, detail, site_id FROM readings.dead_letter ORDER BY id")


def test_vital_signs_arrive_with_the_devices_own_time(home: Home) -> None:
    ts_ms = now_ms() - 5_000
    home.say(home.wristband, VitalSigns(ts_ms=ts_ms, hr=72, spo2=97, temp=36.6))
    row = eventually(lambda: home.rows("SELECT * FROM readings.vitals"))[0]
    assert row["time"] == from_epoch_ms(ts_ms)
    assert (row["device_id"], row["resident_id"]) == (home.wristband.device.id, home.resident.id)
    assert (row["hr"], row["spo2"], row["temp"], row["rr"]) == (72, 97, 36.6, None)
    assert not row["clock_replaced"]


def test_the_latest_state_is_the_newest_not_the_last_received(home: Home) -> None:
    ts_ms = now_ms() - 60_000
    home.say(home.wristband, VitalSigns(ts_ms=ts_ms, hr=90))
    home.say(home.wristband, VitalSigns(ts_ms=ts_ms - 3_600_000, hr=55, spo2=93))
    eventually(lambda: len(home.rows("SELECT * FROM readings.vitals")) == 2)
    home.settle()
    state = home.rows("SELECT hr, hr_at, spo2, spo2_at FROM readings.resident_state")[0]
    assert (state["hr"], state["hr_at"]) == (90, from_epoch_ms(ts_ms))
    assert (state["spo2"], state["spo2_at"]) == (93, from_epoch_ms(ts_ms - 3_600_000))


def test_a_device_is_heard_when_it_speaks_but_its_backlog_tells_of_the_past(home: Home) -> None:
    ts_ms = now_ms() - 3_600_000
    home.say(home.wristband, VitalSigns(ts_ms=ts_ms, hr=72))
    backlog = [(home.motion.device.name, Activity(ts_ms=ts_ms, event=ActivityEvent.MOTION))]
    topic = home.topic(home.gateway, Leaf.BATCH)
    home.publish(home.gateway, topic, wire.encode_batch("old", backlog))
    seen = eventually(
        lambda: (
            len(rows := home.rows("SELECT device_id, last_seen_at FROM readings.device_state")) == 3
            and {row["device_id"]: row["last_seen_at"] for row in rows}
        )
    )
    now = from_epoch_ms(now_ms())
    assert (now - seen[home.wristband.device.id]).total_seconds() < 60
    assert (now - seen[home.gateway.device.id]).total_seconds() < 60
    assert seen[home.motion.device.id] == from_epoch_ms(ts_ms)


def test_a_second_delivery_changes_nothing_and_other_signs_are_added(home: Home) -> None:
    ts_ms = now_ms()
    for message in (
        VitalSigns(ts_ms=ts_ms, hr=72),
        VitalSigns(ts_ms=ts_ms, hr=72),
        VitalSigns(ts_ms=ts_ms, hr=99, spo2=96),
    ):
        home.say(home.wristband, message)
    eventually(lambda: home.rows("SELECT 1 FROM readings.vitals WHERE spo2 IS NOT NULL"))
    assert home.rows("SELECT hr, spo2 FROM readings.vitals") == [{"hr": 72, "spo2": 96}]


def test_an_absurd_clock_is_replaced_and_said_so(home: Home) -> None:
    home.say(home.wristband, VitalSigns(ts_ms=1_763_900, hr=72))
    home.say(home.wristband, VitalSigns(hr=73))
    rows = eventually(lambda: len(found := home.rows("SELECT * FROM readings.vitals")) == 2 and found)
    assert all(row["clock_replaced"] for row in rows)
    assert all(abs((row["time"] - from_epoch_ms(now_ms())).total_seconds()) < 60 for row in rows)


def test_a_motion_sensor_in_a_household_of_one_speaks_of_its_resident(home: Home) -> None:
    home.say(home.motion, Activity(ts_ms=now_ms(), event=ActivityEvent.MOTION))
    row = eventually(lambda: home.rows("SELECT * FROM readings.activity"))[0]
    assert (row["resident_id"], row["room_id"], row["event"]) == (home.resident.id, home.room_id, "motion")
    home.settle()
    state = home.rows("SELECT activity, activity_room_id FROM readings.resident_state")
    assert state == [{"activity": "motion", "activity_room_id": home.room_id}]


def test_a_will_tells_of_the_end_but_is_no_sign_of_life(home: Home) -> None:
    ts_ms = now_ms() - 1_000
    home.say(home.wristband, DeviceStatus(ts_ms=ts_ms, online=True, battery=87, rssi=-61, fw="1.2"))
    home.say(home.wristband, DeviceStatus(online=False))
    eventually(lambda: home.rows("SELECT 1 FROM readings.device_state WHERE NOT online"))
    state = home.rows(
        "SELECT last_seen_at < online_at AS silent_since, battery, fw FROM readings.device_state"
    )
    assert state == [{"silent_since": True, "battery": 87, "fw": "1.2"}]


@pytest.mark.parametrize(
    ("leaf", "payload", "reason"),
    [
        (Leaf.VITALS, b"not json", "malformed"),
        (Leaf.VITALS, b"\xff\xfe\x00", "malformed"),
        (Leaf.VITALS, b'{"ts":1,"hr":999}', "out_of_limits"),
        (Leaf.VITALS, b'{"ts":1,"heart":72}', "no_signs"),
        (Leaf.ACTIVITY, b'{"event":"dancing"}', "invalid"),
        (Leaf.STATUS, b"x" * 20_000, "too_large"),
        (Leaf.ALARM, b'{"alarm":"help"}', "invalid"),
        (Leaf.STATUS, b'{"online":true,"fw":"a\\u0000b","ts":1}', "invalid"),
    ],
)
def test_what_cannot_be_stored_is_kept_with_its_reason(
    home: Home, leaf: Leaf, payload: bytes, reason: str
) -> None:
    home.publish(home.wristband, home.topic(home.wristband, leaf), payload)
    letter = eventually(lambda: dead_letters(home))[0]
    assert letter["reason"] == reason
    assert letter["payload"] == payload[:16_384]
    assert letter["site_id"] == home.site.id
    home.say(home.wristband, VitalSigns(ts_ms=now_ms(), hr=72))
    eventually(lambda: home.rows("SELECT 1 FROM readings.vitals"))


def test_a_poisoned_item_does_not_cost_its_neighbours(home: Home) -> None:
    ts_ms = now_ms()
    messages = [
        (home.wristband.device.name, DeviceStatus(ts_ms=ts_ms + n, online=True, fw="\0" if n == 17 else "1"))
        for n in range(40)
    ]
    payload = wire.encode_batch("b-1", messages)
    home.publish(home.gateway, home.topic(home.gateway, Leaf.BATCH), payload)
    eventually(lambda: dead_letters(home))
    assert home.rows("SELECT count(*) FROM readings.device_status")[0]["count"] == 39
    assert [letter["reason"] for letter in dead_letters(home)] == ["invalid"]


def test_a_batch_is_stored_once_and_receipted_each_time(home: Home) -> None:
    receipts = Listener(home, home.topic(home.gateway, Leaf.RECEIPT))
    payload = wire.encode_batch(
        "batch-7",
        [
            (home.wristband.device.name, VitalSigns(hr=72)),
            (home.motion.device.name, Activity(ts_ms=now_ms(), event=ActivityEvent.MOTION)),
            (home.button.device.name, AlarmSignal(ts_ms=now_ms(), kind=SignalKind.SOS, signal_id="s-1")),
            ("nobody", VitalSigns(ts_ms=now_ms(), hr=72)),
        ],
    )
    for times in (1, 2, 3):
        home.publish(home.gateway, home.topic(home.gateway, Leaf.BATCH), payload)
        eventually(lambda times=times: len(receipts.heard) == times)  # type: ignore[misc]
    assert [wire.decode_receipt(heard).batches for heard in receipts.wait_for(3)] == [("batch-7",)] * 3
    assert home.rows("SELECT count(*) FROM readings.vitals")[0]["count"] == 1
    assert home.rows("SELECT signal_count FROM care.alarm") == [{"signal_count": 1}]
    assert [letter["reason"] for letter in dead_letters(home)] == ["unknown_device"]


@pytest.mark.parametrize("known", [0, 1])
def test_readings_of_a_clock_known_to_be_wrong_are_marked(home: Home, known: int) -> None:
    ts_ms = now_ms()
    if known:  # one of them was stored before, so that the batch goes the careful way
        home.say(home.wristband, VitalSigns(ts_ms=ts_ms, rr=15))
        eventually(lambda: home.rows("SELECT FROM readings.vitals"))
    sound = [(home.wristband.device.name, VitalSigns(ts_ms=ts_ms - 60_000, hr=71))]
    doubtful: list[tuple[str, Message]] = [
        (home.wristband.device.name, VitalSigns(ts_ms=ts_ms, hr=72)),
        (home.motion.device.name, Activity(ts_ms=ts_ms, event=ActivityEvent.MOTION)),
    ]
    topic = home.topic(home.gateway, Leaf.BATCH)
    home.publish(home.gateway, topic, wire.encode_batch("sound", sound))
    home.publish(home.gateway, topic, wire.encode_batch("doubtful", doubtful, clock_suspect=True))
    eventually(lambda: home.rows("SELECT FROM readings.activity"))
    marked = home.rows("SELECT hr, clock_suspect FROM readings.vitals ORDER BY time")
    assert marked == [{"hr": 71, "clock_suspect": None}, {"hr": 72, "clock_suspect": True}]
    assert home.rows("SELECT clock_suspect FROM readings.activity") == [{"clock_suspect": True}]


class Listener:
    """What the gateway hears on a topic, by Debian's own client."""

    def __init__(self, home: Home, topic: str) -> None:
        self.heard: list[bytes] = []
        self._subscribed = False
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"listen-{secrets.token_hex(4)}")
        client.username_pw_set(home.gateway.device.name, home.gateway.secret)
        client.on_message = lambda _client, _data, message: self.heard.append(bytes(message.payload))
        client.on_subscribe = lambda *_: setattr(self, "_subscribed", True)
        client.connect(home.broker.host, home.broker.port)
        client.loop_start()
        client.subscribe(topic, qos=1)
        eventually(lambda: self._subscribed)
        self._client = client
        self._heard_by, self._name = home.listening, home.gateway.device.name
        self._heard_by[self._name] = client

    def wait_for(self, count: int) -> list[bytes]:
        try:
            eventually(lambda: len(self.heard) >= count)
        finally:
            del self._heard_by[self._name]
            self._client.disconnect()
            self._client.loop_stop()
        return self.heard


def test_an_sos_opens_an_alarm_and_a_second_adds_to_it(home: Home) -> None:
    ts_ms = now_ms()
    home.say(home.button, AlarmSignal(ts_ms=ts_ms, kind=SignalKind.SOS))
    home.say(home.button, AlarmSignal(ts_ms=ts_ms, kind=SignalKind.SOS))
    home.say(home.button, AlarmSignal(ts_ms=ts_ms + 4_000, kind=SignalKind.SOS))
    eventually(lambda: len(home.rows("SELECT 1 FROM care.alarm_signal")) == 2)
    alarms = home.rows("SELECT kind, priority, resident_id, signal_count, raised_at FROM care.alarm")
    assert alarms == [
        {
            "kind": "sos",
            "priority": "high",
            "resident_id": home.resident.id,
            "signal_count": 2,
            "raised_at": from_epoch_ms(ts_ms),
        }
    ]
    eventually(lambda: home.rows("SELECT 1 FROM readings.device_state"))


def test_a_button_that_always_sends_the_same_id_or_no_time_is_heard_each_time(home: Home) -> None:
    home.say(home.button, AlarmSignal(ts_ms=now_ms(), kind=SignalKind.SOS, signal_id="1"))
    home.say(home.button, AlarmSignal(ts_ms=now_ms() + 1, kind=SignalKind.SOS, signal_id="1"))
    home.say(home.button, AlarmSignal(kind=SignalKind.SOS, signal_id="1"))
    home.say(home.button, AlarmSignal(kind=SignalKind.SOS))
    eventually(lambda: home.rows("SELECT 1 FROM care.alarm WHERE signal_count = 4"))


def test_a_cleared_smoke_alarm_stays_for_people_to_end(home: Home) -> None:
    smoke = home.add(DeviceKind.SMOKE, room_id=home.room_id)
    ts_ms = now_ms()
    home.say(smoke, AlarmSignal(ts_ms=ts_ms, kind=SignalKind.SMOKE))
    home.say(smoke, AlarmSignal(ts_ms=ts_ms + 9_000, kind=SignalKind.SMOKE, state=SignalState.CLEARED))
    eventually(lambda: home.rows("SELECT 1 FROM care.alarm WHERE condition_ended_at IS NOT NULL"))
    assert home.rows("SELECT state FROM care.alarm") == [{"state": "open"}]


def test_debians_own_client_can_press_the_button(home: Home) -> None:
    prefix = debian.installed()
    assert prefix is not None, "the broker of this test run came from there"
    subprocess.run(
        [
            *(
                prefix.mosquitto_pub,
                "-h",
                home.broker.host,
                "-p",
                str(home.broker.port),
                "-V",
                "5",
                "-q",
                "1",
            ),
            *("-u", home.button.device.name, "-P", home.button.secret),
            *("-t", home.topic(home.button, Leaf.ALARM), "-m", json.dumps({"alarm": "sos"})),
        ],
        check=True,
        timeout=30,
    )
    eventually(lambda: home.rows("SELECT 1 FROM care.alarm WHERE kind = 'sos'"))


def test_a_device_added_while_running_is_known_at_once(home: Home) -> None:
    thermometer = home.add(DeviceKind.THERMOMETER, resident_id=home.resident.id)
    home.say(thermometer, VitalSigns(ts_ms=now_ms(), temp=37.1))
    row = eventually(lambda: home.rows("SELECT resident_id FROM readings.vitals"))[0]
    assert row["resident_id"] == home.resident.id


def test_connections_that_break_come_back(home: Home, owner: Connection, database: Database) -> None:
    for n in range(3):
        owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND usename = 'anshou_ingest'"
        )
        home.say(home.wristband, VitalSigns(ts_ms=now_ms() + n, hr=70 + n))
        home.say(home.button, AlarmSignal(ts_ms=now_ms() + n, kind=SignalKind.SOS))
    eventually(lambda: home.rows("SELECT count(*) FROM readings.vitals")[0]["count"] == 3)
    eventually(lambda: home.rows("SELECT 1 FROM care.alarm WHERE signal_count = 3"))


def test_a_signal_that_the_database_refuses_is_kept_and_the_next_is_heard(
    home: Home, owner: Connection
) -> None:
    owner.execute(
        """
        CREATE FUNCTION refuse_falls() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.kind = 'fall' THEN
                RAISE EXCEPTION 'no falls today' USING ERRCODE = 'data_exception';
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON care.alarm FOR EACH ROW EXECUTE FUNCTION refuse_falls();
        """
    )
    home.say(home.wristband, AlarmSignal(ts_ms=now_ms(), kind=SignalKind.FALL))
    home.say(home.button, AlarmSignal(ts_ms=now_ms(), kind=SignalKind.SOS))
    eventually(lambda: home.rows("SELECT 1 FROM care.alarm WHERE kind = 'sos'"))
    letters = dead_letters(home)
    assert [letter["reason"] for letter in letters] == ["refused_by_database"]
    assert "no falls today" in str(letters[0]["detail"])
    assert home.rows("SELECT kind FROM care.alarm_signal") == [{"kind": "sos"}]


def test_what_only_analysis_can_find_no_device_can_say(home: Home) -> None:
    """In a message of its own, and among others in a batch, where it costs no neighbour."""
    said = json.dumps({"ts": now_ms(), "alarm": "outbreak"}).encode()
    home.publish(home.button, home.topic(home.button, Leaf.ALARM), said)
    items = [
        {"leaf": "alarm", "device": home.button.device.name, "ts": now_ms(), "alarm": kind}
        for kind in ("vitals", "sos", "device_offline")
    ]
    batch = json.dumps({"id": "b1", "items": items}).encode()
    home.publish(home.gateway, home.topic(home.gateway, Leaf.BATCH), batch)
    letters = eventually(lambda: len(found := dead_letters(home)) == 3 and found)
    assert {letter["reason"] for letter in letters} == {"invalid"}
    assert all("Invalid enum value" in str(letter["detail"]) for letter in letters)
    eventually(lambda: home.rows("SELECT 1 FROM care.alarm"))
    assert home.rows("SELECT kind FROM care.alarm") == [{"kind": "sos"}]
    assert home.rows("SELECT kind FROM care.alarm_signal") == [{"kind": "sos"}]
