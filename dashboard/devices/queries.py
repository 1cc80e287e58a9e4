"""What the devices page asks. Each query runs on a connection inside `scope_of`."""

from datetime import datetime
from typing import NamedTuple

from database.connections import Connection
from database.errors import NotFoundError
from database.queries import queries
from database.record import Record
from protocol.model import DeviceKind, PowerSource

_sql = queries("dashboard.devices", "queries.sql")

DEVICES_MAX = 500
UNASSIGNED_MAX = 100
DEAD_LETTERS_MAX = 20
PAYLOAD_SHOWN_MAX = 300


class TroubledDevice(Record, frozen=True, kw_only=True):
    """A device that somebody should look at."""

    id: int
    name: str
    kind: DeviceKind
    power: PowerSource
    site_id: int
    site_name: str
    resident_id: int | None
    resident_name: str | None
    room_name: str | None
    last_seen_at: datetime | None
    online: bool | None
    battery: int | None
    rssi: int | None
    silent: bool
    battery_low: bool
    total: int


class UnassignedDevice(Record, frozen=True, kw_only=True):
    """A device that watches nobody; `label`: what the house calls it."""

    id: int
    name: str
    kind: DeviceKind
    site_id: int
    site_name: str
    label: str | None
    last_seen_at: datetime | None
    total: int


class DeadLetterCount(Record, frozen=True, kw_only=True):
    """How often a reason occurred in 30 days and in the last."""

    reason: str
    total: int
    last_day: int
    latest_at: datetime


class DeadLetter(NamedTuple):
    """A message that could not be stored; `payload` as text, cut."""

    received_at: datetime
    topic: str
    payload: str
    payload_bytes: int
    reason: str
    detail: str


def troubled_devices(connection: Connection, site_id: int | None) -> list[TroubledDevice]:
    """Devices that are silent or low on battery, at most DEVICES_MAX."""
    params = {"site_id": site_id, "limit": DEVICES_MAX}
    return [TroubledDevice.from_row(row) for row in connection.execute(_sql["troubled_devices"], params)]


def unassigned_devices(connection: Connection, site_id: int | None) -> list[UnassignedDevice]:
    """Devices that watch nobody, those heard last first, at most UNASSIGNED_MAX."""
    params = {"site_id": site_id, "device_id": None, "limit": UNASSIGNED_MAX}
    return [UnassignedDevice.from_row(row) for row in connection.execute(_sql["unassigned_devices"], params)]


def unassigned_device(connection: Connection, device_id: int) -> UnassignedDevice:
    """One of them. NotFoundError when it is not in scope, or watches somebody."""
    params = {"site_id": None, "device_id": device_id, "limit": 1}
    row = connection.execute(_sql["unassigned_devices"], params).fetchone()
    if row is None:
        raise NotFoundError(f"there is no device {device_id} here that watches nobody", device_id=device_id)
    return UnassignedDevice.from_row(row)


def dead_letter_counts(connection: Connection) -> list[DeadLetterCount]:
    """Why messages could not be stored, in the last 30 days."""
    return [DeadLetterCount.from_row(row) for row in connection.execute(_sql["dead_letter_counts"])]


def dead_letters(connection: Connection) -> list[DeadLetter]:
    """The latest messages that could not be stored."""
    rows = connection.execute(_sql["dead_letters"], {"limit": DEAD_LETTERS_MAX})
    return [
        DeadLetter(
            row["received_at"],
            row["topic"],
            _readable(row["payload"]),
            row["payload_bytes"],
            row["reason"],
            row["detail"],
        )
        for row in rows
    ]


def _readable(payload: bytes) -> str:
    text = payload[: PAYLOAD_SHOWN_MAX * 4].decode("utf-8", "replace")
    return "".join(char if char.isprintable() else "·" for char in text)[:PAYLOAD_SHOWN_MAX]
