"""How good the finders are: what people said of the alarms of each detector and of the devices."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import Response

from care import feedback
from care.feedback import Precision
from dashboard.context import session_of
from dashboard.render import page
from gateway.model import AlarmKind

router = APIRouter(prefix="/county")

SPANS_DAYS = (30, 90)


class Finder(NamedTuple):
    """Who raises a kind of alarm, and what became of it in each span; `detector` None: devices."""

    detector: str | None
    kind: AlarmKind
    by_days: Mapping[int, Precision]


@router.get("/detectors")
def detectors(request: Request) -> Response:
    """Each finder's precision in use."""
    with session_of(request) as session:
        found = feedback.precision(session.connection, SPANS_DAYS)
        return page(request, "detectors.html", session, finders=finders(found), spans=SPANS_DAYS)


def finders(found: Iterable[Precision]) -> list[Finder]:
    """The records by finder, those that raised most first."""
    by_finder: dict[tuple[str | None, AlarmKind], dict[int, Precision]] = {}
    for one in found:
        by_finder.setdefault((one.detector, one.kind), {})[one.days] = one
    made = [Finder(detector, kind, by_days) for (detector, kind), by_days in by_finder.items()]
    return sorted(made, key=lambda finder: -max(one.raised for one in finder.by_days.values()))
