"""The route of the page, and what it compares: each finder now and before."""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import Response

from alarms import feedback
from alarms.feedback import Precision
from alarms.kinds import AlarmKind
from dashboard.context import session_of
from dashboard.render import page

router = APIRouter(prefix="/county")

RECENT_DAYS, ALL_DAYS = 30, 90


class Trend(StrEnum):
    """How a finder does now beside before."""

    BETTER = "better"
    WORSE = "worse"


class Finder(NamedTuple):
    """Who raises a kind of alarm, and what became of it; `detector` None: devices, None: no alarm."""

    detector: str | None
    kind: AlarmKind
    recent: Precision | None
    before: Precision | None

    @property
    def trend(self) -> Trend | None:
        """Only where the two intervals lie apart: a share of few alarms jumps by itself."""
        now = self.recent.interval if self.recent else None
        then = self.before.interval if self.before else None
        if now is None or then is None:
            return None
        if now.low > then.high:
            return Trend.BETTER
        return Trend.WORSE if now.high < then.low else None


@router.get("/detectors")
def accuracy(request: Request) -> Response:
    """Each finder's precision in use, now and before."""
    with session_of(request) as session:
        found = feedback.precision(session.connection, (RECENT_DAYS, ALL_DAYS))
        return page(
            request,
            "accuracy/accuracy.html",
            session,
            finders=finders(found),
            recent_days=RECENT_DAYS,
            before_days=ALL_DAYS - RECENT_DAYS,
            decided_min=feedback.DECIDED_MIN,
        )


def finders(found: Iterable[Precision]) -> list[Finder]:
    """The records by finder, those that raised most first."""
    by_finder: dict[tuple[str | None, AlarmKind], dict[int, Precision]] = {}
    for one in found:
        by_finder.setdefault((one.detector, one.kind), {})[one.days] = one
    ranked = sorted(by_finder.items(), key=lambda item: -item[1][ALL_DAYS].raised)
    made = []
    for (detector, kind), by_days in ranked:
        recent = by_days.get(RECENT_DAYS)
        before = by_days[ALL_DAYS].before(recent)
        made.append(Finder(detector, kind, recent, before if before.raised else None))
    return made
