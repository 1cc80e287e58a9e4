"""Live pages: one LISTEN connection a process, fanned out to the pages that are open.

The database says which site's alarms changed (NOTIFY); every page that shows that site then renders its
list anew from the database, inside its own session's scope. A page that falls behind does not queue
changes: whatever happened meanwhile is in the next list. After a lost connection to the database all
pages render anew, so nothing that happened in the gap is missed.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NoReturn

import anyio
import anyio.to_thread
import msgspec
import psycopg
from psycopg import sql

from dashboard.errors import BusyError, known
from database.errors import DomainError
from identity.sessions import NoSessionError
from protocol.backoff import Backoff
from protocol.watchdog import Loop, Watchdog

log = logging.getLogger(__name__)

CHANNEL = "anshou_alarm"
COALESCE_S = 0.1
"""Changes within this time make one new list."""
BACKOFF_S_MIN = 0.2
BACKOFF_S_MAX = 10.0
CHECK_S = 5.0
"""So often the LISTEN connection is asked whether the database is there and takes what is written."""
STILL_S_MAX = 60.0
"""The loop that listens may stand still for so long: longer than all that it waits for."""
RENDER_THREADS = 4
"""Live pages render in threads of their own, so that they never wait behind ordinary requests."""


class Update(msgspec.Struct, frozen=True):
    """What a live page shows: `html`, and the number of the newest event that is in it."""

    html: str
    last_event_id: int
    sites: frozenset[int]


class Message(msgspec.Struct, frozen=True):
    """One server-sent event."""

    event: str
    data: str
    id: str | None = None


class _Payload(msgspec.Struct, frozen=True):
    event: int
    alarm: int
    site: int


@dataclass(eq=False)
class Watcher:
    """A page that is open. `sites` None: not known yet, so every change concerns it."""

    changed: asyncio.Event = field(default_factory=asyncio.Event)
    sites: frozenset[int] | None = None
    is_over: bool = False

    def tell(self, site: int | None) -> None:
        """Something changed at `site` (None: perhaps everywhere)."""
        if site is None or self.sites is None or site in self.sites:
            self.changed.set()

    def end(self) -> None:
        """Its place is somebody else's: the stream ends."""
        self.is_over = True
        self.changed.set()


class Hub:
    """Listens to the database for all pages of this process."""

    def __init__(self, database_url: str, loop: Loop | None = None) -> None:
        self._url = database_url
        self._loop = loop or Watchdog().loop("live pages")
        self._watchers: set[Watcher] = set()
        self._listening = False
        self._can_write = False
        self._seats: defaultdict[int, list[Watcher]] = defaultdict(list)
        self.limiter = anyio.CapacityLimiter(RENDER_THREADS)

    @property
    def is_listening(self) -> bool:
        """Whether changes reach this process now."""
        return self._listening

    @property
    def is_well(self) -> bool:
        """Whether changes reach this process, and the database takes what is written."""
        return self._listening and self._can_write

    @property
    def size(self) -> int:
        """How many pages are open."""
        return len(self._watchers)

    def take_seat(
        self, watcher: Watcher, staff_id: int, of_all_max: int, of_person_max: int
    ) -> Callable[[], None]:
        """A place for a page of this person, until what is returned is called. BusyError.

        When this person has too many, their oldest page ends: its tablet may have left the network without
        a word, and the newest is the one that somebody looks at.
        """
        own = self._seats.get(staff_id, [])
        if len(own) >= of_person_max:
            own.pop(0).end()
        if sum(map(len, self._seats.values())) >= of_all_max:
            raise BusyError("too many live pages")
        self._seats[staff_id].append(watcher)

        def leave() -> None:
            if watcher in self._seats[staff_id]:
                self._seats[staff_id].remove(watcher)
            if not self._seats[staff_id]:
                del self._seats[staff_id]

        return leave

    @contextmanager
    def watch(self, watcher: Watcher) -> Iterator[None]:
        """Tell `watcher` of changes for as long as its page is open."""
        self._watchers.add(watcher)
        try:
            yield
        finally:
            self._watchers.discard(watcher)

    async def run(self) -> None:
        """Listen for ever; after a failure connect again, with jittered, capped backoff."""
        backoff = Backoff(BACKOFF_S_MIN, BACKOFF_S_MAX)
        while True:
            self._loop.beat(STILL_S_MAX)
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._url,
                    autocommit=True,
                    connect_timeout=5,
                    application_name="anshou-dashboard-live",
                    keepalives_idle=15,
                    # What probes whether something can be written waits for nobody, lest pages hear nothing.
                    options="-c statement_timeout=5000 -c lock_timeout=1000",
                ) as connection:
                    await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
                    self._listening = True
                    self._tell_all(None)  # whatever was notified before LISTEN
                    backoff.succeeded()
                    await self._forward(connection)
            except psycopg.Error as error:
                pause_s = backoff.failed()
                log.log(backoff.level, "live pages lost the database: %s", error)
            finally:
                self._listening = False
            await asyncio.sleep(pause_s)

    async def _forward(self, connection: psycopg.AsyncConnection) -> NoReturn:
        while True:
            self._loop.beat(STILL_S_MAX)
            self._can_write = await _takes_writing(connection)
            async for notify in connection.notifies(timeout=CHECK_S):
                self._tell_all(_site_in(notify.payload))

    def _tell_all(self, site: int | None) -> None:
        for watcher in self._watchers:
            watcher.tell(site)


