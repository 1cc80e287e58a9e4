"""Whether this process works: for supervisors and proxies."""

import psycopg
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from psycopg_pool import PoolTimeout

from dashboard.context import context_of

router = APIRouter(prefix="/api")


@router.get("/health")
def health(request: Request) -> JSONResponse:
    """200 when the database takes what is written and live pages hear of changes, else 503 and why not."""
    context = context_of(request)
    database = "ok"
    try:
        with context.pool.connection() as connection:
            row = connection.execute("SELECT care.probe_write() AS has_room").fetchone()
            if row is None or not row["has_room"]:
                database = "the disk is full"
    except (psycopg.OperationalError, psycopg.InternalError) as error:
        if isinstance(error, PoolTimeout):
            raise
        database = "cannot write"
    is_live = context.hub.is_listening
    return JSONResponse(
        {"database": database, "live": "ok" if is_live else "not listening", "pages": context.hub.size},
        status_code=200 if is_live and database == "ok" else 503,
    )
