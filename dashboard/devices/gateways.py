"""Gateways for people: how each is, and what a device that one proposes can be made to watch."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from database.connections import Connection
from database.errors import NotFoundError
from database.queries import queries
from database.record import Record

_sql = queries("dashboard.devices", "gateways.sql")

GATEWAYS_MAX = 50
CLOCK_OFF_MS_MIN = 10_000
"""A clock that is less wrong than this was set right in passing, and is nobody's business."""


class Concern(StrEnum):
    """What can be said against a gateway, the gravest first."""

    LOCKED_OUT = "locked_out"
    NEVER_HEARD = "never_heard"
    SILENT = "silent"
    DROPPED = "dropped"
    CLOCK = "clock"
    QUEUED = "queued"


class Gateway(Record, frozen=True, kw_only=True):
    """A gateway in use; `total`: how many there are in all."""

    id: int
    name: str
    site_id: int
    site_name: str
    last_seen_at: datetime | None
    online: bool | None
    queued: int | None
    dropped: int | None
    clock_off_ms: int | None
    clock_off_at: datetime | None
    silent: bool
    locked_out: bool
    is_paired: bool
    adopted: int
    total: int

    @property
    def concerns(self) -> Sequence[Concern]:
        """What somebody should know of it; none: all is well."""
        if self.locked_out:
            return [Concern.LOCKED_OUT]
        found = {
            Concern.NEVER_HEARD: self.last_seen_at is None,
            Concern.SILENT: self.silent and self.last_seen_at is not None,
            Concern.DROPPED: bool(self.dropped),
            Concern.CLOCK: abs(self.clock_off_ms or 0) >= CLOCK_OFF_MS_MIN,
            Concern.QUEUED: bool(self.queued),
        }
        return [concern for concern in Concern if found.get(concern)]


class Place(NamedTuple):
    """A gateway, as a form about it needs it."""

    id: int
    name: str
    site_id: int
    site_name: str


class Watchable(NamedTuple):
    """Whom or what a device can be made to watch: `value` as the form sends it."""

    value: str
    name: str
    room_name: str | None = None
    bed_label: str | None = None


class OpenCode(Record, frozen=True, kw_only=True):
    """A pairing code that waits for its box."""

    id: int
    site_name: str
    expires_at: datetime
    made_by: str | None
    replaces: str | None


def gateways(connection: Connection, site_id: int | None) -> list[Gateway]:
    """The gateways in scope, those with a concern first, at most GATEWAYS_MAX."""
    params = {
        "site_id": site_id,
        "limit": GATEWAYS_MAX,
    }
    return [Gateway.from_row(row) for row in connection.execute(_sql["gateways"], params)]


def gateway(connection: Connection, gateway_id: int) -> Place:
    """One gateway. NotFoundError when it is not in scope or in use."""
    row = connection.execute(_sql["gateway"], {"gateway_id": gateway_id}).fetchone()
    if row is None:
        raise NotFoundError(f"there is no gateway {gateway_id} here", gateway_id=gateway_id)
    return Place(**row)


def residents_to_watch(connection: Connection, site_id: int) -> list[Watchable]:
    """The people of a site."""
    rows = connection.execute(_sql["residents"], {"site_id": site_id})
    return [
        Watchable(f"resident:{row['id']}", row["name"], row["room_name"], row["bed_label"]) for row in rows
    ]


def rooms_to_watch(connection: Connection, site_id: int) -> list[Watchable]:
    """The rooms of a site."""
    rows = connection.execute(_sql["rooms"], {"site_id": site_id})
    return [Watchable(f"room:{row['id']}", row["name"]) for row in rows]


def open_codes(connection: Connection) -> list[OpenCode]:
    """The codes in scope that still wait."""
    return [OpenCode.from_row(row) for row in connection.execute(_sql["open_codes"])]
