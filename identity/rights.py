"""Who may do what: the one table, a row for each function.

Pages ask it before they act and before they show a button. The database judges by itself who changes devices,
detectors and the county's rules; a test compares its answers with this table.
"""

from collections.abc import Mapping
from enum import StrEnum

from database.errors import DomainError
from identity.model import StaffRole


class Right(StrEnum):
    """What somebody may do to what they see. A step of an alarm is named like the step."""

    ACKNOWLEDGE = "acknowledged"
    ARRIVE = "arrived"
    RESOLVE = "resolved"
    CLOSE = "closed"
    CANCEL = "cancelled"
    UNDO = "undone"
    RELEASE = "released"
    NOTE = "noted"
    JUDGE = "judge"
    MANAGE_DEVICES = "manage_devices"
    SET_DETECTORS = "set_detectors"
    SET_POLICY = "set_policy"
    MANAGE_ACCOUNTS = "manage_accounts"


class NoRightError(DomainError):
    """The person's function does not allow it."""

    code = "no_right"


_GOES = frozenset(
    {
        Right.ACKNOWLEDGE,
        Right.ARRIVE,
        Right.RESOLVE,
        Right.CLOSE,
        Right.CANCEL,
        Right.UNDO,
        Right.RELEASE,
    }
)
"""Of those who can stand at the bed: an alarm falls silent by such a step because somebody is on the way."""
_SAYS = frozenset({Right.NOTE, Right.JUDGE})
_KEEPS = frozenset({Right.MANAGE_DEVICES, Right.SET_DETECTORS})

RIGHTS: Mapping[StaffRole, frozenset[Right]] = {
    # From an office nobody can go: a wrong press there would silence a home.
    StaffRole.COUNTY_SUPERVISOR: _SAYS | _KEEPS | {Right.SET_POLICY, Right.MANAGE_ACCOUNTS},
    # They do go: to elders in homes of their own, when the village's assistant does not answer.
    StaffRole.TOWNSHIP_OFFICER: _GOES | _SAYS | _KEEPS,
    StaffRole.OPERATOR_MANAGER: _SAYS | _KEEPS,
    StaffRole.HOME_DIRECTOR: _GOES | _SAYS | _KEEPS,
    StaffRole.SHIFT_LEADER: _GOES | _SAYS | {Right.SET_DETECTORS},
    StaffRole.CAREGIVER: _GOES | _SAYS,
    StaffRole.CARER: _GOES | _SAYS,
    StaffRole.VILLAGE_ASSISTANT: _GOES | _SAYS,
}


def may(role: StaffRole, right: Right) -> bool:
    """Whether a function has a right."""
    return right in RIGHTS[role]


def require(role: StaffRole, right: Right) -> None:
    """NoRightError unless the function has the right."""
    if not may(role, right):
        raise NoRightError(f"{role} may not: {right}", role=role, right=right)
