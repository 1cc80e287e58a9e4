"""The words for the members of enums, as people on the ward say them. A test asks for every member."""

from collections.abc import Mapping
from enum import StrEnum

from alarms.detector_settings import Problem
from alarms.evidence import Grade
from alarms.feedback import Verdict
from alarms.kinds import FINDERS, KINDS, RULES
from alarms.model import AlarmPriority, AlarmState, AlarmStep
from alarms.reasons import Reason
from care.model import SelfCareLevel, SiteKind
from dashboard.intake import Process, Trouble
from dashboard.languages import N_
from identity.model import ScopeKind, StaffRole
from protocol.errors import DeadReason
from protocol.model import (
    ActivityEvent,
    DeviceKind,
    PowerSource,
)


class Way(StrEnum):
    """How a family can be told."""

    PHONE = "phone"
    IN_PERSON = "in_person"
    MESSAGE = "message"
    NO_FAMILY = "no_family"


ALARM_KIND: Mapping[StrEnum, str] = {kind: row.words for kind, row in KINDS.items()}
ALARM_ICON: Mapping[StrEnum, str] = {kind: row.icon for kind, row in KINDS.items()}
ALARM_FIRST: Mapping[StrEnum, tuple[str, ...]] = {kind: row.first for kind, row in KINDS.items()}
"""What to do first."""
PRIORITY: Mapping[StrEnum, str] = {
    AlarmPriority.HIGH: N_("Urgent"),
    AlarmPriority.MEDIUM: N_("Soon"),
    AlarmPriority.LOW: N_("When possible"),
}
STATE: Mapping[StrEnum, str] = {
    AlarmState.OPEN: N_("Nobody on the way yet"),
    AlarmState.ACKNOWLEDGED: N_("Somebody is on the way"),
    AlarmState.ARRIVED: N_("Somebody is there"),
    AlarmState.RESOLVED: N_("Dealt with, not yet closed"),
    AlarmState.CLOSED: N_("Closed"),
    AlarmState.CANCELLED: N_("Cancelled"),
    AlarmState.CLEARED: N_("Over by itself"),
}
STEP: Mapping[StrEnum, str] = {
    AlarmStep.ACKNOWLEDGED: N_("I am going"),
    AlarmStep.ARRIVED: N_("I am there"),
    AlarmStep.RESOLVED: N_("Dealt with…"),
    AlarmStep.CLOSED: N_("Close…"),
    AlarmStep.CANCELLED: N_("False alarm…"),
}
"""What stands on the buttons; the other steps are not taken by people."""
STEP_ICON: Mapping[StrEnum, str] = {
    AlarmStep.RAISED: "bell-ringing",
    AlarmStep.REPEATED: "bell-ringing",
    AlarmStep.ACKNOWLEDGED: "run",
    AlarmStep.ARRIVED: "map-pin",
    AlarmStep.RESOLVED: "check",
    AlarmStep.CLOSED: "checks",
    AlarmStep.CANCELLED: "x",
    AlarmStep.CLEARED: "circle-check",
    AlarmStep.CONDITION_ENDED: "clock-pause",
    AlarmStep.ESCALATED: "speakerphone",
    AlarmStep.NOTED: "note",
}
STEP_DONE: Mapping[StrEnum, str] = {
    AlarmStep.RAISED: N_("alarm raised"),
    AlarmStep.REPEATED: N_("signalled again"),
    AlarmStep.ACKNOWLEDGED: N_("on the way"),
    AlarmStep.ARRIVED: N_("arrived"),
    AlarmStep.RESOLVED: N_("dealt with it"),
    AlarmStep.CLOSED: N_("closed it"),
    AlarmStep.CANCELLED: N_("cancelled it"),
    AlarmStep.CLEARED: N_("over by itself"),
    AlarmStep.CONDITION_ENDED: N_("reports that the cause has ended"),
    AlarmStep.ESCALATED: N_("noted that the next level should know"),
    AlarmStep.NOTED: N_("wrote a note"),
}
SITE_KIND: Mapping[StrEnum, str] = {
    SiteKind.CARE_HOME: N_("Care home"),
    SiteKind.DAY_CENTRE: N_("Day centre"),
    SiteKind.HOUSEHOLD: N_("Own home"),
}
SELF_CARE: Mapping[StrEnum, str] = {
    SelfCareLevel.ABLE: N_("Independent"),
    SelfCareLevel.PARTIAL_LOSS: N_("Needs some help"),
    SelfCareLevel.TOTAL_LOSS: N_("Needs full care"),
}
ROLE: Mapping[StrEnum, str] = {
    StaffRole.COUNTY_SUPERVISOR: N_("County supervisor"),
    StaffRole.TOWNSHIP_OFFICER: N_("Township officer"),
    StaffRole.OPERATOR_MANAGER: N_("Operator's manager"),
    StaffRole.HOME_DIRECTOR: N_("Director of the home"),
    StaffRole.SHIFT_LEADER: N_("Shift leader"),
    StaffRole.CAREGIVER: N_("Caregiver"),
    StaffRole.CARER: N_("Carer"),
    StaffRole.VILLAGE_ASSISTANT: N_("Village assistant"),
}
SCOPE: Mapping[StrEnum, str] = {
    ScopeKind.COUNTY: N_("The whole county"),
    ScopeKind.TOWNSHIP: N_("One township"),
    ScopeKind.OPERATOR: N_("One operator's homes"),
    ScopeKind.SITE: N_("Assigned places"),
}
DEVICE_KIND: Mapping[StrEnum, str] = {
    DeviceKind.SOS_BUTTON: N_("SOS button"),
    DeviceKind.PULL_CORD: N_("Pull cord"),
    DeviceKind.FALL_RADAR: N_("Fall radar"),
    DeviceKind.SMART_MATTRESS: N_("Smart mattress"),
    DeviceKind.MOTION: N_("Motion sensor"),
    DeviceKind.DOOR_CONTACT: N_("Door contact"),
    DeviceKind.SMOKE: N_("Smoke detector"),
    DeviceKind.GAS: N_("Gas detector"),
    DeviceKind.WATER_LEAK: N_("Water leak sensor"),
    DeviceKind.WRISTBAND: N_("Wristband"),
    DeviceKind.BP_CUFF: N_("Blood pressure cuff"),
    DeviceKind.GLUCOMETER: N_("Blood glucose meter"),
    DeviceKind.THERMOMETER: N_("Thermometer"),
    DeviceKind.HEALTH_KIOSK: N_("Health kiosk"),
    DeviceKind.PATROL_TAG: N_("Round tag"),
    DeviceKind.SIREN: N_("Siren"),
    DeviceKind.GATEWAY: N_("Gateway"),
}
POWER: Mapping[StrEnum, str] = {
    PowerSource.MAINS: N_("mains"),
    PowerSource.BATTERY: N_("battery"),
}
ACTIVITY: Mapping[StrEnum, str] = {
    ActivityEvent.MOTION: N_("Motion"),
    ActivityEvent.PRESENCE: N_("Somebody present"),
    ActivityEvent.ABSENCE: N_("Nobody present"),
    ActivityEvent.IN_BED: N_("In bed"),
    ActivityEvent.OUT_OF_BED: N_("Out of bed"),
    ActivityEvent.TURNED: N_("Turned over"),
    ActivityEvent.DOOR_OPEN: N_("Door opened"),
    ActivityEvent.DOOR_CLOSED: N_("Door closed"),
    ActivityEvent.MEAL: N_("Meal"),
    ActivityEvent.CHECK_IN: N_("Check-in"),
    ActivityEvent.ROUND: N_("Round"),
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
WAY: Mapping[StrEnum, str] = {
    Way.PHONE: N_("By phone"),
    Way.IN_PERSON: N_("In person"),
    Way.MESSAGE: N_("By message"),
    Way.NO_FAMILY: N_("No family: told the village or township"),
}
SEX: Mapping[str, str] = {"female": N_("Female"), "male": N_("Male")}
SIGN: Mapping[str, str] = {
    "hr": N_("Pulse"),
    "rr": N_("Breathing"),
    "spo2": N_("Oxygen"),
    "temp": N_("Temperature"),
    "bp": N_("Blood pressure"),
    "sbp": N_("Blood pressure, upper"),
    "dbp": N_("Blood pressure, lower"),
    "glucose": N_("Blood glucose"),
    "weight": N_("Weight"),
}
SIGN_UNIT: Mapping[str, str] = {
    "hr": N_("/min"),
    "rr": N_("/min"),
    "spo2": "%",
    "temp": "°C",
    "bp": "mmHg",
    "sbp": "mmHg",
    "dbp": "mmHg",
    "glucose": "mmol/L",
    "weight": "kg",
}
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
REASON: Mapping[StrEnum, str] = {
    Reason.NEEDED_HELP: N_("Needed help"),
    Reason.ILL: N_("Was ill"),
    Reason.INJURED: N_("Was injured"),
    Reason.FELL_UNHURT: N_("Fell, not hurt"),
    Reason.WENT_ASTRAY: N_("Had gone astray"),
    Reason.DANGER: N_("There was real danger"),
    Reason.HABITS_CHANGED: N_("Lives differently now"),
    Reason.RESTLESS: N_("Was restless or upset"),
    Reason.NOT_HERE: N_("Does not live here"),
    Reason.DEVICE_BROKEN: N_("Device was broken"),
    Reason.BATTERY_EMPTY: N_("Battery was empty"),
    Reason.NO_POWER_OR_NETWORK: N_("No power or network"),
    Reason.PRESSED_BY_MISTAKE: N_("Pressed by mistake"),
    Reason.TEST: N_("Test or maintenance"),
    Reason.LAY_OR_SAT_DOWN: N_("Only sat or lay down"),
    Reason.PET_OR_OBJECT: N_("A pet or an object"),
    Reason.COOKING_OR_STEAM: N_("Cooking, smoking or steam"),
    Reason.SOMEBODY_WITH_THEM: N_("Somebody was with them"),
    Reason.USUAL_FOR_THEM: N_("Usual for this person"),
    Reason.AWAY_AS_KNOWN: N_("Away, and we knew"),
    Reason.MEASURED_WRONGLY: N_("Measured wrongly"),
    Reason.DEVICE_FAULT: N_("Fault of the device"),
    Reason.WORKED_AGAIN: N_("Worked again by itself"),
    Reason.OVER_ON_ARRIVAL: N_("Nothing to be seen any more"),
    Reason.NOT_LOOKED: N_("Nobody looked in time"),
    Reason.OTHER: N_("Something else"),
}
DETECTOR: Mapping[str, str] = {
    **{name: finder.words for name, finder in FINDERS.items()},
    "escalation": N_("time to answer"),
}
"""Who writes into timelines, by name: detectors and escalation; who is not here is shown by the name."""
WATCH: Mapping[StrEnum, str] = {watch: rule.title for watch, rule in RULES.items()}
"""What stands above a detector where it is set for somebody."""
WATCH_DOES: Mapping[StrEnum, str] = {watch: rule.does for watch, rule in RULES.items()}
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
SEES_CONDITION_ENDED = N_("shows that the cause has ended")
"""Instead of STEP_DONE where no device reports it, but a detector sees it."""
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
