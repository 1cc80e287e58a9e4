"""The words that only an alarm's page says."""

from collections.abc import Mapping
from enum import StrEnum

from alarms.evidence import Grade
from alarms.feedback import Verdict
from dashboard.vocabulary import SIGN
from protocol.texts import N_

PROGRAM: Mapping[str, str] = {"escalation": N_("System"), "watch": N_("System")}
"""Programs that are no detectors, by their names in timelines. Escalation was once called `watch`."""
GRADE: Mapping[StrEnum, str] = {
    Grade.CERTAIN: N_("Certain"),
    Grade.LIKELY: N_("Likely"),
    Grade.DOUBTFUL: N_("Doubtful"),
}
VERDICT: Mapping[StrEnum, str] = {
    Verdict.TRUE: N_("Yes, it was right"),
    Verdict.FALSE: N_("No, a false alarm"),
    Verdict.UNSURE: N_("Not sure"),
}
VERDICT_ICON: Mapping[StrEnum, str] = {
    Verdict.TRUE: "circle-check",
    Verdict.FALSE: "circle-x",
    Verdict.UNSURE: "help",
}
HABIT: Mapping[str, str] = {
    "night_out_of_bed": N_("Getting up at night"),
    "night_bathroom": N_("Bathroom at night"),
    "day_bathroom": N_("Bathroom by day"),
    "day_bedroom": N_("Moving in the bedroom by day"),
    "kitchen": N_("Moving in the kitchen"),
    "living_room": N_("Moving in the living room"),
    "doors": N_("Doors opened"),
    "turns": N_("Turning in bed"),
    "day_bed": N_("Lying down by day"),
    "meals": N_("Meals and check-ins"),
    "active_hours": N_("Hours with activity"),
    "in_bed": N_("Time in bed"),
    "moves": N_("Changes of room"),
    "busiest_quarter": N_("Changes of room in the busiest six hours"),
}
"""Habits by their names in evidence, counted a day; one that is not here is shown by its name."""
FACT: Mapping[str, str] = {
    **{sign: text for sign, text in SIGN.items() if sign != "bp"},
    **HABIT,
    "score": N_("Score"),
    "silence_s": N_("No sign of activity for"),
    "away_s": N_("Out of bed for"),
    "still_s": N_("Lying still for"),
    "unseen_s": N_("Not seen for"),
    "door_at": N_("Door opened at"),
    "movement_at": N_("First movement after it"),
    "up_at": N_("On their feet again"),
    "last_sign_at": N_("Last sign of life"),
    "days": N_("Days without it"),
    "cases": N_("People ill"),
    "residents": N_("People here"),
    "battery": N_("Battery, %"),
    "days_left": N_("Days that the battery lasts"),
}
"""Facts of evidence by their names; those that are not here stand in the small print."""
