"""What is this? What boxes do not understand, and the meaning that a person gives it by its value."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from pydantic import Field

from care import pairing, unheard
from care.unheard import SIGN_WORDS, TEACHABLE
from dashboard.context import session_of
from dashboard.devices.words import said
from dashboard.errors import FormError
from dashboard.languages import Language
from dashboard.params import INTEGER_MAX
from dashboard.render import page
from database.errors import InvalidError
from protocol.model import ANYTHING, Taught

router = APIRouter(prefix="/unheard")

RELOAD = {"HX-Refresh": "true"}
GatewayId = Annotated[int, Field(ge=1, le=INTEGER_MAX)]
Key = Annotated[str, Query(min_length=1, max_length=160)]
Path = Annotated[str, Query(min_length=1, max_length=64)]


@router.get("")
def form(request: Request, gateway: Annotated[GatewayId, Query()], key: Key, path: Path) -> Response:
    """The form that says what a field means."""
    with session_of(request) as session:
        pairing.require_manager(session.connection)
        field = unheard.field(session.connection, gateway, key, path)
        return page(
            request,
            "devices/_unheard_form.html",
            session,
            field=field,
            meanings=meanings(session.language),
            SIGN_WORDS=SIGN_WORDS,
            anything=ANYTHING,
        )


@router.post("/try")
def attempt(
    request: Request,
    gateway: Annotated[GatewayId, Form()],
    key: Annotated[str, Form(max_length=160)],
    path: Annotated[str, Form(max_length=64)],
    says: Annotated[str, Form(max_length=64)] = "",
    raised_by: Annotated[str, Form(max_length=64)] = "",
) -> Response:
    """What the last example would have meant; nothing is saved."""
    with session_of(request) as session:
        field = unheard.field(session.connection, gateway, key, path)
        lesson = _lesson(says, raised_by)
        return page(
            request,
            "devices/_unheard_tried.html",
            session,
            field=field,
            word=said([says], session.language)[0],
            is_sign=says in SIGN_WORDS,
            result=unheard.tried(lesson, field.example),
        )


@router.post("/teach")
def teach(
    request: Request,
    gateway: Annotated[GatewayId, Form()],
    key: Annotated[str, Form(max_length=160)],
    path: Annotated[str, Form(max_length=64)],
    says: Annotated[str, Form(max_length=64)] = "",
    raised_by: Annotated[str, Form(max_length=64)] = "",
) -> Response:
    """The field means that from now on; the box is told."""
    with session_of(request) as session:
        unheard.teach(
            session.connection, gateway, key, path, _lesson(says, raised_by), staff_id=session.staff.id
        )
    return Response(headers=RELOAD)


@router.post("/unteach")
def unteach(
    request: Request,
    gateway: Annotated[GatewayId, Form()],
    key: Annotated[str, Form(max_length=160)],
    path: Annotated[str, Form(max_length=64)],
) -> Response:
    """It was a mistake."""
    with session_of(request) as session:
        unheard.unteach(session.connection, gateway, key, path)
    return Response(headers=RELOAD)


@router.get("/mappings.json")
def mappings(request: Request) -> Response:
    """All mappings in scope as a file, by gateway, device and field."""
    with session_of(request) as session:
        lessons = unheard.lessons(session.connection)
    body = msgspec.json.format(msgspec.json.encode({str(gateway): each for gateway, each in lessons.items()}))
    headers = {"Content-Disposition": 'attachment; filename="anshou-mappings.json"'}
    return Response(body, media_type="application/json", headers=headers)


def meanings(language: Language) -> Mapping[str, str]:
    """What a field can be taught to mean, in words."""
    return {word: said([word], language)[0] for word in TEACHABLE}


def _lesson(says: str, raised_by: str) -> Taught:
    if not says:
        raise FormError("no meaning was chosen", missing="kind")
    if says not in TEACHABLE:
        raise InvalidError(f"nothing can mean {says!r}")
    if says in SIGN_WORDS:
        return Taught(says=says)
    if not raised_by.strip():
        raise FormError("the value that means it is missing", missing="kind")
    return Taught(says=says, raised_by=raised_by.strip())
