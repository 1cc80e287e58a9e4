"""ThingsBoard's own gateway, as published and unmodified, pointed at the LAN broker."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from protocol.model import Adoption, DeviceKind, GatewayConfig, VitalSigns
from tests.gateway.conftest import House, eventually

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.timeout(300)]

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
BAND = "band-7"
STARTS_WITHIN_S = 90.0


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published gateway in a folder of its own: here its paho would replace the real one."""
    folder = tmp_path_factory.mktemp("stock")
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--require-hashes"]
    done = subprocess.run(
        [*install, "--target", str(folder), "-r", str(REQUIREMENTS)],
        capture_output=True,
        text=True,
        timeout=240,
    )
    if done.returncode != 0:
        reason = f"thingsboard-gateway cannot be installed: {done.stderr[-300:]}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


def settings_of(folder: Path, port: int) -> Path:
    """Its settings as its guide has them; the sensors speak on the same broker."""
    made = folder / "config"
    made.mkdir()
    (folder / "logs").mkdir()
    server = {"host": "127.0.0.1", "port": port, "security": {"type": "accessToken", "accessToken": "any"}}
    mapping = {
        "topicFilter": "sensor/+/data",
        "converter": {
            "type": "json",
            "deviceInfo": {
                "deviceNameExpressionSource": "topic",
                "deviceNameExpression": "(?<=sensor/)(.*?)(?=/data)",
                "deviceProfileExpressionSource": "constant",
                "deviceProfileExpression": "wristband",
            },
            "timeseries": [{"type": "integer", "key": "heartRate", "value": "${hr}"}],
        },
    }
    broker = {"host": "127.0.0.1", "port": port, "clientId": "sensors", "security": {"type": "anonymous"}}
    files: dict[str, Any] = {
        "tb_gateway.json": {
            "thingsboard": {**server, "remoteConfiguration": False, "remoteShell": False, "qos": 1},
            "storage": {"type": "memory", "read_records_count": 100, "max_records_count": 1000},
            "grpc": {"enabled": False},
            "connectors": [{"type": "mqtt", "name": "sensors", "configuration": "mqtt.json"}],
        },
        "mqtt.json": {"broker": broker, "mapping": [mapping]},
        "logs.json": {"version": 1, "disable_existing_loggers": False},
    }
    for name, content in files.items():
        (made / name).write_text(json.dumps(content))
    return made


@pytest.fixture
def published(house: House, packages: Path, tmp_path: Path) -> Iterator[None]:
    """The published gateway, running."""
    folder = tmp_path / "thingsboard"
    folder.mkdir()
    made = settings_of(folder, house.lan_port)
    with (tmp_path / "thingsboard.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", "from thingsboard_gateway.tb_gateway import main; main()"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(packages), "TB_GW_CONFIG_DIR": str(made)},
            stdout=log,
            stderr=log,
        )
        try:
            yield
        finally:
            process.kill()
            process.wait()


def test_the_published_gateway_sends_what_its_sensors_say(house: House, published: None) -> None:
    adopted = Adoption(name=BAND, kind=DeviceKind.WRISTBAND)
    house.centre.adopt(GatewayConfig(devices={f"thingsboard:{BAND}": adopted}))
    house.start(dialects="thingsboard")

    def arrived() -> set[float | None]:
        # Before its connector listens nothing is heard of a sensor: so it speaks again.
        house.lan.say(f"sensor/{BAND}/data", json.dumps({"hr": 61}).encode())
        time.sleep(0.2)
        items = [item for batch in house.centre.batches() for item in batch.items]
        return {item.hr for item in items if isinstance(item, VitalSigns)}

    assert eventually(arrived, STARTS_WITHIN_S) == {61}
