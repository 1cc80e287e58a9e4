"""The nouns of the care record. Frozen, keyword-only; times aware, in UTC. Terms: docs/glossary.md."""

from datetime import date
from enum import StrEnum

from database.record import Record
from protocol.model import DeviceKind, PowerSource


class SiteKind(StrEnum):
    """What sort of place a site is."""

    CARE_HOME = "care_home"
    DAY_CENTRE = "day_centre"
    HOUSEHOLD = "household"


class CareCategory(StrEnum):
    """Under which scheme a resident is cared for."""

    TEKUN_CENTRALISED = "tekun_centralised"
    TEKUN_DISPERSED = "tekun_dispersed"
    PRIVATE = "private"


class SelfCareLevel(StrEnum):
    """自理能力, from the number of the six abilities that are lost: 0, 1-3, 4-6."""

    ABLE = "able"
    PARTIAL_LOSS = "partial_loss"
    TOTAL_LOSS = "total_loss"


class Ability(StrEnum):
    """The six abilities of the self-care assessment; values are columns of care.resident."""

    EAT = "can_eat"
    DRESS = "can_dress"
    GET_IN_AND_OUT_OF_BED = "can_get_in_and_out_of_bed"
    TOILET = "can_toilet"
    WALK_INDOORS = "can_walk_indoors"
    BATHE = "can_bathe"


class RoomKind(StrEnum):
    """What a room is for; some detectors look at bathrooms and bedrooms with different eyes."""

    BEDROOM = "bedroom"
    BATHROOM = "bathroom"
    KITCHEN = "kitchen"
    LIVING_ROOM = "living_room"
    HALLWAY = "hallway"
    OTHER = "other"


class Operator(Record, frozen=True, kw_only=True):
    """运营方: an organisation that runs homes under contract."""

    id: int
    code: str
    name: str
    phone: str | None = None


class Site(Record, frozen=True, kw_only=True):
    """A care home, day centre or household."""

    id: int
    code: str
    kind: SiteKind
    name: str
    operator_id: int | None = None
    township: str
    village: str | None = None
    address: str | None = None
    phone: str | None = None


class Resident(Record, frozen=True, kw_only=True):
    """An elder in care."""

    id: int
    site_id: int
    name: str
    sex: str
    born_on: date
    category: CareCategory
    self_care_level: SelfCareLevel
    spo2_scale: int = 1
    on_oxygen: bool = False
    phone: str | None = None
    family_contact: str | None = None


class Device(Record, frozen=True, kw_only=True):
    """A device and whom or what it watches now."""

    id: int
    site_id: int
    name: str
    kind: DeviceKind
    power: PowerSource
    model: str | None = None
    resident_id: int | None = None
    room_id: int | None = None
