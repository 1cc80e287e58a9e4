"""ThingsBoard's own client, as published, feeds the LAN broker, and its readings arrive in the database."""

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from benchmarks.house import GatewayProcess, lan_broker
from care import proposals, registry
from care.model import SiteKind
from database.connections import Connection, connect
from deploy.local import debian, places, ports
from deploy.local.postgres import as_server_user, dying_with_us
from gateway.dialects.thingsboard import ThingsBoard, ThingsBoardSettings
from identity.model import ScopeKind, StaffRole
from identity.sessions import scope_of, sign_in
from ingest.gateway_ingest import GatewayIngest
from ingest.provision import Provisioner
from ingest.settings import Settings
from ingest.shares import SharedReadings
from protocol.broker import BrokerAddress
from protocol.model import DeviceKind
from protocol.wire import ROOT
from tests.gateway.conftest import Client, eventually
from tests.gateway.dialects.house import House, vitals
from tests.ingest.conftest import Running
from tests.servers import Broker, Database, server_folder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CLIENT = "tb-mqtt-client==1.13.14"
ITS_HASHES = "mmh3"
"""It installs this by itself when it is imported; so that it need not, it is there already."""
SCRIPT = Path(__file__).with_name("thingsboard_client.py")
BAND = "王奶奶的手环"
PASSWORD = "correct horse battery"
POINTS = 200


