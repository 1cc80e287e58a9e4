"""Where the pages are, told in clear to other machines; and the centre's authority, for browsers to import.

Passwords and names of residents never travel in clear: over plain HTTP, another machine is answered by `Door`
alone. This machine itself, and a proxy on it, is served as ever.
"""

import ipaddress
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboard.context import context_of
from dashboard.errors import InsecureError
from dashboard.render import page
from database.errors import NotFoundError
from protocol.enrolment import fingerprint_of, shown

router = APIRouter()

PATH = "/elsewhere"
AUTHORITY_PATH = "/authority.crt"
OPEN = frozenset({AUTHORITY_PATH, "/api/gateways/authority", "/api/health"})
"""What everybody may ask in clear: there is no secret in it."""


class Door:
    """Sends whoever comes in clear from another machine to `elsewhere`; plain ASGI, ahead of all routes."""

    def __init__(self, app: ASGIApp, *, static: str) -> None:
        """`static` is the path below which the files of the pages are."""
        self.app = app
        self._static = static

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http" and scope["scheme"] == "http" and not _is_this_machine(scope):
            path = scope["path"]
            if path not in OPEN and not path.startswith(self._static):
                scope = {**scope, "asked": path, "path": PATH, "raw_path": PATH.encode()}
        await self.app(scope, receive, send)


@router.api_route(PATH, methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"], include_in_schema=False)
def elsewhere(request: Request) -> Response:
    """For people, a page with the address; a program is sent there. InsecureError for what may hold secrets.

    NotFoundError where the pages are nowhere else.
    """
    settings = context_of(request).settings
    if settings.tell_https_port is None:
        raise NotFoundError("there is no other address")
    host = request.url.hostname or "localhost"
    where = f"https://{f'[{host}]' if ':' in host else host}:{settings.tell_https_port}"
    if request.method not in ("GET", "HEAD"):
        raise InsecureError(f"secrets are spoken of over TLS only: {where}")
    asked = request.scope.get("asked", "/")
    if "text/html" not in request.headers.get("accept", ""):
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{where}{asked}{query}", status_code=307)
    authority = settings.authority
    return page(
        request,
        "elsewhere/elsewhere.html",
        where=f"{where}/",
        authority=AUTHORITY_PATH if authority else None,
        fingerprint=shown(fingerprint_of(Path(authority).read_text(encoding="ascii"))) if authority else None,
    )


@router.get(AUTHORITY_PATH, include_in_schema=False)
def authority_file(request: Request) -> Response:
    """The certificate that signs the centre's own: no secret. NotFoundError: there is none."""
    authority = context_of(request).settings.authority
    if authority is None:
        raise NotFoundError("the centre has no authority")
    return FileResponse(authority, media_type="application/x-x509-ca-cert", filename="anshou-authority.crt")


def _is_this_machine(scope: Scope) -> bool:
    """Whether the connection came in at a loopback address: then it never left this machine."""
    server = scope.get("server")
    try:
        address = ipaddress.ip_address(server[0] if server else "")
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
