"""Alarms as people see them: a card has all that somebody needs who runs there."""

from datetime import date, datetime
from typing import NamedTuple

from alarms.model import Alarm, AlarmStep
from care.model import SelfCareLevel, SiteKind
from dashboard.languages import Language
from dashboard.rooms import room_name
from database.connections import Connection
from database.errors import NotFoundError
from database.queries import queries
from protocol.model import DeviceKind

_sql = queries("dashboard", "cards.sql")

CARDS_MAX = 200


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
    family_contact: str | None
    room_name: str | None
    bed_label: str | None
    device_name: str | None
    device_kind: DeviceKind | None
    last_actor: str | None
    last_at: datetime | None
    ended_by_device: bool | None
    escalated_to: str | None
    is_late: bool
    reopened_by: AlarmStep | None


class Cards(NamedTuple):
    """The most urgent alarms, and how many there are in all."""

    cards: list[Card]
    total: int


def of_site(connection: Connection, site_id: int | None) -> Cards:
    """The alarms that are not ended, of one site or of all in scope."""
    params = {"site_id": site_id, "alarm_id": None, "limit": CARDS_MAX}
    rows = connection.execute(_sql["cards"], params).fetchall()
    return Cards([Card.from_row(row) for row in rows], rows[0]["total"] if rows else 0)


def of_alarm(connection: Connection, alarm_id: int) -> Card:
    """One alarm, ended or not. NotFoundError when it is not in scope."""
    params = {"site_id": None, "alarm_id": alarm_id, "limit": 1}
    row = connection.execute(_sql["cards"], params).fetchone()
    if row is None:
        raise NotFoundError(f"there is no alarm {alarm_id} here", alarm_id=alarm_id)
    return Card.from_row(row)


def about(card: Card, language: Language) -> str:
    """Whom an alarm is about, else the room or the place."""
    return card.resident_name or room_name(card.room_name, language) or card.site_name
