"""What one process of the dashboard holds: settings, a pool of connections, and who asks for what."""

import os
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from fastapi import Request
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from dashboard.lanes import Known, Lane
from dashboard.languages import Language, language, preferred
from dashboard.live import Hub
from dashboard.security import LANGUAGE_COOKIE, session_token
from dashboard.settings import Settings
from database.connections import Connection
from identity import sessions
from identity.model import ScopeKind, Staff
from identity.sessions import NoSessionError
from protocol.watchdog import Watchdog

BOXES_AT_ONCE_MAX = 2
OPENING_AT_ONCE_MAX = 2
OPENING_WAITING_MAX = 256
HASHING_NICE = 15
"""Linux counts it for each thread, and argon2's own threads inherit it."""
HASHING_WAITING_MAX = 16
"""Passwords and boxes that wait for a thread; more are told to try again at once."""
POOL_QUEUE_MAX = 200
"""Requests that wait for a connection; more are told to try again at once."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """The process's own; on `app.state.context`.

    Attributes:
        settings: What the installation chose.
        pool: Connections of the web's role, in autocommit.
        hub: Tells live pages of changes.
        known: Sessions that were confirmed lately.
        passwords: Where people who sign in wait for their turn.
        hashing: Where passwords are hashed: only with what the machine has left, never in an alarm's way.
        boxes: Where gateways' secrets are checked.
        openings: Where it is found out whose stream is to be opened.
    """

    settings: Settings
    pool: ConnectionPool[Connection]
    hub: Hub
    known: Known
    passwords: Lane
    hashing: Executor
    boxes: Lane
    openings: Lane


@dataclass(frozen=True, kw_only=True)
class Session:
    """A request of somebody who is signed in, inside a transaction that sees just their scope."""

    connection: Connection
    staff: Staff
    language: Language

    @property
    def supervises(self) -> bool:
        """Whether they look after several sites from afar, rather than work in one."""
        return self.staff.scope is not ScopeKind.SITE


def make_context(settings: Settings, watchdog: Watchdog) -> Context:
    """A context whose pool and hub are not yet open."""
    pool: ConnectionPool[Connection] = ConnectionPool(
        settings.database_url,
        connection_class=Connection,
        min_size=1,
        max_size=settings.pool_size_max,
        max_waiting=POOL_QUEUE_MAX,
        timeout=settings.pool_wait_s,
        check=ConnectionPool.check_connection,
        open=False,
        name="dashboard",
        kwargs={
            "autocommit": True,
            "row_factory": dict_row,
            "connect_timeout": 5,
            "application_name": "anshou-dashboard",
            "options": f"-c timezone=UTC -c statement_timeout={int(settings.statement_timeout_s * 1000)}",
        },
    )
    return Context(
        settings=settings,
        pool=pool,
        hub=Hub(settings.database_url, watchdog.loop("live pages")),
        known=Known(),
        passwords=Lane(settings.sign_ins_max, HASHING_WAITING_MAX),
        hashing=ThreadPoolExecutor(settings.sign_ins_max, "hashing", os.nice, (HASHING_NICE,)),
        boxes=Lane(BOXES_AT_ONCE_MAX, HASHING_WAITING_MAX),
        openings=Lane(OPENING_AT_ONCE_MAX, OPENING_WAITING_MAX),
    )


def context_of(request: Request) -> Context:
    """The context of the process that answers `request`."""
    context = request.app.state.context
    assert isinstance(context, Context)
    return context


def address_of(request: Request) -> str:
    """Where a request comes from, as far as is known: what a trusted proxy says, else the connection."""
    return request.client.host if request.client else "unknown"


def token_of(request: Request) -> str:
    """The session's token. NoSessionError when the browser sent none."""
    token = session_token(request)
    if token is None:
        raise NoSessionError("sign in first")
    return token


@contextmanager
def session_of(request: Request) -> Iterator[Session]:
    """Who asks, and a connection that sees their scope; commits at the end. NoSessionError."""
    with session_with(context_of(request), token_of(request)) as session:
        # For the error pages, which are made after this transaction is gone.
        request.state.language = session.language
        request.state.staff = session.staff
        yield session


@contextmanager
def session_with(context: Context, token: str) -> Iterator[Session]:
    """As `session_of`, for a token that was taken from a request before."""
    try:
        with context.pool.connection() as connection, sessions.scope_of(connection, token) as staff:
            context.known.remember(token, staff.id)
            yield Session(connection=connection, staff=staff, language=language(staff.language))
    except NoSessionError:
        context.known.forget(token)
        raise


def language_of(request: Request) -> Language:
    """The language to answer in: the person's own, else this browser's."""
    chosen = getattr(request.state, "language", None)
    if isinstance(chosen, Language):
        return chosen
    cookie = request.cookies.get(LANGUAGE_COOKIE)
    return language(cookie or preferred(request.headers.get("accept-language", "")))
