"""The words for the members of enums, as people on the ward say them. A test asks for every member."""

from collections.abc import Mapping
from enum import StrEnum

from care.model import (
    Ability,
    AlarmPriority,
    AlarmState,
    AlarmStep,
    CareCategory,
    RoomKind,
    ScopeKind,
    SelfCareLevel,
    SiteKind,
    StaffRole,
)
from dashboard.intake import Process, Trouble
from dashboard.languages import N_
from gateway.errors import DeadReason
from gateway.model import ActivityEvent, AlarmKind, DeviceKind, PowerSource


class Way(StrEnum):
    """How a family can be told."""

    PHONE = "phone"
    IN_PERSON = "in_person"
    MESSAGE = "message"
    NO_FAMILY = "no_family"


ALARM_KIND: Mapping[StrEnum, str] = {
    AlarmKind.SOS: N_("SOS call for help"),
    AlarmKind.FALL: N_("Fall"),
    AlarmKind.SMOKE: N_("Smoke"),
    AlarmKind.GAS: N_("Gas leak"),
    AlarmKind.WATER: N_("Water leak"),
    AlarmKind.BED_EXIT: N_("Left the bed"),
    AlarmKind.WANDERING: N_("Wandering off"),
    AlarmKind.WEAK_BREATHING: N_("Weak breathing"),
    AlarmKind.TAMPER: N_("Device tampered with"),
    AlarmKind.LOW_BATTERY: N_("Battery low"),
    AlarmKind.FAULT: N_("Device fault"),
    AlarmKind.VITALS: N_("Vital signs abnormal"),
    AlarmKind.INACTIVITY: N_("No activity for too long"),
    AlarmKind.DEVICE_OFFLINE: N_("Device offline"),
}
ALARM_ICON: Mapping[StrEnum, str] = {
    AlarmKind.SOS: "sos",
    AlarmKind.FALL: "man",
    AlarmKind.SMOKE: "flame",
    AlarmKind.GAS: "wind",
    AlarmKind.WATER: "droplet",
    AlarmKind.BED_EXIT: "bed",
    AlarmKind.WANDERING: "door-exit",
    AlarmKind.WEAK_BREATHING: "lungs",
    AlarmKind.TAMPER: "tool",
    AlarmKind.LOW_BATTERY: "battery-1",
    AlarmKind.FAULT: "tools",
    AlarmKind.VITALS: "heartbeat",
    AlarmKind.INACTIVITY: "hourglass",
    AlarmKind.DEVICE_OFFLINE: "wifi-off",
}
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
    AlarmStep.CONDITION_ENDED: N_("the device reports that the cause has ended"),
    AlarmStep.ESCALATED: N_("passed on to the next level"),
    AlarmStep.NOTED: N_("wrote a note"),
}
SITE_KIND: Mapping[StrEnum, str] = {
    SiteKind.CARE_HOME: N_("Care home"),
    SiteKind.DAY_CENTRE: N_("Day centre"),
    SiteKind.HOUSEHOLD: N_("Own home"),
}
CATEGORY: Mapping[StrEnum, str] = {
    CareCategory.TEKUN_CENTRALISED: N_("Tekun, cared for in a home"),
    CareCategory.TEKUN_DISPERSED: N_("Tekun, cared for at home"),
    CareCategory.PRIVATE: N_("Private"),
}
SELF_CARE: Mapping[StrEnum, str] = {
    SelfCareLevel.ABLE: N_("Independent"),
    SelfCareLevel.PARTIAL_LOSS: N_("Needs some help"),
    SelfCareLevel.TOTAL_LOSS: N_("Needs full care"),
}
ABILITY: Mapping[StrEnum, str] = {
    Ability.EAT: N_("eating"),
    Ability.DRESS: N_("dressing"),
    Ability.GET_IN_AND_OUT_OF_BED: N_("getting in and out of bed"),
    Ability.TOILET: N_("using the toilet"),
    Ability.WALK_INDOORS: N_("walking indoors"),
    Ability.BATHE: N_("bathing"),
}
ROOM_KIND: Mapping[StrEnum, str] = {
    RoomKind.BEDROOM: N_("Bedroom"),
    RoomKind.BATHROOM: N_("Bathroom"),
    RoomKind.KITCHEN: N_("Kitchen"),
    RoomKind.LIVING_ROOM: N_("Living room"),
    RoomKind.HALLWAY: N_("Hallway"),
    RoomKind.OTHER: N_("Other room"),
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
