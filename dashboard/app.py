"""The application: routes, middleware, the one error handler. No globals: everything is in the context."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import SplitResult, urlencode, urlsplit

import psycopg
from cryptography import x509
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboard.accuracy import page as accuracy
from dashboard.alarm import page as alarm
from dashboard.api import alarms, health, me, reference, signs
from dashboard.api import gateways as gateways_api
from dashboard.context import language_of, make_context
from dashboard.county import page as county
from dashboard.desk import page as desk
from dashboard.devices import page as devices
from dashboard.elsewhere import page as elsewhere
from dashboard.errors import (
    RETRY_AFTER_S,
    STATUS_OF,
    BusyError,
    DashboardError,
    TooLargeError,
    UnknownHostError,
    as_json,
    code_of,
    known,
    sentence,
)
from dashboard.lanes import Crowd
from dashboard.policy import page as policy
from dashboard.render import STATIC, page, static_version, warm_up
from dashboard.resident import page as resident
from dashboard.security import (
    OwnHost,
    SecurityHeaders,
    SmallBodies,
    forget_session,
    own_path,
    refuse_cross_site,
)
from dashboard.sensitivity import page as sensitivity
from dashboard.settings import Settings
from dashboard.sign_in import page as sign_in
from database.errors import DomainError, InvalidError, NotFoundError
from protocol.watchdog import Loop, Watchdog

GZIP_BYTES_MIN = 1_000
BEAT_EVERY_S = 0.5
_HANDLED = (
    DomainError,
    DashboardError,
    HTTPException,
    RequestValidationError,
    psycopg.OperationalError,
    psycopg.DataError,
    Exception,  # our own mistakes: uvicorn logs them, the reader gets an apology
)


class MethodNotAllowedError(DashboardError):
    """The address exists, but not for this method."""

    code = "method_not_allowed"


class VersionedFiles(StaticFiles):
    """Files whose address changes with their content, so that a browser asks for each just once."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        """The file, to be kept for ever."""
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


class Application(FastAPI):
    """FastAPI with what every request passes around all of it, which describes what is meant for programs."""

    def build_middleware_stack(self) -> ASGIApp:
        """All of it: Starlette answers our own mistakes outside the middleware that is added."""
        context = self.state.context
        crowd = Crowd(super().build_middleware_stack(), context.known)
        return SecurityHeaders(Doorman(OwnHost(SmallBodies(crowd), own_names(context.settings))))

    def openapi(self) -> dict[str, Any]:
        """The REST API, as OpenAPI describes one: what lies below /api."""
        described = super().openapi()
        described["paths"] = {path: of for path, of in described["paths"].items() if path.startswith("/api/")}
        return described


class Doorman:
    """Tells whom the middleware refuses why, and closes the connection: what still comes is not read."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        try:
            await self.app(scope, receive, send)
        except (BusyError, TooLargeError, UnknownHostError) as error:
            response = await tell_error(Request(scope), error)
            if not isinstance(error, BusyError):
                response.headers["Connection"] = "close"
            await response(scope, receive, send)


def own_names(settings: Settings) -> set[str]:
    """The names that these pages have, by their settings and their certificate."""
    names = set(settings.host_names.lower().replace(",", " ").split())
    if settings.tls_certificate is not None:
        certificate = x509.load_pem_x509_certificate(Path(settings.tls_certificate).read_bytes())
        with suppress(x509.ExtensionNotFound):
            alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            names |= {name.lower() for name in alternatives.get_values_for_type(x509.DNSName)}
    return names


