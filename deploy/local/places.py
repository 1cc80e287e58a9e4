"""Where things lie on this machine: the checkout, the cache, the data.

Standard library only. The root user keeps its things where a system service would, everybody else
below their home, after the XDG base directory specification.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from deploy.errors import DeployError

# PostgreSQL refuses to run as root, so both servers then run as the user who owns nothing.
NOBODY_ID = 65534


def checkout() -> Path:
    """The folder that holds the rooms (deploy, dashboard, …)."""
    return Path(__file__).resolve().parents[2]


def is_root() -> bool:
    """Whether we are the root user."""
    return os.geteuid() == 0


def cache_folder() -> Path:
    """What can be fetched again: the private servers. Kept from one start to the next."""
    if is_root():
        return Path("/var/cache/anshou")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "anshou"


def default_data_folder() -> Path:
    """What must not be lost: the database, the broker's sessions, the passwords, the logs."""
    if is_root():
        return Path("/var/lib/anshou")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "anshou"


def require_reachable_by_nobody(folder: Path) -> None:
    """Make sure that the servers can reach their folder when we are root.

    Raises:
        DeployError: A folder above it is closed to other users.
    """
    if not is_root():
        return
    for parent in folder.resolve().parents:
        if not parent.stat().st_mode & stat.S_IXOTH:
            raise DeployError(
                f"The servers do not run as root, and {parent}, above {folder}, is closed to others.",
                f"Choose another folder with --data, or run: chmod o+x {parent}",
            )


def make_server_folder(folder: Path) -> None:
    """Create a folder that only the user whom the servers run as can enter."""
    folder.mkdir(parents=True, exist_ok=True)
    require_reachable_by_nobody(folder)
    if is_root():
        give_to_servers(folder)
    folder.chmod(0o700)


def give_to_servers(path: Path) -> None:
    """Hand a file or folder to the user whom the servers run as; nothing to do unless root."""
    if is_root():
        os.chown(path, NOBODY_ID, NOBODY_ID)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
