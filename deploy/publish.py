"""`anshou publish`: say one message as a device would, and tell in words what the broker thinks of it.

Part of the box: no MQTT client is part of Debian's base, and most say nothing when they are refused.
"""

from __future__ import annotations

import getpass
import os
import ssl
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import paho.mqtt.client as mqtt
import typer
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from deploy.errors import DeployError
from protocol.broker import BrokerAddress, tls_from_files

PASSWORD_VARIABLE = "ANSHOU_PUBLISH_PASSWORD"  # noqa: S105 - the name of it
ANSWER_S_MAX = 15.0
BYTES_MAX = 1_048_576
"""What our broker takes (`max_packet_size`); a larger packet it drops with the connection."""
NOBODY_LISTENS = 16

CONNECT_REFUSED: Mapping[int, str] = {
    132: "it does not speak MQTT 5.",
    134: "the user name or the password is wrong.",
    135: "the user name or the password is wrong, or this device was retired.",
    136: "it is not ready for us. Try again in a minute.",
    137: "it is busy. Try again in a minute.",
    138: "it has banned us.",
    149: "the message is too large for it.",
    151: "its quota is exceeded. Try again in a minute.",
}
PUBLISH_REFUSED: Mapping[int, str] = {
    135: "a device may speak only below its own name: anshou/v1/SITE/DEVICE/ and then "
    "vitals, activity, alarm or status.",
    144: "the topic is no valid one.",
    149: "the message is too large.",
    151: "its quota is exceeded. Try again in a minute.",
    153: "the message is not of the form that it says it is.",
}
"""By MQTT 5's reason codes: https://docs.oasis-open.org/mqtt/mqtt/v5.0/os/mqtt-v5.0-os.html#_Toc3901031"""


class RefusedError(DeployError):
    """The broker does not want the message, or us."""


def publish(
    topic: Annotated[str, typer.Argument(help="Such as anshou/v1/home-01/sos-button-0001/alarm.")],
    message: Annotated[str, typer.Argument(help="""JSON, such as '{"alarm": "sos"}'; - reads it.""")],
    user: Annotated[str, typer.Option(help="Name of the device.")],
    broker: Annotated[
        str,
        typer.Option(
            metavar="URL", help="mqtt://HOST:PORT on the same machine, mqtts://HOST:PORT elsewhere."
        ),
    ] = "mqtt://127.0.0.1:1883",
    password_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=f"Holds the password; default: {PASSWORD_VARIABLE}, else it is asked for.",
        ),
    ] = None,
    authority: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="With mqtts://: the centre's authority (https://CENTRE:8443/authority.crt)."
        ),
    ] = None,
    retain: Annotated[
        bool, typer.Option("--retain", help="The broker keeps it, as it does a status.")
    ] = False,
) -> None:
    """Publish one message as a device, and wait until the broker has taken it (QoS 1)."""
    body = sys.stdin.buffer.read() if message == "-" else message.encode()
    where = _address(broker, user, _password(password_file, user), authority)
    reason = send(where, topic, body, retain=retain)
    typer.echo(
        f"{where.where} has taken it." if reason != NOBODY_LISTENS else NOBODY.format(where=where.where)
    )


NOBODY = "{where} has taken it, but nobody listens to this topic: is `anshou up` running?"


def send(broker: BrokerAddress, topic: str, message: bytes, *, retain: bool = False) -> int:
    """Publish at QoS 1 and wait for the broker's answer; its reason code, which is no failure.

    Raises:
        RefusedError: The broker does not let us in, or does not take the message; says why in words.
        DeployError: It cannot be reached, or does not answer.
    """
    if len(message) > BYTES_MAX:
        raise RefusedError(
            f"The message has {len(message):,} bytes, and the broker takes {BYTES_MAX:,} at most.",
            "Send it in parts.",
        )
    exchange = _Exchange(broker, topic, message, retain)
    try:
        exchange.client.connect(broker.host, broker.port, keepalive=30)
    except ssl.SSLCertVerificationError as error:
        raise DeployError(
            f"{broker.where} shows a certificate that is not believed: {error.verify_message}.",
            "Name the centre's authority: --authority FILE (https://CENTRE:8443/authority.crt).",
        ) from error
    except OSError as error:
        raise DeployError(
            f"No broker can be reached at {broker.where}: {error.strerror or error}.",
            "Say where it is: --broker mqtt://HOST:PORT; `anshou up` prints its port.",
        ) from error
    exchange.client.loop_start()
    try:
        if not exchange.done.wait(ANSWER_S_MAX):
            raise DeployError(
                f"The broker at {broker.where} did not answer within {ANSWER_S_MAX:.0f} s.",
                "Is this its MQTT port? With TLS: mqtts://HOST:8883.",
            )
    finally:
        exchange.client.disconnect()
        exchange.client.loop_stop()
    if exchange.refusal is not None:
        raise RefusedError(exchange.refusal)
    return exchange.reason


class _Exchange:
    """One connection with one message."""

    def __init__(self, broker: BrokerAddress, topic: str, message: bytes, retain: bool) -> None:
        self.done = threading.Event()
        self.refusal: str | None = None
        self.reason = 0
        self._broker = broker
        self._topic = topic
        self._message = message
        self._retain = retain
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5, reconnect_on_failure=False
        )
        broker.prepare(self.client)
        self.client.connect_timeout = ANSWER_S_MAX
        self.client.on_connect = self._on_connect
        self.client.on_publish = self._on_publish
        self.client.on_disconnect = self._on_disconnect

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _props: Any) -> None:
        if reason.is_failure:
            why = CONNECT_REFUSED.get(reason.value, f"{reason}.")
            self._end(f"The broker at {self._broker.where} does not let {self._broker.username} in: {why}")
            return
        try:
            client.publish(self._topic, self._message, qos=1, retain=self._retain)
        except ValueError as error:
            self._end(f"The broker was not asked: {error}.")

    def _on_publish(self, _client: Any, _data: Any, _mid: int, reason: Any, _props: Any) -> None:
        self.reason = reason.value
        if reason.is_failure:
            why = PUBLISH_REFUSED.get(reason.value, f"{reason}.")
            self._end(f"The broker refuses the message to {self._topic}: {why}")
        else:
            self._end(None)

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, reason: Any, _props: Any) -> None:
        if not self.done.is_set():
            why = PUBLISH_REFUSED.get(reason.value, f"{reason}.")
            self._end(f"The broker at {self._broker.where} ended the connection: {why}")

    def _end(self, refusal: str | None) -> None:
        self.refusal = refusal
        self.done.set()


def _address(url: str, user: str, password: str, authority: Path | None) -> BrokerAddress:
    ca_file = None if authority is None else str(authority)
    known = BrokerAddress.parse(url, "--broker", tls=lambda: tls_from_files(ca_file))
    return BrokerAddress(host=known.host, port=known.port, username=user, password=password, tls=known.tls)


def _password(file: Path | None, user: str) -> str:
    """Never from the command line, where every user of the machine can read it."""
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").strip("\r\n")
        except OSError as error:
            raise DeployError(
                f"{file} cannot be read: {error.strerror}.", "Name the file with the password."
            ) from error
    given = os.environ.get(PASSWORD_VARIABLE)
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise DeployError(
            "No password is known, and nobody can be asked for it.",
            f"Give --password-file FILE, or set {PASSWORD_VARIABLE}.",
        )
    return getpass.getpass(f"Password of {user}: ")
