"""A house on one machine, for tests and benchmarks: a LAN broker of its own, and a gateway as a process."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from deploy.local import debian, places, ports
from deploy.local.postgres import as_server_user, dying_with_us

STOP_S_MAX = 30.0

LAN_SETTINGS = """\
listener {port} {host}
allow_anonymous true
persistence true
persistence_location {folder}/
autosave_interval 5
max_queued_messages 0
"""


@contextmanager
def lan_broker(folder: Path) -> Iterator[int]:
    """A broker to which everybody in the house may speak; its port."""
    places.make_server_folder(folder)
    port = ports.any_free()
    settings = folder / "mosquitto.conf"
    settings.write_text(LAN_SETTINGS.format(port=port, host=ports.LOOPBACK, folder=folder), encoding="ascii")
    places.give_to_servers(settings)
    with (folder.parent / "lan-broker.log").open("ab") as log:
        broker = subprocess.Popen(
            [*as_server_user(), *dying_with_us("TERM"), str(debian.install().mosquitto), "-c", str(settings)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        ports.wait_until(
            lambda: ports.answers(port), what="The LAN broker", timeout_s=30, remedy=f"See {log.name}."
        )
        yield port
    finally:
        broker.send_signal(signal.SIGTERM)
        try:
            broker.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            broker.kill()
            broker.wait()


class GatewayProcess:
    """A gateway as `anshou gateway run` starts it, which may be killed and started again."""

    def __init__(
        self, settings: Mapping[str, object], log: Path, module: str = "gateway", **environ: str
    ) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ANSHOU_")}
        given = {
            "ANSHOU_MQTT_URL" if name == "mqtt_url" else f"ANSHOU_GATEWAY_{name}".upper(): str(value)
            for name, value in settings.items()
        }
        self._environ = {**inherited, **given, **environ}
        self._log = log
        self._module = module
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None, "it was started"
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start it."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self._module], env=self._environ, stdout=log, stderr=log
            )

    def kill(self) -> None:
        """As a power cut does, for the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> int:
        """Politely; its exit code."""
        assert self._process is not None, "it was started"
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_S_MAX)
        finally:
            self.kill()
