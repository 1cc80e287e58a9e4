"""All sites in scope: what waits, what answers, what works."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from care.model import SiteKind
from dashboard import queries
from dashboard.context import session_of
from dashboard.intake import intake
from dashboard.params import SiteChoice
from dashboard.render import page
from gateway.errors import DeadReason

router = APIRouter(prefix="/county")


@router.get("")
def county(request: Request, kind: SiteKind | None = None) -> Response:
    """Every site with its open alarms, devices and answer times."""
    with session_of(request) as session:
        whole, reports = queries.site_reports(session.connection)
        kinds = sorted({report.kind for report in reports if report.kind}, key=list(SiteKind).index)
        shown = [report for report in reports if kind is None or report.kind is kind]
        return page(request, "county.html", session, whole=whole, reports=shown, kinds=kinds, kind=kind)


@router.get("/devices")
def devices(request: Request, site: SiteChoice = None) -> Response:
    """Whether intake works, devices that somebody should look at, and messages that could not be stored."""
    with session_of(request) as session:
        troubled = queries.troubled_devices(session.connection, site)
        return page(
            request,
            "devices.html",
            session,
            intake=intake(session.connection),
            troubled=troubled,
            hidden=troubled[0].total - len(troubled) if troubled else 0,
            reasons=queries.dead_letter_counts(session.connection),
            letters=queries.dead_letters(session.connection),
            known_reasons=set(DeadReason),
            sites=queries.sites(session.connection),
            site_id=site,
        )
