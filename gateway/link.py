"""One MQTT 5 connection after the other to one broker, driven by hand in the thread that owns it.

paho rather than aiomqtt: messages are acknowledged when they are on our disk, not when they arrive, and
nothing is dropped in a full queue of its own. Each connection gets a new paho client, so that what is to
be sent again is decided by the outbox alone.
"""

import contextlib
import logging
import select
import socket
import ssl
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from protocol.backoff import Backoff
from protocol.broker import BrokerAddress
from protocol.errors import ProtocolError

log = logging.getLogger(__name__)

BACKOFF_S_MIN = 0.5
BACKOFF_S_MAX = 30.0
HURRY_S = 2.0
"""Something urgent cuts a pause short, but attempts stay so far apart."""
CONNECT_S_MAX = 5.0
CONNACK_S_MAX = 10.0
ANSWER_S_MAX = 15.0
"""Nothing heard for so long although an answer is due: the connection is half-open, and given up."""
READS_PER_TURN = 200
SESSION_EXPIRY_S = 14 * 86_400


class Incoming(NamedTuple):
    """A message of the broker. `mid` 0: it came with QoS 0 and asks for no acknowledgement."""

    topic: str
    payload: bytes
    retained: bool
    repeated: bool
    mid: int
    generation: int
    correlation: bytes | None


