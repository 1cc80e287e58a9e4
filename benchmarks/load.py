"""A publisher that costs next to nothing: packets made beforehand, sent over a bare socket at QoS 1.

Only as much MQTT 5 as it needs, because on two cores the load must not compete with what is measured.
"""

import select
import socket
import struct
import time
from collections.abc import Iterable

from protocol.broker import BrokerAddress

WINDOW = 1_000
"""Messages under way at once."""
_PUBACK = 0x40
_PINGRESP = 0xD0


def publish_packet(topic: str, payload: bytes) -> tuple[bytes, bytes]:
    """A PUBLISH at QoS 1 without its packet id: what comes before and after the two bytes of the id."""
    name = topic.encode()
    length = 2 + len(name) + 2 + 1 + len(payload)
    return b"\x32" + remaining_length(length) + struct.pack(">H", len(name)) + name, b"\0" + payload


class Publisher:
    """One connection of the account in `url`."""

    def __init__(self, url: str, client_id: str) -> None:
        broker = BrokerAddress.parse(url)
        if broker.tls is not None:
            raise ValueError("the load is not encrypted")
        self._socket = socket.create_connection((broker.host, broker.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        user, password = (broker.username or "").encode(), (broker.password or "").encode()
        body = b"\x00\x04MQTT\x05\xc2" + struct.pack(">H", 600) + b"\0"
        for field in (client_id.encode(), user, password):
            body += struct.pack(">H", len(field)) + field
        self._socket.sendall(b"\x10" + remaining_length(len(body)) + body)
        self._buffer = b""
        self._acknowledged = 0
        answer = self._socket.recv(256)
        if len(answer) < 4 or answer[0] != 0x20 or answer[3] != 0:
            raise ConnectionError(f"the broker refused the load's connection: {answer!r}")
        self._socket.setblocking(False)

    def send(
        self,
        packets: Iterable[tuple[bytes, bytes]],
        *,
        per_s: float | None = None,
    ) -> int:
        """Publish all packets, at this rate or as fast as the window allows; how many were acknowledged."""
        sent = 0
        first_acknowledged = self._acknowledged
        started_s = time.perf_counter()
        pending: list[bytes] = []
        for head, tail in packets:
            pending.append(head + struct.pack(">H", sent % 65_000 + 1) + tail)
            sent += 1
            if len(pending) >= 50 or (per_s is not None):
                self._write(b"".join(pending))
                pending.clear()
            while sent - (self._acknowledged - first_acknowledged) >= WINDOW:
                self._read(1.0)
            if per_s is not None:
                while (ahead_s := started_s + sent / per_s - time.perf_counter()) > 0:
                    self._read(min(ahead_s, 0.05))
        self._write(b"".join(pending))
        while self._acknowledged - first_acknowledged < sent:
            self._read(1.0)
        return sent

    def send_raw(self, packet: bytes) -> None:
        """Send bytes of one's own making, and wait for no answer."""
        self._socket.setblocking(True)
        self._socket.sendall(packet)
        self._socket.setblocking(False)

    def drop(self) -> None:
        """Go without a word."""
        self._socket.close()

    def close(self) -> None:
        """Say goodbye."""
        self._socket.setblocking(True)
        self._socket.sendall(b"\xe0\x00")
        self._socket.close()

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[self._socket.send(view) :]
            except BlockingIOError:
                readable, _, _ = select.select([self._socket], [self._socket], [], 5.0)
                if readable:
                    self._read(0)

    def _read(self, timeout_s: float) -> None:
        if not select.select([self._socket], [], [], timeout_s)[0]:
            return
        received = self._socket.recv(65_536)
        if not received:
            raise ConnectionError("the broker closed the load's connection")
        data = self._buffer + received
        position = 0
        while len(data) - position >= 2 and len(data) - position >= 2 + data[position + 1]:
            kind = data[position] & 0xF0
            if kind == _PUBACK:
                self._acknowledged += 1
            elif kind != _PINGRESP:
                raise ConnectionError(f"the broker said {data[position : position + 16]!r} to the load")
            position += 2 + data[position + 1]
        self._buffer = data[position:]


def remaining_length(length: int) -> bytes:
    """MQTT's variable byte integer."""
    encoded = bytearray()
    while True:
        length, digit = divmod(length, 128)
        encoded.append(digit | (0x80 if length else 0))
        if not length:
            return bytes(encoded)
