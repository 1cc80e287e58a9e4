"""A TCP proxy on the loopback interface that can be told to fail as networks do.

Connections that were half-open stay so after `restore`, on both sides, until the proxy is closed: neither end
learns anything, as behind a firewall that has forgotten the connection. New connections are sound again.
"""

import asyncio
import random
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any, TypeVar

T = TypeVar("T")

LOOPBACK = "127.0.0.1"
CHUNK_BYTES = 64 * 1024
CONNECTIONS_MAX = 1_000
CALL_S_MAX = 10.0
CORRUPT_SHARE = 0.3
"""Share of the chunks of which a byte is changed: a handshake gets through now and then."""


class Mode(Enum):
    """How a proxy treats what passes."""

    SOUND = "sound"
    CUT = "cut"
    DELAYED = "delayed"
    HALF_OPEN = "half-open"
    CORRUPT = "corrupt"


class _Connection:
    """The two halves of one connection through the proxy."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter | None) -> None:
        self.client = client
        self.server = server
        self.dead = False
        """Swallows everything, in both directions and for ever."""

    def abort(self) -> None:
        for writer in (self.client, self.server):
            if writer is not None:
                writer.transport.abort()


class Proxy:
    """Forwards to a port on the loopback interface. Its methods may be called from any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, target_port: int, seed: int) -> None:
        self._loop = loop
        self._target_port = target_port
        self._generator = random.Random(seed)
        self._mode = Mode.SOUND
        self._delay_s = 0.0
        self._connections: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        """Where it listens."""

    @property
    def mode(self) -> Mode:
        """How it treats what passes now."""
        return self._mode

    @property
    def connection_count(self) -> int:
        """Connections through it, dead ones as well."""
        return len(self._connections)

    def cut(self) -> None:
        """Break every connection at once; new ones are broken as soon as they are made."""
        self._set(Mode.CUT)

    def delay(self, delay_s: float) -> None:
        """Hold everything that passes for so long."""
        self._set(Mode.DELAYED, delay_s)

    def half_open(self) -> None:
        """Accept and swallow without an answer, on the connections that are there and on new ones."""
        self._set(Mode.HALF_OPEN)

    def corrupt(self) -> None:
        """Change a byte now and then."""
        self._set(Mode.CORRUPT)

    def restore(self) -> None:
        """Be sound again, for all connections that are not dead."""
        self._set(Mode.SOUND)

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._accept, LOOPBACK, 0, limit=CHUNK_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Break everything and listen no more."""
        if self._server is not None:
            self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        for connection in list(self._connections):
            connection.abort()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _set(self, mode: Mode, delay_s: float = 0.0) -> None:
        def apply() -> None:
            self._mode, self._delay_s = mode, delay_s
            for connection in list(self._connections):
                if mode is Mode.CUT and not connection.dead:
                    connection.abort()
                connection.dead |= mode is Mode.HALF_OPEN

        _call(self._loop, _as_coroutine(apply))

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "a coroutine runs in a task"
        self._tasks.add(task)
        connection = _Connection(writer, None)
        self._connections.add(connection)
        try:
            if self._mode is Mode.CUT or len(self._connections) > CONNECTIONS_MAX:
                return
            connection.dead = self._mode is Mode.HALF_OPEN
            if connection.dead:
                await self._pump(reader, writer, connection)
            else:
                upstream, connection.server = await asyncio.open_connection(LOOPBACK, self._target_port)
                await self._both_ways(reader, upstream, connection)
        except (OSError, asyncio.CancelledError):
            pass  # either end is gone, or we are
        finally:
            connection.abort()
            self._connections.discard(connection)
            self._tasks.discard(task)

    async def _both_ways(
        self, client: asyncio.StreamReader, server: asyncio.StreamReader, connection: _Connection
    ) -> None:
        assert connection.server is not None, "it was connected"
        ways = [
            asyncio.create_task(self._pump(client, connection.server, connection)),
            asyncio.create_task(self._pump(server, connection.client, connection)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            if connection.dead:
                # The other end must not learn that this one is gone.
                await asyncio.wait(ways)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: _Connection
    ) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            if self._mode is Mode.DELAYED:
                await asyncio.sleep(self._delay_s)
            if self._mode is Mode.CORRUPT:
                chunk = self._corrupted(chunk)
            if not connection.dead:
                writer.write(chunk)
                await writer.drain()

    def _corrupted(self, chunk: bytes) -> bytes:
        if self._generator.random() > CORRUPT_SHARE:
            return chunk
        changed = bytearray(chunk)
        changed[self._generator.randrange(len(changed))] ^= self._generator.randrange(1, 256)
        return bytes(changed)


class Proxies:
    """Proxies that share one thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seed: int) -> None:
        self._loop = loop
        self._seed = seed
        self._proxies: list[Proxy] = []

    def to(self, target_port: int) -> Proxy:
        """A new proxy to this port, listening."""
        proxy = Proxy(self._loop, target_port, self._seed + len(self._proxies))
        _call(self._loop, proxy.start())
        self._proxies.append(proxy)
        return proxy

    def restore(self) -> None:
        """All are sound again."""
        for proxy in self._proxies:
            proxy.restore()

    def close(self) -> None:
        """Break everything."""
        for proxy in self._proxies:
            _call(self._loop, proxy.stop())


@contextmanager
def proxies(seed: int = 0) -> Iterator[Proxies]:
    """A thread for proxies; closed with all that passes through it. `seed`: for which bytes are changed."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="proxies", daemon=True)
    thread.start()
    running = Proxies(loop, seed)
    try:
        yield running
    finally:
        running.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(CALL_S_MAX)
        loop.close()


def _call(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run_coroutine_threadsafe(work, loop).result(CALL_S_MAX)


async def _as_coroutine(work: Callable[[], None]) -> None:
    work()