def create_app(settings: Settings, watchdog: Watchdog | None = None) -> FastAPI:
    """The application; it opens its connections when it starts, and closes them when it stops.

    `watchdog` is told that requests get their turn, and that live pages do.
    """
    watchdog = watchdog or Watchdog()
    context = make_context(settings, watchdog)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        warm_up()
        context.pool.open()
        tasks = [
            asyncio.create_task(context.hub.run(), name="live pages"),
            asyncio.create_task(_beat(watchdog.loop("requests")), name="watchdog"),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            await asyncio.to_thread(context.pool.close)
            context.hashing.shutdown(wait=False)

    app = Application(
        title="Anshou",
        version=version("anshou"),
        lifespan=lifespan,
        dependencies=[Depends(refuse_cross_site)],
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.state.context = context
    app.add_middleware(GZipMiddleware, minimum_size=GZIP_BYTES_MIN, compresslevel=5)
    if settings.tell_https_port is not None:
        app.add_middleware(elsewhere.Door, static=f"/static/{static_version()}/")
    app.mount(f"/static/{static_version()}", VersionedFiles(directory=STATIC), name="static")
    for module in (
        sign_in,
        desk,
        alarm,
        resident,
        sensitivity,
        county,
        accuracy,
        policy,
        devices,
        elsewhere,
        health,
        me,
        alarms,
        signs,
        reference,
        gateways_api,
    ):
        app.include_router(module.router)
    for kind in _HANDLED:
        app.add_exception_handler(kind, tell_error)
    return app


async def _beat(loop: Loop) -> NoReturn:
    """Tell for ever that this event loop goes round, and that a request gets one of its threads."""
    while True:
        await run_in_threadpool(loop.beat)
        await asyncio.sleep(BEAT_EVERY_S)


async def tell_error(request: Request, error: Exception) -> Response:
    """The one answer to every error: JSON for programs, a notice for a part of a page, else a page."""
    ours = _in_our_words(error)
    code = code_of(ours)
    status = STATUS_OF.get(code, 500)
    speech = language_of(request)
    headers = {"Cache-Control": "no-store"}
    if code in RETRY_AFTER_S:
        headers["Retry-After"] = str(RETRY_AFTER_S[code])
    if request.url.path.startswith("/api/") or request.url.path == "/live":
        return JSONResponse(as_json(ours, speech), status_code=status, headers=headers)
    is_part = "hx-request" in request.headers
    if code == "no_session":
        return _to_sign_in(request, is_part)
    text = sentence(ours, speech)
    if is_part:
        headers |= {"HX-Retarget": "#notices", "HX-Reswap": "beforeend", "HX-Trigger": _refused(status)}
        return page(
            request,
            "_notice.html",
            status=status,
            headers=headers,
            # That a colleague was quicker is good news: nothing has failed.
            severity="info" if code == "already_taken" else "danger",
            text=text,
            about=None,
            at=None,
        )
    return page(request, "error.html", status=status, headers=headers, text=text, status_code=status)


def _refused(status: int) -> str:
    """Tells the page that a step was refused, and whether trying it again can help (then a form stays)."""
    return json.dumps({"step-refused": {"final": status in (404, 409)}})


def _in_our_words(error: Exception) -> DomainError | DashboardError | None:
    if isinstance(error, HTTPException):
        if error.status_code == 405:
            return MethodNotAllowedError(str(error.detail))
        return (
            NotFoundError(str(error.detail)) if error.status_code == 404 else InvalidError(str(error.detail))
        )
    if isinstance(error, RequestValidationError):
        return InvalidError("; ".join(f"{_place(item)}: {item['msg']}" for item in error.errors()))
    return known(error)


def _place(item: dict[str, object]) -> str:
    where = item.get("loc")
    return ".".join(str(part) for part in where) if isinstance(where, tuple) else ""


def _to_sign_in(request: Request, is_part: bool) -> Response:
    if is_part:
        goal = _path_of(urlsplit(request.headers.get("hx-current-url", "/")))
        response = Response(status_code=401, headers={"HX-Redirect": _sign_in_url(goal)})
    else:
        goal = _path_of(urlsplit(str(request.url))) if request.method == "GET" else "/"
        response = RedirectResponse(_sign_in_url(goal), status_code=303)
    forget_session(request, response)
    return response


def _sign_in_url(goal: str) -> str:
    return f"/sign-in?{urlencode({'next': own_path(goal)})}"


def _path_of(url: SplitResult) -> str:
    return f"{url.path}?{url.query}" if url.query else url.path
