"""Paired gateways sign in: the broker is told, the old goes after the new, a stolen box is thrown out."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from care import pairing
from identity.secrets import hash_device_secret
from ingest import provision
from ingest.gateway_ingest import GatewayIngest
from ingest.settings import Settings
from protocol.enrolment import new_secret
from tests.ingest.conftest import Home, Running, eventually
from tests.ingest.test_provision import reason_of
from tests.servers import Database

BOX = "198.51.100.7"


@pytest.fixture
def gateways(home: Home, settings_of: Callable[[str], Settings]) -> Iterator[Running]:
    running = Running(GatewayIngest(settings_of("gateways")))
    yield running
    running.stop()


def credential_of(home: Home, secret: str) -> str:
    """A credential of the home's gateway, as pairing makes it; its user name."""
    hashed = hash_device_secret(secret)
    row = home.connection.execute(
        "SELECT care.add_gateway_credential(%s, %s, %s, %s, %s) AS id",
        (home.gateway.device.id, secret, *hashed),
    ).fetchone()
    assert row is not None
    eventually(lambda: pairing.enrolment(home.connection, row["id"]).told)
    assert home.rows("SELECT FROM care.gateway_errand") == [], "no secret stays"
    return pairing.enrolment(home.connection, row["id"]).username


def proposal_topic(home: Home) -> str:
    return f"anshou/v1/{home.site.code}/{home.gateway.device.name}/proposal"


def connected(home: Home, username: str, secret: str) -> tuple[mqtt.Client, list[bool]]:
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5, reconnect_on_failure=False
    )
    client.username_pw_set(username, secret)
    alive: list[bool] = []
    client.on_connect = lambda _c, _d, _f, reason, _p: alive.append(not reason.is_failure)
    client.on_disconnect = lambda *_: alive.clear()
    client.connect(home.broker.host, home.broker.port)
    client.loop_start()
    eventually(lambda: alive)
    return client, alive


def test_the_broker_lets_a_paired_gateway_in(home: Home, gateways: Running) -> None:
    secret = new_secret()
    username = credential_of(home, secret)
    assert reason_of(home, username, secret, proposal_topic(home)) < 128
    assert reason_of(home, username, new_secret(), proposal_topic(home)) >= 128
    assert reason_of(home, username, secret, "anshou/v1/elsewhere/x/alarm") >= 128


def test_the_old_secret_ends_when_the_new_is_confirmed(home: Home, gateways: Running) -> None:
    first, second = new_secret(), new_secret()
    old = credential_of(home, first)
    pairing.confirm(home.connection, old, first, BOX)
    new = credential_of(home, second)
    assert reason_of(home, old, first, proposal_topic(home)) < 128, "still valid"
    running, alive = connected(home, old, first)
    newer, newer_alive = connected(home, new, second)
    pairing.confirm(home.connection, new, second, BOX)
    try:
        eventually(lambda: not alive)
        assert reason_of(home, old, first, proposal_topic(home)) >= 128
        assert newer_alive
        left = "SELECT username FROM care.gateway_credential WHERE forgotten_at IS NULL"
        eventually(lambda: home.rows(left) == [{"username": new}])
    finally:
        newer.disconnect()
        newer.loop_stop()
        running.loop_stop()


def test_a_stolen_box_is_thrown_out(home: Home, gateways: Running) -> None:
    secret = new_secret()
    username = credential_of(home, secret)
    client, alive = connected(home, username, secret)
    pairing.revoke(home.connection, home.gateway.device.id, None)
    eventually(lambda: not alive)
    client.loop_stop()
    assert reason_of(home, username, secret, proposal_topic(home)) >= 128


def test_the_broker_knows_it_after_a_start_from_nothing(
    home: Home, gateways: Running, database: Database, tmp_path: Path
) -> None:
    username = credential_of(home, new_secret())
    identities = tmp_path / "identities.json"
    provision.write_broker_identities(database.owner_url, identities, {})
    document = json.loads(identities.read_text())
    known = {client["username"]: client["roles"] for client in document["clients"]}
    assert known[username] == [{"rolename": f"device-{home.gateway.device.name}"}]
    roles = [role["rolename"] for role in document["roles"]]
    assert len(roles) == len(set(roles)), "two accounts of a gateway share its role"
    pairing.revoke(home.connection, home.gateway.device.id, None)
    provision.write_broker_identities(database.owner_url, identities, {})
    assert username not in identities.read_text()
