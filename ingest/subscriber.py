"""The subscriber: one persistent MQTT 5 session whose messages are acknowledged only when we say so.

paho is driven by hand in the caller's thread, because acknowledging there costs less than half of what it
costs from another thread. Messages that are not acknowledged bound the flow: the broker sends no more than
Receive Maximum of them, and while `paused` not even those are read off the socket.
"""

import contextlib
import logging
import select
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from ingest.corked import CorkedClient, CorkedSocket, Publication
from ingest.errors import BrokerRefusedError
from protocol.backoff import Backoff
from protocol.broker import BrokerAddress
from protocol.wire import Leaf

log = logging.getLogger(__name__)

SESSION_EXPIRY_S = 14 * 86_400
"""How long the broker keeps what we have not fetched."""
RECONNECT_S_MIN = 0.2
RECONNECT_S_MAX = 10.0
CONNECT_TIMEOUT_S = 10.0
READS_PER_TURN = 32
"""Packets taken off the socket before the caller gets its turn."""
_STATUS = f"/{Leaf.STATUS}"
REFUSALS_FOR_GOOD = frozenset({"Bad user name or password", "Not authorized", "Client identifier not valid"})


class HasFileno(Protocol):
    """What `select` waits for."""

    def fileno(self) -> int:
        """Its file descriptor."""


class Incoming(NamedTuple):
    """A message from the broker that waits for its acknowledgement. `mid` 0: it came with QoS 0."""

    topic: str
    payload: bytes
    received_us: int
    mid: int
    generation: int
    retained: bool
    response_topic: str | None
    correlation: bytes | None = None


class Session(NamedTuple):
    """A persistent session at the broker: its client id, the topic filters it has, and those it had once."""

    client_id: str
    filters: Sequence[str]
    obsolete_filters: Sequence[str] = ()


