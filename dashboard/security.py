"""What every answer carries and every request must prove, whoever asks."""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.errors import CrossSiteError, TooLargeError, UnknownHostError

SESSION_COOKIE = "anshou_session"
LANGUAGE_COOKIE = "anshou_language"
BODY_BYTES_MAX = 65_536
"""No form and no call of ours is longer."""
HSTS = "max-age=31536000"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,128}")
_NAMES_OF_NO_STRANGER = (".local", ".internal", ".home.arpa", ".localhost")

CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""Nothing from elsewhere, and no script or style that is not a file of ours."""

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class SecurityHeaders:
    """Adds the headers to every answer; plain ASGI, so that streams flow through untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope["scheme"] == "https":
                    headers.setdefault("Strict-Transport-Security", HSTS)
            await send(message)

        await self.app(scope, receive, send_with_headers)


class OwnHost:
    """Refuses requests for a name that somebody else could own: a page of theirs could read the answers.

    Their name server may send the browser of a visitor here (DNS rebinding). An address, a name without a dot
    and those of private networks cannot be theirs; other names have to be said.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str]) -> None:
        self.app = app
        self._names = frozenset(name.strip().lower() for name in names if name.strip())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. UnknownHostError."""
        if scope["type"] == "http" and not self._is_own(Headers(scope=scope).get("host", "")):
            raise UnknownHostError("set ANSHOU_DASHBOARD_HOST_NAMES to the names of these pages")
        await self.app(scope, receive, send)

    def _is_own(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        except ValueError:
            return False
        return (
            name in self._names
            or name.endswith(_NAMES_OF_NO_STRANGER)
            or (bool(name) and "." not in name and ":" not in name)
            or _is_address(name)
        )


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class SmallBodies:
    """Refuses bodies that are longer than anything we ask for, before they are read."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. TooLargeError."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdecimal() or len(length) > len(str(BODY_BYTES_MAX)) or int(length) > BODY_BYTES_MAX:
            raise TooLargeError(f"at most {BODY_BYTES_MAX} bytes are read")
        taken = 0

        async def receive_little() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > BODY_BYTES_MAX:
                raise _BodyError
            return message

        try:
            await self.app(scope, receive_little, send)
        except _BodyError as error:
            raise TooLargeError(f"at most {BODY_BYTES_MAX} bytes are read") from error


class _BodyError(BaseException):
    """Passes by everybody who reads a body and would answer something else."""


def session_cookie(request: Request) -> str:
    """The name of the session's cookie: over TLS one that no other site or port without TLS can set."""
    return f"__Host-{SESSION_COOKIE}" if request.url.scheme == "https" else SESSION_COOKIE


def forget_session(request: Request, response: Response) -> None:
    """Have the browser forget its session."""
    response.delete_cookie(
        session_cookie(request), httponly=True, samesite="lax", secure=request.url.scheme == "https"
    )


def session_token(request: Request) -> str | None:
    """The session's token; None when the browser sent none, or something that is none of ours."""
    token = request.cookies.get(session_cookie(request), "")
    return token if _TOKEN.fullmatch(token) else None


def refuse_cross_site(request: Request) -> None:
    """Let nobody else's page act here with the visitor's cookie. CrossSiteError.

    Browsers tell with every unsafe request where it comes from: Sec-Fetch-Site where the connection is
    trustworthy, Origin everywhere. A request with neither is no browser's, and has no cookie that
    somebody else could misuse.
    """
    if request.method not in SAFE_METHODS and not _is_own(request.headers):
        raise CrossSiteError("the request came from another site")


def _is_own(headers: Headers) -> bool:
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


def own_path(wanted: str, otherwise: str = "/") -> str:
    """`wanted` when it is a path on this server, else `otherwise`: no address of another site passes."""
    is_own = wanted.startswith("/") and not wanted.startswith(("//", "/\\"))
    return wanted if is_own and wanted.isprintable() and "\\" not in wanted else otherwise
