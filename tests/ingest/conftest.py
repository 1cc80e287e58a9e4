"""Both processes of ingest on the real broker and database, and a home whose devices speak."""

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from care import registry
from care.model import CareCategory, SiteKind
from care.registry import NewDevice
from database.connections import Connection
from ingest.alarms import AlarmIngest
from ingest.gateway_ingest import GatewayIngest
from ingest.provision import Provisioner
from ingest.settings import Settings
from ingest.settle import Rhythm, settle
from ingest.shares import SharedReadings
from protocol import wire
from protocol.broker import BrokerAddress
from protocol.model import DeviceKind, Message, to_epoch_ms
from tests.servers import Broker, Database

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
EVENTUALLY_S = 20.0


def eventually(check: Callable[[], Any], timeout_s: float = EVENTUALLY_S) -> Any:
    """The first true value of `check`; fails when there is none in time."""
    deadline_s = time.monotonic() + timeout_s
    while not (value := check()):
        assert time.monotonic() < deadline_s, "it did not come true in time"
        time.sleep(0.02)
    return value


def now_ms() -> int:
    return to_epoch_ms(datetime.now(UTC))


class Home:
    """A household with one resident and devices that can speak with their own credentials."""

    def __init__(self, connection: Connection, broker: Broker) -> None:
        self.broker = broker
        self.connection = connection
        self.site = registry.add_site(
            connection, code=broker.site, kind=SiteKind.HOUSEHOLD, name="王家", township="青石镇"
        )
        self.resident = registry.add_resident(
            connection,
            site_id=self.site.id,
            name="王桂兰",
            sex="female",
            born_on=date(1940, 2, 3),
            category=CareCategory.TEKUN_DISPERSED,
            since=SINCE,
        )
        self.room_id = registry.add_room(connection, self.site.id, "卧室")
        self.provisioner = Provisioner(BrokerAddress.parse(broker.url("provisioner")))
        self.listening: dict[str, mqtt.Client] = {}
        self.wristband = self.add(DeviceKind.WRISTBAND, resident_id=self.resident.id)
        self.button = self.add(DeviceKind.SOS_BUTTON, resident_id=self.resident.id)
        self.motion = self.add(DeviceKind.MOTION, room_id=self.room_id)
        self.gateway = self.add(DeviceKind.GATEWAY)

    def add(self, kind: DeviceKind, *, relayed: bool = True, **watching: int) -> NewDevice:
        """A device with credentials, for which the gateway speaks as well unless it is not `relayed`."""
        name = f"{kind.replace('_', '-')}-{self.broker.site}"
        with self.connection.transaction():
            device = registry.add_device(
                self.connection,
                site=self.site,
                kind=kind,
                name=name,
                since=SINCE if watching else None,
                relayed=relayed and kind is not DeviceKind.GATEWAY,
                resident_id=watching.get("resident_id"),
                room_id=watching.get("room_id"),
            )
        self.provisioner.add_device(self.site.code, name, kind, device.secret)
        return device

    def topic(self, device: NewDevice, leaf: wire.Leaf) -> str:
        return str(wire.Topic(self.site.code, device.device.name, leaf))

    def say(self, device: NewDevice, message: Message) -> None:
        self.publish(device, self.topic(device, wire.leaf_of(message)), wire.encode(message))

    def publish(self, device: NewDevice, topic: str, payload: bytes) -> None:
        """Publish at QoS 1 with the device's own credentials, as a client that is not ours.

        A device has one connection: the one that it listens on, where it does.
        """
        if (connected := self.listening.get(device.device.name)) is not None:
            connected.publish(topic, payload, qos=1).wait_for_publish(10)
            return
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"test-{secrets.token_hex(4)}",
            protocol=MQTTProtocolVersion.MQTTv5,
        )
        client.username_pw_set(device.device.name, device.secret)
        client.connect(self.broker.host, self.broker.port)
        client.loop_start()
        try:
            published = client.publish(topic, payload, qos=1)
            published.wait_for_publish(10)
            assert published.is_published(), "the broker did not take it"
        finally:
            client.disconnect()
            client.loop_stop()

    def settle(self) -> None:
        """Bring the latest state up to date with what is stored."""
        while settle(self.connection, Rhythm()).more:
            pass

    def rows(self, query: str, *params: object) -> list[dict[str, Any]]:
        return self.connection.execute(query, params).fetchall()


@pytest.fixture
def home(owner: Connection, broker: Broker) -> Home:
    return Home(owner, broker)


@pytest.fixture
def settings_of(database: Database, broker: Broker) -> Callable[[str], Settings]:
    worker = secrets.token_hex(4)

    def settings(account: str) -> Settings:
        return Settings(
            database_url=database.ingest_url, mqtt_url=broker.url(account), worker=worker, batch_age_ms_max=10
        )

    return settings


Process = SharedReadings | AlarmIngest | GatewayIngest


class Running:
    """A process of ingest in a thread; a failure in it fails the test."""

    def __init__(self, process: Process, *, wait: bool = True) -> None:
        self.process = process
        self.failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        if wait:
            eventually(lambda: process.connected or self.failure)
        assert self.failure is None, self.failure

    def _run(self) -> None:
        try:
            self.process.run()
        except Exception as error:  # noqa: BLE001 - told to the test in `stop`
            self.failure = error

    def stop(self) -> None:
        self.process.stop()
        self._thread.join(10)
        assert not self._thread.is_alive()
        assert self.failure is None, self.failure


@pytest.fixture
def ingest(home: Home, settings_of: Callable[[str], Settings]) -> Iterator[None]:
    """Readings and alarms, as in production but in threads of this process."""
    running = [
        Running(SharedReadings(settings_of("ingest"))),
        Running(AlarmIngest(settings_of("alarms"))),
    ]
    yield
    for process in running:
        process.stop()
