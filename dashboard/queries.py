"""What the pages read: named queries to frozen values. Each runs on a connection inside `scope_of`."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from alarms.kinds import AlarmKind
from alarms.model import Alarm, AlarmPriority, AlarmState
from care.model import CareCategory, SelfCareLevel, SiteKind
from dashboard.evidence import Case
from database.connections import Connection
from database.errors import NotFoundError
from database.queries import queries
from database.record import Record
from protocol.model import DeviceKind, PowerSource

_desk = queries("dashboard", "sql/desk.sql")
_resident = queries("dashboard", "sql/resident.sql")
_county = queries("dashboard", "sql/county.sql")

CARDS_MAX = 200
BEDS_MAX = 120
MISSED_MAX = 50
ALARMS_OF_RESIDENT_MAX = 20
DEVICES_MAX = 500
DEAD_LETTERS_MAX = 20
BATTERY_LOW_PERCENT = 20
SILENT_AFTER: Mapping[PowerSource, timedelta] = {
    PowerSource.MAINS: timedelta(minutes=10),
    PowerSource.BATTERY: timedelta(hours=25),
}
"""After this silence a device counts as offline."""
_SILENT_AFTER = {f"{power}_silent_after": after for power, after in SILENT_AFTER.items()}

STALE_AFTER: Mapping[str, timedelta] = {
    "hr": timedelta(minutes=15),
    "rr": timedelta(minutes=15),
    "spo2": timedelta(minutes=15),
    "temp": timedelta(hours=24),
    "bp": timedelta(hours=24),
    "glucose": timedelta(hours=24),
    "weight": timedelta(days=31),
    "in_bed": timedelta(hours=12),
}
"""From this age on a value no longer tells how somebody is now, and is shown in grey.

Pulse, breathing and oxygen come from sensors that measure all the time; the rest is taken by hand.
"""


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


class Card(Alarm, frozen=True, kw_only=True):
    """An alarm with all that somebody needs who runs to it."""

    site_name: str
    site_kind: SiteKind
    address: str | None
    village: str | None
    site_phone: str | None
    resident_name: str | None
    sex: str | None
    born_on: date | None
    self_care_level: SelfCareLevel | None
    resident_phone: str | None
    room_name: str | None
    bed_label: str | None
    device_name: str | None
    device_kind: DeviceKind | None
    last_actor: str | None
    last_at: datetime | None
    ended_by_device: bool | None


class Cards(NamedTuple):
    """The most urgent alarms, and how many there are in all."""

    cards: list[Card]
    total: int


class Counts(Record, frozen=True, kw_only=True):
    """Alarms: urgent ones that nobody answers, all that nobody answers, all that are active."""

    urgent: int
    open: int
    active: int


class Missed(Record, frozen=True, kw_only=True):
    """An alarm that began and ended while a page was cut off."""

    id: int
    kind: AlarmKind
    priority: AlarmPriority
    state: AlarmState
    opened_at: datetime
    ended_at: datetime
    resident_name: str | None
    site_name: str


class Reading(NamedTuple):
    """The latest value of a sign. `value` is as it is shown: blood pressure is two numbers."""

    sign: str
    value: str
    at: datetime
    stale: bool


class Bed(NamedTuple):
    """A resident in the bed grid."""

    id: int
    name: str
    sex: str
    age_years: int
    self_care_level: SelfCareLevel
    on_oxygen: bool
    site_id: int
    site_name: str
    room_name: str | None
    bed_label: str | None
    readings: list[Reading]
    in_bed: bool | None
    in_bed_at: datetime | None
    alarm_id: int | None
    alarm_priority: AlarmPriority | None
    alarm_kind: AlarmKind | None


class Resident(Record, frozen=True, kw_only=True):
    """A resident with where they live."""

    id: int
    site_id: int
    name: str
    sex: str
    born_on: date
    category: CareCategory
    self_care_level: SelfCareLevel
    can_eat: bool
    can_dress: bool
    can_get_in_and_out_of_bed: bool
    can_toilet: bool
    can_walk_indoors: bool
    can_bathe: bool
    spo2_scale: int
    on_oxygen: bool
    phone: str | None
    family_contact: str | None
    notes: str | None
    admitted_on: date
    left_on: date | None
    site_name: str
    site_kind: SiteKind
    address: str | None
    village: str | None
    township: str
    site_phone: str | None
    room_name: str | None
    bed_label: str | None


class WornDevice(Record, frozen=True, kw_only=True):
    """A device that watches a resident now."""

    id: int
    name: str
    kind: DeviceKind
    model: str | None
    power: PowerSource
    since: datetime
    last_seen_at: datetime | None
    online: bool | None
    battery: int | None

    @property
    def live(self) -> bool:
        """Whether it was heard lately and does not say that it is offline."""
        if self.last_seen_at is None or self.online is False:
            return False
        return datetime.now(UTC) - self.last_seen_at < SILENT_AFTER[self.power]


class PastAlarm(Record, frozen=True, kw_only=True):
    """A line in a resident's list of alarms."""

    id: int
    kind: AlarmKind
    priority: AlarmPriority
    state: AlarmState
    opened_at: datetime
    acknowledged_at: datetime | None
    ended_at: datetime | None


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


