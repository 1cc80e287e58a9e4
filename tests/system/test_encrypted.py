"""Every client of ours keeps its secret to itself where the broker's address says `mqtts://`.

Each one works against the real broker's TLS listener, and whatever it sends on the way there is a TLS record
from the first byte on. A module that makes a client of its own is missed in `CLIENTS` until it stands here.
"""

import ast
import asyncio
import contextlib
import dataclasses
import gc
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import gateway.pair
from deploy.local.doctor import sign_in
from deploy.publish import send as publish_once
from gateway.identity import Identity
from gateway.settings import Settings as GatewaySettings
from ingest.alarms import AlarmIngest
from ingest.configs import ConfigPublisher
from ingest.errors import ProvisionError
from ingest.gateway_ingest import GatewayIngest
from ingest.provision import Provisioner
from ingest.settings import Settings
from ingest.shares import SharedReadings
from protocol.broker import BrokerAddress
from protocol.model import AlarmSignal, GatewayConfig, SignalKind
from protocol.wire import Leaf, Topic
from simulator.county import plan_county
from simulator.pour import pour
from simulator.publish import Saying, client_for, publish_all
from simulator.story import Story
from tests.gateway.conftest import EVENTUALLY_S, eventually
from tests.gateway.conftest import Running as RunningGateway
from tests.ingest.conftest import Running
from tests.servers import Broker, Database, DatabaseServer, broker_running

ROOT = Path(__file__).parents[2]
TLS_HANDSHAKE = 0x16
DAY = 20_780


