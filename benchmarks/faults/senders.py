"""Those who send: gateways, whose outbox keeps all until the centre's receipt, and devices without one.

Each is a real MQTT 5 client on a thread of its own. A gateway that is killed loses its connection and what is
under way, not its outbox, which in a real one lies on its disk.
"""

import random
import ssl
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from benchmarks.faults.ledger import Record
from benchmarks.faults.speech import Speech
from benchmarks.faults.town import Home, Speaker, Wearer
from deploy.local import ports
from protocol import wire
from protocol.model import Message
from protocol.wire import Leaf, Topic

TURN_S = 0.02
KEEPALIVE_S = 5
CONNECT_S_MAX = 2.0
SESSION_EXPIRY_S = 86_400
RETRY_S = (0.2, 1.0)
RESEND_S = 3.0
"""What has no receipt after so long is sent again."""
BATCH_EVERY_S = 0.25
BATCH_ITEMS = 20
ALARM_EVERY_S = 1.0
OUTBOX_MAX = 2_000
"""A gateway says nothing new while it keeps so many: a long outage does not make a run endless."""
UNDER_WAY_MAX = 40
SAY_EVERY_S = 0.2
UNACKNOWLEDGED_MAX = 500


class Sender(threading.Thread):
    """One MQTT 5 client, which connects again whatever happens."""

    def __init__(
        self, speaker: Speaker, wearers: Sequence[Wearer], port: int, certificate: Path, seed: int
    ) -> None:
        super().__init__(name=speaker.name, daemon=True)
        self._random = random.Random(f"{seed} {speaker.name}")
        self._speaker = speaker
        self.speech = Speech(wearers, self._random)
        self._port = port
        self._tls = ssl.create_default_context(cafile=str(certificate))
        self._client: Client | None = None
        self._connected = False
        self._stopping = threading.Event()
        self._killed = threading.Event()
        self.silent = threading.Event()
        """Set: it says nothing new, and only goes on delivering."""
        self.failure: Exception | None = None

    @property
    def waiting(self) -> int:
        """What it has said and must go on delivering."""
        raise NotImplementedError

    def stop(self) -> None:
        """End, and wait for that."""
        self._stopping.set()
        self.join(30)

    def run(self) -> None:
        """The thread's loop."""
        try:
            while not self._stopping.is_set():
                if self._killed.is_set():
                    self._killed.clear()
                    self._die()
                self._turn()
        except Exception as error:  # noqa: BLE001 - told by the run
            self.failure = error
        finally:
            self._die()

    def _turn(self) -> None:
        if self._client is None:
            self._client = self._new_client()
        if self._client.socket() is None:
            self._connected = False
            try:
                self._client.connect(
                    ports.LOOPBACK,
                    self._port,
                    keepalive=KEEPALIVE_S,
                    clean_start=False,
                    properties=self._session(),
                )
            except OSError:
                self._stopping.wait(self._random.uniform(*RETRY_S))
        if self._client.loop(TURN_S) == MQTTErrorCode.MQTT_ERR_NO_CONN:
            self._stopping.wait(TURN_S)
        if not self.silent.is_set():
            self._speak(time.monotonic())
        self._deliver(self._client, time.monotonic())

    def _speak(self, now_s: float) -> None:
        raise NotImplementedError

    def _deliver(self, client: Client, now_s: float) -> None:
        """Send what is to be sent."""

    def _on_connected(self, client: Client) -> None:
        """What a new connection begins with."""

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        """The centre said something."""

    def _new_client(self) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._speaker.name,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        client.username_pw_set(self._speaker.name, self._speaker.secret)
        client.tls_set_context(self._tls)
        client.connect_timeout = CONNECT_S_MAX

        def on_connect(client: Client, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
            self._connected = not reason.is_failure
            if self._connected:
                self._on_connected(client)

        def on_disconnect(*_arguments: Any) -> None:
            self._connected = False

        client.on_connect = on_connect
        client.on_disconnect = on_disconnect
        client.on_message = self._on_message
        return client

    def _session(self) -> Properties:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = SESSION_EXPIRY_S
        return properties

    def _die(self) -> None:
        """Drop the connection without a word, and forget what was under way."""
        client, self._client, self._connected = self._client, None, False
        connection = None if client is None else client.socket()
        if connection is not None:
            connection.close()


class Gateway(Sender):
    """Sends batches and alarms until the centre's receipt names them."""

    def __init__(self, home: Home, port: int, certificate: Path, seed: int) -> None:
        super().__init__(home.gateway, home.wearers, port, certificate, seed)
        self._receipts = str(Topic(home.gateway.site, home.gateway.name, Leaf.RECEIPT))
        self._outbox: dict[str, _Kept] = {}
        self._sent_count = 0
        self._next_batch_s = self._next_alarm_s = 0.0
        self._began_ns = time.time_ns()
        self.newest_receipted_s = {"readings": 0.0, "alarms": 0.0}
        """When the newest of what is receipted was said, by `time.monotonic`."""

    @property
    def waiting(self) -> int:
        """What its outbox keeps."""
        return len(self._outbox)

    def is_heard(self) -> bool:
        """Whether anything of each sort has had its receipt."""
        return all(said_s > 0 for said_s in self.newest_receipted_s.values())

    def kill(self) -> None:
        """As kill -9 does; it is back at once."""
        self._killed.set()

    def _speak(self, now_s: float) -> None:
        if len(self._outbox) >= OUTBOX_MAX:
            return
        if now_s >= self._next_batch_s:
            self._next_batch_s = now_s + BATCH_EVERY_S
            batch_id = f"{self.name}-{self._began_ns}-{self._next_number()}"
            payload = wire.encode_batch(batch_id, self.speech.say(BATCH_ITEMS))
            topic = str(Topic(self._speaker.site, self.name, Leaf.BATCH))
            self._outbox[batch_id] = _Kept("readings", topic, payload, now_s)
        if now_s >= self._next_alarm_s:
            self._next_alarm_s = now_s + ALARM_EVERY_S
            device, signal = self.speech.alarm()
            assert signal.signal_id is not None, "each has one"
            topic = str(Topic(self._speaker.site, device, Leaf.ALARM))
            self._outbox[signal.signal_id] = _Kept("alarms", topic, wire.encode(signal), now_s)

    def _deliver(self, client: Client, now_s: float) -> None:
        if not self._connected:
            return
        under_way = 0
        # The oldest first, but an alarm waits for no batch.
        for kept in sorted(self._outbox.values(), key=lambda kept: kept.path):
            if kept.path == "readings":
                under_way += 1
                if under_way > UNDER_WAY_MAX:
                    return
            if now_s - kept.sent_s >= RESEND_S:
                kept.sent_s = now_s
                client.publish(kept.topic, kept.payload, qos=1, properties=self._respond_to(kept))

    def _respond_to(self, kept: "_Kept") -> Properties | None:
        if kept.path != "alarms":
            return None
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ResponseTopic = self._receipts
        return properties

    def _on_connected(self, client: Client) -> None:
        client.subscribe(self._receipts, qos=1)
        for kept in self._outbox.values():
            kept.sent_s = float("-inf")

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        receipt = wire.decode_receipt(bytes(message.payload))
        for name in (*receipt.batches, *receipt.signals):
            kept = self._outbox.pop(name, None)
            if kept is not None:
                self.newest_receipted_s[kept.path] = max(self.newest_receipted_s[kept.path], kept.said_s)

    def _next_number(self) -> int:
        self._sent_count += 1
        return self._sent_count


class _Kept:
    """What an outbox keeps until its receipt."""

    __slots__ = ("path", "payload", "said_s", "sent_s", "topic")

    def __init__(self, path: str, topic: str, payload: bytes, said_s: float) -> None:
        self.path = path
        self.topic = topic
        self.payload = payload
        self.said_s = said_s
        self.sent_s = float("-inf")


class DirectDevice(Sender):
    """A wristband that speaks for itself: QoS 1 and a persistent session, and no outbox."""

    def __init__(self, speaker: Speaker, wearer: Wearer, port: int, certificate: Path, seed: int) -> None:
        super().__init__(speaker, [wearer], port, certificate, seed)
        self._under_way: dict[int, Record] = {}
        self.acknowledged_s: dict[Record, float] = {}
        """When the broker took over each, by `time.monotonic`: from then on it is the broker's to lose."""
        self._next_s = self._next_alarm_s = 0.0

    @property
    def waiting(self) -> int:
        """What the broker has not acknowledged."""
        return len(self._under_way)

    def _new_client(self) -> Client:
        client = super()._new_client()

        def on_publish(_client: Client, _userdata: Any, mid: int, *_: Any) -> None:
            record = self._under_way.pop(mid, None)
            if record is not None:
                self.acknowledged_s[record] = time.monotonic()

        client.on_publish = on_publish
        return client

    def _speak(self, now_s: float) -> None:
        if self._client is None or len(self._under_way) >= UNACKNOWLEDGED_MAX:
            return
        if now_s >= self._next_s:
            self._next_s = now_s + SAY_EVERY_S
            device, message = self.speech.vitals()
            topic = str(Topic(self._speaker.site, device, Leaf.VITALS))
            self._publish(self._client, topic, message, self.speech.said[-1])
        if now_s >= self._next_alarm_s:
            self._next_alarm_s = now_s + 2 * ALARM_EVERY_S
            device, signal = self.speech.alarm()
            topic = str(Topic(self._speaker.site, device, Leaf.ALARM))
            self._publish(self._client, topic, signal, self.speech.alarms[-1][0])

    def _publish(self, client: Client, topic: str, message: Message, record: Record) -> None:
        # While there is no connection paho keeps it, and sends it with the next one.
        self._under_way[client.publish(topic, wire.encode(message), qos=1).mid] = record
