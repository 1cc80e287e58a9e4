"""The route of the devices page."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from care import proposals, unheard
from dashboard import sites
from dashboard.context import context_of, session_of
from dashboard.devices import decisions, gateways, queries, refusals
from dashboard.devices import unheard as unheard_page
from dashboard.devices.intake import intake
from dashboard.devices.words import said
from dashboard.params import SiteChoice
from dashboard.render import page
from database.connections import Connection
from protocol.errors import DeadReason

router = APIRouter(prefix="/county/devices")
router.include_router(decisions.router)
router.include_router(unheard_page.router)

PROPOSALS_MAX = 100


@router.get("")
def devices(request: Request, site: SiteChoice = None) -> Response:
    """Whether intake works, devices that somebody should look at, and messages that could not be stored."""
    with session_of(request) as session:
        troubled = queries.troubled_devices(session.connection, site)
        places = sites.in_scope(session.connection)
        proposed = proposals.proposals(session.connection, site_id=site)
        known_gateways = gateways.gateways(session.connection, site)
        return page(
            request,
            "devices/devices.html",
            session,
            intake=intake(session.connection),
            troubled=troubled,
            hidden=troubled[0].total - len(troubled) if troubled else 0,
            unheard=unheard.unheard(session.connection, site),
            said_of=unheard_page.meanings(session.language),
            refusals=refusals.refusals(session.connection),
            disks=refusals.filling_disks(session.connection),
            unassigned=queries.unassigned_devices(session.connection, site),
            reasons=queries.dead_letter_counts(session.connection),
            letters=queries.dead_letters(session.connection),
            known_reasons=set(DeadReason),
            manages=_manages(session.connection),
            can_pair=context_of(request).settings.authority is not None,
            proposed=[(each, said(each.says, session.language)) for each in proposed[:PROPOSALS_MAX]],
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
