"""Who acts: staff, how far they can see, and the name under which the record keeps what they did."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from database.record import Record


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


SCOPES: Mapping[StaffRole, frozenset[ScopeKind]] = {
    StaffRole.COUNTY_SUPERVISOR: frozenset({ScopeKind.COUNTY}),
    StaffRole.TOWNSHIP_OFFICER: frozenset({ScopeKind.TOWNSHIP}),
    StaffRole.OPERATOR_MANAGER: frozenset({ScopeKind.OPERATOR}),
    StaffRole.HOME_DIRECTOR: frozenset({ScopeKind.SITE}),
    StaffRole.SHIFT_LEADER: frozenset({ScopeKind.SITE}),
    StaffRole.CAREGIVER: frozenset({ScopeKind.SITE}),
    StaffRole.CARER: frozenset({ScopeKind.SITE}),
    StaffRole.VILLAGE_ASSISTANT: frozenset({ScopeKind.SITE}),
}
"""How far each role may see; in SQL: care.role_scope."""


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


class Actor(NamedTuple):
    """Who acts: a member of staff (with an id), a device or a detector (without)."""

    name: str
    staff_id: int | None = None
