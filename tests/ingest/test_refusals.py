"""Whom the broker refuses is seen, with name, address and how often."""

from collections.abc import Callable, Iterator

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from care import unheard
from ingest import refusals
from ingest.gateway_ingest import GatewayIngest
from ingest.refusals import Refusal, Refusals
from ingest.settings import Settings
from protocol import wire
from protocol.model import UnheardField, UnheardReport
from protocol.wire import Leaf
from tests.ingest.conftest import Home, Running, eventually

LINES = """\
2026-11-28T09:40:17: New connection from 192.0.2.7:37733 on port 1883.
2026-11-28T09:40:17: Client c-1 disconnected, not authorised.
2026-11-28T09:40:22: New connection from ::1:44021 on port 1883.
2026-11-28T09:40:22: New connection from 192.0.2.9:44022 on port 1883.
2026-11-28T09:40:22: New client connected from ::1:44021 as button-1 (p5, c1, k60, u'button-1').
2026-11-28T09:40:23: Client button-1 disconnected due to oversize packet.
2026-11-28T09:40:24: Client c-2 disconnected, not authorised.
2026-11-28T09:40:26: Client button-1 disconnected.
""".splitlines()


def heard(lines: list[str]) -> Refusals:
    found = Refusals()
    for line in lines:
        found.take("$SYS/broker/log/N", line.encode())
    return found


def test_the_brokers_lines_are_read() -> None:
    assert heard([*LINES, LINES[1]]).counted == {
        Refusal("not_authorised", "c-1", "192.0.2.7"): 1,
        Refusal("too_large", "button-1", "::1"): 1,
        Refusal("not_authorised", "c-2", "192.0.2.9"): 1,
        Refusal("not_authorised", "c-1", ""): 1,
    }


def test_made_up_names_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "COUNTED_MAX", 3)
    found = heard([f"Client {n} disconnected, not authorised." for n in range(10)])
    assert len(found.counted) == 4
    assert found.counted[Refusal("not_authorised", "…", "")] == 7


@pytest.fixture
def gateways(home: Home, settings_of: Callable[[str], Settings]) -> Iterator[Running]:
    running = Running(GatewayIngest(settings_of("gateways")))
    yield running
    running.stop()


@pytest.mark.integration
def test_a_wrong_secret_is_seen(home: Home, gateways: Running) -> None:
    # Whatever a client calls itself, the broker goes by its user name.
    name = home.button.device.name
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="any", protocol=MQTTProtocolVersion.MQTTv5)
    client.username_pw_set(name, "not its secret")
    client.connect(home.broker.host, home.broker.port)
    client.loop_start()
    try:
        query = "SELECT reason, address, count FROM readings.refusal WHERE name = %s"
        row = eventually(lambda: home.rows(query, name))[0]
    finally:
        client.disconnect()
        client.loop_stop()
    assert (row["reason"], row["address"]) == ("not_authorised", "127.0.0.1")
    assert row["count"] >= 1
    assert home.rows("SELECT FROM readings.disk WHERE free_bytes > 0 AND free_bytes <= total_bytes")


def test_the_oldest_refusals_make_room(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "KEPT_MAX", 5)
    found = heard([f"Client c{n} disconnected, not authorised." for n in range(9)])
    found.store(home.connection)
    assert found.counted == {}
    assert len(home.rows("SELECT FROM readings.refusal")) == 5


def test_what_a_box_does_not_understand_is_kept(home: Home, gateways: Running) -> None:
    field = UnheardField(count=3, reason="a field that nobody knows", example="1")
    report = UnheardReport(devices={"plain:cord-1": {"anbao_flag": field}})
    home.publish(home.gateway, home.topic(home.gateway, Leaf.UNHEARD), wire.encode(report))
    (found,) = eventually(lambda: unheard.unheard(home.connection))
    assert (found.key, found.path, found.count, found.example) == ("plain:cord-1", "anbao_flag", 3, "1")
    assert found.gateway == home.gateway.device.name
