"""The route of the overview."""

from typing import NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import Response

from care.model import SiteKind
from care.policy import effective
from dashboard.context import session_of
from dashboard.county import queries
from dashboard.county.queries import SiteReport
from dashboard.county.words import Begin
from dashboard.render import page
from identity.model import ScopeKind

router = APIRouter(prefix="/county")


class Step(NamedTuple):
    """Something that a new county has to do: by a command, on a page, or with one's hands."""

    name: Begin
    is_done: bool
    command: str | None = None
    page: str | None = None


def first_hour(whole: SiteReport, sites: int) -> list[Step]:
    """What is to be done until the first device of the first home is heard; nothing once it is."""
    steps = [
        Step(Begin.PLACES, sites > 0, "anshou site add --help"),
        Step(Begin.PEOPLE, whole.residents > 0, "anshou resident add --help"),
        Step(Begin.DEVICES, whole.devices > 0, "anshou device add --help", "/county/devices"),
        Step(Begin.HEARD, whole.devices_live > 0, None, "/desk"),
    ]
    if all(step.is_done for step in steps):
        return []
    # Who has an account is nobody's to see but their own: so this step is always told.
    return [*steps, Step(Begin.STAFF, False, "anshou staff add --help")]


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
            begins=first_hour(whole, len(reports)) if session.staff.scope is ScopeKind.COUNTY else [],
            policy=effective(session.connection),
        )
