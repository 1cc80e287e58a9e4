"""Whether this process works: for supervisors and proxies."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from dashboard.context import context_of

router = APIRouter(prefix="/api")


@router.get("/health")
def health(request: Request) -> JSONResponse:
    """200 when the database answers and live pages hear of changes, else 503 and what is wrong."""
    context = context_of(request)
    with context.pool.connection() as connection:
        connection.execute("SELECT")
    is_live = context.hub.is_listening
    return JSONResponse(
        {"database": "ok", "live": "ok" if is_live else "not listening", "pages": context.hub.size},
        status_code=200 if is_live else 503,
    )
