"""What devices and gateways with an account at the broker try: others' sessions, hostile packets, floods."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from benchmarks.attacks.product import Device, Product
from benchmarks.attacks.verdict import Verdict, attack, failed, judged, refused
from benchmarks.load import Publisher, publish_packet, remaining_length
from benchmarks.stack import resident_mb
from care import registry
from database.connections import connect
from database.errors import InvalidError
from ingest.provision import service_sessions
from protocol.model import DeviceKind
from protocol.names import SERVICES

SITE = "home-01"
ANSWER_S_MAX = 5.0
ALARMS_SESSION = "anshou-ingest-alarms-1"


class Intruder:
    """A client of the broker that says and hears what it likes, under any client id."""

    def __init__(self, product: Product, user: str, secret: str, client_id: str, **connect: Any) -> None:
        self.heard: list[MQTTMessage] = []
        self.refusal: str | None = None
        self.answers: dict[int, ReasonCode] = {}
        self.subscribed: list[ReasonCode] = []
        self._connected = False
        client = Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=MQTTProtocolVersion.MQTTv5)
        client.username_pw_set(user, secret)
        client.on_connect = self._on_connect
        client.on_message = lambda _client, _data, message: self.heard.append(message)
        client.on_publish = lambda _client, _data, mid, reason, _properties: self.answers.update(
            {mid: reason}
        )
        client.on_subscribe = lambda _client, _data, _mid, reasons, _properties: self.subscribed.extend(
            reasons
        )
        self.client = client
        client.connect(product.instance.mqtt_host, product.instance.mqtt_port, **connect)
        self.turn_until(lambda: self._connected or self.refusal is not None)

    def turn_until(self, done: Any, timeout_s: float = ANSWER_S_MAX) -> bool:
        """Read and write until `done()`, or so long."""
        deadline_s = time.monotonic() + timeout_s
        while not done():
            if time.monotonic() > deadline_s:
                return False
            self.client.loop(0.05)
        return True

    def say(
        self, topic: str, payload: bytes, *, retain: bool = False, **properties: Any
    ) -> ReasonCode | None:
        """Publish at QoS 1; the broker's answer, None when there was none."""
        given = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        for name, value in properties.items():
            setattr(given, name, value)
        sent = self.client.publish(topic, payload, qos=1, retain=retain, properties=given)
        self.turn_until(lambda: sent.mid in self.answers)
        return self.answers.get(sent.mid)

    def close(self) -> None:
        """Leave."""
        self.client.disconnect()
        self.turn_until(lambda: self.client.socket() is None, 1.0)

    def _on_connect(
        self, _client: Client, _data: Any, _flags: ConnectFlags, reason: ReasonCode, _properties: Any
    ) -> None:
        self._connected = not reason.is_failure
        self.refusal = str(reason) if reason.is_failure else None


@contextmanager
def intruding(product: Product, device: Device, client_id: str = "", **connect: Any) -> Iterator[Intruder]:
    """Signed in as a device, under its own client id or another."""
    intruder = Intruder(product, device.name, device.secret, client_id or device.name, **connect)
    try:
        yield intruder
    finally:
        intruder.close()


