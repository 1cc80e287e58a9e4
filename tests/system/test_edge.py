"""From the LAN broker to the database, while the uplink is cut, the gateway killed, its clock moved.

Afterwards the database is what the simulator said: nothing lost, nothing twice, nothing re-stamped.
"""

import os
import random
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.faults.ledger import Record, compare
from benchmarks.house import GatewayProcess, lan_broker
from care import registry
from care.model import SiteKind
from database.connections import Connection
from ingest.alarms import AlarmIngest
from ingest.provision import Provisioner
from ingest.settings import Settings
from ingest.shares import SharedReadings
from protocol import wire
from protocol.broker import BrokerAddress
from protocol.model import Activity, AlarmSignal, DeviceKind, Message, VitalSigns
from protocol.wire import Topic
from simulator import events
from simulator.clock import day_of
from simulator.county import plan_county
from simulator.story import Story
from tests.ingest.conftest import Running
from tests.proxy import Proxy, proxies
from tests.servers import Broker, Database, server_folder

pytestmark = pytest.mark.slow

CLOCKLESS = "clockless"
DRAIN_S_MAX = 120.0
STAMP_OFF_S_MAX = 300.0
"""How long a message may lie at the LAN broker before it is stamped: two days are told in a minute.

The clock is moved by hours."""
SIGNS = ("hr", "rr", "spo2", "temp", "sbp", "dbp", "glucose", "weight")


class House:
    """The registered site, its LAN broker, and the record of everything that was said there."""

    def __init__(self, connection: Connection, broker: Broker, lan_port: int) -> None:
        self.site = registry.add_site(
            connection, code=broker.site, kind=SiteKind.CARE_HOME, name="青石镇敬老院", township="青石镇"
        )
        self._connection = connection
        gateway = registry.add_device(
            connection, site=self.site, kind=DeviceKind.GATEWAY, name=f"gw-{broker.site}"
        )
        self.gateway = gateway.device.name
        self.secret = gateway.secret
        Provisioner(BrokerAddress.parse(broker.url("provisioner"))).add_device(
            self.site.code, self.gateway, DeviceKind.GATEWAY, self.secret
        )
        self.said: list[Record] = []
        self.clockless: dict[float, float] = {}
        """When each was said, by its value, which is never the same twice."""
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="devices", protocol=mqtt.MQTTv5)
        self._client.max_inflight_messages_set(100)
        self._client.connect("127.0.0.1", lan_port)
        self._client.loop_start()

    def add(self, name: str, kind: DeviceKind) -> None:
        registry.add_device(self._connection, site=self.site, kind=kind, name=name, relayed=True)

    def say(self, device: str, message: Message) -> mqtt.MQTTMessageInfo:
        topic = str(Topic(self.site.code, device, wire.leaf_of(message)))
        return self._client.publish(topic, wire.encode(message), qos=1)

    def say_without_clock(self, number: int) -> mqtt.MQTTMessageInfo:
        weight = 20 + number / 64  # exact in the database's four bytes, and no heavier than anybody is
        self.clockless[weight] = time.time()
        return self.say(CLOCKLESS, VitalSigns(weight=weight))

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def record(device: str, message: Message) -> Record:
    """As the database should have it."""
    assert message.ts_ms is not None
    at_us = message.ts_ms * 1000
    if isinstance(message, VitalSigns):
        values: tuple[Any, ...] = tuple(getattr(message, sign) for sign in SIGNS)
        return Record("vitals", device, at_us, values)
    if isinstance(message, Activity):
        return Record("activity", device, at_us, (str(message.event),))
    if isinstance(message, AlarmSignal):
        return Record(
            "alarm_signal",
            device,
            at_us,
            (f"{message.signal_id}@{at_us}", str(message.kind), str(message.state)),
        )
    return Record("device_status", device, at_us, (message.online, message.battery, message.rssi, message.fw))


