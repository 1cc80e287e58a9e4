"""What the overview asks, on a connection inside `scope_of`."""

import math

from care.model import SiteKind
from database.connections import Connection
from database.queries import queries
from database.record import Record

_sql = queries("dashboard.county", "queries.sql")


class SiteReport(Record, frozen=True, kw_only=True):
    """How a site does; `id` None: all sites in scope together. Seconds, and shares of 1 over 7 days.

    Who was never answered counts in the median as infinitely late, and who cancels an alarm has answered it
    then: neither leaving alarms alone nor calling them false makes a figure better.
    """

    id: int | None
    name: str | None
    kind: SiteKind | None
    township: str | None
    operator_name: str | None
    residents: int
    open: int
    open_high: int
    under_1_min: int
    under_5_min: int
    under_15_min: int
    older: int
    devices: int
    devices_live: int
    raised: int
    false_alarms: int
    answers_due: int
    arrivals_due: int
    answer_s_median: float | None
    answered_in_time: float | None
    arrived_in_time: float | None

    @property
    def is_median_unknown(self) -> bool:
        """Whether half or more were never answered: then no time is the usual one."""
        return self.answer_s_median is not None and math.isinf(self.answer_s_median)


def site_reports(connection: Connection) -> tuple[SiteReport, list[SiteReport]]:
    """All sites in scope together, and each."""
    reports = [SiteReport.from_row(row) for row in connection.execute(_sql["sites"])]
    whole = next(report for report in reports if report.id is None)
    return whole, [report for report in reports if report.id is not None]
