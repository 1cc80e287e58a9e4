"""Everything on one machine, started and stopped for real."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.errors import NotRunningError
from deploy.local import instance, leftovers, ports
from deploy.local.data import DataFolder
from deploy.local.supervisor import Supervisor
from tests import servers

PATIENCE_S = 120.0
ROOMS = {"ingest-readings", "ingest-alarms", "watch", "analytics", "dashboard"}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


class Machine:
    """A data folder, and the command line on it."""

    def __init__(self, folder: Path) -> None:
        self.data = DataFolder.at(folder / "data")
        self.supervisor = Supervisor(data=self.data)
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("ANSHOU_")
        }

    def anshou(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [Path(sys.executable).parent / "anshou", *arguments, "--data", self.data.root],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        with self.anshou(*arguments) as process:
            said, _ = process.communicate(timeout=PATIENCE_S)
            return process.returncode, said

    @contextmanager
    def up(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Start in the foreground, and go on when the page is there; stop in the end."""
        with self.anshou("up", "--no-demo", *arguments) as process:
            try:
                assert process.stdout is not None
                said = []
                for line in process.stdout:
                    said.append(line)
                    if "To stop" in line:
                        break
                else:
                    pytest.fail("it did not start:\n" + "".join(said))
                yield process
            finally:
                process.terminate()

    def page_answers(self) -> bool:
        url = instance.current(self.data.root).http_url
        assert url is not None
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError as error:
            return error.code < 500
        except OSError:
            return False

    def pids(self) -> dict[str, int]:
        return {name: pid for name, (state, pid) in self.supervisor.states().items() if state == "RUNNING"}

    def wait_until_all_run(self, *, without: set[int] = frozenset()) -> dict[str, int]:  # type: ignore[assignment]
        wanted = ROOMS | {"postgres", "mosquitto"}

        def all_run() -> bool:
            pids = self.pids()
            return wanted <= set(pids) and not without & set(pids.values())

        ports.wait_until(all_run, what="every process", timeout_s=PATIENCE_S, remedy=str(self.data.log))
        return self.pids()

    def wait_for_page(self) -> None:
        ports.wait_until(self.page_answers, what="the page", timeout_s=PATIENCE_S, remedy="")

    def nothing_is_left(self) -> bool:
        pid_file = self.data.postgres / "data/postmaster.pid"
        return not leftovers.find(self.data.root) and not pid_file.exists()


@pytest.fixture
def machine() -> Iterator[Machine]:
    with servers.server_folder() as folder:
        machine = Machine(folder)
        try:
            yield machine
        finally:
            machine.run("down")


def test_up_restart_and_down(machine: Machine) -> None:
    with machine.up("--http", str(ports.any_free()), "--mqtt", str(ports.any_free())) as process:
        machine.wait_for_page()
        before = machine.wait_until_all_run()

        code, said = machine.run("doctor")
        assert code == 0, said
        assert "✓ Broker" in said
        assert "✓ Migrations: all applied" in said
        assert "Apache 2 edition" in said

        code, said = machine.run("up", "--no-demo")
        assert code == 1
        assert "already" in said, said
        assert "Traceback" not in said

        # Every process of ours, and both servers, come back by themselves.
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)
        machine.wait_until_all_run(without=set(before.values()))
        machine.wait_for_page()

        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, said
    assert machine.nothing_is_left()
    with pytest.raises(NotRunningError):
        instance.current(machine.data.root)
    assert machine.run("down") == (0, "Nothing was running.\n")


def test_a_killed_supervisor_is_started_again(machine: Machine) -> None:
    with machine.up() as process:
        before = machine.wait_until_all_run()
        supervisor = int((machine.data.run / "supervisor.pid").read_text())
        os.kill(supervisor, signal.SIGKILL)
        ports.wait_until(
            lambda: supervisor not in leftovers.find(machine.data.root),
            what="the kill",
            timeout_s=PATIENCE_S,
            remedy="",
        )
        ports.wait_until(machine.supervisor.answers, what="a new supervisor", timeout_s=PATIENCE_S, remedy="")
        machine.wait_until_all_run(without=set(before.values()))
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, said
    assert machine.nothing_is_left()


def test_the_next_start_takes_over_what_a_kill_left_behind(machine: Machine) -> None:
    code, said = machine.run("up", "--no-demo", "--detach")
    assert code == 0, said
    before = machine.wait_until_all_run()
    os.kill(int((machine.data.run / "supervisor.pid").read_text()), signal.SIGKILL)
    ports.wait_until(
        lambda: not machine.supervisor.answers(), what="the kill", timeout_s=PATIENCE_S, remedy=""
    )
    assert machine.page_answers(), "the rooms go on serving without their supervisor"

    code, said = machine.run("up", "--no-demo", "--detach")
    assert code == 0, said
    machine.wait_until_all_run(without=set(before.values()))
    machine.wait_for_page()
    assert set(before.values()).isdisjoint(leftovers.find(machine.data.root))

    code, said = machine.run("down")
    assert code == 0, said
    assert machine.nothing_is_left()


def test_killing_the_foreground_command_takes_everything_with_it(machine: Machine) -> None:
    with machine.up() as process:
        machine.wait_until_all_run()
        process.kill()
        process.wait(PATIENCE_S)
        ports.wait_until(machine.nothing_is_left, what="the end", timeout_s=PATIENCE_S, remedy="")


def test_ports_in_use_are_replaced_and_said_so(machine: Machine) -> None:
    with socket.create_server((ports.LOOPBACK, 0)) as server:
        taken = str(server.getsockname()[1])
        code, said = machine.run("up", "--no-demo", "--detach", "--http", taken, "--mqtt", taken)
        assert code == 0, said
        assert f"HTTP port {taken} is in use" in said
        assert f"MQTT port {taken} is in use" in said
        assert "anshou staff add" in said, "nobody can sign in yet"
        machine.wait_for_page()
