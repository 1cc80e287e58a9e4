"""A resident with where they live, as every page about them needs it."""

from datetime import date

from care.model import CareCategory, SelfCareLevel, SiteKind
from database.connections import Connection
from database.errors import NotFoundError
from database.queries import queries
from database.record import Record

_sql = queries("dashboard", "residents.sql")


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


def resident(connection: Connection, resident_id: int) -> Resident:
    """One resident. NotFoundError when not in scope."""
    row = connection.execute(_sql["resident"], {"resident_id": resident_id}).fetchone()
    if row is None:
        raise NotFoundError(f"there is no resident {resident_id} here", resident_id=resident_id)
    return Resident.from_row(row)


def age_years(born_on: date, today: date) -> int:
    """Whole years of age on a day."""
    return today.year - born_on.year - ((today.month, today.day) < (born_on.month, born_on.day))
