"""Boxes speak to the centre: to be paired, and to renew their secrets. No session; the database judges.

What is asked here holds secrets, so it is answered over TLS only. The authority is no secret: a box fetches
it first, over whatever there is, and checks it against its code.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from care import pairing
from care.pairing import Enrolment
from dashboard.context import Context, address_of, context_of
from dashboard.errors import InsecureError, NotToldError
from database.connections import Connection
from database.errors import InvalidError, NotFoundError
from protocol.enrolment import Authority, ConfirmRequest, Enrolled, PairRequest, RotateRequest

router = APIRouter(prefix="/api/gateways")

BODY_BYTES_MAX = 4096
TOLD_S_MAX = 10.0
"""How long the broker may take to learn of a new credential before the box is told to ask again."""
TOLD_POLL_S = 0.1

Asked = TypeVar("Asked", bound=msgspec.Struct)


@router.get("/authority")
def authority(request: Request) -> Response:
    """The centre's authority, and where it and its broker are. NotFoundError: none is set up."""
    settings = context_of(request).settings
    if settings.authority is None:
        raise NotFoundError("gateways cannot be paired here: the centre has no authority")
    certificate = Path(settings.authority).read_text(encoding="ascii")
    return _json(
        Authority(
            certificate=certificate,
            https_port=settings.gateway_https_port,
            mqtt_port=settings.gateway_mqtt_port,
            mqtt_host=settings.gateway_mqtt_host,
        )
    )


@router.post("/pair")
async def pair(request: Request) -> Response:
    """A box becomes a gateway with a one-time code."""
    asked = await _asked(request, PairRequest)
    return await _answer(request, lambda link, box: pairing.redeem(link, asked.code, asked.secret, box))


@router.post("/rotate")
async def rotate(request: Request) -> Response:
    """A gateway gets a new secret, which it chose itself."""
    asked = await _asked(request, RotateRequest)
    return await _answer(
        request,
        lambda link, box: pairing.rotate(link, asked.username, asked.secret, asked.new_secret, box),
    )


@router.post("/confirm")
async def confirm(request: Request) -> Response:
    """A gateway has used and kept its new secret."""
    asked = await _asked(request, ConfirmRequest)
    return await _answer(request, lambda link, box: pairing.confirm(link, asked.username, asked.secret, box))


async def _asked(request: Request, form: type[Asked]) -> Asked:
    if request.url.scheme != "https":
        raise InsecureError("secrets are spoken of over TLS only")
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_BYTES_MAX:
            raise InvalidError(f"at most {BODY_BYTES_MAX} bytes are read")
    try:
        return msgspec.json.decode(body, type=form)
    except msgspec.DecodeError as error:
        raise InvalidError(str(error)) from error


async def _answer(request: Request, judge: Callable[[Connection, str], int]) -> Response:
    """What the box is told when `judge`, given a connection and the box's address, has found for it."""
    context = context_of(request)
    credential_id = await context.boxes.run(lambda: _judged(context, judge, address_of(request)))
    enrolment = await _told(context, credential_id)
    settings = context.settings
    return _json(
        Enrolled(
            site=enrolment.site,
            gateway=enrolment.gateway,
            username=enrolment.username,
            mqtt_port=settings.gateway_mqtt_port,
            mqtt_host=settings.gateway_mqtt_host,
        )
    )


def _judged(context: Context, judge: Callable[[Connection, str], int], address: str) -> int:
    with context.pool.connection() as connection:
        return judge(connection, address)  # in autocommit: a failure is counted for good


async def _told(context: Context, credential_id: int) -> Enrolment:
    """The enrolment once the broker knows it; meanwhile no thread waits. NotToldError."""

    def ask() -> Enrolment:
        with context.pool.connection() as connection:
            return pairing.enrolment(connection, credential_id)

    deadline_s = time.monotonic() + TOLD_S_MAX
    while not (enrolment := await context.boxes.run(ask)).told:
        if time.monotonic() > deadline_s:
            raise NotToldError("the broker has not learnt of the gateway yet")
        await asyncio.sleep(TOLD_POLL_S)
    return enrolment


def _json(answer: msgspec.Struct) -> Response:
    return Response(
        msgspec.json.encode(answer), media_type="application/json", headers={"Cache-Control": "no-store"}
    )