STORED = {
    "vitals": f"SELECT device.name, time, clock_replaced, {', '.join(SIGNS)} FROM readings.vitals",
    "activity": "SELECT device.name, time, clock_replaced, event FROM readings.activity",
    "device_status": "SELECT device.name, time, clock_replaced, online, battery, rssi, fw"
    " FROM readings.device_status",
    "alarm_signal": "SELECT device.name, time, clock_replaced, signal_id, alarm_signal.kind,"
    " alarm_signal.state FROM care.alarm_signal",
}


def stored(connection: Connection) -> list[Record]:
    rows = []
    for table, query in STORED.items():
        whole = f"{query} JOIN care.device ON device.id = device_id WHERE device.kind <> 'gateway'"
        for row in connection.execute(whole.encode()).fetchall():
            name, at, replaced, *values = row.values()
            at_us = None if replaced else round(at.timestamp() * 1_000_000)
            rows.append(Record(table, name, at_us, tuple(values)))
    return rows


@pytest.fixture
def house(owner: Connection, broker: Broker) -> Iterator[tuple[House, int]]:
    with server_folder() as folder, lan_broker(folder / "lan") as lan_port:
        house = House(owner, broker, lan_port)
        try:
            yield house, lan_port
        finally:
            house.close()


@pytest.fixture
def ingest(database: Database, broker: Broker, house: tuple[House, int]) -> Iterator[None]:
    worker = secrets.token_hex(4)

    def settings(account: str) -> Settings:
        return Settings(database_url=database.ingest_url, mqtt_url=broker.url(account), worker=worker)

    running = [
        Running(SharedReadings(settings("ingest"))),
        Running(AlarmIngest(settings("alarms"))),
    ]
    yield
    for process in running:
        process.stop()


class Trouble(threading.Thread):
    """Cuts, delays and half-opens the uplink, kills the gateway and moves its clock, until told to stop."""

    def __init__(self, seed: int, uplink: Proxy, gateway: GatewayProcess, clock: Path) -> None:
        super().__init__(daemon=True)
        self._random = random.Random(seed)
        self._uplink = uplink
        self._gateway = gateway
        self._clock = clock
        self._stopping = threading.Event()
        self.done: list[str] = []
        self.failure: Exception | None = None

    def run(self) -> None:
        try:
            while not self._stopping.wait(self._random.uniform(0.2, 1.2)):
                self._strike()
        except Exception as error:  # noqa: BLE001 - told by `end`
            self.failure = error

    def _strike(self) -> None:
        strike = self._random.choice(["cut", "cut", "delay", "half-open", "kill", "kill", "clock", "clock"])
        self.done.append(strike)
        if strike == "kill":
            self._gateway.kill()
            self._stopping.wait(self._random.uniform(0, 1))
            self._gateway.start()
        elif strike == "clock":
            moved_ms = self._random.choice([0, -3_600_000, 7_200_000, -1_790_000_000_000, 86_400_000 * 20])
            draft = self._clock.with_suffix(".new")
            draft.write_text(str(moved_ms))
            draft.replace(self._clock)
        else:
            {"cut": self._uplink.cut, "half-open": self._uplink.half_open}.get(
                strike, lambda: self._uplink.delay(0.1)
            )()
            self._stopping.wait(self._random.uniform(0.1, 1.5))
            self._uplink.restore()

    def end(self) -> None:
        self._stopping.set()
        self.join(20)
        assert self.failure is None, self.failure
        self._uplink.restore()


def tell(home: House, names: dict[int, str], story: Story, days: list[int]) -> None:
    """Say all that these devices say on these days, as fast as the LAN broker takes it."""
    keys = set()
    sent: list[mqtt.MQTTMessageInfo] = []
    for number, said in enumerate(message for day in days for message in events.messages(story.day(day))):
        if said.device not in names:
            continue
        if number % 50 == 0:
            sent.append(home.say_without_clock(len(home.clockless)))
        one = record(names[said.device], said.message)
        if one[:3] in keys:
            continue  # two at one instant complete each other: another test's affair
        keys.add(one[:3])
        home.said.append(one)
        sent.append(home.say(names[said.device], said.message))
        if len(sent) >= 500:
            for info in sent:
                info.wait_for_publish(60)
            sent.clear()
    for info in sent:
        info.wait_for_publish(60)