def sites(connection: Connection) -> list[Site]:
    """The open sites in scope."""
    return [Site.from_row(row) for row in connection.execute(_desk["sites"])]


def site_ids(connection: Connection) -> frozenset[int]:
    """The ids of all sites in scope."""
    return frozenset(row["id"] for row in connection.execute(_desk["site_ids"]))


def last_event_id(connection: Connection, site_id: int | None) -> int:
    """The newest line of the timelines in scope; 0 when there is none."""
    row = connection.execute(_desk["last_event"], {"site_id": site_id}).fetchone()
    return 0 if row is None else int(row["id"])


def last_feedback_id(connection: Connection, site_id: int | None) -> int:
    """The newest of what people said of alarms in scope; 0 when there is none."""
    row = connection.execute(_desk["last_feedback"], {"site_id": site_id}).fetchone()
    return 0 if row is None else int(row["id"])


def cards(connection: Connection, site_id: int | None) -> Cards:
    """The alarms that are not ended, of one site or of all in scope."""
    params = {"site_id": site_id, "alarm_id": None, "limit": CARDS_MAX}
    rows = connection.execute(_desk["alarm_cards"], params).fetchall()
    return Cards([Card.from_row(row) for row in rows], rows[0]["total"] if rows else 0)


def card(connection: Connection, alarm_id: int) -> Card:
    """One alarm, ended or not. NotFoundError when it is not in scope."""
    params = {"site_id": None, "alarm_id": alarm_id, "limit": 1}
    row = connection.execute(_desk["alarm_cards"], params).fetchone()
    if row is None:
        raise NotFoundError(f"there is no alarm {alarm_id} here", alarm_id=alarm_id)
    return Card.from_row(row)


def counts(connection: Connection, site_id: int | None = None) -> Counts:
    """How many alarms wait."""
    row = connection.execute(_desk["alarm_counts"], {"site_id": site_id}).fetchone()
    assert row is not None, "an aggregate gives a row"
    return Counts.from_row(row)


def missed(connection: Connection, site_id: int | None, after: int) -> list[Missed]:
    """Alarms that began after the event `after` (or just before it) and have ended."""
    params = {"site_id": site_id, "after": after, "limit": MISSED_MAX}
    return [Missed.from_row(row) for row in connection.execute(_desk["ended_since"], params)]


def beds(connection: Connection, site_id: int | None, now: datetime | None = None) -> list[Bed]:
    """The residents with their beds and latest signs, at most BEDS_MAX."""
    now = now or datetime.now(UTC)
    rows = connection.execute(_desk["beds"], {"site_id": site_id, "limit": BEDS_MAX})
    return [
        Bed(
            id=row["id"],
            name=row["name"],
            sex=row["sex"],
            age_years=age_years(row["born_on"], now.date()),
            self_care_level=SelfCareLevel(row["self_care_level"]),
            on_oxygen=row["on_oxygen"],
            site_id=row["site_id"],
            site_name=row["site_name"],
            room_name=row["room_name"],
            bed_label=row["bed_label"],
            readings=readings(row, now, ("hr", "rr", "spo2", "temp", "bp")),
            in_bed=row["in_bed"] if _fresh(row["in_bed_at"], "in_bed", now) else None,
            in_bed_at=row["in_bed_at"],
            alarm_id=row["alarm_id"],
            alarm_priority=row["alarm_priority"] and AlarmPriority(row["alarm_priority"]),
            alarm_kind=row["alarm_kind"] and AlarmKind(row["alarm_kind"]),
        )
        for row in rows
    ]


