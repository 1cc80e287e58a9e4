"""A corked socket between paho and the kernel: few system calls, and a short way for what comes most.

paho takes two to four system calls to read a message and one to write each acknowledgement; at ten thousands
a second those are most of the work. Here the kernel is asked for many packets at once, and what is written
waits until `flush`, which the owner calls at each turn. Messages are taken out before paho sees them: for it,
they cost thirty times as much, and one with a hundred thousand properties, which anybody may send, costs it
the better part of a minute. Here properties are looked at only where they are few.
Packets: https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html (2.1 Structure, 3.3 PUBLISH, 3.4 PUBACK)
"""

import select
import ssl
import time
from collections.abc import Callable
from typing import Any, NamedTuple, cast

from paho.mqtt.client import Client

RECEIVE_BYTES = 256 * 1024
"""Asked of the kernel at once."""
UNSENT_BYTES_MAX = 1024 * 1024
"""From here on paho must keep what it wants to write."""
FAREWELL_S_MAX = 0.5
"""How long the other side may take to make room for our last words."""
WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

PROPERTIES_BYTES_MAX = 1024
"""Longer properties are passed over unread: a response topic and correlation data of ours are far shorter."""

_PUBLISH_QOS_0 = 0x30
_PUBLISH_QOS_1 = 0x32
_RETAIN_AND_DUP = 0x09
_RESPONSE_TOPIC = 0x08
_CORRELATION = 0x09
_USER_PROPERTY = 0x26
_FIXED_BYTES = {0x01: 1, 0x02: 4, 0x23: 2}
"""Payload format, message expiry, topic alias: properties of so many bytes."""
_COUNTED = frozenset({0x03, _RESPONSE_TOPIC, _CORRELATION, _USER_PROPERTY})
"""Content type and these: two bytes say how many follow; a user property has two such strings."""
_SUBSCRIPTION_ID = 0x0B
_PUBACK = b"\x40\x02"
_LENGTH_BYTES_MAX = 4
_CORRELATION_DATA = b"\x09"


class Publication(NamedTuple):
    """A message as received; `mid` 0: at QoS 0."""

    topic: str
    payload: bytes
    mid: int
    retained: bool
    response_topic: str | None = None
    correlation: bytes | None = None


class CorkedSocket:
    """As much of a connected socket as paho uses, with a buffer for each direction.

    paho is given whole packets only, one at a time: between two calls it is never in the middle of one.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._taken = b""
        self._position = 0
        self._for_paho_until = 0
        self._unsent = bytearray()
        self._end: OSError | None = None

    def take(self) -> Publication | None:
        """The next message, if that comes next; None when there is nothing, or something `for_paho`."""
        if self._for_paho_until > self._position or self._end is not None:
            return None
        start, end = self._next_packet()
        while end < 0:
            if not self._fill():
                return None
            start, end = self._next_packet()
        if self._taken[self._position] & ~_RETAIN_AND_DUP in (_PUBLISH_QOS_1, _PUBLISH_QOS_0):
            publication = _publication(self._taken, start, end, self._taken[self._position])
            if publication is not None:
                self._position = end
                return publication
        self._for_paho_until = end
        return None

    @property
    def for_paho(self) -> bool:
        """Whether paho has something to read: a packet, or the end of the connection."""
        return self._for_paho_until > self._position or self._end is not None

    def recv(self, buffer_size: int) -> bytes:
        """For paho: at most so many bytes of the packet that is its; BlockingIOError after that."""
        end = min(self._position + buffer_size, self._for_paho_until)
        if end <= self._position:
            raise self._end or BlockingIOError
        piece = self._taken[self._position : end]
        self._position = end
        return piece

    def send(self, buffer: bytes) -> int:
        """For paho: have `buffer` sent at the next flush, all of it; BlockingIOError if too much waits."""
        if len(self._unsent) >= UNSENT_BYTES_MAX and not self.flush():
            raise BlockingIOError
        self._unsent += buffer
        return len(buffer)

    def acknowledge(self, mid: int) -> None:
        """Send a PUBACK at the next flush. How many can wait is bounded by the receive window."""
        self._unsent += _PUBACK + mid.to_bytes(2, "big")

    def publish(
        self, topic: str, payload: bytes, correlation: bytes | None = None, *, retain: bool = False
    ) -> None:
        """Send a message at QoS 0 at the next flush, unless too much waits already."""
        if len(self._unsent) < UNSENT_BYTES_MAX:
            name = topic.encode()
            properties = b"" if correlation is None else _correlation_data(correlation)
            head = len(name).to_bytes(2, "big") + name + _length_bytes(len(properties)) + properties
            content = head + payload
            self._unsent += bytes([_PUBLISH_QOS_0 | retain]) + _length_bytes(len(content)) + content

    def flush(self) -> bool:
        """Send what waits, as far as the kernel takes it now; whether nothing waits any more."""
        while self._unsent and self._end is None:
            try:
                sent = self._connection.send(self._unsent)
            except WOULD_BLOCK:
                return False
            except OSError as error:
                self._end = error
            else:
                del self._unsent[:sent]
        return True

    def has_taken(self) -> bool:
        """Whether there may be something to read although the socket itself need not be readable."""
        if self.for_paho or (self._position < len(self._taken) and self._next_packet()[1] >= 0):
            return True
        return isinstance(self._connection, ssl.SSLSocket) and self._connection.pending() > 0

    def has_unsent(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._unsent) and self._end is None

    def close(self) -> None:
        """Close the socket, after the last words, if the other side takes them soon."""
        deadline_s = time.monotonic() + FAREWELL_S_MAX
        while not self.flush() and (left_s := deadline_s - time.monotonic()) > 0:
            select.select([], [self._connection], [], left_s)
        self._connection.close()

    def fileno(self) -> int:
        """The socket's own."""
        return int(self._connection.fileno())

    def setblocking(self, flag: bool) -> None:
        """The socket's own."""
        self._connection.setblocking(flag)

    def _next_packet(self) -> tuple[int, int]:
        """Where the content of the next packet begins and ends; -1 for both while it is not all there."""
        taken, at = self._taken, self._position + 1
        length = 0
        for place in range(_LENGTH_BYTES_MAX):
            if at >= len(taken):
                return -1, -1
            byte = taken[at]
            at += 1
            length |= (byte & 0x7F) << (7 * place)
            if byte < 0x80:
                return (at, at + length) if at + length <= len(taken) else (-1, -1)
        return at, len(taken)  # no such length exists: paho knows what to do about that

    def _fill(self) -> bool:
        """Take what the kernel has; False if that is nothing."""
        try:
            more = self._connection.recv(RECEIVE_BYTES)
        except WOULD_BLOCK:
            return False
        except OSError as error:
            self._end = error
            return False
        if not more:
            self._end = ConnectionResetError("the broker closed the connection")
            return False
        self._taken = self._taken[self._position :] + more
        self._position = self._for_paho_until = 0
        return True


