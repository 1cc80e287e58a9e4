"""The places that somebody may choose between."""

from care.model import SiteKind
from database.connections import Connection
from database.queries import queries
from database.record import Record

_sql = queries("dashboard", "sites.sql")


class Site(Record, frozen=True, kw_only=True):
    """A site to choose, with the number of people and of active alarms."""

    id: int
    code: str
    kind: SiteKind
    name: str
    township: str
    phone: str | None
    residents: int
    alarms: int


def in_scope(connection: Connection) -> list[Site]:
    """The open sites in scope."""
    return [Site.from_row(row) for row in connection.execute(_sql["sites"])]
