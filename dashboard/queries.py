"""What the pages read: named queries to frozen values. Each runs on a connection inside `scope_of`."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from alarms.evidence import Case
from care.model import SiteKind
from dashboard.silence import SILENT_AFTER_PARAMS
from database.connections import Connection
from database.queries import queries
from database.record import Record
from protocol.model import DeviceKind, PowerSource

_alarm = queries("dashboard", "sql/alarm.sql")
_county = queries("dashboard", "sql/county.sql")

DEVICES_MAX = 500
DEAD_LETTERS_MAX = 20
BATTERY_LOW_PERCENT = 20


class AffectedPerson(NamedTuple):
    """Somebody who is part of an outbreak."""

    resident_id: int
    name: str
    first_at: datetime | None
    signs: Sequence[str]


class SiteReport(Record, frozen=True, kw_only=True):
    """How a site does; `id` None: all sites in scope together. Seconds, and shares of 1 over 7 days."""

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
    answer_s_median: float | None
    answered_in_60_s: float | None
    arrived_in_15_min: float | None


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


PAYLOAD_SHOWN_MAX = 300


def people_of(connection: Connection, cases: Sequence[Case]) -> list[AffectedPerson]:
    """The cases of an outbreak with names; those out of scope are left out."""
    ids = {"resident_ids": [case.resident_id for case in cases]}
    names = {row["id"]: row["name"] for row in connection.execute(_alarm["names"], ids)} if cases else {}
    return [
        AffectedPerson(case.resident_id, names[case.resident_id], case.first_at, case.signs)
        for case in cases
        if case.resident_id in names
    ]


def site_reports(connection: Connection) -> tuple[SiteReport, list[SiteReport]]:
    """All sites in scope together, and each."""
    reports = [SiteReport.from_row(row) for row in connection.execute(_county["sites"], SILENT_AFTER_PARAMS)]
    whole = next(report for report in reports if report.id is None)
    return whole, [report for report in reports if report.id is not None]


def troubled_devices(connection: Connection, site_id: int | None) -> list[TroubledDevice]:
    """Devices that are silent or low on battery, at most DEVICES_MAX."""
    params = {
        "site_id": site_id,
        "battery_low": BATTERY_LOW_PERCENT,
        "limit": DEVICES_MAX,
        **SILENT_AFTER_PARAMS,
    }
    return [TroubledDevice.from_row(row) for row in connection.execute(_county["troubled_devices"], params)]


def dead_letter_counts(connection: Connection) -> list[DeadLetterCount]:
    """Why messages could not be stored, in the last 30 days."""
    return [DeadLetterCount.from_row(row) for row in connection.execute(_county["dead_letter_counts"])]


def dead_letters(connection: Connection) -> list[DeadLetter]:
    """The latest messages that could not be stored."""
    rows = connection.execute(_county["dead_letters"], {"limit": DEAD_LETTERS_MAX})
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
