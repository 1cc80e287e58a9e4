"""How connections come in: a request that is never finished, or an answer that is never read, holds nothing.

uvicorn closes a connection that is idle between two requests, and no other: a request may be sent for ever.
Here a request has ten seconds to arrive whole, an answer thirty to be taken, and a process keeps so many
connections on which nobody works, and no more. The one that has kept us waiting longest goes first, so that
whoever sends at once is served, also while strangers hold twenty thousand connections open. Addresses are not
counted: a whole home may be behind one.
"""

import asyncio
import resource
import socket
import ssl
import struct
from contextlib import suppress
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

REQUEST_S_MAX = 10.0
"""From the first byte of a request to its last, and for the handshake of TLS."""
ANSWER_S_MAX = 30.0
"""How long somebody may take no byte of an answer."""
SPARE_MAX = 1_000
"""Connections of a process on which nobody works: still sending, not reading, or idle."""
FILES_MIN = 8_192
"""Open files that a process asks the system for: its connections, and its own."""

_TCP_INFO = struct.Struct("120xQ")
"""Of Linux's tcp_info just tcpi_bytes_acked."""


class Spare:
    """The connections on which nobody works, the one that waits longest first."""

    def __init__(self, size_max: int = SPARE_MAX) -> None:
        self._size_max = size_max
        self._waiting: dict[asyncio.Protocol, asyncio.BaseTransport] = {}

    def add(self, one: asyncio.Protocol, transport: asyncio.BaseTransport) -> None:
        """It waits from now on; if there are too many, the oldest is broken off."""
        self._waiting.pop(one, None)
        self._waiting[one] = transport
        if len(self._waiting) > self._size_max:
            oldest = next(iter(self._waiting))
            _break_off(self._waiting.pop(oldest))

    def remove(self, one: asyncio.Protocol) -> None:
        """Somebody works on it, or it is gone."""
        self._waiting.pop(one, None)


class DoorConfig(uvicorn.Config):
    """uvicorn's settings, whose TLS is spoken behind our door: a handshake that is never finished counts."""

    def __init__(self, app: Any, **kwargs: Any) -> None:
        # Of asyncio's own loop we know how it speaks TLS, and that it shows us the socket.
        super().__init__(app, http=Doorstep, loop="asyncio", **kwargs)
        self.spare = Spare()
        self.tls: ssl.SSLContext | None = None

    def load(self) -> None:
        """As uvicorn does, but keep TLS for ourselves."""
        super().load()
        self.tls, self.ssl = self.ssl, None


class Doorstep(asyncio.Protocol):
    """A connection before the first byte of HTTP: its TLS handshake, if there is one."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        assert isinstance(config, DoorConfig)
        self._config = config
        self._loop = _loop or asyncio.get_running_loop()
        self._visitor = Visitor(config, server_state, app_state, self._loop)
        self._early = b""
        self._handshake: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody has connected."""
        assert isinstance(transport, asyncio.Transport)
        if self._config.tls is None:
            transport.set_protocol(self._visitor)
            self._visitor.connection_made(transport)
            return
        self._config.spare.add(self, transport)
        self._handshake = self._loop.create_task(self._shake_hands(transport, self._config.tls))

    def data_received(self, data: bytes) -> None:
        """What was sent along with the end of the handshake; it is passed on in the same turn of the loop."""
        self._early += data

    def connection_lost(self, _error: Exception | None) -> None:
        """Gone before it had begun."""
        self._config.spare.remove(self)

    async def _shake_hands(self, transport: asyncio.Transport, context: ssl.SSLContext) -> None:
        # A failed handshake is the other side's affair: start_tls closes the connection.
        with suppress(OSError, TimeoutError, ssl.SSLError):
            secure = await self._loop.start_tls(
                transport, self, context, server_side=True, ssl_handshake_timeout=REQUEST_S_MAX
            )
            self._config.spare.remove(self)
            if secure is None or secure.is_closing():
                return
            secure.set_protocol(self._visitor)
            self._visitor.connection_made(secure)
            if self._early:
                self._visitor.data_received(self._early)
                self._early = b""


class Visitor(H11Protocol):
    """uvicorn's connection, with an end to waiting for the other side."""

    def __init__(
        self,
        config: DoorConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._spare = config.spare
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody may send a request, and soon."""
        super().connection_made(transport)
        self._wait(REQUEST_S_MAX)

    def data_received(self, data: bytes) -> None:
        """A piece of a request: the first begins its time, the last ends it."""
        if self._is_idle() and self._patience is None:
            self._wait(REQUEST_S_MAX)
        super().data_received(data)
        self._work_on()

    def on_response_complete(self) -> None:
        """Nobody works here until the next request, for which uvicorn has a time of its own."""
        if not self.flow.write_paused:
            self._stop_waiting()
            self._spare.add(self, self.transport)
        super().on_response_complete()
        self._work_on()  # where the next request was here already

    def pause_writing(self) -> None:
        """The other side takes nothing."""
        super().pause_writing()
        self._wait(ANSWER_S_MAX, taken=_bytes_taken(self.transport))

    def resume_writing(self) -> None:
        """It takes something again."""
        super().resume_writing()
        self._stop_waiting()
        if self._is_idle():
            self._spare.add(self, self.transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Gone, whoever left."""
        super().connection_lost(exc)
        self._stop_waiting()

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _work_on(self) -> None:
        """A whole request is here: it is our turn, unless the answer is not taken."""
        if not self._is_idle() and not self.cycle.more_body and not self.flow.write_paused:
            self._stop_waiting()

    def _wait(self, seconds: float, taken: int | None = None) -> None:
        """Break off after so long; but not, where `taken` counts what was read before, while more is read."""
        self._stop_waiting()
        self._spare.add(self, self.transport)
        self._patience = self.loop.call_later(seconds, self._lose_patience, seconds, taken)

    def _lose_patience(self, seconds: float, taken: int | None) -> None:
        now_taken = None if taken is None else _bytes_taken(self.transport)
        if now_taken == taken:
            _break_off(self.transport)
        else:  # slowly, but they read; what they hold up the longest still makes room first
            self._patience = self.loop.call_later(seconds, self._lose_patience, seconds, now_taken)

    def _stop_waiting(self) -> None:
        self._spare.remove(self)
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


def _bytes_taken(transport: asyncio.BaseTransport) -> int:
    """How many bytes the other side has confirmed. The sizes of buffers do not tell, for TLS has several."""
    connection = transport.get_extra_info("socket")
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
    return int(_TCP_INFO.unpack(info)[0]) if len(info) == _TCP_INFO.size else 0


def _break_off(transport: asyncio.BaseTransport) -> None:
    """Without the goodbye that somebody might never take."""
    assert isinstance(transport, asyncio.WriteTransport)
    transport.abort()


def allow_many_files() -> None:
    """Ask the system for as many open files as the door needs, as far as it lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_MIN if hard == resource.RLIM_INFINITY else min(FILES_MIN, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
