"""The words that only this page says."""

from collections.abc import Mapping
from enum import StrEnum

from alarms.detector_settings import Problem
from protocol.texts import N_

PROBLEM: Mapping[StrEnum, str] = {
    Problem.NO_DATE: N_("Choose the last day on which it is off."),
    Problem.PAST: N_("This day is over. Choose today or a later one."),
    Problem.TOO_LONG: N_("At most %(days)s days at once, up to %(last)s. It can be prolonged then."),
    Problem.NOT_OFFERED: N_("Choose one of those that are offered."),
    Problem.HOURS_MISSING: N_("Choose both hours."),
    Problem.HOURS_EQUAL: N_("From and to are the same hour. For the whole day choose “at all times”."),
    Problem.HOURS_FEW: N_(
        "Too few: it must stay active for at least %(hours)s of the hours in which it looks. To silence it "
        "for some days switch it off above."
    ),
    Problem.NO_REASON: N_("Write in a few words why, for the colleagues who come after you."),
    Problem.REASON_LONG: N_("At most %(letters)s letters."),
    Problem.UNCONFIRMED: N_("Tick this first: somebody else must look after it."),
}
"""What is wrong with a wish to set a detector; stands beside the field."""
