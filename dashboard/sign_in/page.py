"""The routes for signing in and out, and for choosing a language."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from dashboard.context import (
    LANGUAGE_COOKIE,
    SESSION_COOKIE,
    context_of,
    language_of,
    session_of,
)
from dashboard.errors import RETRY_AFTER_S, STATUS_OF, BusyError, sentence
from dashboard.languages import CODES
from dashboard.render import page
from dashboard.security import own_path
from identity import sessions
from identity.sessions import SESSION_LENGTH, SignInError

router = APIRouter()

SIGN_IN_WAIT_S = 10.0
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
def sign_in(request: Request, username: Username, password: Password, next_path: NextPath = "/") -> Response:
    """Open a session and keep its token in a cookie that no script can read."""
    context = context_of(request)
    goal = own_path(next_path)
    if not context.sign_in_slots.acquire(timeout=SIGN_IN_WAIT_S):
        raise BusyError("too many sign-ins at once")
    try:
        with context.pool.connection() as connection:
            token = sessions.sign_in(connection, username, password)
    except SignInError as error:
        headers = {"Retry-After": str(RETRY_AFTER_S[error.code])} if error.code in RETRY_AFTER_S else None
        return page(
            request,
            "sign_in/sign_in.html",
            status=STATUS_OF[error.code],
            headers=headers,
            next=goal,
            username=username,
            problem=sentence(error, language_of(request)),
        )
    finally:
        context.sign_in_slots.release()
    response = RedirectResponse(goal, status_code=303)
    response.set_cookie(
        SESSION_COOKIE,
        token,
        max_age=int(SESSION_LENGTH.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=context.settings.cookie_secure or request.url.scheme == "https",
    )
    return response


@router.post("/sign-out")
def sign_out(request: Request) -> Response:
    """End the session here and in the database."""
    with context_of(request).pool.connection() as connection:
        sessions.sign_out(connection, request.cookies.get(SESSION_COOKIE, ""))
    response = RedirectResponse("/sign-in", status_code=303)
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="lax")
    return response


@router.post("/language")
def choose_language(request: Request, code: Annotated[str, Form()], next_path: NextPath = "/") -> Response:
    """Keep the language: for staff in the care record, for a browser without a session in a cookie."""
    response = RedirectResponse(own_path(next_path), status_code=303)
    if code not in CODES:
        return response
    if request.cookies.get(SESSION_COOKIE):
        with session_of(request) as session:
            sessions.choose_language(session.connection, code)
    response.set_cookie(LANGUAGE_COOKIE, code, max_age=LANGUAGE_COOKIE_S, httponly=True, samesite="lax")
    return response
