"""What people decide about gateways: adopt or refuse what they propose, pair a box, lock a stolen one out."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from pydantic import Field

from care import pairing, proposals
from dashboard import sites
from dashboard.context import context_of, session_of
from dashboard.devices import gateways, queries
from dashboard.devices.words import said
from dashboard.errors import FormError
from dashboard.params import INTEGER_MAX
from dashboard.render import page
from database.errors import InvalidError
from protocol.enrolment import fingerprint_of, shown
from protocol.model import NAME_PATTERN, DeviceKind

router = APIRouter()

RELOAD = {"HX-Refresh": "true"}
"""The page is drawn anew: what was decided stands in several of its parts."""
GatewayId = Annotated[int, Field(ge=1, le=INTEGER_MAX)]
Key = Annotated[str, Query(min_length=1, max_length=160)]
ADOPTABLE = [kind for kind in DeviceKind if kind is not DeviceKind.GATEWAY]


@router.get("/proposals")
def adoption_form(request: Request, gateway: Annotated[GatewayId, Query()], key: Key) -> Response:
    """The form that makes a proposed device one of ours."""
    with session_of(request) as session:
        pairing.require_manager(session.connection)
        proposed = proposals.proposal(session.connection, gateway, key)
        return page(
            request,
            "devices/_adopt_form.html",
            session,
            proposed=proposed,
            gateway=gateways.gateway(session.connection, gateway),
            says=said(proposed.says, session.language),
            kinds=ADOPTABLE,
            residents=gateways.residents_to_watch(session.connection, proposed.site_id),
            rooms=gateways.rooms_to_watch(session.connection, proposed.site_id),
            name_pattern=NAME_PATTERN.removeprefix("^").removesuffix(r"\Z"),
        )


@router.post("/adopt")
def adopt(
    request: Request,
    gateway: Annotated[GatewayId, Form()],
    key: Annotated[str, Form(max_length=160)],
    kind: Annotated[str, Form(max_length=63)] = "",
    watches: Annotated[str, Form(max_length=30)] = "",
    name: Annotated[str, Form(max_length=63)] = "",
) -> Response:
    """The device is ours from now on."""
    if kind not in set(ADOPTABLE):
        raise FormError("no kind was chosen", missing="kind")
    resident_id, room_id = _watched(watches)
    with session_of(request) as session:
        proposals.adopt(
            session.connection,
            gateway,
            key,
            kind=DeviceKind(kind),
            staff_id=session.staff.id,
            name=name.strip() or None,
            resident_id=resident_id,
            room_id=room_id,
        )
    return Response(headers=RELOAD)


@router.get("/assign")
def assignment_form(request: Request, device: Annotated[GatewayId, Query()]) -> Response:
    """The form that says whom a device of ours watches that watches nobody."""
    with session_of(request) as session:
        pairing.require_manager(session.connection)
        found = queries.unassigned_device(session.connection, device)
        return page(
            request,
            "devices/_assign_form.html",
            session,
            device=found,
            residents=gateways.residents_to_watch(session.connection, found.site_id),
            rooms=gateways.rooms_to_watch(session.connection, found.site_id),
        )


@router.post("/assign")
def assign(
    request: Request,
    device: Annotated[GatewayId, Form()],
    watches: Annotated[str, Form(max_length=30)] = "",
) -> Response:
    """From now on the device watches them; what it said before is joined."""
    resident_id, room_id = _watched(watches)
    with session_of(request) as session:
        proposals.assign(session.connection, device, resident_id=resident_id, room_id=room_id)
    return Response(headers=RELOAD)


def _watched(watches: str) -> tuple[int | None, int | None]:
    """The resident and the room in what a form says; InvalidError where it is neither."""
    what, _, number = watches.partition(":")
    if what not in ("", "resident", "room") or (what and not number.isdecimal()):
        raise InvalidError("a device watches a resident, a room or nobody")
    return int(number) if what == "resident" else None, int(number) if what == "room" else None


@router.post("/refuse")
def refuse(
    request: Request, gateway: Annotated[GatewayId, Form()], key: Annotated[str, Form(max_length=160)]
) -> Response:
    """The device is none of ours; its gateway stops asking."""
    with session_of(request) as session:
        proposals.refuse(session.connection, gateway, key, staff_id=session.staff.id)
    return Response(headers=RELOAD)


@router.get("/pairing")
def pairing_form(request: Request, replaces: Annotated[GatewayId | None, Query()] = None) -> Response:
    """The form that makes a one-time code."""
    with session_of(request) as session:
        pairing.require_manager(session.connection)
        return page(
            request,
            "devices/_pairing_form.html",
            session,
            sites=sites.in_scope(session.connection),
            replaced=gateways.gateway(session.connection, replaces) if replaces else None,
        )


@router.post("/pairing")
def make_code(
    request: Request, site: Annotated[GatewayId, Form()], replaces: Annotated[GatewayId | None, Form()] = None
) -> Response:
    """Make a code, and show it: this once only."""
    settings = context_of(request).settings
    if settings.authority is None:
        raise InvalidError("gateways cannot be paired here: the centre has no authority")
    fingerprint = fingerprint_of(Path(settings.authority).read_text(encoding="ascii"))
    with session_of(request) as session:
        made = pairing.make_code(
            session.connection,
            site_id=site,
            fingerprint=fingerprint,
            staff_id=session.staff.id,
            replaces_id=replaces,
        )
        return page(
            request,
            "devices/_pairing_code.html",
            session,
            code=str(made.code),
            expires_at=made.expires_at,
            minutes=round((made.expires_at - datetime.now(UTC)).total_seconds() / 60),
            url=str(request.base_url).rstrip("/"),
            fingerprint=shown(fingerprint),
        )


@router.post("/revoke")
def revoke(request: Request, gateway: Annotated[GatewayId, Form()]) -> Response:
    """A stolen or broken box is let in no more."""
    with session_of(request) as session:
        pairing.require_manager(session.connection)
        found = gateways.gateway(session.connection, gateway)
        pairing.revoke(session.connection, found.id, session.staff.id)
    return Response(headers=RELOAD)
