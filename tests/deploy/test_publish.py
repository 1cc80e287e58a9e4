"""`anshou publish`: taken, or refused in words."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from deploy import publish
from deploy.errors import DeployError
from ingest.provision import Provisioner
from protocol.broker import BrokerAddress, tls_from_files
from protocol.model import DeviceKind
from tests.servers import Broker

pytestmark = pytest.mark.integration

SECRET = "a-secret-of-24-letters-xx"


class Device:
    def __init__(self, broker: Broker) -> None:
        self.site = broker.site
        self.name = f"button-{broker.site}"
        self.topic = f"anshou/v1/{self.site}/{self.name}/alarm"
        Provisioner(BrokerAddress.parse(broker.url("provisioner"))).add_device(
            self.site, self.name, DeviceKind.SOS_BUTTON, SECRET
        )
        self._broker = broker

    def address(self, password: str = SECRET, port: int | None = None) -> BrokerAddress:
        return BrokerAddress(
            host=self._broker.host, port=port or self._broker.port, username=self.name, password=password
        )


@pytest.fixture
def device(broker: Broker) -> Device:
    return Device(broker)


def test_a_message_is_taken(device: Device) -> None:
    assert publish.send(device.address(), device.topic, b"{}", retain=True) in (0, publish.NOBODY_LISTENS)


# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
def test_over_tls_the_authority_must_be_known(device: Device, broker: Broker) -> None:
    with pytest.raises(DeployError, match=r"certificate that is not believed.*--authority FILE"):
        publish.send(
            BrokerAddress.parse(f"mqtts://{device.name}:{SECRET}@127.0.0.1:{broker.tls_port}"),
            device.topic,
            b"{}",
        )
    address = BrokerAddress.parse(
        f"mqtts://{device.name}:{SECRET}@127.0.0.1:{broker.tls_port}",
        tls=lambda: tls_from_files(str(broker.authority)),
    )
    assert publish.send(address, device.topic, b"{}") in (0, publish.NOBODY_LISTENS)


def test_a_wrong_password_is_told(device: Device) -> None:
    with pytest.raises(publish.RefusedError, match=f"does not let {device.name} in: the user name or"):
        publish.send(device.address("wrong"), device.topic, b"{}")


@pytest.mark.parametrize("topic", ["anshou/v1/elsewhere/other/alarm", "anshou/v1/{site}/{name}/vital"])
def test_a_topic_that_is_not_ones_own_is_told(device: Device, topic: str) -> None:
    wrong = topic.format(site=device.site, name=device.name)
    with pytest.raises(publish.RefusedError, match="a device may speak only below its own name"):
        publish.send(device.address(), wrong, b"{}")


def test_a_topic_with_a_wildcard_is_told(device: Device) -> None:
    with pytest.raises(publish.RefusedError, match="was not asked"):
        publish.send(device.address(), "anshou/v1/+/x/alarm", b"{}")


def test_a_message_that_is_too_large_is_told_before_it_is_sent(device: Device) -> None:
    with pytest.raises(publish.RefusedError, match="1,048,577 bytes, and the broker takes 1,048,576 at most"):
        publish.send(device.address(), device.topic, b"x" * (publish.BYTES_MAX + 1))


def test_nobody_there_is_told(device: Device) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(DeployError, match=f"No broker can be reached at 127.0.0.1:{port}"):
        publish.send(device.address(port=port), device.topic, b"{}")


def test_the_command_takes_its_password_from_a_file_or_the_environment(
    device: Device, broker: Broker, tmp_path: Path
) -> None:
    command = [
        *(str(Path(sys.executable).parent / "anshou"), "publish", "--user", device.name),
        *("--broker", f"mqtt://127.0.0.1:{broker.port}", device.topic, "-"),
    ]
    nothing = subprocess.run(command, input="{}", capture_output=True, text=True, timeout=60)
    assert nothing.returncode == 1
    assert "--password-file FILE" in nothing.stderr
    (tmp_path / "password").write_text(f"{SECRET}\n")
    for given, environment in (
        (["--password-file", str(tmp_path / "password")], {}),
        ([], {publish.PASSWORD_VARIABLE: SECRET}),
    ):
        done = subprocess.run(
            [*command, *given], env=environment, input="{}", capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        assert "has taken it" in done.stdout
