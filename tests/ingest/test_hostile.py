"""A device with an account of its own against all others: their sessions, alarms, and the broker's store."""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from care import registry
from care.registry import NewDevice
from database.connections import connect
from database.errors import InvalidError
from ingest import provision
from ingest.alarms import AlarmIngest
from ingest.errors import ProvisionError
from ingest.floods import BURST_MAX
from ingest.settings import Settings
from ingest.shares import SharedReadings
from protocol import names, wire
from protocol.model import AlarmSignal, DeviceKind, DeviceStatus, SignalKind, SignalState, VitalSigns
from protocol.wire import ROOT, Leaf
from tests.ingest.conftest import Home, Process, Running, eventually, now_ms
from tests.servers import Database

NOT_AUTHORIZED = "Not authorized"
Settle = Callable[[str], Settings]
Start = Callable[[Process], Running]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a process of ingest; it is stopped in the end, whatever becomes of the test."""
    running: list[Running] = []

    def start(process: Process) -> Running:
        running.append(Running(process))
        return running[-1]

    yield start
    for one in running:
        one.stop()


@contextmanager
def connected(
    home: Home, device: NewDevice, client_id: str = "", *, port: int | None = None, clean: bool = True
) -> Iterator[mqtt.Client]:
    """A client with the device's account; `refusal` is set where it is not let in."""
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2, client_id=client_id, protocol=MQTTProtocolVersion.MQTTv5
    )
    client.username_pw_set(device.device.name, device.secret)
    answers: list[str] = []
    client.on_connect = lambda _client, _data, _flags, reason, _properties: answers.append(str(reason))
    client.user_data_set(answers)
    expiry = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    expiry.SessionExpiryInterval = 3600
    client.connect(home.broker.host, port or home.broker.port, clean_start=clean, properties=expiry)
    client.loop_start()
    try:
        eventually(lambda: answers)
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def answer_to(client: mqtt.Client) -> str:
    """What the broker said to the connection."""
    return str(client.user_data_get()[0])


def session_of(settings: Settings) -> str:
    return f"anshou-ingest-alarms-{settings.worker}"


def press(home: Home, device: NewDevice, count: int) -> None:
    with connected(home, device) as client:
        for number in range(count):
            signal = AlarmSignal(ts_ms=now_ms() + number, kind=SignalKind.SOS, signal_id=f"n-{number}")
            client.publish(home.topic(device, Leaf.ALARM), wire.encode(signal), qos=1).wait_for_publish(10)


def signals_of(home: Home, device: NewDevice) -> int:
    query = "SELECT count(*) FROM care.alarm_signal WHERE device_id = %s"
    return int(home.rows(query, device.device.id)[0]["count"])


@pytest.mark.parametrize("clean", [True, False])
def test_the_queue_of_an_intake_that_is_down_is_nobody_elses(
    home: Home, settings_of: Settle, start: Start, clean: bool
) -> None:
    settings = settings_of("alarms")
    start(AlarmIngest(settings)).stop()
    press(home, home.button, 10)
    heard: list[str] = []
    for port in (home.broker.port, home.broker.service_port):
        with connected(home, home.wristband, session_of(settings), port=port, clean=clean) as thief:
            thief.on_message = lambda _client, _data, message: heard.append(message.topic)
            if port == home.broker.service_port:
                assert answer_to(thief) == NOT_AUTHORIZED
    start(AlarmIngest(settings))
    eventually(lambda: signals_of(home, home.button) == 10)
    assert not heard


def test_a_session_that_is_taken_over_in_a_loop_loses_nothing(
    home: Home, settings_of: Settle, start: Start
) -> None:
    settings = settings_of("alarms")
    intake = AlarmIngest(settings)
    start(intake)
    before = intake._subscriber.generation
    for number in range(20):
        with connected(home, home.wristband, session_of(settings)):
            home.say(home.button, AlarmSignal(kind=SignalKind.SOS, signal_id=str(number), ts_ms=now_ms()))
    eventually(lambda: signals_of(home, home.button) == 20)
    assert intake._subscriber.generation == before


def test_a_device_cannot_evict_a_gateway(home: Home) -> None:
    with connected(home, home.gateway, home.gateway.device.name) as box:
        for _ in range(5):
            with connected(home, home.button, home.gateway.device.name):
                pass
        topic = home.topic(home.gateway, Leaf.STATUS)
        box.publish(topic, wire.encode(DeviceStatus(online=True)), qos=1).wait_for_publish(10)
        assert len(box.user_data_get()) == 1, "it was never thrown out, so it never came back"


