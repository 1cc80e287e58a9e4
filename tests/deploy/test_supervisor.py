"""The supervisor: what ends is started again, what fails for long is not given up, nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.local import leftovers, ports
from deploy.local.data import DataFolder
from deploy.local.supervisor import Program, Supervisor, render
from tests import servers

pytestmark = pytest.mark.integration

Start = Callable[..., subprocess.Popen[bytes]]
SLEEPER = "import os, time; print(os.environ.get('SAID'), flush=True); time.sleep(600)"
PATIENCE_S = 40.0


@pytest.fixture
def folder() -> Iterator[DataFolder]:
    # Not tmp_path, whose long names leave no room for a socket's.
    with servers.server_folder() as path:
        folder = DataFolder.at(path / "an odd, name")
        folder.make()
        try:
            yield folder
        finally:
            leftovers.stop(folder.root)


@pytest.fixture
def start(folder: DataFolder) -> Iterator[Start]:
    """Starts a supervisor with these programs, which ends with the test."""
    started = []

    def start(*programs: Program, detached: bool = False) -> subprocess.Popen[bytes]:
        started.append(Supervisor(data=folder).start(programs, detached=detached))
        return started[-1]

    yield start
    for process in started:
        process.terminate()
        process.wait(PATIENCE_S)


def sleeper(name: str, folder: DataFolder, **options: object) -> Program:
    command = [sys.executable, "-c", SLEEPER]
    return Program(name=name, command=command, folder=folder.run, **options)  # type: ignore[arg-type]


def wait_for(supervisor: Supervisor, name: str, *, other_than: int = 0) -> int:
    """The pid of a program once it runs (again)."""

    def runs() -> bool:
        state, pid = supervisor.states()[name]
        return state == "RUNNING" and pid not in {0, other_than}

    ports.wait_until(runs, what=name, timeout_s=PATIENCE_S, remedy="")
    return supervisor.states()[name][1]


def test_what_is_killed_is_started_again_and_stopping_leaves_nothing(
    folder: DataFolder, start: Start
) -> None:
    supervisor = Supervisor(data=folder)
    server = sleeper("server", folder, is_room=False)
    room = sleeper("room", folder, environment={"SAID": 'a "quoted" %41 \\ value; 安守'})
    process = start(server, room)
    assert {state for name, (state, _) in supervisor.states().items() if name != "reviver"} == {"STOPPED"}
    supervisor.launch(server)
    supervisor.launch_rooms()
    first = wait_for(supervisor, "room")
    assert supervisor.log_of("room").read_text() == 'a "quoted" %41 \\ value; 安守\n'
    os.kill(first, signal.SIGKILL)
    assert wait_for(supervisor, "room", other_than=first)
    assert wait_for(supervisor, "server")
    assert supervisor.stop()
    assert process.wait(10) == 0
    assert leftovers.find(folder.root) == []
    assert not supervisor.stop(), "the second time there is nothing to stop"


def test_what_fails_for_long_is_never_given_up(folder: DataFolder, start: Start) -> None:
    supervisor = Supervisor(data=folder)
    ready = folder.run / "ready"
    command = [
        "sh",
        "-c",
        f"echo tried; test -e '{ready}' && exec {sys.executable} -c 'import time; time.sleep(600)'",
    ]
    room = Program(name="room", command=command, folder=folder.run)
    start(room)
    supervisor.launch_rooms()
    revived = folder.log / "reviver.log"
    ports.wait_until(
        lambda: revived.exists() and "rooms:room had failed; it is tried again" in revived.read_text(),
        what="the reviver",
        timeout_s=PATIENCE_S,
        remedy="",
    )
    ready.touch()
    assert wait_for(supervisor, "room")


def test_a_program_that_ends_at_once_is_shown_with_its_last_words(folder: DataFolder, start: Start) -> None:
    supervisor = Supervisor(data=folder)
    room = Program(name="room", command=["sh", "-c", "echo no such county; exit 3"], folder=folder.run)
    start(room)
    supervisor.launch_rooms()

    def complained() -> bool:
        try:
            supervisor.require_alive(room)
        except DeployError as error:
            return "no such county" in str(error)
        return False

    ports.wait_until(complained, what="the complaint", timeout_s=PATIENCE_S, remedy="")


def test_a_killed_supervisor_leaves_children_that_are_found_and_stopped(
    folder: DataFolder, start: Start
) -> None:
    supervisor = Supervisor(data=folder)
    process = start(sleeper("room", folder), detached=True)
    supervisor.launch_rooms()
    orphan = wait_for(supervisor, "room")
    process.kill()
    process.wait(10)
    assert orphan in leftovers.find(folder.root)
    assert not supervisor.answers()
    assert leftovers.stop(folder.root) >= 1
    assert leftovers.find(folder.root) == []


def test_others_processes_are_left_alone(folder: DataFolder, start: Start, tmp_path: Path) -> None:
    supervisor = Supervisor(data=folder)
    start(sleeper("room", folder))
    supervisor.launch_rooms()
    pid = wait_for(supervisor, "room")
    assert leftovers.stop(tmp_path) == 0
    assert leftovers.stop(folder.root.parent) == 0, "a folder above is not this folder"
    assert supervisor.states()["room"] == ("RUNNING", pid)


def test_rooms_get_no_settings_that_were_meant_for_us(
    folder: DataFolder, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSHOU_DATABASE_URL", "postgresql://owner:secret@db/anshou")
    supervisor = Supervisor(data=folder)
    program = Program(
        name="room",
        command=[sys.executable, "-c", "import os; print(sorted(n for n in os.environ if 'ANSHOU' in n))"],
        environment={"ANSHOU_MQTT_URL": "mqtt://x"},
        folder=folder.run,
    )
    start(program)
    supervisor.launch_rooms()
    log = supervisor.log_of("room")
    ports.wait_until(
        lambda: log.exists() and log.read_text() != "", what="room", timeout_s=PATIENCE_S, remedy=""
    )
    assert log.read_text().splitlines()[0] == f"['ANSHOU_MQTT_URL', '{leftovers.MARK}']"


def test_a_setting_with_both_kinds_of_quotes_is_refused() -> None:
    folder = DataFolder.at(Path(tempfile.gettempdir()))
    program = Program(name="room", command=["true"], folder=folder.run, environment={"X": "'\""})
    with pytest.raises(DeployError, match="both kinds of quotes"):
        render(folder, [program])