def readings(row: Mapping[str, Any], now: datetime, signs: tuple[str, ...]) -> list[Reading]:
    """The latest values in a row of resident_state, in the order of `signs`."""
    found: list[Reading] = []
    for sign in signs:
        column = "sbp" if sign == "bp" else sign
        value, at = row[column], row[f"{column}_at"]
        if value is None or at is None:
            continue
        shown = f"{value:.1f}" if sign in ("temp", "glucose", "weight") else f"{value:.0f}"
        if sign == "bp":
            shown += f"/{row['dbp']:.0f}" if row["dbp"] is not None else "/–"
        found.append(Reading(sign, shown, at, stale=not _fresh(at, sign, now)))
    return found


def resident(connection: Connection, resident_id: int) -> Resident:
    """One resident. NotFoundError when not in scope."""
    row = connection.execute(_resident["resident"], {"resident_id": resident_id}).fetchone()
    if row is None:
        raise NotFoundError(f"there is no resident {resident_id} here", resident_id=resident_id)
    return Resident.from_row(row)


def latest_readings(connection: Connection, resident_id: int) -> list[Reading]:
    """The latest value of every sign that was ever measured."""
    row = connection.execute(_resident["latest"], {"resident_id": resident_id}).fetchone()
    if row is None:
        return []
    return readings(row, datetime.now(UTC), ("hr", "rr", "spo2", "temp", "bp", "glucose", "weight"))


def devices_of(connection: Connection, resident_id: int) -> list[WornDevice]:
    """The devices that watch a resident now."""
    rows = connection.execute(_resident["devices"], {"resident_id": resident_id})
    return [WornDevice.from_row(row) for row in rows]


def alarms_of(connection: Connection, resident_id: int) -> list[PastAlarm]:
    """A resident's last alarms, the newest first."""
    params = {"resident_id": resident_id, "limit": ALARMS_OF_RESIDENT_MAX}
    return [PastAlarm.from_row(row) for row in connection.execute(_resident["alarms"], params)]


def people_of(connection: Connection, cases: Sequence[Case]) -> list[AffectedPerson]:
    """The cases of an outbreak with names; those out of scope are left out."""
    ids = {"resident_ids": [case.resident_id for case in cases]}
    names = {row["id"]: row["name"] for row in connection.execute(_resident["names"], ids)} if cases else {}
    return [
        AffectedPerson(case.resident_id, names[case.resident_id], case.first_at, case.signs)
        for case in cases
        if case.resident_id in names
    ]


def room_names(connection: Connection, room_ids: Collection[int]) -> Mapping[int, str]:
    """The names of rooms in scope by their ids."""
    rows = connection.execute(_resident["room_names"], {"room_ids": list(room_ids)})
    return {row["id"]: row["name"] for row in rows}


def site_reports(connection: Connection) -> tuple[SiteReport, list[SiteReport]]:
    """All sites in scope together, and each."""
    reports = [SiteReport.from_row(row) for row in connection.execute(_county["sites"], _SILENT_AFTER)]
    whole = next(report for report in reports if report.id is None)
    return whole, [report for report in reports if report.id is not None]


def troubled_devices(connection: Connection, site_id: int | None) -> list[TroubledDevice]:
    """Devices that are silent or low on battery, at most DEVICES_MAX."""
    params = {
        "site_id": site_id,
        "battery_low": BATTERY_LOW_PERCENT,
        "limit": DEVICES_MAX,
        **_SILENT_AFTER,
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


def age_years(born_on: date, today: date) -> int:
    """Whole years of age on a day."""
    return today.year - born_on.year - ((today.month, today.day) < (born_on.month, born_on.day))


def _fresh(at: datetime | None, sign: str, now: datetime) -> bool:
    return at is not None and now - at <= STALE_AFTER[sign]


def _readable(payload: bytes) -> str:
    text = payload[: PAYLOAD_SHOWN_MAX * 4].decode("utf-8", "replace")
    return "".join(char if char.isprintable() else "·" for char in text)[:PAYLOAD_SHOWN_MAX]
