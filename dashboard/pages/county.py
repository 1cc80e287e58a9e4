"""All sites in scope: what waits, what answers, what works."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from care import proposals
from care.model import SiteKind
from dashboard import gateways, queries, sites
from dashboard.context import context_of, session_of
from dashboard.intake import intake
from dashboard.pages.gateways import says_of
from dashboard.params import SiteChoice
from dashboard.render import page
from database.connections import Connection
from protocol.errors import DeadReason

router = APIRouter(prefix="/county")

PROPOSALS_MAX = 100


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
        places = sites.in_scope(session.connection)
        proposed = proposals.proposals(session.connection, site_id=site)
        known_gateways = gateways.gateways(session.connection, site)
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
            manages=_manages(session.connection),
            can_pair=context_of(request).settings.authority is not None,
            proposed=[(each, says_of(each, session)) for each in proposed[:PROPOSALS_MAX]],
            proposed_hidden=max(0, len(proposed) - PROPOSALS_MAX),
            gateways=known_gateways,
            gateways_hidden=known_gateways[0].total - len(known_gateways) if known_gateways else 0,
            codes=gateways.open_codes(session.connection),
            Concern=gateways.Concern,
            sites=places,
            site_names={place.id: place.name for place in places},
            site_id=site,
        )


def _manages(connection: Connection) -> bool:
    """Whether who is signed in may decide about devices and gateways."""
    row = connection.execute("SELECT care.manages_devices() AS may").fetchone()
    return row is not None and bool(row["may"])
