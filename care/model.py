"""The nouns of the care record. Frozen, keyword-only; times aware, in UTC. Terms: docs/glossary.md."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Self

import msgspec

from gateway.model import AlarmKind, DeviceKind, PowerSource


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


class StaffRole(StrEnum):
    """The function of a member of staff."""

    COUNTY_SUPERVISOR = "county_supervisor"
    TOWNSHIP_OFFICER = "township_officer"
    OPERATOR_MANAGER = "operator_manager"
    HOME_DIRECTOR = "home_director"
    SHIFT_LEADER = "shift_leader"
    CAREGIVER = "caregiver"
    CARER = "carer"
    VILLAGE_ASSISTANT = "village_assistant"


class ScopeKind(StrEnum):
    """How far a member of staff can see."""

    COUNTY = "county"
    TOWNSHIP = "township"
    OPERATOR = "operator"
    SITE = "site"


class AlarmPriority(StrEnum):
    """After IEC 60601-1-8."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class AlarmState(StrEnum):
    """Where an alarm stands. The machine that moves it is in `care.alarms`."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    ARRIVED = "arrived"
    RESOLVED = "resolved"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    CLEARED = "cleared"


class AlarmStep(StrEnum):
    """What can happen to an alarm; each is a line of its timeline."""

    RAISED = "raised"
    REPEATED = "repeated"
    ACKNOWLEDGED = "acknowledged"
    ARRIVED = "arrived"
    RESOLVED = "resolved"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    CLEARED = "cleared"
    CONDITION_ENDED = "condition_ended"
    ESCALATED = "escalated"
    NOTED = "noted"


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of what is read from a row: columns by name, enums and times checked."""

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """The record in `row`; columns it does not know are left aside."""
        return msgspec.convert(row, cls)


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


class Staff(Record, frozen=True, kw_only=True):
    """A member of staff, with the scope of what they may see."""

    id: int
    username: str
    name: str
    role: StaffRole
    scope: ScopeKind
    township: str | None = None
    operator_id: int | None = None
    phone: str | None = None
    language: str = "zh_CN"


class Alarm(Record, frozen=True, kw_only=True):
    """An alarm as it stands."""

    id: int
    site_id: int
    resident_id: int | None
    room_id: int | None
    device_id: int | None
    kind: AlarmKind
    priority: AlarmPriority
    state: AlarmState
    source: str
    detector: str | None
    evidence: dict[str, Any]
    signal_count: int
    escalation_level: int
    raised_at: datetime
    opened_at: datetime
    last_signal_at: datetime
    condition_ended_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: int | None
    arrived_at: datetime | None
    resolved_at: datetime | None
    ended_at: datetime | None
    family_notice: str | None


class AlarmEvent(Record, frozen=True, kw_only=True):
    """One line of an alarm's timeline."""

    id: int
    alarm_id: int
    at: datetime
    step: AlarmStep
    state_after: AlarmState
    staff_id: int | None
    actor: str
    note: str | None
    detail: dict[str, Any]