class Tap:
    """Stands before the broker's TLS listener and notes the first byte of every connection."""

    def __init__(self, broker: Broker) -> None:
        self.first_bytes: list[int] = []
        self._broker = broker
        self._sockets: list[socket.socket] = []
        self._server = socket.create_server((broker.host, 0))
        self.port = int(self._server.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                near, _ = self._server.accept()
                threading.Thread(target=self._forward, args=(near,), daemon=True).start()

    def _forward(self, near: socket.socket) -> None:
        with contextlib.suppress(OSError):
            far = socket.create_connection((self._broker.host, self._broker.tls_service_port))
            self._sockets += [near, far]
            threading.Thread(target=self._pump, args=(far, near), daemon=True).start()
            first = near.recv(65_536)
            self.first_bytes += first[:1]
            far.sendall(first)
            self._pump(near, far)

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        for open_socket in (self._server, *self._sockets):
            open_socket.close()


class Scene(NamedTuple):
    """Where a client acts."""

    broker: Broker
    tap: Tap
    database: Database
    folder: Path

    def url(self, account: str) -> str:
        return self.broker.tls_url(account, self.tap.port)

    def address(self, account: str) -> BrokerAddress:
        return BrokerAddress.parse(self.url(account))

    def settings(self, account: str) -> Settings:
        return Settings(
            database_url=self.database.ingest_url, mqtt_url=self.url(account), worker=self.broker.site
        )


def ingest(account: str, process: Callable[[Settings], Any]) -> Callable[[Scene], None]:
    def act(scene: Scene) -> None:
        Running(process(scene.settings(account))).stop()

    return act


def publish_configuration(scene: Scene) -> None:
    publisher = ConfigPublisher(scene.address("gateways"), f"{scene.broker.site}-configs")
    publisher.start()
    try:
        publisher.set({(scene.broker.site, "gw"): GatewayConfig()})
        asyncio.run(hear(scene, str(Topic(scene.broker.site, "gw", Leaf.CONFIG))))
    finally:
        publisher.stop()


async def hear(scene: Scene, topic: str) -> None:
    """Return when something was said on the topic."""
    async with client_for(scene.broker.url("simulator"), f"{scene.broker.site}-ear") as client:
        await client.subscribe(topic)
        await asyncio.wait_for(anext(aiter(client.messages)), EVENTUALLY_S)


def provision(scene: Scene) -> None:
    provisioner, name = Provisioner(scene.address("provisioner")), f"gw-{scene.broker.site}"
    provisioner.add_credential(scene.broker.site, name, name, secrets.token_urlsafe())
    provisioner.remove_credential(name)


def run_gateway(scene: Scene) -> None:
    """Both of its connections, the one in the house as well."""
    settings = GatewaySettings(
        mqtt_url=scene.url("simulator"),
        lan_url=scene.url("simulator"),
        site=scene.broker.site,
        name="gw",
        data=str(scene.folder),
        dialects="anshou",
    )
    running = RunningGateway(settings, None)
    try:
        eventually(lambda: running.gateway.edge.connected and running.gateway.uplink.connected)
    finally:
        running.stop()


def pair_gateway(scene: Scene) -> None:
    gateway.pair.try_broker(
        Identity(
            site=scene.broker.site,
            gateway="gw",
            username="simulator",
            secret=scene.broker.accounts["simulator"],
            host=scene.broker.host,
            https_port=1,
            mqtt_host=scene.broker.host,
            mqtt_port=scene.tap.port,
            authority=scene.broker.authority.read_text(encoding="ascii"),
            since=datetime.now(UTC),
        )
    )


def publish(scene: Scene) -> None:
    signal = AlarmSignal(kind=SignalKind.SOS)
    asyncio.run(publish_all(scene.url("simulator"), [Saying(scene.broker.site, "button", signal)]))


def pour_story(scene: Scene) -> None:
    story = Story(plan_county(6, care_homes=0, day_centres=0, households=1))
    days = range(DAY, DAY + 1)
    assert asyncio.run(pour(story, scene.url("simulator"), days, speed=None, progress=lambda *_: None))


def look_into(scene: Scene) -> None:
    assert sign_in(scene.url("provisioner")) is None


def say_once(scene: Scene) -> None:
    topic = f"anshou/v1/{scene.broker.site}/button/status"
    publish_once(BrokerAddress.parse(scene.url("simulator")), topic, b'{"online":true}')


CLIENTS: dict[str, tuple[str, Callable[[Scene], None]]] = {
    "readings": ("ingest.subscriber", ingest("ingest", SharedReadings)),
    "alarms": ("ingest.subscriber", ingest("alarms", AlarmIngest)),
    "gateways": ("ingest.subscriber", ingest("gateways", GatewayIngest)),
    "configurations": ("ingest.configs", publish_configuration),
    "provisioner": ("ingest.provision", provision),
    "gateway": ("gateway.link", run_gateway),
    "pairing": ("gateway.pair", pair_gateway),
    "simulator": ("simulator.publish", publish),
    "pour": ("simulator.pour", pour_story),
    "doctor": ("deploy.local.doctor", look_into),
    "publish": ("deploy.publish", say_once),
}


@pytest.fixture(scope="module")
def own_broker(database_server: DatabaseServer) -> Iterator[Broker]:
    """What is retained here would be heard by tests that count."""
    with database_server.clone() as database, broker_running(database.owner_url) as broker:
        yield broker


@pytest.fixture
def scene(own_broker: Broker, database: Database, tmp_path: Path) -> Iterator[Scene]:
    broker = dataclasses.replace(own_broker, site=f"t{secrets.token_hex(4)}")
    tap = Tap(broker)
    try:
        yield Scene(broker, tap, database, tmp_path)
    finally:
        tap.close()


@pytest.mark.parametrize("client", CLIENTS)
def test_it_works_and_nothing_leaves_it_in_clear(
    client: str, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(scene.broker.authority))
    _, act = CLIENTS[client]
    act(scene)
    assert scene.tap.first_bytes
    assert set(scene.tap.first_bytes) == {TLS_HANDSHAKE}


# paho leaves the socket to the garbage collector when the handshake fails.
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
def test_a_broker_that_proves_nothing_is_told_nothing(scene: Scene) -> None:
    with pytest.raises(ProvisionError, match="certificate"):
        provision(scene)
    gc.collect()
    assert set(scene.tap.first_bytes) == {TLS_HANDSHAKE}


def test_every_module_that_makes_a_client_is_tried_here() -> None:
    rooms = {"gateway", "simulator", "database", "identity", "care", "alarms", "ingest", "analytics"}
    makers = set()
    for room in (*rooms, "protocol", "dashboard", "deploy"):
        for path in (ROOT / room).rglob("*.py"):
            if makes_client(ast.parse(path.read_text(encoding="utf-8"))):
                makers.add(".".join(path.relative_to(ROOT).with_suffix("").parts))
    # The corked client is the subscriber's, made nowhere else.
    assert makers - {"ingest.corked"} == {module for module, _ in CLIENTS.values()}


def makes_client(module: ast.Module) -> bool:
    """Whether it has paho's client or aiomqtt at run time."""
    for node in ast.walk(module):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    imported = [
        f"{node.module}.{alias.name}"
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ] + [alias.name for node in ast.walk(module) if isinstance(node, ast.Import) for alias in node.names]
    return bool({"paho.mqtt.client", "paho.mqtt.client.Client", "aiomqtt", "aiomqtt.Client"} & set(imported))
