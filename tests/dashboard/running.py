"""The dashboard as its own process, as it runs in a home: started, killed and started again."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local import ports

START_TIMEOUT_S = 30.0
POLL_S = 0.05


class Dashboard:
    """A server on a port of its own."""

    def __init__(self, database_url: str, log: Path, **settings: object) -> None:
        self.port = ports.any_free()
        self.log = log
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ANSHOU_")},
            "ANSHOU_DATABASE_URL": database_url,
            "ANSHOU_DASHBOARD_PORT": str(self.port),
            **{f"ANSHOU_DASHBOARD_{name}".upper(): str(value) for name, value in settings.items()},
        }
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, path: str = "/") -> str:
        """The address of a page."""
        return f"http://127.0.0.1:{self.port}{path}"

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
