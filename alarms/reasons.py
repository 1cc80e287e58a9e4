"""Why people find an alarm right or wrong: the reasons, and the sets of them that kinds of alarm offer."""

from enum import StrEnum
from typing import NamedTuple


class Reason(StrEnum):
    """Why somebody thinks so. Which are offered depends on the kind of alarm: `alarms.kinds`."""

    NEEDED_HELP = "needed_help"
    ILL = "ill"
    INJURED = "injured"
    FELL_UNHURT = "fell_unhurt"
    WENT_ASTRAY = "went_astray"
    DANGER = "danger"
    HABITS_CHANGED = "habits_changed"
    RESTLESS = "restless"
    NOT_HERE = "not_here"
    DEVICE_BROKEN = "device_broken"
    BATTERY_EMPTY = "battery_empty"
    NO_POWER_OR_NETWORK = "no_power_or_network"

    PRESSED_BY_MISTAKE = "pressed_by_mistake"
    TEST = "test"
    LAY_OR_SAT_DOWN = "lay_or_sat_down"
    PET_OR_OBJECT = "pet_or_object"
    COOKING_OR_STEAM = "cooking_or_steam"
    SOMEBODY_WITH_THEM = "somebody_with_them"
    USUAL_FOR_THEM = "usual_for_them"
    AWAY_AS_KNOWN = "away_as_known"
    MEASURED_WRONGLY = "measured_wrongly"
    DEVICE_FAULT = "device_fault"
    WORKED_AGAIN = "worked_again"

    OVER_ON_ARRIVAL = "over_on_arrival"
    NOT_LOOKED = "not_looked"
    OTHER = "other"


class Reasons(NamedTuple):
    """What is offered for a kind of alarm, the likeliest first."""

    confirming: tuple[Reason, ...]
    refuting: tuple[Reason, ...]


CALL = Reasons(
    (Reason.NEEDED_HELP, Reason.ILL, Reason.INJURED),
    (Reason.PRESSED_BY_MISTAKE, Reason.TEST, Reason.DEVICE_FAULT),
)
FALL = Reasons(
    (Reason.INJURED, Reason.FELL_UNHURT, Reason.NEEDED_HELP),
    (Reason.LAY_OR_SAT_DOWN, Reason.PET_OR_OBJECT, Reason.SOMEBODY_WITH_THEM, Reason.DEVICE_FAULT),
)
DANGER = Reasons(
    (Reason.DANGER,), (Reason.COOKING_OR_STEAM, Reason.TEST, Reason.DEVICE_FAULT, Reason.WORKED_AGAIN)
)
NIGHT = Reasons(
    (Reason.NEEDED_HELP, Reason.WENT_ASTRAY, Reason.FELL_UNHURT, Reason.INJURED),
    (Reason.SOMEBODY_WITH_THEM, Reason.USUAL_FOR_THEM, Reason.AWAY_AS_KNOWN, Reason.DEVICE_FAULT),
)
BODY = Reasons(
    (Reason.ILL, Reason.NEEDED_HELP),
    (Reason.MEASURED_WRONGLY, Reason.USUAL_FOR_THEM, Reason.SOMEBODY_WITH_THEM, Reason.DEVICE_FAULT),
)
HABITS = Reasons(
    (Reason.NEEDED_HELP, Reason.ILL, Reason.HABITS_CHANGED),
    (Reason.USUAL_FOR_THEM, Reason.AWAY_AS_KNOWN, Reason.SOMEBODY_WITH_THEM, Reason.DEVICE_FAULT),
)
RESTLESS = Reasons(
    (Reason.RESTLESS, Reason.ILL, Reason.NEEDED_HELP, Reason.HABITS_CHANGED),
    (Reason.USUAL_FOR_THEM, Reason.SOMEBODY_WITH_THEM, Reason.DEVICE_FAULT),
)
ABSENCE = Reasons((Reason.NOT_HERE, Reason.WENT_ASTRAY), (Reason.AWAY_AS_KNOWN, Reason.DEVICE_FAULT))
DEVICE = Reasons(
    (Reason.DEVICE_BROKEN, Reason.BATTERY_EMPTY, Reason.NO_POWER_OR_NETWORK),
    (Reason.WORKED_AGAIN, Reason.TEST, Reason.AWAY_AS_KNOWN),
)