@pytest.fixture(scope="session")
def client_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published client in a folder of its own: in our environment its paho would replace the real one."""
    folder = tmp_path_factory.mktemp("thingsboard")
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--target", str(folder)]
    done = subprocess.run([*install, CLIENT, ITS_HASHES], capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        reason = f"{CLIENT} cannot be installed: {done.stderr[-300:]}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture
def lan() -> Iterator[int]:
    with server_folder() as folder, lan_broker(folder / "lan") as port:
        yield port


def speak(folder: Path, api: str, port: int, *calls: list[Any]) -> None:
    """Let the client make these calls; each is acknowledged by the broker."""
    spoken = subprocess.run(
        [sys.executable, str(SCRIPT), api, str(port)],
        input="".join(f"{json.dumps(call)}\n" for call in calls),
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert spoken.returncode == 0, spoken.stderr


@pytest.fixture
def gateway(database: Database, broker: Broker, lan: int, tmp_path: Path) -> Iterator[GatewayProcess]:
    """A gateway of a registered site, with ingest at the other end."""
    with connect(database.owner_url, autocommit=True) as owner:
        site = registry.add_site(
            owner, code=broker.site, kind=SiteKind.HOUSEHOLD, name="王奶奶家", township="青石镇"
        )
        made = registry.add_device(owner, site=site, kind=DeviceKind.GATEWAY, name=f"gw-{broker.site}")
        registry.add_staff(
            owner,
            username="county",
            name="县局",
            role=StaffRole.COUNTY_SUPERVISOR,
            password=PASSWORD,
            scope=ScopeKind.COUNTY,
        )
    Provisioner(BrokerAddress.parse(broker.url("provisioner"))).add_device(
        site.code, made.device.name, DeviceKind.GATEWAY, made.secret
    )
    worker = secrets.token_hex(4)
    process = GatewayProcess(
        {
            "mqtt_url": f"mqtt://{made.device.name}:{made.secret}@{broker.host}:{broker.port}",
            "site": site.code,
            "name": made.device.name,
            "lan_url": f"mqtt://127.0.0.1:{lan}",
            "data": tmp_path / "outbox",
            "dialects": "thingsboard",
        },
        tmp_path / "gateway.log",
    )

    def ingest(account: str) -> Settings:
        return Settings(database_url=database.ingest_url, mqtt_url=broker.url(account), worker=worker)

    running = [Running(SharedReadings(ingest("ingest"))), Running(GatewayIngest(ingest("gateways")))]
    process.start()
    listener = Client(lan, f"{ROOT}/+/+/health")
    try:
        eventually(lambda: listener.heard)  # it is there, and has subscribed
        yield process
    finally:
        listener.close()
        assert process.stop() == 0
        for part in running:
            part.stop()


def adopt(web: Connection, key: str) -> str:
    """What a person does on the devices page."""
    token = sign_in(web, "county", PASSWORD)

    def proposed() -> list[proposals.Proposal]:
        with scope_of(web, token):
            return [each for each in proposals.proposals(web) if each.key == key]

    found = eventually(proposed)[0]
    assert found.kind is DeviceKind.WRISTBAND
    with scope_of(web, token) as who:
        return proposals.adopt(web, found.gateway_id, key, kind=found.kind, staff_id=who.id)


def test_its_readings_arrive_in_the_database(
    gateway: GatewayProcess, database: Database, client_folder: Path, lan: int
) -> None:
    start_ms = time.time_ns() // 1_000_000 - POINTS * 1_000
    said = {start_ms + number * 1_000: 60.0 + number % 40 for number in range(POINTS)}
    points = [{"ts": ts, "values": {"heartRate": str(hr), "SpO2": 97}} for ts, hr in said.items()]
    speak(
        client_folder,
        "gateway",
        lan,
        ["gw_connect_device", BAND, "wristband"],
        ["gw_send_attributes", BAND, {"firmwareVersion": "2.1.0"}],
        *(["gw_send_telemetry", BAND, points[place : place + 50]] for place in range(0, POINTS, 50)),
        ["gw_send_telemetry", BAND, {"heartRate": 0}],  # not worn
        ["gw_disconnect_device", BAND],
    )
    with (
        connect(database.web_url, autocommit=True) as web,
        connect(database.owner_url, autocommit=True) as owner,
    ):
        name = adopt(web, f"thingsboard:{BAND}")

        def stored() -> dict[int, float]:
            rows = owner.execute(
                "SELECT time, hr, spo2 FROM readings.vitals"
                " JOIN care.device ON device.id = device_id WHERE name = %s",
                [name],
            ).fetchall()
            assert all(row["spo2"] == 97 for row in rows)
            return {round(row["time"].timestamp() * 1000): row["hr"] for row in rows}

        eventually(lambda: len(stored()) >= POINTS, 60)
        assert stored() == said


@pytest.mark.parametrize("api", ["gateway", "device"])
def test_what_it_puts_on_the_wire_is_understood(client_folder: Path, lan: int, api: str) -> None:
    dialect = ThingsBoard(ThingsBoardSettings(device=BAND))
    listener = Client(lan, *dialect.subscriptions)
    try:
        send = {"gateway": ["gw_send_telemetry", BAND], "device": ["send_telemetry"]}[api]
        at_ms = 1_795_188_802_000
        calls: list[list[Any]] = [
            [*send, {"heartRate": 71}],
            [*send, {"ts": at_ms, "values": {"heartRate": 72}}],
            [*send, [{"ts": at_ms + 1, "values": {"heartRate": "73"}}, {"heartRate": 74}]],
        ]
        speak(client_folder, api, lan, *calls)
        house = House(dialect)
        heard = [message for topic, payload, _ in listener.heard for message in house.says(topic, payload)]
        # The client stamps a bare point itself, or does not: the value tells them apart.
        bare = [message for message in heard if message["hr"] in (71, 74)]
        assert [message["hr"] for message in heard] == [71, 72, 73, 74]
        assert all(message["is"] == "vitals" for message in bare)
        assert heard[1:3] == [vitals(ts=at_ms, hr=72), vitals(ts=at_ms + 1, hr=73)]
    finally:
        listener.close()


@pytest.fixture
def mounted() -> Iterator[tuple[int, int]]:
    """A broker as docs/devices.md has it: a port for all, and one that puts a device's name before topics."""
    with server_folder() as folder:
        port, device_port = ports.any_free(), ports.any_free()
        settings = folder / "mosquitto.conf"
        settings.write_text(
            f"allow_anonymous true\nlistener {port} 127.0.0.1\n"
            f"listener {device_port} 127.0.0.1\nmount_point tb/band-1/\n",
            encoding="ascii",
        )
        places.give_to_servers(settings)
        command = [
            *as_server_user(),
            *dying_with_us("TERM"),
            str(debian.install().mosquitto),
            "-c",
            str(settings),
        ]
        with (folder / "broker.log").open("ab") as log:
            server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            for each in (port, device_port):
                eventually(partial(ports.answers, each))
            yield port, device_port
        finally:
            server.terminate()
            server.wait(20)


def test_a_port_of_its_own_names_a_device_of_the_device_api(
    client_folder: Path, mounted: tuple[int, int]
) -> None:
    port, device_port = mounted
    dialect = ThingsBoard()
    listener = Client(port, *dialect.subscriptions)
    try:
        speak(client_folder, "device", device_port, ["send_telemetry", {"heartRate": 71}])
        told = eventually(lambda: [one for one in listener.heard if one[0].endswith("/telemetry")])
        ((topic, payload, _),) = told
        ((key, message),) = House(dialect).hears(topic, payload)
        assert (key, message["hr"]) == ("thingsboard:band-1", 71)
    finally:
        listener.close()
