"""The words that only the policy's page says."""

from collections.abc import Mapping
from enum import StrEnum

from care.policy import Problem
from protocol.texts import N_


class Unit(StrEnum):
    """In what a value is shown and typed."""

    SECONDS = "seconds"
    MINUTES = "minutes"
    HOURS = "hours"
    DAYS = "days"
    NIGHTS = "nights"
    OCLOCK = "oclock"
    PERCENT = "percent"


UNIT: Mapping[StrEnum, str] = {
    Unit.SECONDS: N_("%(value)s s"),
    Unit.MINUTES: N_("%(value)s min"),
    Unit.HOURS: N_("%(value)s h"),
    Unit.DAYS: N_("%(value)s days"),
    Unit.NIGHTS: N_("%(value)s nights"),
    Unit.OCLOCK: N_("%(value)s:00"),
    Unit.PERCENT: N_("%(value)s%%"),
}
UNIT_NAME: Mapping[StrEnum, str] = {
    Unit.SECONDS: N_("seconds"),
    Unit.MINUTES: N_("minutes"),
    Unit.HOURS: N_("hours"),
    Unit.DAYS: N_("days"),
    Unit.NIGHTS: N_("nights"),
    Unit.OCLOCK: N_("o’clock"),
    Unit.PERCENT: N_("percent of its charge"),
}
GROUPS: Mapping[str, tuple[str, ...]] = {
    N_("Devices"): (
        "device_silence_mains_s",
        "device_silence_battery_s",
        "device_silence_on_demand_s",
        "battery_low_percent",
    ),
    N_("At night"): ("night_from_h", "night_to_h", "bed_exit_s", "wandering_s", "no_turning_s"),
    N_("Who lives here"): ("absence_days", "absence_red_days", "bed_unused_nights"),
    N_("Answering alarms"): ("answer_within_s", "arrive_within_s"),
}
"""Headings, and the values below each."""
LABEL: Mapping[str, str] = {
    "device_silence_mains_s": N_("Devices on mains: offline after"),
    "device_silence_battery_s": N_("Devices with a battery: offline after"),
    "device_silence_on_demand_s": N_("Devices used on demand: offline after"),
    "battery_low_percent": N_("Battery: low at"),
    "night_from_h": N_("The night begins at"),
    "night_to_h": N_("The night ends at"),
    "bed_exit_s": N_("Out of bed at night: call after"),
    "wandering_s": N_("Out of the door at night: call after"),
    "no_turning_s": N_("Not turned in bed: remind after"),
    "absence_days": N_("No sign of life: check after"),
    "absence_red_days": N_("No sign of life of the subsidised: urgent after"),
    "bed_unused_nights": N_("Bed unused: check after"),
    "answer_within_s": N_("Alarms answered within"),
    "arrive_within_s": N_("Somebody there within"),
}
HELP: Mapping[str, str] = {
    "device_silence_mains_s": N_("Gateways too. A silent mattress says nothing about who lies on it."),
    "device_silence_battery_s": N_("Buttons, door contacts, motion sensors, wristbands."),
    "device_silence_on_demand_s": N_("Cuffs, thermometers, glucometers, patrol tags: heard only when used."),
    "battery_low_percent": N_("From here on the device is listed; the alarm comes some days before."),
    "night_from_h": N_("From then on beds and doors are watched for who gets up or goes out."),
    "night_to_h": N_("2 to 14 hours, and the hour from 2 to 3 o’clock is always night."),
    "bed_exit_s": N_("When they have not come back to bed by then."),
    "wandering_s": N_("When nothing was seen inside since the door."),
    "no_turning_s": N_("For those who cannot turn alone."),
    "absence_days": N_("Only where devices work that would have seen them."),
    "absence_red_days": N_("The same for those whom the state keeps."),
    "bed_unused_nights": N_("Where a mattress works and nobody lies on it."),
    "answer_within_s": N_("The goal that the overview measures."),
    "arrive_within_s": N_("The goal that the overview measures."),
}
PROBLEM: Mapping[StrEnum, str] = {
    Problem.NO_NUMBER: N_("Write a whole number."),
    Problem.TOO_LOW: N_("At least %(low)s."),
    Problem.TOO_HIGH: N_("At most %(high)s."),
    Problem.UNEVEN: N_("Write a whole number."),
    Problem.NOT_AFTER: N_("Must not be less than “%(before)s”."),
    Problem.NO_NIGHT: N_("A night has 2 to 14 hours, and the hour from 2 to 3 o’clock is one of them."),
}
