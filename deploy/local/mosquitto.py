"""One private Mosquitto broker, on a loopback port, that knows everybody by name."""

from __future__ import annotations

import resource
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import DeployError
from deploy.local import places, ports
from deploy.local.debian import Prefix
from deploy.local.postgres import as_server_user, dying_with_us
from deploy.local.supervisor import OPEN_FILES_WANTED
from protocol.broker import BrokerAddress

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 20.0
ROOMS_FILES = 1_000
"""Of the files that the broker may have open, so many are never taken by connections of devices."""
CERTIFICATE = "server.pem"
KEY = "server.key"


@dataclass(frozen=True, kw_only=True)
class TlsListener:
    """A listener that other machines reach.

    Attributes:
        address: Of the interface.
        port: There.
        certificate: PEM file of the broker's certificate.
        key: PEM file of its private key.
    """

    address: str
    port: int
    certificate: Path
    key: Path


@dataclass(frozen=True, kw_only=True)
class MosquittoBroker:
    """A broker in a folder: how to set it up, start it, reach it and stop it.

    Attributes:
        prefix: The unpacked programs.
        folder: Holds the settings, the identities and the sessions; belongs to the server's user.
        port: Of the devices, on the loopback interface.
        service_port: Of the rooms, there too. Only here may a client choose its id, and so hold a session.
        tls: Where gateways reach it from other machines; None: nowhere.
    """

    prefix: Prefix
    folder: Path
    port: int
    service_port: int
    tls: TlsListener | None = None

    @property
    def identities(self) -> Path:
        """Who may connect and what they may say; the broker's dynamic security plugin keeps it."""
        return self.folder / "dynamic-security.json"

    def url(self, user: str, password: str) -> str:
        """The broker's address for a service account."""
        return BrokerAddress(
            host=ports.LOOPBACK, port=self.service_port, username=user, password=password
        ).url

    def make_folder(self) -> None:
        """Create the folder; the identities must be written into it before the first start."""
        places.make_server_folder(self.folder)

    def prepare(self) -> None:
        """Write the settings for this start.

        Raises:
            DeployError: No identities have been written, so nobody could connect.
        """
        if not self.identities.is_file():
            raise DeployError(f"The broker has no identities ({self.identities} is missing).")
        # The plugin writes the file again whenever a device is added or taken away.
        places.give_to_servers(self.identities)
        texts = {"mosquitto.conf": self._settings()}
        if self.tls is not None:
            for name, source in ((CERTIFICATE, self.tls.certificate), (KEY, self.tls.key)):
                texts[name] = source.read_text(encoding="ascii")
        with places.as_servers():
            self.identities.chmod(0o600)
            for name, text in texts.items():
                places.write_private(self.folder / name, text)

    def command(self) -> list[str]:
        """The broker in the foreground, for a supervisor that runs it as the server's user."""
        return [str(self.prefix.mosquitto), "-c", str(self.folder / "mosquitto.conf")]

    def start(self, log: Path) -> subprocess.Popen[bytes]:
        """Start the broker as a child of ours and wait until it answers.

        Raises:
            DeployError: It did not come up; the log says why.
        """
        self.prepare()
        with log.open("ab") as output:
            broker = subprocess.Popen(
                [*as_server_user(), *dying_with_us("TERM"), *self.command()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                start_new_session=True,
            )
        try:
            self.wait_until_ready(log)
        except DeployError:
            broker.send_signal(signal.SIGTERM)
            broker.wait(STOP_TIMEOUT_S)
            raise
        return broker

    def wait_until_ready(self, log: Path) -> None:
        """Wait until the broker takes connections.

        Raises:
            DeployError: It did not within `START_TIMEOUT_S`.
        """
        ports.wait_until(
            self.answers,
            what="The broker",
            timeout_s=START_TIMEOUT_S,
            remedy=f"See {log}.",
        )

    def answers(self) -> bool:
        """Whether the broker takes connections, of devices and of rooms."""
        return ports.answers(self.port) and ports.answers(self.service_port)

    def _connections_max(self) -> int:
        """Of one of the listeners for devices: however many they make, the rooms get theirs."""
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        files = OPEN_FILES_WANTED if hard == resource.RLIM_INFINITY else min(OPEN_FILES_WANTED, hard)
        return max(files // 2, files - ROOMS_FILES) // (1 if self.tls is None else 2)

    def _tls_listener(self) -> str:
        if self.tls is None:
            return ""
        return f"""
# For gateways on other machines. They prove themselves by name and secret, as everybody does here.
listener {self.tls.port} {self.tls.address}
certfile {self.folder / CERTIFICATE}
keyfile {self.folder / KEY}
use_username_as_clientid true
max_connections {self._connections_max()}
"""

    def _settings(self) -> str:
        return f"""\
# Written at each start; changes made here are lost.
# For devices. Whatever client id they send, it is their user name here: nobody takes over the session of
# anybody else, and everybody has one.
listener {self.port} {ports.LOOPBACK}
use_username_as_clientid true
max_connections {self._connections_max()}
{self._tls_listener()}
# For the rooms, which name their sessions themselves. Devices' accounts are bound to their own names, so
# that they cannot take one over here either.
listener {self.service_port} {ports.LOOPBACK}

allow_anonymous false
plugin {self.prefix.library_folder}/mosquitto_dynamic_security.so
plugin_opt_config_file {self.identities}

# Sessions, queued and retained messages outlive a restart. A kill -9 loses at most this many
# seconds of them, which is why an edge keeps its outbox until the centre's receipt.
persistence true
persistence_location {self.folder}/
autosave_interval 5
persistent_client_expiration 14d

# Bounds. A queue for a subscriber that is away is limited by its bytes, not by a count that would
# drop the newest readings after a few seconds.
max_queued_messages 0
max_queued_bytes 268435456
# Each subscriber bounds its own flow (MQTT 5 Receive Maximum).
max_inflight_messages 0
max_packet_size 1048576
max_keepalive 3600
# A small message such as an SOS is not held back to be sent together with the next one.
set_tcp_nodelay true
sys_interval 10

log_dest stderr
log_type error
log_type warning
log_type notice
log_timestamp_format %Y-%m-%dT%H:%M:%S
connection_messages true
"""
