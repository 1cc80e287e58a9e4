"""The words that only the devices page says."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from dashboard.devices.intake import Process, Trouble
from dashboard.devices.refusals import Advice
from dashboard.languages import Language
from dashboard.vocabulary import ACTIVITY, ALARM_KIND, SIGN
from protocol.errors import DeadReason
from protocol.model import PowerSource
from protocol.texts import N_

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
    DeadReason.NOT_OF_KIND: N_("Not said by such a device"),
    DeadReason.REFUSED_BY_DATABASE: N_("Refused by the database"),
}
REFUSED: Mapping[StrEnum, str] = {
    Advice.KNOWN: N_("Its name is known, its secret is wrong: enter the secret anew, or give it a new one."),
    Advice.UNKNOWN: N_("Nobody of this name is registered: register the device, or pair the gateway."),
    Advice.TOO_LARGE: N_("A message was too large: let the device send less at once."),
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
_OF_ITSELF: Mapping[str, str] = {
    "battery": N_("battery"),
    "rssi": N_("signal strength"),
    "online": N_("whether it is there"),
    "fw": N_("its version"),
}
_SAYS: Mapping[str, Mapping[str, str]] = {
    "vitals": SIGN,
    "activity": {str(event): text for event, text in ACTIVITY.items()},
    "alarm": {str(kind): text for kind, text in ALARM_KIND.items()},
    "status": _OF_ITSELF,
}


def said(says: Sequence[str], language: Language) -> list[str]:
    """What a device can say, for people, each once; what has no word here is left as it is.

    Args:
        says: In the model's words, such as `vitals.hr` or `alarm.sos`.
        language: Of the reader.
    """
    told: dict[str, None] = {}
    for word in says:
        leaf, _, what = word.partition(".")
        text = _SAYS.get(leaf, {}).get(what)
        told[language.gettext(text) if text else word] = None
    return list(told)
