"""The words for the members of enums, as people on the ward say them. A test asks for every member."""

from collections.abc import Mapping
from enum import StrEnum

from alarms.kinds import FINDERS, KINDS, RULES
from alarms.model import AlarmPriority, AlarmState, AlarmStep
from alarms.reasons import Reason
from care.model import SelfCareLevel, SiteKind
from identity.model import ScopeKind, StaffRole
from protocol.model import ActivityEvent, DeviceKind
from protocol.signs import SIGNS
from protocol.texts import N_


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
    AlarmStep.RELEASED: N_("I cannot go"),
    AlarmStep.UNDONE: N_("Undo"),
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
    AlarmStep.UNDONE: "arrow-back-up",
    AlarmStep.RELEASED: "user-off",
    AlarmStep.REMINDED: "clock-exclamation",
    AlarmStep.OVERDUE: "alarm",
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
    AlarmStep.UNDONE: N_("took the press back"),
    AlarmStep.RELEASED: N_("cannot go: somebody else is needed"),
    AlarmStep.REMINDED: N_("reminder: still on the way"),
    AlarmStep.OVERDUE: N_("did not arrive in time: open again"),
    AlarmStep.CLEARED: N_("over by itself"),
    AlarmStep.CONDITION_ENDED: N_("reports that the cause has ended"),
    AlarmStep.ESCALATED: N_("escalated"),
    AlarmStep.NOTED: N_("wrote a note"),
}
WAY: Mapping[StrEnum, str] = {
    Way.PHONE: N_("By phone"),
    Way.IN_PERSON: N_("In person"),
    Way.MESSAGE: N_("By message"),
    Way.NO_FAMILY: N_("No family: told the village or township"),
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
SEX: Mapping[str, str] = {"female": N_("Female"), "male": N_("Male")}
SIGN: Mapping[str, str] = {
    **{key: sign.label for key, sign in SIGNS.items()},
    "bp": N_("Blood pressure"),
}
SIGN_UNIT: Mapping[str, str] = {
    **{key: sign.unit_label for key, sign in SIGNS.items()},
    "bp": SIGNS["sbp"].unit_label,
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
