"""The Python environment in `.venv`, from nothing but a Python and, on Debian, apt.

Run by the Makefile with the machine's own Python, so the standard library must do. The packages
are exactly those of the lock file, each compared with its hash. Once made, the environment is
used again until a lock file, the project's metadata or the Python changes, with no network.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PYTHON_MINIMUM = (3, 11)
# Raise it when the steps below change, so that environments made by the old ones are made again.
RECIPE = 1

if sys.version_info < PYTHON_MINIMUM:
    sys.exit(
        f"Anshou: it needs Python {'.'.join(map(str, PYTHON_MINIMUM))} or newer, and this is "
        f"{sys.version.split()[0]}. Name another one: make PYTHON=/path/to/python3 …"
    )

from deploy.errors import DeployError  # noqa: E402 - an older Python must reach the message above
from deploy.local.debian import fetch_own  # noqa: E402
from deploy.local.progress import complain, run, step  # noqa: E402


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The virtual environment of a checkout.

    Attributes:
        checkout: The folder with pyproject.toml and the lock files.
        lock: The name of the lock file to install.
    """

    checkout: Path
    lock: str

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.checkout / ".venv"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin/python"

    @property
    def is_current(self) -> bool:
        """Whether it holds what the lock file says."""
        try:
            return self._stamp.read_text() == self._key() and self._python_runs()
        except OSError:
            return False

    def install(self) -> None:
        """Bring it to what the lock file says; nothing to do, and no network needed, if it is.

        Raises:
            DeployError: Says what failed and what to do.
        """
        self.folder.mkdir(exist_ok=True)
        # Two that set up at once would install over each other.
        lock = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.is_current:
                self._install()
        finally:
            os.close(lock)

    def _install(self) -> None:
        for stamp in self.folder.glob("anshou-*.stamp"):
            stamp.unlink()
        if not self._python_runs():
            with step("Making the Python environment"):
                self._create()
        if not self._has_pip():
            with step("Fetching pip"):
                self._add_pip()
        with step("Installing the locked Python packages"):
            self._pip(
                "--require-hashes",
                "--only-binary=:all:",
                "-r",
                self.checkout / self.lock,
                failing=f"The packages in {self.lock} could not be installed.",
            )
            self._pip(
                "--no-deps",
                "--no-build-isolation",
                "--no-index",
                "-e",
                self.checkout,
                failing="Anshou itself could not be installed.",
            )
        self._stamp.write_text(self._key())

    def _create(self) -> None:
        for entry in self.folder.iterdir():  # not the folder itself: it is what we hold locked
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        # Debian has ensurepip in a package of its own, python3-venv, which may not be installed.
        with_pip = importlib.util.find_spec("ensurepip") is not None
        try:
            venv.EnvBuilder(with_pip=with_pip, symlinks=True).create(self.folder)
        except (OSError, subprocess.CalledProcessError) as error:
            raise DeployError(
                f"Python could not make a virtual environment in {self.folder}: {error}.",
                "Check that the folder can be written to and that the disk has room.",
            ) from error

    def _add_pip(self) -> None:
        with tempfile.TemporaryDirectory(prefix="anshou-pip-") as name:
            folder = Path(name)
            folder.chmod(0o755)  # apt downloads as a user of its own
            wheels = sorted(Path("/usr/share/python-wheels").glob("pip-*.whl"))
            if not wheels:
                package = fetch_own(
                    "python3-pip-whl",
                    folder,
                    failing="This Python has no pip, and Debian's could not be fetched.",
                    remedy="Install python3-venv, or check the network and the apt sources.",
                )
                run(["dpkg-deb", "--extract", package, folder / "root"], failing=f"{package.name} is broken.")
                wheels = sorted((folder / "root/usr/share/python-wheels").glob("pip-*.whl"))
            run(
                [self.python, f"{wheels[-1]}/pip", "install", "--no-index", "--no-deps", wheels[-1]],
                failing="pip could not be installed.",
            )

    def _pip(self, *arguments: str | Path, failing: str) -> None:
        run(
            [
                self.python,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-input",
                "--disable-pip-version-check",
                *arguments,
            ],
            failing=failing,
            remedy="Check the network and pip's settings (pip config list), then try again.",
            env={**os.environ, "PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"},
        )

    def _python_runs(self) -> bool:
        return self.python.exists() and self._succeeds("-c", "pass")

    def _has_pip(self) -> bool:
        return self._succeeds("-m", "pip", "--version")

    def _succeeds(self, *arguments: str) -> bool:
        done = subprocess.run([self.python, *arguments], capture_output=True, check=False)
        return done.returncode == 0

    @property
    def _stamp(self) -> Path:
        return self.folder / f"anshou-{self.lock}.stamp"

    def _key(self) -> str:
        digest = hashlib.sha256(f"{RECIPE} {sys.version} {self.checkout}".encode())
        for name in (self.lock, "pyproject.toml", "deploy/centre/pyproject.toml"):
            digest.update((self.checkout / name).read_bytes())
        return digest.hexdigest()


def main() -> int:
    """Set up the environment; 0 when it is ready."""
    parser = argparse.ArgumentParser(prog="bootstrap", description="Make or update .venv.")
    parser.add_argument("--dev", action="store_true", help="with the tools for checks and tests")
    wants_dev = parser.parse_args().dev
    full = Environment(checkout=CHECKOUT, lock="requirements-dev.lock")
    plain = Environment(checkout=CHECKOUT, lock="requirements.lock")
    try:
        if not full.is_current and (wants_dev or not plain.is_current):
            (full if wants_dev else plain).install()
    except DeployError as error:
        complain(error)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
