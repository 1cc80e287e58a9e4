"""Where things lie on this machine: the checkout, the cache, the data.

Standard library only. The root user keeps its things where a system service would, everybody else
below their home, after the XDG base directory specification.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
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
    """Hand a file or folder of ours to the user whom the servers run as; nothing to do unless root.

    Raises:
        DeployError: It is a link, or a file that has another name elsewhere: somebody has put it there.
    """
    if not is_root():
        return
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise DeployError(f"{path} cannot be given to the servers: {error.strerror}.") from error
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISDIR(found.st_mode) and (not stat.S_ISREG(found.st_mode) or found.st_nlink != 1):
            raise DeployError(f"{path} is no file of ours.", "Look at who put it there, and remove it.")
        os.fchown(descriptor, NOBODY_ID, NOBODY_ID)
    finally:
        os.close(descriptor)


@contextmanager
def as_servers() -> Iterator[None]:
    """Do what follows with the rights of the user whom the servers run as; as before unless we are root.

    What lies in a folder of theirs may be a link to anywhere: root itself neither writes nor removes there.
    """
    if not is_root():
        yield
        return
    groups, group = os.getgroups(), os.getegid()
    os.setgroups([])
    os.setegid(NOBODY_ID)
    os.seteuid(NOBODY_ID)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


def write_private(path: Path, text: str, *, group: int | None = None) -> None:
    """Write a file that only its owner can read, whole or not at all; never through a link.

    Args:
        path: The file.
        text: What it is to hold.
        group: Whose members may read it as well.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            if group is not None:
                os.fchown(file.fileno(), -1, group)
                os.fchmod(file.fileno(), 0o640)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
