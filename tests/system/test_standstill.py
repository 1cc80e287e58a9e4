"""Every process of ours whose loop stands still ends itself with its stacks in the log; it is started again.

Each process is really blocked: its main thread by a signal whose handler waits for ever, a round by a table
that somebody else has locked, paho's thread by a callback that never returns.
"""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from database.connections import Connection
from deploy.local import ports
from protocol.watchdog import EXIT_STATUS
from tests.servers import Broker, Database

STALL_S = "2"
EVENTUALLY_S = 60.0
STANDS_STILL = """
import runpy, signal, sys, threading
signal.signal(signal.SIGUSR1, lambda *_: threading.Event().wait())
{patch}
module, *sys.argv[1:] = sys.argv[1:]
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""
HANG_IN_PAHO = (
    "import ingest.configs\n"
    "ingest.configs.ConfigPublisher._on_connect = lambda *_: threading.Event().wait()\n"
)


class Started(NamedTuple):
    """A process, and what it says."""

    process: subprocess.Popen[bytes]
    log: Path

    def says(self, words: str) -> None:
        """Wait until its log has these words."""
        deadline_s = time.monotonic() + EVENTUALLY_S
        while words not in self.log.read_text():
            assert time.monotonic() < deadline_s, self.log.read_text()
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)

    def ended(self) -> str:
        """Wait for its end because of a standstill; what it said."""
        assert self.process.wait(EVENTUALLY_S) == EXIT_STATUS, self.log.read_text()
        return self.log.read_text()


@contextmanager
def started(folder: Path, command: str, environ: Mapping[str, str], patch: str = "") -> Iterator[Started]:
    """`python -m COMMAND` that SIGUSR1 blocks."""
    log = folder / "log"
    room = command.split()[0].upper()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSHOU_")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", STANDS_STILL.format(patch=patch), *command.split()],
            env={**kept, f"ANSHOU_{room}_STALL_S_MAX": STALL_S, **environ},
            stdout=output,
            stderr=output,
        )
    try:
        yield Started(process, log)
    finally:
        process.kill()
        process.wait()


def ingest(database: Database, broker: Broker, account: str) -> dict[str, str]:
    """The environment of a process of ingest."""
    return {
        "ANSHOU_DATABASE_URL": database.ingest_url,
        "ANSHOU_MQTT_URL": broker.url(account),
        "ANSHOU_INGEST_WORKER": secrets.token_hex(4),
    }


@pytest.mark.parametrize(
    ("process", "account", "loop"),
    [("readings", "ingest", "shares"), ("alarms", "alarms", "alarms"), ("gateways", "gateways", "gateways")],
)
def test_ingest_whose_main_thread_is_blocked(
    process: str, account: str, loop: str, database: Database, broker: Broker, tmp_path: Path
) -> None:
    with started(tmp_path, f"ingest {process}", ingest(database, broker, account)) as running:
        running.says("connected to the broker")
        running.process.send_signal(signal.SIGUSR1)
        said = running.ended()
    assert f"the loop '{loop}' stands still" in said
    assert "in wait" in said, "no stacks"


def test_ingest_gateways_whose_thread_of_paho_is_blocked(
    database: Database, broker: Broker, tmp_path: Path
) -> None:
    environ = ingest(database, broker, "gateways")
    with started(tmp_path, "ingest gateways", environ, HANG_IN_PAHO) as running:
        said = running.ended()
    assert "the loop 'paho' stands still" in said
    assert "in _handle_connack" in said


@pytest.mark.parametrize(
    ("command", "table", "loop"),
    [
        ("ingest settle", "readings.unsettled", "settle"),
        ("alarms", "care.alarm", "anshou-escalation"),
        ("analytics", "care.alarm", "anshou-analytics"),
    ],
)
def test_a_duty_whose_round_does_not_end(
    command: str, table: str, loop: str, database: Database, broker: Broker, owner: Connection, tmp_path: Path
) -> None:
    environ = (
        ingest(database, broker, "ingest")
        if command == "ingest settle"
        else {"ANSHOU_DATABASE_URL": database.service_url}
    )
    if command == "analytics":
        environ["ANSHOU_ANALYTICS_INTERVAL_S"] = "1"
    with owner.transaction():
        owner.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        with started(tmp_path, command, environ) as running:
            said = running.ended()
    assert f"the loop '{loop}' stands still" in said


def test_pages_that_nobody_serves(database: Database, tmp_path: Path) -> None:
    port = ports.any_free()
    environ = {"ANSHOU_DATABASE_URL": database.web_url, "ANSHOU_DASHBOARD_PORT": str(port)}
    with started(tmp_path, "dashboard", environ) as running:
        running.says("Application startup complete")
        running.process.send_signal(signal.SIGUSR1)
        assert "the loop 'requests' stands still" in running.ended()


def test_a_box_in_a_home(broker: Broker, tmp_path: Path) -> None:
    environ = {
        "ANSHOU_MQTT_URL": broker.url("simulator"),
        "ANSHOU_GATEWAY_LAN_URL": broker.url("simulator"),
        "ANSHOU_GATEWAY_SITE": broker.site,
        "ANSHOU_GATEWAY_NAME": f"box-{broker.site}",
        "ANSHOU_GATEWAY_DATA": str(tmp_path / "data"),
    }
    with started(tmp_path, "gateway", environ) as running:
        running.says("LAN broker: connected")
        running.process.send_signal(signal.SIGUSR1)
        assert "the loop 'house' stands still" in running.ended()
