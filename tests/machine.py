"""A machine with the whole product on it, driven by its command line."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.local import instance, leftovers, ports
from deploy.local.data import DataFolder
from deploy.local.supervisor import Supervisor
from tests import servers

PATIENCE_S = 120.0
ROOMS = {
    "ingest-readings",
    "ingest-alarms",
    "ingest-gateways",
    "ingest-settle",
    "alarms",
    "analytics",
    "dashboard",
    "dashboard-tls",
}


COUNTY = (
    ("operator", "add", "--code", "kangle", "--name", "康乐养老"),
    ("site", "add", "--code", "qingshi", "--kind", "care_home", "--name", "青石敬老院",
     "--township", "青石镇", "--operator", "kangle"),
    ("resident", "add", "--site", "qingshi", "--name", "李秀英", "--sex", "female",
     "--born", "1941-05-04", "--room", "101", "--bed", "1"),
)  # fmt: skip
"""A home with one resident, as somebody types it."""


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

    def open(self, *commands: tuple[str, ...]) -> None:
        """Start in the background, with a home in it and what these commands add."""
        for arguments in (("up", "--no-demo", "--detach"), *COUNTY, *commands):
            code, said = self.run(*arguments)
            assert code == 0, said

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


@contextmanager
def machine_of_its_own() -> Iterator[Machine]:
    """A data folder in a temporary place; what runs from it is stopped in the end.

    Machines want the same well-known ports, so of tests in several processes one at a time has one.
    """
    turn = Path(tempfile.gettempdir()) / f"anshou-test-machine-{os.getuid()}.lock"
    with turn.open("w", encoding="ascii") as lock, servers.server_folder() as folder:
        fcntl.flock(lock, fcntl.LOCK_EX)
        machine = Machine(folder)
        try:
            yield machine
        finally:
            machine.run("down")