class Subscriber:
    """A persistent session at the broker; `on_message` gets each message once read.

    What the broker tells of itself on the `status_topics` (below $SYS/, at QoS 0) goes to `on_status`.
    """

    def __init__(
        self,
        broker: BrokerAddress,
        *,
        session: Session,
        receive_max: int,
        keepalive_s: int,
        on_message: Callable[[Incoming], None],
        status_topics: Sequence[str] = (),
        on_status: Callable[[str, bytes], None] = lambda _topic, _payload: None,
    ) -> None:
        self._broker = broker
        self._session = session
        self._status_topics = status_topics
        self._tell_status = on_status
        self._keepalive_s = keepalive_s
        self._deliver = on_message
        self._properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        self._properties.SessionExpiryInterval = SESSION_EXPIRY_S
        self._properties.ReceiveMaximum = receive_max
        self._wake_receiver, self._wake_sender = socket.socketpair()
        self._wake_receiver.setblocking(False)
        self._wake_sender.setblocking(False)
        self._backoff = Backoff(RECONNECT_S_MIN, RECONNECT_S_MAX)
        self._next_attempt_s = 0.0
        self._refused: str | None = None
        self._misc_due_s = 0.0
        self._subscription_mid: int | None = None
        self.generation = 0
        self.connected = False
        self.subscribed = False
        self.paused = False
        self._client = CorkedClient(
            CallbackAPIVersion.VERSION2,
            client_id=session.client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        broker.for_session(session.client_id).prepare(self._client)
        self._client.connect_timeout = CONNECT_TIMEOUT_S
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe

    def turn(self, timeout_s: float) -> None:
        """Wait for the socket, `wake` or the timeout; read, write, ping, reconnect as is due.

        Raises:
            BrokerRefusedError: the broker refuses us for good.
        """
        connection = self._client.corked
        if connection is None:
            self._connect_if_due(timeout_s)
            return
        connection.flush()
        readers: list[HasFileno] = [self._wake_receiver]
        if not self.paused:
            readers.append(connection)
        writers = [connection] if connection.has_unsent() or self._client.want_write() else []
        # What has been taken from the kernel already makes no socket readable.
        taken = connection.has_taken() and not self.paused
        readable, _, _ = select.select(readers, writers, [], 0 if taken else timeout_s)
        if self._wake_receiver in readable:
            self._wake_receiver.recv(4096)
        if connection in readable or taken:
            self._read(connection)
        if self._client.want_write():
            self._client.loop_write()
        connection.flush()
        now_s = time.monotonic()
        if now_s >= self._misc_due_s:
            self._misc_due_s = now_s + 1.0
            self._client.loop_misc()
        if self._refused is not None:
            raise BrokerRefusedError(self._refused)

    def acknowledge(self, message: Incoming) -> None:
        """The message is committed. One from before a reconnect is left: the broker sends it again."""
        connection = self._client.corked
        if message.mid and message.generation == self.generation and connection is not None:
            connection.acknowledge(message.mid)

    def publish(self, topic: str, payload: bytes, correlation: bytes | None = None) -> None:
        """Send at QoS 0, if connected: for receipts, which an outbox that misses one asks for again.

        `correlation` tells the asker which question is answered (MQTT 5 correlation data).
        """
        connection = self._client.corked
        if self.connected and connection is not None:
            connection.publish(topic, payload, correlation)

    def forget_retained(self, topic: str) -> None:
        """Have the broker forget what it retains on a topic: devices leave nothing there but their status."""
        connection = self._client.corked
        if self.connected and connection is not None:
            connection.publish(topic, b"", retain=True)

    def wake(self) -> None:
        """End the wait in `turn`, from another thread."""
        # Either enough wake-ups are waiting already, or the session is closed.
        with contextlib.suppress(OSError):
            self._wake_sender.send(b"\0")

    def leave(self) -> None:
        """Disconnect, keeping the session at the broker; the last acknowledgements go out before."""
        if self._client.socket() is not None:
            self._client.disconnect()
            if self._client.socket() is not None:
                self._client.loop_write()
            self.connected = self.subscribed = False

    def close(self) -> None:
        """Leave for good."""
        self.leave()
        self._wake_receiver.close()
        self._wake_sender.close()

    def _read(self, connection: CorkedSocket) -> None:
        for _ in range(READS_PER_TURN):
            publication = connection.take()
            if publication is not None:
                self._take(publication)
            elif not connection.for_paho or self._client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return
            if self.paused:
                return

    def _take(self, publication: Publication) -> None:
        topic, payload, mid, retained, response_topic, correlation = publication
        if not mid and topic.startswith("$SYS/"):
            self._tell_status(topic, payload)
            return
        if not (payload or mid):
            return  # what `forget_retained` said
        if retained and not topic.endswith(_STATUS):
            # It was said just now (`_options`), and counts as said; but nobody shall hear it again.
            self.forget_retained(topic)
            retained = False
        received_us = time.time_ns() // 1000
        self._deliver(
            Incoming(topic, payload, received_us, mid, self.generation, retained, response_topic, correlation)
        )

    def _connect_if_due(self, timeout_s: float) -> None:
        wait_s = self._next_attempt_s - time.monotonic()
        if wait_s > 0:
            select.select([self._wake_receiver], [], [], min(wait_s, timeout_s))
            return
        try:
            self._client.connect(
                self._broker.host,
                self._broker.port,
                keepalive=self._keepalive_s,
                clean_start=False,
                properties=self._properties,
            )
        except OSError as error:
            self._back_off(f"cannot reach the broker at {self._broker.where}: {error}")

    def _back_off(self, why: str) -> None:
        self._next_attempt_s = time.monotonic() + self._backoff.failed()
        log.log(self._backoff.level, "%s; trying again", why)

    def _on_connect(
        self, client: Client, _userdata: Any, flags: ConnectFlags, reason: ReasonCode, _properties: Any
    ) -> None:
        if reason.is_failure:
            text = str(reason)
            if text in REFUSALS_FOR_GOOD:
                self._refused = f"the broker at {self._broker.where} refuses us: {text}"
            self._back_off(f"the broker refused the connection: {text}")
            return
        self.generation += 1
        self.connected = True
        self._backoff.succeeded()
        log.info("connected to the broker (session %s)", "kept" if flags.session_present else "new")
        if self._session.obsolete_filters:
            client.unsubscribe(list(self._session.obsolete_filters))
        wanted = [(topic_filter, _options(topic_filter)) for topic_filter in self._session.filters]
        _, self._subscription_mid = client.subscribe(wanted)
        if self._status_topics:
            client.subscribe([(topic, SubscribeOptions(qos=0)) for topic in self._status_topics])

    def _on_subscribe(
        self, _client: Client, _userdata: Any, mid: int, reasons: list[ReasonCode], _properties: Any
    ) -> None:
        if mid != self._subscription_mid:
            return  # that to the broker's status: readings do without
        for topic_filter, reason in zip(self._session.filters, reasons, strict=True):
            if reason.is_failure:
                self._refused = f"the broker refuses the subscription to {topic_filter}: {reason}"
        self.subscribed = self._refused is None

    def _on_disconnect(
        self, _client: Client, _userdata: Any, _flags: DisconnectFlags, reason: ReasonCode, _properties: Any
    ) -> None:
        if self.connected:
            self.connected = self.subscribed = False
            self._back_off(f"the connection to the broker was lost: {reason}")


def _options(topic_filter: str) -> SubscribeOptions:
    """Only a status is worth hearing again. Of all else we are told whether it is retained, as it is said."""
    if topic_filter.endswith(_STATUS):
        return SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
    return SubscribeOptions(qos=1, retainAsPublished=True, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
