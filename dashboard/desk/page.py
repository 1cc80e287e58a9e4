"""The desk's routes: the page, its parts alone, and the stream that keeps pages live."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.types import Receive, Scope, Send

from dashboard import cards, live, sites
from dashboard.context import Context, Session, context_of, session_of, session_with, token_of
from dashboard.desk import queries
from dashboard.desk.queries import Bed
from dashboard.params import EventId, SiteChoice
from dashboard.render import epoch_ms, fragment, page
from identity import sessions

router = APIRouter()

SEND_TIMEOUT_S = 30.0
"""A page that takes no bytes for so long is gone."""
RETRY_MS = 1_000


class Room(NamedTuple):
    """Beds that stand together."""

    site_name: str
    name: str | None
    beds: list[Bed]


@router.get("/")
def home(request: Request) -> Response:
    """Where somebody's work begins."""
    with session_of(request) as session:
        return RedirectResponse("/county" if session.supervises else "/desk", status_code=303)


@router.get("/desk")
def desk(request: Request, site: SiteChoice = None) -> Response:
    """The alarms and the beds of one site, or of all in scope."""
    with session_of(request) as session:
        places = sites.in_scope(session.connection)
        chosen = next((one for one in places if one.id == site), None)
        if chosen is None and len(places) == 1:
            chosen = places[0]
        site_id = chosen.id if chosen else None
        return page(
            request,
            "desk/desk.html",
            session,
            sites=places,
            chosen=chosen,
            session_ends_at=sessions.ends_at(session.connection),
            alarms=_alarm_list(session, site_id),
            after=queries.last_event_id(session.connection, site_id),
            **_bed_values(session, site_id, sum(one.residents for one in places)),
        )


@router.get("/desk/alarms")
def alarm_list(request: Request, site: SiteChoice = None) -> Response:
    """The list alone, for a page that wants it at once rather than with the next change."""
    with session_of(request) as session:
        return HTMLResponse(_alarm_list(session, site), headers={"Cache-Control": "no-store"})


@router.get("/desk/beds")
def bed_grid(request: Request, site: SiteChoice = None) -> Response:
    """The beds alone."""
    with session_of(request) as session:
        residents = sum(one.residents for one in sites.in_scope(session.connection))
        return page(request, "desk/_beds.html", session, **_bed_values(session, site, residents))


@router.get("/live")
async def live_desk(
    request: Request, site: SiteChoice = None, after: EventId = None, view: str = "desk"
) -> Response:
    """The stream of a page: its alarms now and at every change.

    `view` is `desk` for the list or `bell` for the counts alone. A browser that connects again sends
    the number of the last event it saw, in Last-Event-ID or as `after`.
    """
    context = context_of(request)
    token = token_of(request)
    seen = _event_id(request.headers.get("last-event-id")) or after

    def render() -> live.Update:
        with session_with(context, token) as session:
            # The number before the list: what happens between the two is sent again, never lost.
            last_event_id = queries.last_event_id(session.connection, site)
            html = _alarm_list(session, site) if view == "desk" else _bell(session, site, last_event_id)
            shown = queries.site_ids(session.connection)
        return live.Update(html, last_event_id, shown & {site} if site else shown)

    def missed() -> str:
        if seen is None or view != "desk":
            return ""
        with session_with(context, token) as session:
            ended = queries.missed(session.connection, site, seen)
            return fragment("desk/_missed.html", session.language, missed=ended) if ended else ""

    # Before the stream starts a session that has ended is still told with its own status, and whoever has
    # none takes no thread of those that render alarms.
    staff_id = await context.openings.run(lambda: _staff_id(context, token))
    settings = context.settings
    watcher = live.Watcher()
    leave = context.hub.take_seat(watcher, staff_id, settings.streams_max, settings.streams_person_max)
    messages = live.messages(context.hub, watcher, render, missed, settings.beat_s, _now_ms)
    return _Stream(_events(messages), leave=leave)


class _Stream(EventSourceResponse):
    """A stream whose place is free again when it ends, however it does."""

    def __init__(self, content: AsyncIterator[ServerSentEvent], *, leave: Callable[[], None]) -> None:
        super().__init__(content, ping=0, send_timeout=SEND_TIMEOUT_S)
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()


async def _events(messages: AsyncIterator[live.Message]) -> AsyncIterator[ServerSentEvent]:
    async for message in messages:
        yield ServerSentEvent(message.data, event=message.event, id=message.id, retry=RETRY_MS)


def _alarm_list(session: Session, site_id: int | None) -> str:
    found, total = cards.of_site(session.connection, site_id)
    counts = queries.counts(session.connection, site_id)
    # Only then does somebody take silence for peace.
    silent = 0 if counts.active else queries.silent_mains(session.connection, site_id)
    return fragment(
        "desk/_alarms.html",
        session.language,
        staff=session.staff,
        active=[card for card in found if card.resolved_at is None],
        resolved=[card for card in found if card.resolved_at is not None],
        hidden=total - len(found),
        counts=counts,
        silent=silent,
        one_site=site_id is not None,
    )


def _bell(session: Session, site_id: int | None, last_event_id: int) -> str:
    counts = queries.counts(session.connection, site_id)
    return fragment(
        "desk/_bell.html",
        session.language,
        counts=counts,
        last_event_id=last_event_id,
        last_feedback_id=queries.last_feedback_id(session.connection, site_id),
    )


def _bed_values(session: Session, site_id: int | None, residents: int) -> dict[str, Any]:
    """What `desk/_beds.html` needs; no beds when there would be too many to look at."""
    is_too_many = site_id is None and residents > queries.BEDS_MAX
    beds = [] if is_too_many else queries.beds(session.connection, site_id)
    rooms = [
        Room(site_name, room_name, list(group))
        for (site_name, room_name), group in groupby(beds, key=lambda bed: (bed.site_name, bed.room_name))
    ]
    return {
        "rooms": rooms,
        "is_too_many": is_too_many,
        "many_sites": len({room.site_name for room in rooms}) > 1,
        "site_id": site_id,
    }


def _staff_id(context: Context, token: str) -> int:
    with session_with(context, token) as session:
        return session.staff.id


def _event_id(header: str | None) -> int | None:
    return int(header) if header and header.isdecimal() and len(header) < 19 else None


def _now_ms() -> int:
    return epoch_ms(datetime.now(UTC))
