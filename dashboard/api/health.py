"""Whether this process works: for supervisors and proxies."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from dashboard.context import context_of

router = APIRouter(prefix="/api")


@router.get("/health")
async def health(request: Request) -> JSONResponse:
    """200 when the database answers and live pages hear of changes, else 503; strangers learn no more.

    It takes no thread and no connection: the process asks the database by itself all the time.
    """
    is_well = context_of(request).hub.is_listening
    return JSONResponse({"ok": is_well}, status_code=200 if is_well else 503)
