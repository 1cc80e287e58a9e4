"""The routes for signing in and out, and for choosing a language."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from dashboard.context import (
    address_of,
    context_of,
    language_of,
    session_of,
)
from dashboard.errors import STATUS_OF, sentence
from dashboard.languages import CODES
from dashboard.render import page
from dashboard.security import LANGUAGE_COOKIE, forget_session, own_path, session_cookie, session_token
from identity import sessions
from identity.secrets import hash_password_like
from identity.sessions import SESSION_LENGTH, SignInError

router = APIRouter()

USERNAME_LENGTH_MAX = 63
PASSWORD_LENGTH_MAX = 256
LANGUAGE_COOKIE_S = 365 * 24 * 3600

Username = Annotated[str, Form(max_length=USERNAME_LENGTH_MAX)]
Password = Annotated[str, Form(max_length=PASSWORD_LENGTH_MAX)]
NextPath = Annotated[str, Form(alias="next", max_length=500)]


@router.get("/sign-in")
def sign_in_form(request: Request, next: str = "/") -> Response:  # noqa: A002 - the name in the address
    """The form; `next` is where to go afterwards."""
    return page(request, "sign_in/sign_in.html", next=own_path(next), username="", problem=None)


@router.post("/sign-in")
async def sign_in(
    request: Request, username: Username, password: Password, next_path: NextPath = "/"
) -> Response:
    """Open a session and keep its token in a cookie that no script can read."""
    context = context_of(request)
    goal = own_path(next_path)
    try:
        token = await context.passwords.run(lambda: _token(request, username, password))
    except SignInError as error:
        wait_s = error.params.get("wait_s")
        headers = {"Retry-After": str(wait_s)} if wait_s else None
        return page(
            request,
            "sign_in/sign_in.html",
            status=STATUS_OF[error.code],
            headers=headers,
            next=goal,
            username=username,
            problem=sentence(error, language_of(request)),
        )
    response = RedirectResponse(goal, status_code=303)
    response.set_cookie(
        session_cookie(request),
        token,
        max_age=int(SESSION_LENGTH.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=_is_secure(request),
    )
    return response


@router.post("/sign-out")
def sign_out(request: Request) -> Response:
    """End the session here and in the database."""
    with context_of(request).pool.connection() as connection:
        sessions.sign_out(connection, session_token(request) or "")
    response = RedirectResponse("/sign-in", status_code=303)
    forget_session(request, response)
    return response


@router.post("/language")
def choose_language(request: Request, code: Annotated[str, Form()], next_path: NextPath = "/") -> Response:
    """Keep the language: for staff in the care record, for a browser without a session in a cookie."""
    response = RedirectResponse(own_path(next_path), status_code=303)
    if code not in CODES:
        return response
    if session_token(request):
        with session_of(request) as session:
            sessions.choose_language(session.connection, code)
    response.set_cookie(
        LANGUAGE_COOKIE,
        code,
        max_age=LANGUAGE_COOKIE_S,
        httponly=True,
        samesite="lax",
        secure=_is_secure(request),
    )
    return response


def _token(request: Request, username: str, password: str) -> str:
    context = context_of(request)
    with context.pool.connection() as connection:
        return sessions.sign_in(
            connection,
            username,
            password,
            address=address_of(request),
            replaces=session_token(request) or "",
            hashing=lambda *typed: context.hashing.submit(hash_password_like, *typed).result(),
        )


def _is_secure(request: Request) -> bool:
    return context_of(request).settings.cookie_secure or request.url.scheme == "https"