class Will(NamedTuple):
    """What the broker says, retained, when we are gone without a word."""

    topic: str
    payload: bytes


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How a link behaves.

    Attributes:
        name: For the log.
        client_id: Names the session at the broker.
        filters: Topics to hear.
        persistent: Whether the broker keeps what we have not acknowledged while we are away.
        receive_max: Messages that wait for our acknowledgement at once.
        keepalive_s: After so long without a word the broker is asked for one.
        backoff_s_max: Longest pause between two attempts to connect.
    """

    name: str
    client_id: str
    filters: Sequence[str]
    persistent: bool
    receive_max: int = 100
    keepalive_s: int = 20
    backoff_s_max: float = BACKOFF_S_MAX
    connect_s_max: float = CONNECT_S_MAX


class Link:
    """Keeps connected to the broker at `address()`, asked anew each time. One thread calls `turn`."""

    def __init__(
        self,
        address: Callable[[], BrokerAddress],
        manner: Manner,
        *,
        will: Will | None = None,
        on_message: Callable[[Incoming], None],
        on_connected: Callable[[], None] = lambda: None,
        on_published: Callable[[int], None] = lambda _mid: None,
    ) -> None:
        self._address = address
        self._manner = manner
        self._will = will
        self._tell_message = on_message
        self._tell_connected = on_connected
        self._tell_published = on_published
        self._wake_receiver, self._wake_sender = socket.socketpair()
        self._wake_receiver.setblocking(False)
        self._wake_sender.setblocking(False)
        self._client: Client | None = None
        self._backoff = Backoff(BACKOFF_S_MIN, manner.backoff_s_max)
        self._attempt_s = float("-inf")
        self._pause_s = 0.0
        self._misc_due_s = 0.0
        self._heard_s = 0.0
        self._unanswered: dict[int, float] = {}
        self.connected = False
        self._filters = set(manner.filters)
        self._asked: dict[int, Sequence[str]] = {}
        self.listening = False
        """Whether the broker has answered all that was asked to be heard, on this connection."""
        self.generation = 0
        """Counts connections: an acknowledgement belongs to the one its message came on."""
        self.trouble: str | None = None
        """Why there is no connection, in words."""

    @property
    def failures(self) -> int:
        """Attempts to connect that were in vain, in a row."""
        return self._backoff.failures

    def turn(self, timeout_s: float) -> None:
        """Wait for the broker, `wake` or the timeout; read, write, ping, connect as is due."""
        client = self._client
        connection = None if client is None else client.socket()
        if client is None or connection is None:
            self._connect_if_due(timeout_s)
            return
        writers = [connection] if client.want_write() else []
        pending = isinstance(connection, ssl.SSLSocket) and connection.pending() > 0
        readable, _, _ = select.select(
            [connection, self._wake_receiver], writers, [], 0 if pending else timeout_s
        )
        self._drain_wakes(readable)
        if connection in readable or pending:
            self._read(client)
        if client is self._client and client.want_write():
            client.loop_write()
        now_s = time.monotonic()
        if now_s >= self._misc_due_s:
            self._misc_due_s = now_s + 1.0
            client.loop_misc()
            self._give_up_if_half_open(now_s)

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        response_topic: str | None = None,
        correlation: bytes | None = None,
    ) -> int | None:
        """Send at QoS 1 on this connection; its number for `on_published`, None when there is none now."""
        if not self.connected or self._client is None:
            return None
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if response_topic is not None:
            properties.ResponseTopic = response_topic
        if correlation is not None:
            properties.CorrelationData = correlation
        sent = self._client.publish(topic, payload, qos=1, retain=retain, properties=properties)
        self._unanswered[sent.mid] = time.monotonic()
        return sent.mid

    def acknowledge(self, message: Incoming) -> None:
        """It is kept. One from before a reconnect is left: the broker sends it again."""
        if message.mid and message.generation == self.generation and self._client is not None:
            self._client.ack(message.mid, 1)

    def wake(self) -> None:
        """End the wait in `turn`, from another thread."""
        # Either enough wake-ups are waiting already, or the link is closed.
        with contextlib.suppress(OSError):
            self._wake_sender.send(b"\0")

    def hurry(self) -> None:
        """Something urgent is to be sent: if there is no connection, try soon."""
        self._pause_s = min(self._pause_s, HURRY_S)

    def close(self) -> None:
        """Leave politely: no will is spoken."""
        client, self._client, self.connected = self._client, None, False
        if client is not None and client.socket() is not None:
            client.disconnect()
            deadline_s = time.monotonic() + 1.0
            while client.want_write() and client.socket() is not None and time.monotonic() < deadline_s:
                client.loop_write()
            connection = client.socket()
            if connection is not None:
                connection.close()
        self._wake_receiver.close()
        self._wake_sender.close()

    def _read(self, client: Client) -> None:
        for _ in range(READS_PER_TURN):
            if client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS or client is not self._client:
                return
            self._heard_s = time.monotonic()
            connection = client.socket()
            if connection is None:
                return
            if not (isinstance(connection, ssl.SSLSocket) and connection.pending()):
                readable, _, _ = select.select([connection], [], [], 0)
                if not readable:
                    return

    def _connect_if_due(self, timeout_s: float) -> None:
        wait_s = self._attempt_s + self._pause_s - time.monotonic()
        if wait_s > 0:
            readable, _, _ = select.select([self._wake_receiver], [], [], min(wait_s, timeout_s))
            self._drain_wakes(readable)
            return
        self._attempt_s = self._heard_s = time.monotonic()
        self._unanswered.clear()
        address: BrokerAddress | None = None
        try:
            address = self._address()
            self._client = client = self._new_client(address)
            client.connect(
                address.host,
                address.port,
                keepalive=self._manner.keepalive_s,
                clean_start=not self._manner.persistent,
                properties=self._session(),
            )
        except (OSError, ValueError, ProtocolError) as error:
            # Also where identity or certificates cannot be read just now: the house is served meanwhile.
            where = "" if address is None else f" at {address.where}"
            self._drop(f"cannot be reached{where}: {error}")

    def _new_client(self, address: BrokerAddress) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._manner.client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        address.prepare(client)
        if self._will is not None:
            client.will_set(self._will.topic, self._will.payload, qos=1, retain=True)
        client.connect_timeout = self._manner.connect_s_max
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        return client

    def _session(self) -> Properties:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = SESSION_EXPIRY_S if self._manner.persistent else 0
        properties.ReceiveMaximum = self._manner.receive_max
        return properties

    def _drop(self, why: str) -> None:
        """Forget the connection, without a word, and pause before the next."""
        client, self._client = self._client, None
        connection = None if client is None else client.socket()
        if connection is not None:
            connection.close()
        self.connected = False
        self.trouble = why
        self._pause_s = self._backoff.failed()
        log.log(self._backoff.level, "%s: %s; trying again", self._manner.name, why)
        self._attempt_s = time.monotonic()

    def _give_up_if_half_open(self, now_s: float) -> None:
        if not self.connected:
            if self._client is not None and now_s - self._attempt_s > CONNACK_S_MAX:
                self._drop("does not answer")
        elif self._unanswered and now_s - max(self._heard_s, min(self._unanswered.values())) > ANSWER_S_MAX:
            self._drop("does not answer any more")

    def _drain_wakes(self, readable: Sequence[Any]) -> None:
        if self._wake_receiver in readable:
            self._wake_receiver.recv(4096)

    def _on_connect(
        self, client: Client, _userdata: Any, flags: ConnectFlags, reason: ReasonCode, _properties: Any
    ) -> None:
        if client is not self._client:
            return
        if reason.is_failure:
            self._drop(f"refuses us: {reason}")
            return
        self.generation += 1
        self.listening = not self._filters
        self.connected, self.trouble = True, None
        self._backoff.succeeded()
        log.info("%s: connected (session %s)", self._manner.name, "kept" if flags.session_present else "new")
        self._asked.clear()
        self._subscribe(sorted(self._filters))
        self._tell_connected()

    def listen(self, filters: Collection[str]) -> None:
        """Hear these topics from now on, and no others."""
        gone, new = self._filters - set(filters), set(filters) - self._filters
        self._filters = set(filters)
        if self.connected and self._client is not None:
            if gone:
                self._client.unsubscribe(sorted(gone))
            self._subscribe(sorted(new))

    def _subscribe(self, filters: Sequence[str]) -> None:
        if filters and self._client is not None:
            options = SubscribeOptions(qos=1)
            _, mid = self._client.subscribe([(topic_filter, options) for topic_filter in filters])
            if mid is not None:
                self._asked[mid] = filters

    def _on_subscribe(
        self, _client: Client, _userdata: Any, mid: int, reasons: list[ReasonCode], _properties: Any
    ) -> None:
        for topic_filter, reason in zip(self._asked.pop(mid, ()), reasons, strict=False):
            if reason.is_failure:
                log.error("%s: may not hear %s: %s", self._manner.name, topic_filter, reason)
        self.listening = not self._asked

    def _on_disconnect(
        self, client: Client, _userdata: Any, _flags: DisconnectFlags, reason: ReasonCode, _properties: Any
    ) -> None:
        if client is self._client:
            self._drop(f"connection lost: {reason}")

    def _on_publish(
        self, client: Client, _userdata: Any, mid: int, reason: ReasonCode, _properties: Any
    ) -> None:
        if client is not self._client:
            return
        self._unanswered.pop(mid, None)
        if reason.is_failure:
            log.error("%s: a message was refused: %s", self._manner.name, reason)
        else:
            self._tell_published(mid)

    def _on_message(self, client: Client, _userdata: Any, message: MQTTMessage) -> None:
        if client is self._client:
            properties = message.properties
            self._tell_message(
                Incoming(
                    message.topic,
                    bytes(message.payload),
                    message.retain,
                    message.dup,
                    message.mid if message.qos else 0,
                    self.generation,
                    getattr(properties, "CorrelationData", None),
                )
            )