def test_a_flood_is_counted_and_holds_up_nobody(home: Home, settings_of: Settle, start: Start) -> None:
    start(AlarmIngest(settings_of("alarms")))
    flood = 10 * BURST_MAX
    with connected(home, home.wristband) as flooder:
        for number in range(flood):
            signal = AlarmSignal(ts_ms=now_ms(), kind=SignalKind.FALL, signal_id=str(number))
            flooder.publish(home.topic(home.wristband, Leaf.ALARM), wire.encode(signal), qos=1)
        home.say(home.button, AlarmSignal(ts_ms=now_ms(), kind=SignalKind.SOS))
        eventually(lambda: signals_of(home, home.button) == 1)
        counted = "SELECT signal_count FROM care.alarm WHERE kind = 'fall'"
        eventually(lambda: home.rows(counted)[0]["signal_count"] == flood, 30.0)
    assert signals_of(home, home.wristband) <= BURST_MAX + 1
    lines = home.rows(
        "SELECT count(*) FROM care.alarm_event JOIN care.alarm ON alarm.id = alarm_id WHERE kind = 'fall'"
    )
    assert lines[0]["count"] <= BURST_MAX + 1
    notice = home.rows("SELECT priority, device_id FROM care.alarm WHERE kind = 'fault'")
    assert notice == [{"priority": "low", "device_id": home.wristband.device.id}]


def test_in_a_flood_another_kind_of_alarm_is_opened_at_once(
    home: Home, settings_of: Settle, start: Start
) -> None:
    start(AlarmIngest(settings_of("alarms")))
    with connected(home, home.wristband) as flooder:
        for number in range(2 * BURST_MAX):
            signal = AlarmSignal(ts_ms=now_ms(), kind=SignalKind.LOW_BATTERY, signal_id=str(number))
            flooder.publish(home.topic(home.wristband, Leaf.ALARM), wire.encode(signal), qos=1)
        sos = AlarmSignal(ts_ms=now_ms(), kind=SignalKind.SOS)
        flooder.publish(home.topic(home.wristband, Leaf.ALARM), wire.encode(sos), qos=1).wait_for_publish(10)
    eventually(lambda: home.rows("SELECT FROM care.alarm WHERE kind = 'sos'"))


def flooded(client: mqtt.Client, topic: str, **signal: Any) -> None:
    for number in range(2 * BURST_MAX):
        message = AlarmSignal(ts_ms=now_ms(), signal_id=str(number), **signal)
        client.publish(topic, wire.encode(message), qos=1)


def test_in_a_flood_every_button_that_nobody_has_adopted_opens_its_own_alarm(
    home: Home, settings_of: Settle, start: Start
) -> None:
    start(AlarmIngest(settings_of("alarms")))
    topic = home.topic(home.gateway, Leaf.ALARM)
    with connected(home, home.gateway) as box:
        flooded(box, topic, kind=SignalKind.SOS, key="zigbee2mqtt:held-down")
        for key in ("zigbee2mqtt:b", "zigbee2mqtt:c"):
            signal = AlarmSignal(ts_ms=now_ms(), kind=SignalKind.SOS, signal_id=key, key=key)
            box.publish(topic, wire.encode(signal), qos=1).wait_for_publish(10)
    query = "SELECT proposal_key, signal_count FROM care.alarm WHERE kind = 'sos' ORDER BY proposal_key"
    expected = [
        {"proposal_key": "zigbee2mqtt:b", "signal_count": 1},
        {"proposal_key": "zigbee2mqtt:c", "signal_count": 1},
        {"proposal_key": "zigbee2mqtt:held-down", "signal_count": 2 * BURST_MAX},
    ]
    eventually(lambda: home.rows(query) == expected)


def test_in_a_flood_a_call_that_is_taken_back_at_once_is_an_alarm_all_the_same(
    home: Home, settings_of: Settle, start: Start
) -> None:
    start(AlarmIngest(settings_of("alarms")))
    topic = home.topic(home.wristband, Leaf.ALARM)
    with connected(home, home.wristband) as flooder:
        flooded(flooder, topic, kind=SignalKind.LOW_BATTERY)
        for state in (SignalState.RAISED, SignalState.CANCELLED):
            signal = AlarmSignal(ts_ms=now_ms(), kind=SignalKind.SOS, state=state, signal_id="press")
            flooder.publish(topic, wire.encode(signal), qos=1)
        query = "SELECT state, condition_ended_at IS NULL AS lasts FROM care.alarm WHERE kind = 'sos'"
        eventually(lambda: home.rows(query) == [{"state": "open", "lasts": False}])


