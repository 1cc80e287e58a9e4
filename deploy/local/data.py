"""The data folder of one installation: what lies where in it, and its generated passwords."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from deploy.errors import DeployError
from deploy.local import places
from protocol.names import SERVICES

DATABASE = "anshou"
ROLES = ("anshou_ingest", "anshou_service", "anshou_web")
PASSWORD_BYTES = 24
# The kernel's limit for the address of a Unix socket is 107 bytes.
SOCKET_PATH_BYTES_MAX = 107


class Passwords(msgspec.Struct, frozen=True, kw_only=True):
    """What the processes of one installation say to each other; no person ever types them.

    Attributes:
        superuser: Of the private database cluster.
        roles: Of the database roles that the rooms sign in with.
        accounts: Of the broker's service accounts.
    """

    superuser: str
    roles: dict[str, str]
    accounts: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class DataFolder:
    """Paths below one data folder."""

    root: Path

    @classmethod
    def at(cls, root: Path | None) -> DataFolder:
        """The folder that was asked for, or the default one."""
        return cls(root=(root or places.default_data_folder()).absolute())

    @property
    def run(self) -> Path:
        """What is only true while the processes run."""
        return self.root / "run"

    @property
    def log(self) -> Path:
        """What each process said."""
        return self.root / "log"

    @property
    def postgres(self) -> Path:
        """The private database cluster."""
        return self.root / "postgres"

    @property
    def mosquitto(self) -> Path:
        """The private broker's identities and sessions."""
        return self.root / "mosquitto"

    @property
    def authority(self) -> Path:
        """The private key that signs the centre's certificates, and these."""
        return self.root / "authority"

    @property
    def shown(self) -> Path:
        """Of that folder what servers show and rooms read: the certificates, and the servers' key."""
        return self.root / "shown"

    @property
    def ports_file(self) -> Path:
        """The ports of this installation, for life."""
        return self.root / "ports.json"

    @property
    def instance_file(self) -> Path:
        """How to reach what runs."""
        return self.run / "instance.json"

    @property
    def supervisor_socket(self) -> Path:
        """Where the supervisor listens."""
        return self.run / "supervisor.sock"

    def make(self) -> None:
        """Create the folder; others may pass through it to the servers' folders, but not look.

        Raises:
            DeployError: It cannot be created, or its path is too long or odd.
        """
        if len(os.fsencode(self.supervisor_socket)) > SOCKET_PATH_BYTES_MAX:
            raise DeployError(
                f"The path of the data folder {self.root} is too long for a socket in it.",
                "Choose a shorter one with --data.",
            )
        if any(part in str(self.root) for part in ("%", "\n", " ;")):
            raise DeployError(
                f"The path of the data folder {self.root} has characters that supervisord misreads.",
                "Choose another one with --data.",
            )
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self.root.chmod(0o711)
            for folder in (self.run, self.log):
                folder.mkdir(exist_ok=True)
                folder.chmod(0o700)
        except OSError as error:
            raise DeployError(
                f"The data folder {self.root} cannot be used: {error.strerror}.",
                "Choose another one with --data.",
            ) from error

    def passwords(self) -> Passwords:
        """The generated passwords, made the first time.

        Raises:
            DeployError: The file is there but cannot be understood; making new ones would lock us
                out of the database.
        """
        path = self.root / "secrets.json"
        if not path.exists():
            made = Passwords(
                superuser=secrets.token_urlsafe(PASSWORD_BYTES),
                roles={role: secrets.token_urlsafe(PASSWORD_BYTES) for role in ROLES},
                accounts={user: secrets.token_urlsafe(PASSWORD_BYTES) for user in SERVICES},
            )
            places.write_private(path, json.dumps(msgspec.to_builtins(made), indent=1))
        try:
            known = msgspec.json.decode(path.read_bytes(), type=Passwords)
        except msgspec.DecodeError as error:
            raise DeployError(f"{path} is damaged: {error}.", "Restore it from a backup.") from error
        if new := set(SERVICES) - set(known.accounts):  # a later version has more of them
            extra = {user: secrets.token_urlsafe(PASSWORD_BYTES) for user in sorted(new)}
            known = msgspec.structs.replace(known, accounts={**known.accounts, **extra})
            places.write_private(path, json.dumps(msgspec.to_builtins(known), indent=1))
        return known

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only one who starts or stops things here.

        Raises:
            DeployError: Somebody else is at it.
        """
        with (self.run / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise DeployError(
                    f"Anshou is being run from {self.root} already, by another `anshou up`.",
                    f"Stop that one first: anshou down --data {self.root}",
                ) from error
            yield
