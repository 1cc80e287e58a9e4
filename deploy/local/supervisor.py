"""All processes under one supervisor: supervisord, with settings made here and driven by us.

supervisord starts nothing by itself, because the order matters (database, migrations, broker's
identities, broker, rooms) and only we know when each is ready. From then on it restarts whatever
ends. `deploy.local.reviver` sees to it that it never gives up.
"""

from __future__ import annotations

import os
import resource
import shlex
import signal
import subprocess
import sys
import xmlrpc.client
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from deploy.errors import DeployError
from deploy.local import leftovers, places, ports, users
from deploy.local.data import DataFolder
from deploy.local.postgres import dying_with_us

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 120.0
LOG_BYTES_MAX = 10 * 1024 * 1024
LOG_BACKUPS = 5
# Waits 1, 2, 3, 4 s between attempts; then the reviver begins anew.
START_RETRIES = 4
OPEN_FILES_WANTED = 65_536  # one for each device that is connected to the broker
ROOMS = "rooms"


@dataclass(frozen=True, kw_only=True)
class Program:
    """One process to keep running.

    Attributes:
        name: As in the logs.
        command: Program and arguments.
        environment: Added to what every process gets.
        folder: Where it runs.
        as_server_user: Whether to run as the servers' user, if we are root.
        as_room_user: Whether to run as the rooms' user, if we are root.
        stop_signal: What makes it end in good order.
        stop_timeout_s: How long it may take over that.
        is_room: Rooms are started and stopped together, after and before the servers.
        is_errand: Whether it is done once it ends well; else it is started again whenever it ends.
    """

    name: str
    command: Sequence[str]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    as_server_user: bool = False
    as_room_user: bool = False
    stop_signal: str = "TERM"
    stop_timeout_s: int = 15
    is_room: bool = True
    is_errand: bool = False

    @property
    def full_name(self) -> str:
        """As supervisord calls it."""
        return f"{ROOMS}:{self.name}" if self.is_room else self.name


@dataclass(frozen=True, kw_only=True)
class Supervisor:
    """supervisord for one data folder."""

    data: DataFolder

    def start(self, programs: Sequence[Program], *, detached: bool) -> subprocess.Popen[bytes]:
        """Start supervisord with these programs, none of them started yet.

        Args:
            programs: Servers first, in the order they are stopped last.
            detached: Whether it stays when we end; else it ends with us, whatever ends us.

        Raises:
            DeployError: It did not come up.
        """
        self.data.supervisor_socket.unlink(missing_ok=True)
        _raise_open_files_limit()
        settings = self.data.run / "supervisor.conf"
        places.write_private(settings, render(self.data, programs))
        log = self.data.log / "supervisor.out"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [
                    *([] if detached else dying_with_us("TERM")),
                    sys.executable,
                    "-m",
                    "supervisor.supervisord",
                    "-n",
                    "-c",
                    str(settings),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.data.run,
                env=base_environment(self.data.root),
                start_new_session=True,  # Ctrl-C is for us to handle
            )
        ports.wait_until(
            lambda: process.poll() is not None or self.answers(),
            what="The supervisor",
            timeout_s=START_TIMEOUT_S,
            remedy=f"See {log}.",
        )
        if process.poll() is not None:
            raise DeployError(f"The supervisor did not start: {log.read_text()[-2000:]}")
        return process

    def answers(self) -> bool:
        """Whether it runs and listens."""
        try:
            self._call("getState")
        except (OSError, HTTPException, xmlrpc.client.Error):
            return False
        return True

    def launch(self, program: Program) -> None:
        """Start a program without waiting for it."""
        self._call("startProcess", program.full_name, False)

    def launch_rooms(self) -> None:
        """Start all rooms at once, without waiting for them."""
        self._call("startProcessGroup", ROOMS, False)

    def stop_room(self, name: str) -> None:
        """Stop one room and wait until it has ended; it stays so until `start_room`."""
        self._call("stopProcess", f"{ROOMS}:{name}", True)

    def start_room(self, name: str) -> None:
        """Start a room that was stopped, without waiting for it."""
        self._call("startProcess", f"{ROOMS}:{name}", False)

    def states(self) -> dict[str, tuple[str, int]]:
        """What each program is doing (RUNNING, BACKOFF, …) and its pid, by the program's name."""
        return {info["name"]: (info["statename"], info["pid"]) for info in self._call("getAllProcessInfo")}

    def require_alive(self, program: Program) -> None:
        """Make sure that a program that was launched has not failed.

        Raises:
            DeployError: It ended at once, with the last it said.
        """
        state, _ = self.states()[program.name]
        if state in {"BACKOFF", "FATAL", "EXITED"}:
            log = self.log_of(program.name)
            lines = log.read_text(errors="replace").strip().splitlines()[-8:]
            said = "\n".join(f"    {line}" for line in lines)
            raise DeployError(f"{program.name} does not start. The end of {log}:\n{said}")

    def log_of(self, name: str) -> Path:
        """Where a program's output goes."""
        return self.data.log / f"{name}.log"

    def stop(self) -> bool:
        """Stop every program, in order, and supervisord itself; say whether it ran.

        Raises:
            DeployError: It takes longer than `STOP_TIMEOUT_S`.
        """
        if not self.answers():
            return False
        pid: int = self._call("getPID")
        leftovers.send(pid, signal.SIGTERM)
        ports.wait_until(
            lambda: pid not in leftovers.find(self.data.root),
            what="The end of the supervisor",
            timeout_s=STOP_TIMEOUT_S,
            remedy=f"Run: kill -9 {pid}, then anshou down again",
        )
        return True

    def _call(self, method: str, *arguments: object) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self.data.supervisor_socket}")
        # The address is not used, but xmlrpc wants one.
        with xmlrpc.client.ServerProxy(f"http://{ports.LOOPBACK}", transport=transport) as proxy:
            return getattr(proxy.supervisor, method)(*arguments)


