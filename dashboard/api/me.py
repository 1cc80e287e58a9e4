"""Who is signed in: how a page asks whether its session still holds."""

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from dashboard.context import session_of

router = APIRouter(prefix="/api")


@router.get("/me")
def me(request: Request) -> Response:
    """The name, role and scope behind the session; 401 when it has ended."""
    with session_of(request) as session:
        staff = session.staff
        content = {"name": staff.name, "role": staff.role, "scope": staff.scope, "language": staff.language}
    return Response(
        msgspec.json.encode(content), media_type="application/json", headers={"Cache-Control": "no-store"}
    )
