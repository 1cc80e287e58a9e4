"""The route of the overview."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from care.model import SiteKind
from care.policy import effective
from dashboard.context import session_of
from dashboard.county import queries
from dashboard.render import page

router = APIRouter(prefix="/county")


@router.get("")
def county(request: Request, kind: SiteKind | None = None) -> Response:
    """Every site with its open alarms, devices and answer times."""
    with session_of(request) as session:
        whole, reports = queries.site_reports(session.connection)
        kinds = sorted({report.kind for report in reports if report.kind}, key=list(SiteKind).index)
        shown = [report for report in reports if kind is None or report.kind is kind]
        return page(
            request,
            "county/county.html",
            session,
            whole=whole,
            reports=shown,
            kinds=kinds,
            kind=kind,
            policy=effective(session.connection),
        )
