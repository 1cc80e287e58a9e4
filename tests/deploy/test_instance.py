"""How other commands find what runs."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from deploy.errors import DeployError, NotRunningError
from deploy.local import instance, ports
from deploy.local.data import DataFolder
from deploy.local.instance import Instance

pytestmark = pytest.mark.integration

DATABASE = "postgresql://owner:o%40@127.0.0.1:{port}/anshou"
BROKER = "mqtt://provisioner:p@127.0.0.1:1884"


def running(port: int) -> Instance:
    return Instance(
        owner_database_url=DATABASE.format(port=port),
        service_database_url=DATABASE.format(port=port),
        mqtt_host="127.0.0.1",
        mqtt_port=1884,
        provisioner_mqtt_url=BROKER,
        http_url="http://127.0.0.1:8080/",
    )


def test_what_runs_is_found_by_its_data_folder(tmp_path: Path) -> None:
    folder = DataFolder.at(tmp_path)
    folder.make()
    with socket.create_server((ports.LOOPBACK, 0)) as server:
        saved = running(server.getsockname()[1])
        instance.save(folder, saved)
        assert stat.S_IMODE(folder.instance_file.stat().st_mode) == 0o600
        assert instance.current(tmp_path, {}) == saved
    with pytest.raises(NotRunningError, match="has ended"):
        instance.current(tmp_path, {})
    instance.forget(folder)
    with pytest.raises(NotRunningError, match=f"anshou up --data {tmp_path}"):
        instance.current(tmp_path, {})


def test_servers_of_ones_own_are_found_by_the_environment() -> None:
    environ = {"ANSHOU_DATABASE_URL": DATABASE.format(port=1), "ANSHOU_MQTT_URL": "mqtts://a:b@broker"}
    found = instance.current(None, environ)
    assert (found.mqtt_host, found.mqtt_port) == ("broker", 8883)
    assert found.owner_database_url == environ["ANSHOU_DATABASE_URL"]
    assert found.provisioner_mqtt_url == "mqtts://a:b@broker"


@pytest.mark.parametrize("given", ["ANSHOU_DATABASE_URL", "ANSHOU_MQTT_URL"])
def test_one_address_alone_is_an_error(given: str) -> None:
    with pytest.raises(DeployError, match="is not set"):
        instance.current(None, {given: "x"})


def test_an_address_of_something_else_is_refused() -> None:
    environ = {"ANSHOU_DATABASE_URL": DATABASE.format(port=1), "ANSHOU_MQTT_URL": "https://broker"}
    with pytest.raises(DeployError, match="ANSHOU_MQTT_URL is not like mqtt://user:password@host"):
        instance.current(None, environ)