def _raise_open_files_limit() -> None:
    """Have our children, the broker above all, open as many files as the machine allows, if needed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES_WANTED if hard == resource.RLIM_INFINITY else min(OPEN_FILES_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def base_environment(data_root: Path) -> dict[str, str]:
    """What every process gets: ours without settings that were meant for us, and the mark."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ANSHOU_")}
    return {**inherited, leftovers.MARK: str(data_root), "PYTHONUNBUFFERED": "1"}


def render(data: DataFolder, programs: Sequence[Program]) -> str:
    """The settings of supervisord for these programs."""
    sections: dict[str, dict[str, object]] = {
        "unix_http_server": {"file": _literal(data.supervisor_socket), "chmod": "0600"},
        "supervisord": {
            "logfile": _literal(data.log / "supervisor.log"),
            "logfile_maxbytes": LOG_BYTES_MAX,
            "logfile_backups": LOG_BACKUPS,
            "pidfile": _literal(data.run / "supervisor.pid"),
            "nodaemon": "true",
            "umask": "077",
            "silent": "true",
            **({"user": "root"} if places.is_root() else {}),
        },
        "rpcinterface:supervisor": {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
        },
        "eventlistener:reviver": {
            "command": _command([sys.executable, "-m", "deploy.local.reviver"]),
            "environment": _environment(
                {"SUPERVISOR_SOCKET": str(data.supervisor_socket)},
            ),
            "events": "PROCESS_STATE_FATAL",
            "buffer_size": 100,
            "stderr_logfile": _literal(data.log / "reviver.log"),
            "stderr_logfile_maxbytes": LOG_BYTES_MAX,
            "stderr_logfile_backups": 1,
            "startretries": 1000,
        },
    }
    for priority, program in enumerate(programs, start=1):
        sections[f"program:{program.name}"] = _section(data, program, priority)
    rooms = [program.name for program in programs if program.is_room]
    if rooms:
        sections[f"group:{ROOMS}"] = {"programs": ",".join(rooms), "priority": 100}
    return "; Written at each start; changes made here are lost.\n" + "\n".join(
        f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in options.items())
        for name, options in sections.items()
    )


def _section(data: DataFolder, program: Program, priority: int) -> dict[str, object]:
    before = users.as_room_user() if program.as_room_user else ()
    home = {"HOME": "/nonexistent"} if before else {}
    return {
        "command": _command([*before, *program.command]),
        "directory": _literal(program.folder),
        "environment": _environment({**home, **program.environment}),
        "priority": priority,
        "autostart": "false",
        "autorestart": "unexpected" if program.is_errand else "true",
        "exitcodes": "0",
        "startsecs": 2,
        "startretries": START_RETRIES,
        "stopsignal": program.stop_signal,
        "stopwaitsecs": program.stop_timeout_s,
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": _literal(data.log / f"{program.name}.log"),
        "stdout_logfile_maxbytes": LOG_BYTES_MAX,
        "stdout_logfile_backups": LOG_BACKUPS,
        **({"user": places.NOBODY_ID} if program.as_server_user and places.is_root() else {}),
    }


def _literal(value: object) -> str:
    # supervisord replaces %(name)s everywhere, and takes what follows " ;" for a comment.
    text = str(value).replace("%", "%%")
    if "\n" in text or " ;" in text:
        raise DeployError(f"supervisord cannot be told of {text!r}.", "Choose another folder.")
    return text


def _command(command: Sequence[str]) -> str:
    return _literal(shlex.join(command))


def _environment(environment: Mapping[str, str]) -> str:
    return ",".join(f"{name}={_quoted(value)}" for name, value in environment.items())


def _quoted(value: str) -> str:
    # Unlike in a command, supervisord knows no escapes here: a value may hold one kind of quotes.
    for quote in ('"', "'"):
        if quote not in value:
            return f"{quote}{_literal(value)}{quote}"
    raise DeployError("A setting for a room holds both kinds of quotes.", "Use only one kind.")