class CorkedClient(Client):
    """paho's client on a corked socket."""

    def _create_socket(self) -> Any:
        # The one place where paho lets its socket be wrapped, as it does itself for WebSockets.
        create = cast("Callable[[], Any]", super()._create_socket)
        return CorkedSocket(create())

    @property
    def corked(self) -> CorkedSocket | None:
        """The connection; None without one."""
        return cast("CorkedSocket | None", self.socket())


def _publication(taken: bytes, start: int, end: int, header: int) -> Publication | None:
    """The message in a PUBLISH packet at QoS 0 or 1; None for a malformed one."""
    topic_end = start + 2 + int.from_bytes(taken[start : start + 2], "big")
    if header & _PUBLISH_QOS_1 == _PUBLISH_QOS_1:
        mid, at = int.from_bytes(taken[topic_end : topic_end + 2], "big"), topic_end + 2
    else:
        mid, at = 0, topic_end
    if at >= end:
        return None
    try:
        topic = taken[start + 2 : topic_end].decode()
    except UnicodeDecodeError:
        return None
    if taken[at] == 0:  # nearly all that is ever received has no properties
        return Publication(topic, taken[at + 1 : end], mid, bool(header & 0x01))
    length, at = _number(taken, at, end)
    payload_at = at + length
    if payload_at > end:
        return None
    response_topic, correlation = None, None
    if length <= PROPERTIES_BYTES_MAX:
        response_topic, correlation = _asked(taken[at:payload_at])
    return Publication(topic, taken[payload_at:end], mid, bool(header & 0x01), response_topic, correlation)


def _asked(properties: bytes) -> tuple[str | None, bytes | None]:
    """Response topic and correlation data, where they are there; what follows a malformed one is not seen."""
    found: dict[int, bytes] = {}
    at, end = 0, len(properties)
    while at < end:
        kind = properties[at]
        at += 1
        if kind in _FIXED_BYTES:
            at += _FIXED_BYTES[kind]
        elif kind == _SUBSCRIPTION_ID:
            _, at = _number(properties, at, end)
        elif kind in _COUNTED:
            for _ in range(2 if kind == _USER_PROPERTY else 1):
                begin = at + 2
                at = begin + int.from_bytes(properties[at:begin], "big")
            if at <= end:
                found[kind] = properties[begin:at]
        else:
            break
    try:
        topic = found[_RESPONSE_TOPIC].decode() if _RESPONSE_TOPIC in found else None
    except UnicodeDecodeError:
        topic = None
    return topic, found.get(_CORRELATION)


def _number(taken: bytes, at: int, end: int) -> tuple[int, int]:
    """MQTT's variable byte integer at a place, and where it ends; beyond `end` where it is none."""
    value = 0
    for place in range(_LENGTH_BYTES_MAX):
        if at >= end:
            break
        byte = taken[at]
        at += 1
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at
    return 0, end + 1


def _correlation_data(data: bytes) -> bytes:
    return _CORRELATION_DATA + len(data).to_bytes(2, "big") + data


def _length_bytes(length: int) -> bytes:
    """MQTT's variable byte integer."""
    encoded = bytearray()
    while length >= 0x80:
        encoded.append(length & 0x7F | 0x80)
        length >>= 7
    encoded.append(length)
    return bytes(encoded)
