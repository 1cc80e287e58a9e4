"""Who waits for whom: no work takes the threads of another sort, and what is too much is told at once.

Worker threads are few, and an alarm is acknowledged on one of them. So passwords, boxes and the opening of
streams have threads of their own; strangers share a few of the common ones; and nobody has more than a few
at the same time. Each lane has a queue with an end.
"""

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import anyio
import anyio.to_thread
from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboard.errors import BusyError, CrowdedError
from dashboard.security import SAFE_METHODS, session_token

STRANGERS_AT_ONCE_MAX = 8
STRANGERS_WAITING_MAX = 256
PERSON_AT_ONCE_MAX = 4
PERSON_WAITING_MAX = 12
"""A browser has six connections to one address, and a person may have several desks open."""
WAIT_S_MAX = 5.0
KNOWN_S = 900.0
KNOWN_MAX = 10_000
OWN_LANE = frozenset({("POST", "/sign-in"), ("GET", "/live"), ("GET", "/api/health")})
"""Addresses that see to it themselves, by method."""
BOXES = "/api/gateways/"

Result = TypeVar("Result")


class Lane:
    """So much at once, so much waiting for so long, and no more.

    Args:
        at_once_max: How many are let in at the same time; `run` has as many threads of its own.
        waiting_max: How many more may wait; the next is refused at once.
        wait_s_max: How long they wait before they are refused.
        refusal: What is raised then.
    """

    def __init__(
        self,
        at_once_max: int,
        waiting_max: int,
        wait_s_max: float = WAIT_S_MAX,
        refusal: type[BusyError] = BusyError,
    ) -> None:
        self._free = asyncio.Semaphore(at_once_max)
        self._threads = anyio.CapacityLimiter(at_once_max)
        self._waiting_max = waiting_max
        self._wait_s_max = wait_s_max
        self._refusal = refusal
        self._waiting = 0
        self.users = 0

    @asynccontextmanager
    async def entered(self) -> AsyncIterator[None]:
        """A place in the lane. BusyError, or the refusal of this lane."""
        self.users += 1
        try:
            await self._wait()
            try:
                yield
            finally:
                self._free.release()
        finally:
            self.users -= 1

    async def _wait(self) -> None:
        if self._free.locked() and self._waiting >= self._waiting_max:
            raise self._refusal("the queue is full")
        self._waiting += 1
        try:
            with anyio.fail_after(self._wait_s_max):
                await self._free.acquire()
        except TimeoutError as error:
            raise self._refusal("nothing became free in time") from error
        finally:
            self._waiting -= 1

    async def run(self, work: Callable[[], Result]) -> Result:
        """`work` in a thread of this lane."""
        async with self.entered():
            return await anyio.to_thread.run_sync(work, limiter=self._threads)


class Known:
    """Sessions that the database has confirmed lately: with them somebody is no stranger. For any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._staff: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def remember(self, token: str, staff_id: int) -> None:
        """The database knows this session."""
        with self._lock:
            self._staff[token] = (staff_id, time.monotonic() + KNOWN_S)
            self._staff.move_to_end(token)
            if len(self._staff) > KNOWN_MAX:
                self._staff.popitem(last=False)

    def forget(self, token: str) -> None:
        """The database does not know it, or not any more."""
        with self._lock:
            self._staff.pop(token, None)

    def staff_id(self, token: str) -> int | None:
        """Whose session it was when last asked; says nothing of whether it still holds."""
        with self._lock:
            staff_id, until = self._staff.get(token, (None, 0.0))
        return staff_id if time.monotonic() < until else None


class Crowd:
    """Lets requests in by whose they are; plain ASGI, in front of the threads."""

    def __init__(self, app: ASGIApp, known: Known) -> None:
        self.app = app
        self._known = known
        self._strangers = Lane(STRANGERS_AT_ONCE_MAX, STRANGERS_WAITING_MAX)
        self._persons: dict[tuple[int, bool], Lane] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, when it is its turn. BusyError, CrowdedError."""
        if scope["type"] != "http" or _has_own_lane(scope):
            await self.app(scope, receive, send)
            return
        token = session_token(Request(scope))
        staff_id = self._known.staff_id(token) if token else None
        if staff_id is None:
            async with self._strangers.entered():
                await self.app(scope, receive, send)
            return
        # What somebody reads must not keep them from acknowledging.
        who = (staff_id, scope["method"] in SAFE_METHODS)
        lane = self._persons.setdefault(
            who, Lane(PERSON_AT_ONCE_MAX, PERSON_WAITING_MAX, refusal=CrowdedError)
        )
        try:
            async with lane.entered():
                await self.app(scope, receive, send)
        finally:
            if not lane.users:
                self._persons.pop(who, None)


def _has_own_lane(scope: Scope) -> bool:
    return (scope["method"], scope["path"]) in OWN_LANE or scope["path"].startswith(BOXES)
