"""Who this box is: the file that `anshou gateway pair` writes and the gateway reads each time it connects."""

import fcntl
import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from gateway.errors import GatewayError
from protocol.broker import BrokerAddress
from protocol.enrolment import SERVER_NAME, Port
from protocol.model import Name


class IdentityError(GatewayError):
    """There is no identity, or its file cannot be understood."""


class Identity(Struct, frozen=True, kw_only=True):
    """A paired gateway.

    Attributes:
        site: Code of the site, a level of its topics.
        gateway: Its name, a level of its topics.
        username: With which it signs in at the broker; changes when the secret does.
        secret: The password that goes with it.
        host: Where the centre's pages are.
        https_port: Where they are served with a certificate of the centre's own authority.
        mqtt_host: Where its broker is.
        mqtt_port: The broker's TLS port.
        authority: Certificate (PEM) that the centre's others are checked against; no other is believed.
        since: When this secret was made; tells when the next is due.
        pages: The address that it was paired at; asked where the centre is now, if its broker is gone.
    """

    site: Name
    gateway: Name
    username: str
    secret: str
    host: str
    https_port: Port
    mqtt_host: str
    mqtt_port: Port
    authority: str
    since: datetime
    pages: str | None = None

    @property
    def broker(self) -> BrokerAddress:
        """The centre's broker, as this gateway signs in there: over TLS, to the centre's own servers only."""
        return BrokerAddress(
            host=self.mqtt_host,
            port=self.mqtt_port,
            username=self.username,
            password=self.secret,
            tls=tls_context(self.authority),
        )


def default_path() -> Path:
    """Where the file is unless said otherwise: /etc/anshou/gateway.json for root, else below ~/.config."""
    if os.geteuid() == 0:
        return Path("/etc/anshou/gateway.json")
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "anshou" / "gateway.json"


def load(path: Path) -> Identity:
    """The identity in a file. IdentityError says what to do."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Identity)
    except FileNotFoundError as error:
        raise IdentityError(f"{path} is missing: pair this box (anshou gateway pair URL CODE)") from error
    except (OSError, msgspec.DecodeError) as error:
        raise IdentityError(f"{path} cannot be read: {error}") from error


def save(path: Path, identity: Identity) -> None:
    """Write the file as a whole or not at all, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(identity)))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def changing(path: Path) -> Iterator[None]:
    """While one changes the file, no other does: what is read inside stays true until it is saved."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path.with_name(f".{path.name}.lock"), os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


class CentreContext(ssl.SSLContext):
    """TLS to the centre's own servers, whatever address they are reached at.

    A county changes addresses and has no names. So a server proves that it is the centre by its certificate:
    signed by the one authority, and made out to `SERVER_NAME`.
    """

    def wrap_socket(self, sock: socket.socket, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        """As in the standard library, but for the name that the certificate must bear."""
        return super().wrap_socket(sock, *arguments, **{**options, "server_hostname": SERVER_NAME})


def tls_context(authority: str) -> ssl.SSLContext:
    """For HTTPS and MQTT alike: TLS 1.2 or newer, and the given authority alone."""
    context = CentreContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=authority)
    return context