def test_one_alarm_that_is_locked_holds_up_nobody_else(
    home: Home, settings_of: Settle, start: Start, database: Database
) -> None:
    start(AlarmIngest(settings_of("alarms")))
    home.say(home.wristband, AlarmSignal(ts_ms=now_ms(), kind=SignalKind.FALL))
    eventually(lambda: signals_of(home, home.wristband) == 1)
    with connect(database.owner_url) as other:
        other.execute("SELECT FROM care.alarm WHERE kind = 'fall' FOR UPDATE")
        home.say(home.wristband, AlarmSignal(ts_ms=now_ms(), kind=SignalKind.FALL))
        home.say(home.button, AlarmSignal(ts_ms=now_ms(), kind=SignalKind.SOS))
        eventually(lambda: signals_of(home, home.button) == 1)
        assert signals_of(home, home.wristband) == 1
        other.rollback()
    eventually(lambda: signals_of(home, home.wristband) == 2)


def test_a_batch_of_zeros_leaves_few_dead_letters(home: Home, settings_of: Settle, start: Start) -> None:
    start(SharedReadings(settings_of("ingest")))
    payload = b'{"id":"zeros","items":[' + b",".join([b"0"] * 400_000) + b"]}"
    home.publish(home.gateway, home.topic(home.gateway, Leaf.BATCH), payload)
    eventually(lambda: home.rows("SELECT FROM readings.batch WHERE batch_id = 'zeros'"))
    query = "SELECT detail FROM readings.dead_letter WHERE device_id = %s ORDER BY id"
    letters = home.rows(query, home.gateway.device.id)
    assert len(letters) <= wire.BATCH_REJECTS_MAX + 1
    told = " ".join(letter["detail"] for letter in letters)
    assert "4,900 more" in told
    assert "395,000" in told


def test_the_broker_retains_nothing_of_made_up_names(home: Home, settings_of: Settle, start: Start) -> None:
    start(AlarmIngest(settings_of("alarms")))
    start(SharedReadings(settings_of("ingest")))
    leaves = (Leaf.ALARM, Leaf.VITALS, Leaf.ACTIVITY, Leaf.STATUS)
    topics = [f"{ROOT}/{home.site.code}/made-up-{number}/{leaf}" for number in range(3) for leaf in leaves]
    mine = home.topic(home.gateway, Leaf.STATUS)
    with connected(home, home.gateway) as box:
        for topic in topics:
            box.publish(topic, b"x" * 20_000, qos=1, retain=True).wait_for_publish(10)
        box.publish(mine, wire.encode(DeviceStatus(online=True)), qos=1, retain=True).wait_for_publish(10)
    letters = "SELECT FROM readings.dead_letter WHERE topic LIKE %s"
    eventually(lambda: len(home.rows(letters, "%/made-up-%")) == len(topics))
    eventually(lambda: retained(home, topics, mine) == [mine])
    with connected(home, home.gateway) as box:  # the broker is other tests' as well
        box.publish(mine, b"", qos=1, retain=True).wait_for_publish(10)


def retained(home: Home, topics: list[str], last: str) -> list[str]:
    """On which of these topics the broker retains something; `last` is one where it does."""
    found: list[str] = []
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.username_pw_set("simulator", home.broker.accounts["simulator"])
    client.on_message = lambda _client, _data, message: found.append(message.topic)
    client.connect(home.broker.host, home.broker.service_port)
    client.loop_start()
    for topic in [*topics, last]:
        client.subscribe(topic)
    eventually(lambda: last in found)
    client.disconnect()
    client.loop_stop()
    return found


def test_a_retained_sos_without_a_time_is_heard_like_any_other(
    home: Home, settings_of: Settle, start: Start
) -> None:
    start(AlarmIngest(settings_of("alarms")))
    with connected(home, home.button) as client:
        topic = home.topic(home.button, Leaf.ALARM)
        client.publish(topic, b'{"alarm":"sos"}', qos=1, retain=True).wait_for_publish(10)
        eventually(lambda: signals_of(home, home.button) == 1)


