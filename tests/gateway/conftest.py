"""A gateway between two real brokers: the one in the house, and one at which the test plays the centre."""

import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from benchmarks.house import lan_broker
from gateway.__main__ import Gateway
from gateway.clock import Clock
from gateway.settings import Settings
from protocol import wire
from protocol.model import GatewayConfig, Message
from protocol.wire import ROOT, Batch, Leaf, Receipt, Topic

EVENTUALLY_S = 20.0


def eventually(check: Callable[[], Any], timeout_s: float = EVENTUALLY_S) -> Any:
    """The first true value of `check`; fails when there is none in time."""
    deadline_s = time.monotonic() + timeout_s
    while not (value := check()):
        assert time.monotonic() < deadline_s, "it did not come true in time"
        time.sleep(0.02)
    return value


class Client:
    """A plain MQTT client that remembers what it heard."""

    def __init__(self, port: int, *filters: str) -> None:
        self.heard: list[tuple[str, bytes, bool]] = []
        self._ready = threading.Event()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"test-{secrets.token_hex(4)}",
            protocol=MQTTProtocolVersion.MQTTv5,
        )
        self._client.on_message = self._on_message
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.connect("127.0.0.1", port)
        if filters:
            self._client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in filters])
        self._client.loop_start()
        if filters:
            assert self._ready.wait(10)

    def say(self, topic: str, payload: bytes, *, retain: bool = False, qos: int = 1) -> None:
        self._client.publish(topic, payload, qos=qos, retain=retain).wait_for_publish(10)

    def of(self, topic: str) -> list[bytes]:
        return [payload for heard, payload, _ in self.heard if heard == topic]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: object, _userdata: object, message: mqtt.MQTTMessage) -> None:
        self.heard.append((message.topic, bytes(message.payload), message.retain))


class Centre(Client):
    """The centre as far as a gateway sees it: receipts what it hears, but for what it is told not to."""

    def __init__(self, port: int, site: str, gateway: str) -> None:
        self.site = site
        self.gateway = gateway
        self.refuses: Callable[[str, bytes], bool] = lambda _topic, _payload: False
        self.tells_time: Callable[[], int | None] = lambda: time.time_ns() // 1_000_000
        super().__init__(port, f"{ROOT}/{site}/#")

    def topic(self, leaf: Leaf, device: str | None = None) -> str:
        return str(Topic(self.site, device or self.gateway, leaf))

    def adopt(self, config: GatewayConfig) -> None:
        self.say(self.topic(Leaf.CONFIG), wire.encode(config), retain=True)

    def batches(self) -> list[Batch]:
        """All that came, but for what the gateway says of itself."""
        found = [wire.decode_batch(payload) for payload in self.of(self.topic(Leaf.BATCH))]
        return [batch for batch in found if "-probe-" not in batch.batch_id]

    def _on_message(self, client: Any, userdata: object, message: mqtt.MQTTMessage) -> None:
        super()._on_message(client, userdata, message)
        payload = bytes(message.payload)
        if self.refuses(message.topic, payload):
            return
        leaf = message.topic.rpartition("/")[2]
        if leaf == Leaf.BATCH:
            batch_id = wire.decode_batch(payload).batch_id
            receipt = Receipt(batches=(batch_id,), ts_ms=self.tells_time())
            client.publish(self.topic(Leaf.RECEIPT), wire.encode(receipt), qos=1)
        elif leaf == Leaf.ALARM:
            signal = wire.decode(Leaf.ALARM, payload)
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            correlation = getattr(message.properties, "CorrelationData", None)
            if correlation is not None:
                properties.CorrelationData = correlation
            receipt = Receipt(signals=(signal.signal_id,))  # type: ignore[union-attr, arg-type]
            client.publish(
                message.properties.ResponseTopic,  # type: ignore[union-attr]
                wire.encode(receipt),
                qos=1,
                properties=properties,
            )


class Running:
    """A gateway in a thread; a failure in it fails the test."""

    def __init__(self, settings: Settings, clock: Clock | None) -> None:
        self.gateway = Gateway(settings, clock)
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.gateway.run()
        except BaseException as error:  # noqa: BLE001 - told to the test in `stop`
            self._failure = error

    def stop(self) -> None:
        self.gateway.stop()
        self._thread.join(20)
        assert not self._thread.is_alive()
        assert self._failure is None, self._failure


class House:
    """A site with two brokers, the gateway to be started between them."""

    def __init__(self, lan_port: int, centre_port: int, folder: Path) -> None:
        self.site = f"home-{secrets.token_hex(3)}"
        self.name = f"gw-{self.site}"
        self.centre_port = centre_port
        self.lan_port = lan_port
        self.folder = folder
        self.lan = Client(lan_port, f"{ROOT}/{self.site}/#", "zigbee2mqtt/#")
        self.centre = Centre(centre_port, self.site, self.name)
        self._running: list[Running] = []

    def start(
        self, *, clock: Clock | None = None, uplink_port: int | None = None, **settings: Any
    ) -> Running:
        given: dict[str, Any] = {
            "mqtt_url": f"mqtt://127.0.0.1:{uplink_port or self.centre_port}",
            "site": self.site,
            "name": self.name,
            "lan_url": f"mqtt://127.0.0.1:{self.lan_port}",
            "data": str(self.folder),
            "confirm_s_max": 1.0,
            **settings,
        }
        running = Running(Settings(**given), clock)
        self._running.append(running)
        eventually(lambda: running.gateway.edge.connected)
        return running

    def say(self, device: str, message: Message) -> None:
        self.lan.say(str(Topic(self.site, device, wire.leaf_of(message))), wire.encode(message))

    def close(self) -> None:
        for running in self._running:
            running.stop()
        self.lan.close()
        self.centre.close()


@pytest.fixture(scope="session")
def brokers() -> Iterator[tuple[int, int]]:
    folder = Path(tempfile.mkdtemp(prefix="anshou-house-"))
    folder.chmod(0o711)
    try:
        with lan_broker(folder / "lan") as lan_port, lan_broker(folder / "centre") as centre_port:
            yield lan_port, centre_port
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def house(brokers: tuple[int, int], tmp_path: Path) -> Iterator[House]:
    house = House(*brokers, tmp_path / "outbox")
    try:
        yield house
    finally:
        house.close()
