"""What gateways propose reaches the record, or the dead letters with its reason; nothing is lost."""

from collections.abc import Callable, Iterator

import pytest

from care import proposals
from ingest.gateway_ingest import GatewayIngest
from ingest.settings import Settings
from protocol import wire
from protocol.model import DeviceKind, DeviceProposal
from protocol.wire import Leaf
from tests.ingest.conftest import Home, Running, eventually

RADAR = DeviceProposal(key="zigbee2mqtt:0x01", kind=DeviceKind.FALL_RADAR, says=("alarm.fall",))


@pytest.fixture
def gateways(home: Home, settings_of: Callable[[str], Settings]) -> Iterator[Running]:
    running = Running(GatewayIngest(settings_of("gateways")))
    yield running
    running.stop()


def propose(home: Home, payload: bytes) -> None:
    home.publish(home.gateway, home.topic(home.gateway, Leaf.PROPOSAL), payload)


def test_a_proposal_is_kept(home: Home, gateways: Running) -> None:
    propose(home, wire.encode(RADAR))
    found = eventually(lambda: proposals.proposals(home.connection))
    assert [(each.key, each.kind, each.says) for each in found] == [(RADAR.key, RADAR.kind, RADAR.says)]
    assert found[0].gateway == home.gateway.device.name


def test_what_was_proposed_while_nobody_listened_is_kept(
    home: Home, settings_of: Callable[[str], Settings]
) -> None:
    first = Running(GatewayIngest(settings_of("gateways")))
    first.stop()
    propose(home, wire.encode(RADAR))
    second = Running(GatewayIngest(settings_of("gateways")))
    try:
        assert eventually(lambda: proposals.proposals(home.connection))
    finally:
        second.stop()


def test_what_cannot_be_kept_is_told(home: Home, gateways: Running) -> None:
    propose(home, b"rubbish")
    propose(home, b'{"key":""}')
    propose(home, wire.encode(DeviceProposal(key="x:\ud800".encode("utf-8", "replace").decode())))
    found = eventually(
        lambda: (
            len(home.rows("SELECT FROM readings.dead_letter")) == 2
            and home.rows("SELECT reason, device_id FROM readings.dead_letter ORDER BY id")
        )
    )
    assert [row["reason"] for row in found] == ["malformed", "invalid"]
    assert {row["device_id"] for row in found} == {home.gateway.device.id}


def test_a_gateway_retired_meanwhile_goes_to_the_dead_letters(
    home: Home, settings_of: Callable[[str], Settings]
) -> None:
    first = Running(GatewayIngest(settings_of("gateways")))
    first.stop()
    # While somebody listens, the broker itself soon refuses who is retired.
    propose(home, wire.encode(RADAR))
    home.connection.execute(
        "UPDATE care.device SET retired_at = now() WHERE id = %s", (home.gateway.device.id,)
    )
    second = Running(GatewayIngest(settings_of("gateways")))
    try:
        found = eventually(lambda: home.rows("SELECT reason FROM readings.dead_letter"))
    finally:
        second.stop()
    assert found == [{"reason": "unknown_device"}]
    assert home.rows("SELECT FROM care.device_proposal") == []