def test_a_device_that_signs_in_itself_has_no_other_mouth(
    home: Home, settings_of: Settle, start: Start
) -> None:
    direct = home.add(DeviceKind.PULL_CORD, relayed=False)
    home.provisioner.set_rights(provision.gateways_rights(home.connection))
    start(AlarmIngest(settings_of("alarms")))
    start(SharedReadings(settings_of("ingest")))
    name, cancel = direct.device.name, AlarmSignal(kind=SignalKind.SOS, state=SignalState.CANCELLED)
    home.say(direct, AlarmSignal(ts_ms=now_ms(), kind=SignalKind.SOS))
    eventually(lambda: signals_of(home, direct) == 1)
    answers: list[int] = []
    with connected(home, home.gateway) as box:
        box.on_publish = lambda _client, _data, _mid, reason, _properties: answers.append(reason.value)
        box.publish(f"{ROOT}/{home.site.code}/{name}/alarm", wire.encode(cancel), qos=1)
        box.publish(home.topic(home.button, Leaf.ALARM), wire.encode(cancel), qos=1)
        eventually(lambda: len(answers) == 2)
        batch = wire.encode_batch("forged", [(name, VitalSigns(hr=60)), (name, cancel)])
        box.publish(home.topic(home.gateway, Leaf.BATCH), batch, qos=1).wait_for_publish(10)
    assert answers[:2] == [135, 0]
    eventually(lambda: home.rows("SELECT FROM readings.batch WHERE batch_id = 'forged'"))
    assert signals_of(home, direct) == 1
    # Of other tests the broker may still retain a status.
    query = "SELECT detail FROM readings.dead_letter WHERE device_id = %s"
    details = [row["detail"] for row in home.rows(query, home.gateway.device.id)]
    assert details == [f"{home.gateway.device.name} does not speak for {name}"] * 2


def test_no_receipt_goes_where_somebody_else_asked_for_one(
    home: Home, settings_of: Settle, start: Start
) -> None:
    direct = home.add(DeviceKind.PULL_CORD, relayed=False)
    start(AlarmIngest(settings_of("alarms")))
    heard: list[bytes] = []
    asking = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    asking.ResponseTopic = home.topic(home.gateway, Leaf.RECEIPT)
    with connected(home, home.gateway) as box, connected(home, direct) as forger:
        box.on_message = lambda _client, _data, message: heard.append(bytes(message.payload))
        box.subscribe(home.topic(home.gateway, Leaf.RECEIPT), qos=1)
        for asker, topic, id_ in (
            (forger, home.topic(direct, Leaf.ALARM), "forged"),
            (box, home.topic(home.button, Leaf.ALARM), "own"),
        ):
            signal = AlarmSignal(ts_ms=now_ms(), kind=SignalKind.SOS, signal_id=id_)
            asker.publish(topic, wire.encode(signal), qos=1, properties=asking).wait_for_publish(10)
            eventually(lambda: len(home.rows("SELECT FROM care.alarm_signal")) >= 1)
        eventually(lambda: heard)
    assert [wire.decode_receipt(one).signals for one in heard] == [("own",)]


@pytest.mark.parametrize("name", [*names.SERVICES, "admin", "anshou-ingest-alarms-1"])
def test_reserved_names_are_nobodys(home: Home, database: Database, name: str) -> None:
    with pytest.raises(InvalidError, match="reserved"):
        registry.add_device(home.connection, site=home.site, kind=DeviceKind.SOS_BUTTON, name=name)
    with database.connect() as connection, pytest.raises(Exception, match="reserved"):
        connection.execute(
            "INSERT INTO care.device (site_id, name, kind, power) VALUES (%s, %s, 'smoke', 'mains')",
            (home.site.id, name),
        )
    with pytest.raises(ProvisionError, match="no device"):
        home.provisioner.remove_device(name)
    with pytest.raises(ProvisionError, match="no device"):
        home.provisioner.add_device(home.site.code, name, DeviceKind.SOS_BUTTON, secrets.token_urlsafe())


def test_the_rooms_accounts_are_all_reserved() -> None:
    assert set(provision.SERVICE_RIGHTS) == set(names.SERVICES)
    assert all(names.is_reserved(name) for name in provision.SERVICE_RIGHTS)


def test_a_packet_of_properties_is_a_message_like_any_other(
    home: Home, settings_of: Settle, start: Start
) -> None:
    start(AlarmIngest(settings_of("alarms")))
    many = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    many.UserProperty = [("", "")] * 2_000
    with connected(home, home.wristband) as client:
        for qos in (0, 1):
            signal = json.dumps({"alarm": "fall", "id": f"q{qos}", "ts": time.time_ns() // 10**6}).encode()
            client.publish(home.topic(home.wristband, Leaf.ALARM), signal, qos=qos, properties=many)
        eventually(lambda: signals_of(home, home.wristband) == 2)
