"""Whom the broker refused, and how much room the centre's disk has left."""

from datetime import datetime
from enum import StrEnum

from database.connections import Connection
from database.queries import queries
from database.record import Record
from protocol.model import DeviceKind

_sql = queries("dashboard.devices", "refusals.sql")

REFUSALS_MAX = 50
FREE_SHARE_MIN = 0.1
FREE_BYTES_MIN = 2 * 1024**3
"""With less than this, or than that share where it is not ten times as much, people are told."""


class Advice(StrEnum):
    """What to do about a refusal."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    TOO_LARGE = "too_large"


class Refusal(Record, frozen=True, kw_only=True):
    """Somebody whom the broker refused; `device_kind` None: nobody of that name is registered."""

    reason: str
    name: str
    address: str
    count: int
    last_at: datetime
    device_kind: DeviceKind | None

    @property
    def advice(self) -> Advice:
        """What to do about it."""
        if self.reason == "too_large":
            return Advice.TOO_LARGE
        return Advice.UNKNOWN if self.device_kind is None else Advice.KNOWN


class Disk(Record, frozen=True, kw_only=True):
    """A disk that is nearly full."""

    host: str
    free_bytes: int
    total_bytes: int


def refusals(connection: Connection) -> list[Refusal]:
    """The refusals of the last 30 days, the latest first."""
    return [Refusal.from_row(row) for row in connection.execute(_sql["refusals"], {"limit": REFUSALS_MAX})]


def filling_disks(connection: Connection) -> list[Disk]:
    """The disks of the centre that will soon be full."""
    params = {"share_min": FREE_SHARE_MIN, "bytes_min": FREE_BYTES_MIN}
    return [Disk.from_row(row) for row in connection.execute(_sql["filling_disks"], params)]
