"""The dashboard on a port: a process, to be killed and started again, or a thread of the test's."""

import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from dashboard.app import create_app
from dashboard.door import DoorConfig
from dashboard.settings import Settings
from deploy.local import ports

START_TIMEOUT_S = 30.0
POLL_S = 0.05


class Server:
    """A server on a port of its own."""

    def __init__(self) -> None:
        self.port = ports.any_free()

    def url(self, path: str = "/") -> str:
        """The address of a page."""
        return f"http://127.0.0.1:{self.port}{path}"


class Dashboard(Server):
    """The process."""

    def __init__(self, database_url: str, log: Path, **settings: object) -> None:
        super().__init__()
        self.log = log
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ANSHOU_")},
            "ANSHOU_DATABASE_URL": database_url,
            "ANSHOU_DASHBOARD_PORT": str(self.port),
            **{f"ANSHOU_DASHBOARD_{name}".upper(): str(value) for name, value in settings.items()},
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until the database answers and pages are live."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "dashboard"], env=self._environ, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._is_healthy():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the dashboard did not start:\n{self.log.read_text()}")
            time.sleep(POLL_S)

    def stop(self, *, kill: bool = False) -> None:
        """Ask it to stop, or kill it."""
        if self._process is None:
            return
        if kill:
            self._process.kill()
        else:
            self._process.terminate()
        self._process.wait(START_TIMEOUT_S)
        self._process = None

    def _is_healthy(self) -> bool:
        try:
            with urllib.request.urlopen(self.url("/api/health"), timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


@contextmanager
def running(database_url: str, folder: Path, **settings: object) -> Iterator[Dashboard]:
    """A dashboard that is up, stopped afterwards."""
    dashboard = Dashboard(database_url, folder / "dashboard.log", **settings)
    try:
        dashboard.start()
        yield dashboard
    finally:
        dashboard.stop()


@contextmanager
def serving(database_url: str, **settings: Any) -> Iterator[Server]:
    """A dashboard in a thread: for tests of what it serves, which need no process of its own."""
    here = Server()
    wanted = Settings(database_url=database_url, port=here.port, **settings)
    app = create_app(wanted)
    # Live pages are open when it is stopped; nobody waits for them to end.
    config = DoorConfig(
        app,
        port=here.port,
        log_config=None,
        timeout_graceful_shutdown=0,
        ssl_certfile=wanted.tls_certificate,
        ssl_keyfile=wanted.tls_key,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="dashboard", daemon=True)
    thread.start()
    try:
        ports.wait_until(
            lambda: server.started or not thread.is_alive(),
            what="the dashboard",
            timeout_s=START_TIMEOUT_S,
            remedy="",
        )
        assert server.started, "the dashboard did not start"
        yield here
    finally:
        server.should_exit = True
        thread.join(START_TIMEOUT_S)
        assert not thread.is_alive()