@pytest.mark.timeout(400)
def test_whatever_dies_the_database_is_what_was_said(
    house: tuple[House, int], ingest: None, owner: Connection, broker: Broker, tmp_path: Path
) -> None:
    seed = int(os.environ.get("ANSHOU_TEST_SEED", secrets.randbelow(2**32)))
    print(f"seed {seed}; ANSHOU_TEST_SEED={seed} strikes the same")
    home, lan_port = house
    county = plan_county(seed % 1000, care_homes=1, day_centres=1, households=2)
    story = Story(county, incident_rate=20.0)
    site = next(site for site in county.sites if county.devices_at(site.index, DeviceKind.SMART_MATTRESS))
    devices = {
        device.index: device
        for device in county.devices
        if device.site == site.index and device.kind is not DeviceKind.GATEWAY
    }
    today = day_of(int(time.time() * 1000))
    for device in devices.values():
        home.add(device.name, device.kind)
    home.add(CLOCKLESS, DeviceKind.HEALTH_KIOSK)
    clock = tmp_path / "clock"
    clock.write_text(str(-1_790_000_000_000))
    with proxies(seed) as network:
        uplink = network.to(broker.port)
        gateway = GatewayProcess(
            {
                "mqtt_url": f"mqtt://{home.gateway}:{home.secret}@127.0.0.1:{uplink.port}",
                "site": home.site.code,
                "name": home.gateway,
                "lan_url": f"mqtt://127.0.0.1:{lan_port}",
                "data": tmp_path / "outbox",
                "status_every_s": 5,
                "keepalive_s": 5,
            },
            tmp_path / "gateway.log",
            "tests.system.moved_gateway",
            CLOCK_FILE=str(clock),
        )
        gateway.start()
        _until(lambda: "LAN broker: connected" in (tmp_path / "gateway.log").read_text(), 30)
        trouble = Trouble(seed, uplink, gateway, clock)
        trouble.start()
        tell(home, {index: device.name for index, device in devices.items()}, story, [today - 3, today - 2])
        _until(lambda: len(trouble.done) >= 20, 90)
        trouble.end()
        _until(lambda: _count(owner) >= len(home.said) + len(home.clockless), DRAIN_S_MAX)
        # What comes twice comes before what is said last: batches go out, and are taken in, in order.
        home.say_without_clock(len(home.clockless)).wait_for_publish(60)
        _until(lambda: _count(owner) >= len(home.said) + len(home.clockless), DRAIN_S_MAX)
        code = gateway.stop()
    rows = stored(owner)
    log = (tmp_path / "gateway.log").read_text()
    print(f"{len(home.said)} said, {len(home.clockless)} without a clock; {trouble.done}")
    tally = compare(home.said, [row for row in rows if row.device != CLOCKLESS])
    assert tally.exact, (tally.lost, tally.duplicated, tally.altered, tally.examples, log[-3000:])
    kept = [row for row in rows if row.device == CLOCKLESS]
    weights = [row.values[SIGNS.index("weight")] for row in kept]
    assert sorted(map(float, weights)) == sorted(home.clockless), "each once"  # type: ignore[arg-type]
    for row, weight in zip(kept, weights, strict=True):
        if row.time_us is not None:
            off_s = row.time_us / 1e6 - home.clockless[float(weight)]  # type: ignore[arg-type]
            assert abs(off_s) < STAMP_OFF_S_MAX, f"stamped {off_s:+.1f} s off"
    assert owner.execute("SELECT count(*) AS n FROM readings.dead_letter").fetchone() == {"n": 0}
    assert code == 0, log[-3000:]


def _count(connection: Connection) -> int:
    return len(stored(connection))


def _until(check: Callable[[], Any], timeout_s: float) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not check():
        assert time.monotonic() < deadline_s, "it did not come true in time"
        time.sleep(0.5)