async def messages(
    hub: Hub,
    watcher: Watcher,
    render: Callable[[], Update],
    notices: Callable[[], str],
    beat_s: float,
    clock: Callable[[], int],
) -> AsyncIterator[Message]:
    """What one page is sent, until it goes away, its session ends or its place is taken.

    Args:
        hub: Tells when to look again.
        watcher: The page, as the hub knows it.
        render: The page's list, by a query in the session's scope; runs in a thread.
        notices: What the page missed while it was cut off, once, at the start; runs in a thread.
        beat_s: Between two signs of life. With each the list is looked at again, so that even a lost
            notification costs no more than this time.
        clock: The server's time in milliseconds since 1970.

    Yields:
        `alarms` whenever the list changed; `missed` once if there is something; `beat` every `beat_s`;
        `trouble` when the database does not answer; `signed-out` at the end of the session.
    """
    shown: Update | None = None
    with hub.watch(watcher):
        while not watcher.is_over:
            watcher.changed.clear()
            try:
                update = await anyio.to_thread.run_sync(render, limiter=hub.limiter)
                if shown is None and (missed := await anyio.to_thread.run_sync(notices, limiter=hub.limiter)):
                    yield Message("missed", missed)
            except NoSessionError:
                yield Message("signed-out", "")
                return
            except (DomainError, psycopg.Error) as error:
                if known(error) is None:
                    raise
                yield Message("trouble", str(clock()))
            else:
                watcher.sites = update.sites
                if shown is None or update.html != shown.html:
                    yield Message("alarms", update.html, str(update.last_event_id))
                shown = update
                yield Message("beat" if hub.is_listening else "trouble", str(clock()))
                await asyncio.sleep(COALESCE_S)
            with anyio.move_on_after(beat_s):
                await watcher.changed.wait()


async def _takes_writing(connection: psycopg.AsyncConnection) -> bool:
    """Whether something can be written: not where the disk is full. psycopg.Error: the connection is lost."""
    try:
        row = await (await connection.execute("SELECT care.probe_write()")).fetchone()
    except psycopg.Error:
        if connection.closed:
            raise
        return False
    return row is not None and bool(row[0])


def _site_in(payload: str) -> int | None:
    try:
        return msgspec.json.decode(payload, type=_Payload).site
    except msgspec.DecodeError:
        return None  # not ours, or of a later version: look everywhere
