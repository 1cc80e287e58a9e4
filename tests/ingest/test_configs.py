"""Each gateway's configuration stands at the broker, follows the record, and comes back after a loss."""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from care import proposals, registry
from care.registry import NewDevice
from ingest.configs import ConfigPublisher
from ingest.gateway_ingest import GatewayIngest
from ingest.settings import Settings
from protocol import wire
from protocol.broker import BrokerAddress
from protocol.model import Adoption, DeviceKind, DeviceProposal, GatewayConfig
from protocol.wire import Leaf
from tests.ingest.conftest import EVENTUALLY_S, Home, Running

KEY = "zigbee2mqtt:0x01"
NAME = "fall-radar-x"


@contextmanager
def listening(home: Home, gateway: NewDevice) -> Iterator["queue.Queue[bytes]"]:
    """The configurations that arrive at a gateway, by its own credentials."""
    heard: queue.Queue[bytes] = queue.Queue()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.username_pw_set(gateway.device.name, gateway.secret)
    client.on_message = lambda _client, _data, message: heard.put(bytes(message.payload))

    def subscribe(client: mqtt.Client, *_: object) -> None:
        client.subscribe(home.topic(gateway, Leaf.CONFIG), qos=1)

    client.on_connect = subscribe
    client.connect(home.broker.host, home.broker.port)
    client.loop_start()
    try:
        yield heard
    finally:
        client.disconnect()
        client.loop_stop()


def next_config(heard: "queue.Queue[bytes]") -> GatewayConfig:
    return wire.decode_config(heard.get(timeout=EVENTUALLY_S))


def adopt(home: Home) -> None:
    """As the page does, but as the owner: whom row security lets do it is tested elsewhere."""
    proposals.record(home.connection, home.gateway.device.id, DeviceProposal(key=KEY))
    with home.connection.transaction():
        radar = registry.add_device(
            home.connection, site=home.site, kind=DeviceKind.FALL_RADAR, name=f"{NAME}-{home.site.code}"
        )
        home.connection.execute("UPDATE care.device_proposal SET device_id = %s", (radar.device.id,))


@pytest.fixture
def gateways(home: Home, settings_of: Callable[[str], Settings]) -> Iterator[Running]:
    running = Running(GatewayIngest(settings_of("gateways")))
    yield running
    running.stop()


def test_a_gateway_hears_of_adoption_and_retirement(home: Home, gateways: Running) -> None:
    with listening(home, home.gateway) as heard:
        assert next_config(heard) == GatewayConfig()
        adopt(home)
        name = f"{NAME}-{home.site.code}"
        expected = GatewayConfig(devices={KEY: Adoption(name=name, kind=DeviceKind.FALL_RADAR)})
        while (config := next_config(heard)) != expected:
            assert config == GatewayConfig()
        registry.retire_device(home.connection, registry.device_by_name(home.connection, name).id)
        assert next_config(heard) == GatewayConfig()
    with listening(home, home.gateway) as heard:
        assert next_config(heard) == GatewayConfig(), "retained: a box that starts later hears it at once"


def test_what_the_broker_lost_is_published_anew(home: Home, settings_of: Callable[[str], Settings]) -> None:
    adopt(home)
    first = Running(GatewayIngest(settings_of("gateways")))
    with listening(home, home.gateway) as heard:
        assert KEY in next_config(heard).devices
    first.stop()
    home.publish(home.gateway, home.topic(home.gateway, Leaf.CONFIG), b"")  # refused: not a gateway's to say
    with listening(home, home.gateway) as heard:
        assert KEY in next_config(heard).devices
        second = Running(GatewayIngest(settings_of("gateways")))
        try:
            assert KEY in next_config(heard).devices, "a new connection publishes everything"
        finally:
            second.stop()


def test_a_retired_gateway_leaves_nothing_behind(home: Home, gateways: Running) -> None:
    with listening(home, home.gateway) as heard:
        assert next_config(heard) == GatewayConfig()
        registry.retire_device(home.connection, home.gateway.device.id)
        assert heard.get(timeout=EVENTUALLY_S) == b""


def test_a_change_and_an_answer_never_wait_for_each_other(home: Home) -> None:
    """paho calls back while it holds the lock that publishing takes: played here step by step."""
    topic = (home.site.code, home.gateway.device.name)
    publisher = ConfigPublisher(
        BrokerAddress.parse(home.broker.url("gateways")), f"{home.broker.site}-configs"
    )
    client = publisher._client
    publishing, answered = threading.Event(), threading.Event()
    publish = client.publish
    acknowledged: Any = client.on_publish

    def publish_and_tell(*arguments: Any, **options: Any) -> mqtt.MQTTMessageInfo:
        publishing.set()
        return publish(*arguments, **options)

    def answer() -> None:
        with client._out_message_mutex:
            change.start()
            assert publishing.wait(EVENTUALLY_S)
            acknowledged(client, None, 0, ReasonCode(PacketTypes.PUBACK), None)
        answered.set()

    change = threading.Thread(
        target=publisher.set, args=({topic: GatewayConfig(refused=("zigbee2mqtt:0x2",))},), daemon=True
    )
    with listening(home, home.gateway) as heard:
        publisher.start()
        publisher.set({topic: GatewayConfig()})
        next_config(heard)
        client.publish = publish_and_tell  # type: ignore[method-assign]
        threading.Thread(target=answer, daemon=True).start()
        assert answered.wait(EVENTUALLY_S), "they wait for each other"
        while next_config(heard) != GatewayConfig(refused=("zigbee2mqtt:0x2",)):
            pass
        publisher.stop()