def press(product: Product, device: Device, count: int) -> None:
    """Press the device's button so often; each was acknowledged by the broker."""
    button = Publisher(product.broker_url(device.name, device.secret), device.name)
    packets = []
    for number in range(count):
        signal = {"ts": time.time_ns() // 1_000_000 + number, "alarm": "sos", "id": f"n-{number}"}
        packets.append(publish_packet(device.topic("alarm"), json.dumps(signal).encode()))
    button.send(packets)
    button.close()


def stored_signals(product: Product, device: Device) -> int:
    """How many of a device's signals are in the record."""
    return product.count("SELECT count(*) FROM care.alarm_signal WHERE device_id = %s", device.id)


def wait_for(product: Product, device: Device, count: int, timeout_s: float = 30.0) -> int:
    """Until so many signals of the device are stored, or so long; how many there are."""
    deadline_s = time.monotonic() + timeout_s
    while (stored := stored_signals(product, device)) < count and time.monotonic() < deadline_s:
        time.sleep(0.1)
    return stored


def taken_over(product: Product, room: str) -> int:
    """How often a process has lost its session to another client."""
    return product.said_by(room).count("Session taken over")


def evict(product: Product, thief: Device, client_id: str, for_s: float, every_s: float = 0.2) -> int:
    """Connect under somebody's client id again and again; how often it was tried."""
    tries, until_s = 0, time.monotonic() + for_s
    while time.monotonic() < until_s:
        with intruding(product, thief, client_id, clean_start=True):
            tries += 1
        time.sleep(every_s)
    return tries


@attack("MQ-01")
def take_over_the_alarm_intake(product: Product) -> Verdict:
    """A device signs in under the client id of the alarm intake, again and again for 20 s."""
    thief = product.new_device(SITE)
    before = taken_over(product, "ingest-alarms")
    with product.watched_sos(SITE, count=20) as watched:
        tries = evict(product, thief, ALARMS_SESSION, 20.0)
    lost = taken_over(product, "ingest-alarms") - before
    return judged(not lost, f"{tries} connections, session taken over {lost} times; {watched.words}")


def _while_intake_is_down(product: Product, *, clean: bool) -> Verdict:
    thief, victim = product.new_device(SITE), product.new_device(SITE)
    expiry = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    expiry.SessionExpiryInterval = 3600
    with product.stopped("ingest-alarms"):
        press(product, victim, 10)
        with intruding(product, thief, ALARMS_SESSION, clean_start=clean, properties=expiry) as intruder:
            intruder.turn_until(lambda: bool(intruder.heard), 2.0)
            heard = len(intruder.heard)
    stored = wait_for(product, victim, 10)
    return judged(stored == 10 and not heard, f"{stored} of 10 alarms opened, the thief heard {heard}")


@attack("MQ-02")
def end_the_waiting_session(product: Product) -> Verdict:
    """While the alarm intake is down, a device ends its session by a clean start."""
    return _while_intake_is_down(product, clean=True)


@attack("MQ-03")
def read_the_waiting_session(product: Product) -> Verdict:
    """While the alarm intake is down, a device continues its session to read the queue."""
    return _while_intake_is_down(product, clean=False)


@attack("MQ-05")
def take_over_the_other_intakes(product: Product) -> Verdict:
    """The same with the sessions of readings, gateways and configurations."""
    thief = product.new_device(SITE)
    rooms = ("ingest-readings", "ingest-gateways")
    before = sum(taken_over(product, room) for room in rooms)
    for name in ("readings-1-1", "gateways-1", "configs-1"):
        evict(product, thief, f"anshou-ingest-{name}", 3.0)
    lost = sum(taken_over(product, room) for room in rooms) - before
    return judged(not lost, f"sessions taken over {lost} times")


@attack("NEW-1")
def a_packet_of_properties(product: Product) -> Verdict:
    """One PUBLISH with 150,000 user properties (900 KB), at QoS 0 and 1."""
    device = product.new_device(SITE)
    with product.watched_sos(SITE, count=10, every_s=0.5) as watched:
        time.sleep(1.0)
        for qos in (1, 0):
            sender = Publisher(product.broker_url(device.name, device.secret), device.name)
            sender.send_raw(properties_packet(device.topic("alarm"), b'{"alarm":"sos"}', 150_000, qos))
            time.sleep(1.0)
            sender.drop()
    return judged(watched.stored == watched.pressed, watched.words)


def properties_packet(topic: str, payload: bytes, count: int, qos: int) -> bytes:
    """A PUBLISH with so many empty user properties, six bytes each."""
    name, properties = topic.encode(), b"\x26\x00\x00\x00\x00" * count
    content = len(name).to_bytes(2, "big") + name + (b"\x00\x07" if qos else b"")
    content += remaining_length(len(properties)) + properties + payload
    return bytes([0x30 | qos << 1]) + remaining_length(len(content)) + content


@attack("MQ-06")
def a_flood_of_alarms(product: Product) -> Verdict:
    """One device sends 20,000 alarms as fast as it can."""
    flooder = product.new_device(SITE)
    with product.watched_sos(SITE, count=15) as watched:
        press(product, flooder, 20_000)
    rows = stored_signals(product, flooder)
    lines = product.count(
        "SELECT count(*) FROM care.alarm_event JOIN care.alarm ON alarm.id = alarm_id WHERE device_id = %s",
        flooder.id,
    )
    notices = product.count(
        "SELECT count(*) FROM care.alarm WHERE device_id = %s AND kind = 'fault'", flooder.id
    )
    found = f"{rows} signals and {lines} lines stored, {notices} notices; {watched.words}"
    return judged(rows <= 110 and lines <= 110 and notices == 1, found)


@attack("MQ-25")
def a_service_account_as_a_device(product: Product) -> Verdict:
    """A service account signs in at the devices' listener with its right password, by all its names."""
    sessions = service_sessions()
    let_in = []
    for account, password in product.passwords.accounts.items():
        for name in (account, f"{account}@", *(f"{account}@{id_}" for id_ in sessions.get(account, ())[:3])):
            intruder = Intruder(product, name, password, name.rpartition("@")[2] or "x")
            if intruder.refusal is None and account in sessions:
                let_in.append(name)
            intruder.close()
    return failed(f"let in: {', '.join(let_in)}") if let_in else refused("none was let in")


@attack("MQ-04")
def evict_a_gateway(product: Product) -> Verdict:
    """A device connects under a gateway's client id, again and again."""
    thief, box = product.new_device(SITE), product.new_gateway(SITE)
    with intruding(product, box) as gateway:
        evict(product, thief, box.name, 5.0)
        answer = gateway.say(box.topic("status"), b'{"online":true}', retain=True)
    return judged(answer is not None, "the gateway stayed" if answer is not None else "it was thrown out")


@attack("NEW-3")
def fill_the_brokers_store(product: Product) -> Verdict:
    """A gateway leaves 150 retained messages of 900 KB on made-up names."""
    box = product.new_gateway(SITE)
    with product.watched_sos(SITE, count=10) as watched:
        sender = Publisher(product.broker_url(box.name, box.secret), box.name)
        for number in range(150):
            topic = box.topic(("alarm", "vitals", "status")[number % 3], f"made-up-{number}")
            head, tail = publish_packet(topic, b"x" * 900_000)
            sender.send([(bytes([head[0] | 1]) + head[1:], tail)])
        sender.close()
    store = product.data.mosquitto / "mosquitto.db"
    deadline_s = time.monotonic() + 15.0
    while (size := store.stat().st_size if store.exists() else 0) > 5e6 and time.monotonic() < deadline_s:
        time.sleep(0.5)
    return judged(size < 5e6, f"the broker's store has {size / 1e6:.1f} MB; {watched.words}")


@attack("NEW-4")
def a_forged_receipt(product: Product) -> Verdict:
    """A device names a gateway's receipt topic as its response topic."""
    forger, box = product.new_device(SITE), product.new_gateway(SITE)
    with intruding(product, box) as gateway:
        gateway.client.subscribe(box.topic("receipt"), qos=1)
        gateway.turn_until(lambda: bool(gateway.subscribed))
        with intruding(product, forger) as intruder:
            signal = json.dumps({"ts": time.time_ns() // 1_000_000, "alarm": "sos", "id": "forged"}).encode()
            intruder.say(forger.topic("alarm"), signal, ResponseTopic=box.topic("receipt"))
        wait_for(product, forger, 1)
        gateway.turn_until(lambda: bool(gateway.heard), 2.0)
    return judged(not gateway.heard, f"{len(gateway.heard)} receipts came", good=refused)


@attack("MQ-08")
def a_batch_of_zeros(product: Product) -> Verdict:
    """A batch of 500,000 zeros (1 MB)."""
    box = product.new_gateway(SITE)
    pid = product.pid_of("ingest-readings")
    before_mb = resident_mb(pid)
    payload = b'{"id":"zeros","items":[' + b",".join([b"0"] * 500_000) + b"]}"
    with product.watched_sos(SITE, count=10, every_s=0.5) as watched:
        sender = Publisher(product.broker_url(box.name, box.secret), box.name)
        sender.send([publish_packet(box.topic("batch"), payload)])
        began_s = time.monotonic()
        sender.send([publish_packet(box.topic("status"), b'{"online":true}')])
        query = "SELECT count(*) FROM readings.device_status WHERE device_id = %s"
        while not product.count(query, box.id) and time.monotonic() - began_s < 60:
            time.sleep(0.05)
        status_s = time.monotonic() - began_s
        sender.close()
    letters = product.count("SELECT count(*) FROM readings.dead_letter WHERE device_id = %s", box.id)
    grown_mb = resident_mb(pid) - before_mb
    found = f"{letters} dead letters, a status after it {status_s:.1f} s, {grown_mb:.0f} MB; {watched.words}"
    return judged(letters <= 102 and status_s < 2.0 and grown_mb < 100, found)


@attack("MQ-09")
def batches_of_unknown_devices(product: Product) -> Verdict:
    """A gateway sends 30 batches of 10,000 items each about devices that nobody knows."""
    box = product.new_gateway(SITE)
    items = [{"leaf": "activity", "device": f"made-up-{n}", "event": "motion"} for n in range(10_000)]
    with product.watched_sos(SITE, count=10) as watched:
        sender = Publisher(product.broker_url(box.name, box.secret), box.name)
        for number in range(30):
            payload = json.dumps({"id": f"b{number}", "items": items}).encode()
            sender.send([publish_packet(box.topic("batch"), payload)])
        sender.close()
    time.sleep(2.0)
    letters = product.count("SELECT count(*) FROM readings.dead_letter WHERE device_id = %s", box.id)
    return judged(letters <= 1_000, f"{letters} dead letters; {watched.words}")


@attack("MQ-10")
def alarms_of_made_up_names(product: Product) -> Verdict:
    """A gateway sends alarms of 1,000 names that nobody knows, 50 a second."""
    box = product.new_gateway(SITE)
    with product.watched_sos(SITE, count=20) as watched:
        sender = Publisher(product.broker_url(box.name, box.secret), box.name)
        packets = (
            publish_packet(box.topic("alarm", f"made-up-{n}"), b'{"alarm":"sos"}') for n in range(1_000)
        )
        sender.send(packets, per_s=50)
        sender.close()
    query = "SELECT count(*) FROM readings.dead_letter WHERE topic LIKE %s"
    letters = product.count(query, "%/made-up-%/alarm")
    return judged(letters <= 200, f"{letters} dead letters; {watched.words}")


@attack("MQ-11")
def many_sessions_of_one_device(product: Product) -> Verdict:
    """A device opens 200 persistent sessions under client ids of its own choice."""
    device = product.new_device(SITE)
    expiry = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    expiry.SessionExpiryInterval = 14 * 86_400
    connections = [
        Intruder(product, device.name, device.secret, f"many-{n}", clean_start=False, properties=expiry)
        for n in range(200)
    ]
    for connection in connections:
        connection.client.loop(0.01)
    alive = sum(connection.client.socket() is not None for connection in connections)
    return judged(alive <= 1, f"{alive} of 200 connections stay", good=refused)


@attack("MQ-13")
def speak_for_a_device_with_an_account(product: Product) -> Verdict:
    """A gateway cancels the alarm of a device that has an account of its own, and hears its commands."""
    victim, box = product.new_device(SITE), product.new_gateway(SITE)
    press(product, victim, 1)
    wait_for(product, victim, 1)
    time.sleep(2.0)  # the broker is told of a new device within this
    cancelled = json.dumps({"alarm": "sos", "state": "cancelled", "id": "forged"}).encode()
    with intruding(product, box) as gateway:
        answer = gateway.say(victim.topic("alarm"), cancelled)
        item = {"leaf": "alarm", "device": victim.name, "alarm": "sos", "state": "cancelled", "id": "forged"}
        gateway.say(box.topic("batch"), json.dumps({"id": "forged", "items": [item]}).encode())
    time.sleep(1.0)
    is_refused = answer is not None and answer.is_failure
    stored = stored_signals(product, victim)
    return judged(is_refused and stored == 1, f"answer {answer}, {stored} signals", good=refused)


@attack("MQ-20")
def writing_turned_around(product: Product) -> Verdict:
    """A firmware version that turns the writing around."""
    device = product.new_device(SITE)
    with intruding(product, device) as intruder:
        intruder.say(device.topic("status"), b'{"online":true,"fw":"\\u202e\\u2028x"}')
    query = "SELECT count(*) FROM readings.dead_letter WHERE device_id = %s"
    deadline_s = time.monotonic() + 10
    while not product.count(query, device.id) and time.monotonic() < deadline_s:
        time.sleep(0.1)
    stored = product.count("SELECT count(*) FROM readings.device_status WHERE device_id = %s", device.id)
    return judged(not stored and product.count(query, device.id) == 1, f"{stored} stored", good=refused)


@attack("MQ-23")
def a_device_of_a_rooms_name(product: Product) -> Verdict:
    """Devices are recorded, and removed, under the names of the rooms' accounts."""
    taken = []
    for name in (*SERVICES, "anshou-ingest-alarms-1"):
        try:
            with connect(product.instance.owner_database_url) as connection:
                site = registry.site_by_code(connection, SITE)
                registry.add_device(connection, site=site, kind=DeviceKind.SMOKE, name=name)
            taken.append(name)
        except InvalidError:
            continue
    with product.watched_sos(SITE, count=2) as watched:
        pass
    return judged(not taken, f"recorded: {', '.join(taken) or 'none'}; {watched.words}", good=refused)


@attack("MQ-12")
def silent_connections(product: Product) -> Verdict:
    """900 TCP connections that never say a word, while another device connects."""
    where = (product.instance.mqtt_host, product.instance.mqtt_port)
    silent = [socket.create_connection(where) for _ in range(900)]
    try:
        with product.watched_sos(SITE, count=5) as watched:
            began_s = time.monotonic()
            with intruding(product, product.new_device(SITE)) as device:
                took_s = time.monotonic() - began_s
        return judged(
            device.refusal is None and took_s < 5.0, f"let in after {took_s:.2f} s; {watched.words}"
        )
    finally:
        for connection in silent:
            connection.close()
