"""The simulator as a process."""

import signal
import subprocess
import sys
import time

import pytest

from tests.servers import Broker

pytestmark = pytest.mark.integration


def start(environ: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "simulator", *arguments],
        env={"COLUMNS": "200", **environ},
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("environ", "complaint"),
    [
        ({}, "ANSHOU_MQTT_URL is not set"),
        (
            {"ANSHOU_MQTT_URL": "mqtt://h", "ANSHOU_SIMULATOR_SPED": "2"},
            "did you mean ANSHOU_SIMULATOR_SPEED",
        ),
        ({"ANSHOU_MQTT_URL": "mqtt://h", "ANSHOU_SIMULATOR_SPEED": "0"}, "ANSHOU_SIMULATOR_SPEED"),
    ],
)
def test_wrong_settings_stop_the_start(environ: dict[str, str], complaint: str) -> None:
    process = start(environ)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 2
    assert complaint in said
    assert "Traceback" not in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ends_at_once_when_asked_to(broker: Broker, number: signal.Signals) -> None:
    """A broker that does not let it in keeps it trying, not stuck; nothing is published meanwhile."""
    process = start({"ANSHOU_MQTT_URL": broker.url_with("simulator", "wrong")}, "--seed", "3")
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if "broker lost" in line:
                break
        process.send_signal(number)
        begun_s = time.monotonic()
        _, said = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert time.monotonic() - begun_s < 10
    assert process.returncode == 0
    assert "stopped" in said
    assert "Traceback" not in said
