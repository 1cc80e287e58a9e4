"""A device has its own name and secret and may publish only below its own topic."""

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from care.registry import NewDevice
from ingest.errors import ProvisionError
from ingest.provision import Provisioner, device_rights
from protocol.broker import BrokerAddress
from protocol.model import DeviceKind
from protocol.wire import ROOT, Leaf
from tests.ingest.conftest import Home, eventually

NOT_AUTHORIZED = 135


def reason_of(home: Home, user: str | None, secret: str, topic: str) -> int:
    """The reason code of the broker's answer to a publish; of its CONNACK when that fails."""
    codes: list[int] = []
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    if user is not None:
        client.username_pw_set(user, secret)

    def on_connect(
        client: mqtt.Client, _data: object, _flags: object, reason: object, _props: object
    ) -> None:
        if reason.is_failure:  # type: ignore[attr-defined]
            codes.append(reason.value)  # type: ignore[attr-defined]
        else:
            client.publish(topic, b"{}", qos=1)

    def on_publish(_client: mqtt.Client, _data: object, _mid: int, reason: object, _props: object) -> None:
        codes.append(reason.value)  # type: ignore[attr-defined]

    client.on_connect = on_connect
    client.on_publish = on_publish
    client.connect(home.broker.host, home.broker.port)
    client.loop_start()
    try:
        eventually(lambda: codes)
    finally:
        client.disconnect()
        client.loop_stop()
    return codes[0]


def reason_as(home: Home, device: NewDevice, topic: str) -> int:
    return reason_of(home, device.device.name, device.secret, topic)


def test_a_device_speaks_below_its_own_name_only(home: Home) -> None:
    site, button, other = home.site.code, home.button, home.wristband.device.name
    assert reason_as(home, button, home.topic(button, Leaf.ALARM)) < 128
    for topic in (
        f"{ROOT}/{site}/{other}/alarm",
        f"{ROOT}/elsewhere/{button.device.name}/alarm",
        f"{ROOT}/{site}/{button.device.name}/batch",
        "$CONTROL/dynamic-security/v1",
        "anything/else",
    ):
        assert reason_as(home, button, topic) == NOT_AUTHORIZED, topic


def test_a_gateway_speaks_below_its_site_only(home: Home) -> None:
    site, gateway, other = home.site.code, home.gateway, home.wristband.device.name
    assert reason_as(home, gateway, f"{ROOT}/{site}/{other}/alarm") < 128
    assert reason_as(home, gateway, home.topic(gateway, Leaf.BATCH)) < 128
    for topic in (
        f"{ROOT}/elsewhere/{other}/alarm",
        f"{ROOT}/{site}/{other}/batch",
        f"{ROOT}/{site}/{gateway.device.name}/receipt",
    ):
        assert reason_as(home, gateway, topic) == NOT_AUTHORIZED, topic


def test_nobody_is_anonymous_and_no_wrong_secret_passes(home: Home) -> None:
    topic = home.topic(home.button, Leaf.ALARM)
    assert reason_of(home, None, "", topic) >= 128
    assert reason_of(home, home.button.device.name, "wrong", topic) >= 128


def test_a_removed_device_is_out(home: Home) -> None:
    home.provisioner.remove_device(home.button.device.name)
    assert reason_as(home, home.button, home.topic(home.button, Leaf.ALARM)) >= 128


def test_whom_the_broker_does_not_know_yet_is_told(home: Home) -> None:
    name = home.gateway.device.name
    known = device_rights(home.site.code, name, DeviceKind.GATEWAY, not_for=["x"])
    assert home.provisioner.set_rights({"nobody": known, name: known}) == {"nobody"}


def test_a_refusal_of_the_broker_is_told(home: Home) -> None:
    with pytest.raises(ProvisionError, match="already exists"):
        home.provisioner.add_device(home.site.code, home.button.device.name, DeviceKind.SOS_BUTTON, "x" * 24)


@pytest.mark.integration
def test_a_broker_that_is_away_is_told() -> None:
    with pytest.raises(ProvisionError, match="cannot be told"):
        Provisioner(BrokerAddress.parse("mqtt://a:b@127.0.0.1:1")).remove_device("x")


def test_rights_name_no_foreign_topic() -> None:
    for kind in DeviceKind:
        for _, topic, *_ in device_rights("site-a", "device-1", kind):
            assert topic.startswith(f"{ROOT}/site-a/")
