"""The words that only the devices page says."""

from collections.abc import Mapping
from enum import StrEnum

from dashboard.devices.intake import Process, Trouble
from dashboard.languages import N_
from protocol.errors import DeadReason
from protocol.model import PowerSource

POWER: Mapping[StrEnum, str] = {
    PowerSource.MAINS: N_("mains"),
    PowerSource.BATTERY: N_("battery"),
}
DEAD_REASON: Mapping[StrEnum, str] = {
    DeadReason.UNKNOWN_TOPIC: N_("Unknown topic"),
    DeadReason.TOO_LARGE: N_("Too large"),
    DeadReason.MALFORMED: N_("Not readable"),
    DeadReason.INVALID: N_("Not a valid message"),
    DeadReason.OUT_OF_LIMITS: N_("A value beyond what is possible"),
    DeadReason.NO_SIGNS: N_("No vital sign in it"),
    DeadReason.UNKNOWN_DEVICE: N_("Unknown device"),
    DeadReason.WRONG_SITE: N_("Device of another place"),
    DeadReason.REFUSED_BY_DATABASE: N_("Refused by the database"),
}
INTAKE: Mapping[StrEnum, str] = {
    Process.ALARMS: N_("Alarms"),
    Process.READINGS: N_("Readings"),
    Process.SETTLE: N_("Latest values and history"),
    Process.GATEWAYS: N_("Gateways and new devices"),
}
INTAKE_TROUBLE: Mapping[StrEnum, str] = {
    Trouble.SILENT: N_("no sign of life"),
    Trouble.DISCONNECTED: N_("cut off from the broker"),
    Trouble.LATE: N_("late"),
}
INTAKE_CONSEQUENCE: Mapping[StrEnum, str] = {
    Process.ALARMS: N_(
        "Alarms from devices do not come in. Look after people in person, and call for technical help now."
    ),
    Process.READINGS: N_("Readings do not come in or come late. Alarms have a way of their own."),
    Process.SETTLE: N_("The latest values on these pages stand still. Readings and alarms do come in."),
    Process.GATEWAYS: N_(
        "New devices and gateways are not taken up. All others work, and alarms and readings do come in."
    ),
}
"""What it means for people when a part of intake is in trouble."""
