"""Words that devices of many makers use, and what they are in ours; numbers, units and times from anything.

Our words are those of a proposal's `says`: `vitals.hr`, `activity.in_bed`, `alarm.sos`, `status.battery`.
"""

import math
from collections.abc import Iterable
from datetime import datetime, timedelta, tzinfo
from typing import Any, NamedTuple

import msgspec

from gateway.errors import GatewayError
from protocol.model import EPOCH, ActivityEvent, DeviceKind, SignalKind
from protocol.signs import SIGNS

PAYLOAD_BYTES_MAX = 8 * 1024 * 1024
"""Longest payload that is looked at: a hub's list of all its devices has megabytes."""
EPOCH_S_MAX = 100_000_000_000
"""Numbers below are seconds since 1970, numbers above milliseconds: as milliseconds this is March 1973."""
TS_MS_MAX = 253_402_300_799_999
TS_MS_MIN = -62_135_596_800_000


class NotUnderstoodError(GatewayError):
    """Something that cannot be put into our words. The text has few variants: it is counted by."""


class Turn(NamedTuple):
    """What it means that something turns on, and off again.

    Attributes:
        on, off: What is said then; an alarm's end needs no word of its own.
        momentary: There is no state, and each `on` is news: a press, not a switch.
    """

    on: ActivityEvent | SignalKind
    off: ActivityEvent | None = None
    momentary: bool = False


class Meaning(NamedTuple):
    """What a field is in our words; `inverted` where its `true` is our `off`."""

    says: str
    unit: str | None = None
    inverted: bool = False


_OPPOSITES = (
    (ActivityEvent.PRESENCE, ActivityEvent.ABSENCE),
    (ActivityEvent.IN_BED, ActivityEvent.OUT_OF_BED),
    (ActivityEvent.DOOR_OPEN, ActivityEvent.DOOR_CLOSED),
)

TURNS: dict[str, Turn] = {
    "activity.motion": Turn(ActivityEvent.MOTION),
    **{f"activity.{on}": Turn(on, off) for on, off in _OPPOSITES},
    **{f"activity.{off}": Turn(off, on) for on, off in _OPPOSITES},
    **{
        f"activity.{event}": Turn(event, momentary=True)
        for event in (
            ActivityEvent.TURNED,
            ActivityEvent.MEAL,
            ActivityEvent.CHECK_IN,
            ActivityEvent.ROUND,
        )
    },
    **{f"alarm.{kind}": Turn(kind, momentary=kind is SignalKind.SOS) for kind in SignalKind},
}
"""What turns on and off, by our word for `on`.

A call for help is momentary: many buttons never say that they were released, and one that is pressed again
must be heard again.
"""

SIGN_WORDS: dict[str, str] = {f"vitals.{sign}": sign for sign in SIGNS}
STATUS_WORDS = frozenset({"status.online", "status.battery", "status.rssi", "status.fw"})
OUR_WORDS = frozenset({*TURNS, *SIGN_WORDS, *STATUS_WORDS})
"""All that a field can be said to say."""

_THEIR_NAMES: dict[str, str] = {
    "vitals.hr": "hr heart_rate pulse pulse_rate bpm heart_bpm beats_per_minute 心率 脉搏 脉率",
    "vitals.rr": "rr resp respiration respiration_rate respiratory_rate breath breath_rate breathing_rate "
    "breathing respirations 呼吸 呼吸率 呼吸频率",
    "vitals.spo2": "spo2 blood_oxygen oxygen_saturation sao2 bo blood_oxygen_saturation 血氧 血氧饱和度",
    "vitals.temp": "body_temperature body_temp temp_body temperature_body skin_temperature_core 体温",
    "vitals.sbp": "sbp sys systolic systolic_pressure systolic_blood_pressure blood_pressure_systolic "
    "bp_sys bp_systolic 收缩压 高压",
    "vitals.dbp": "dbp dia diastolic diastolic_pressure diastolic_blood_pressure blood_pressure_diastolic "
    "bp_dia bp_diastolic 舒张压 低压",
    "vitals.glucose": "glucose blood_glucose blood_sugar glu blood_glucose_concentration 血糖",
    "vitals.weight": "weight body_weight body_mass 体重",
    "activity.motion": "motion moving movement vibration pir occupancy motion_detected 移动 人体移动",
    "activity.presence": "presence present human_presence occupied chair_occupancy chair_occupied 有人",
    "activity.in_bed": "in_bed bed_occupancy bed_occupied bed_presence on_bed occupancy_bed bed 在床",
    "activity.out_of_bed": "out_of_bed off_bed left_bed 离床",
    "activity.door_open": "door door_open opened opening door_state window 门磁",
    "activity.turned": "turned turn_over turning 翻身",
    "activity.meal": "meal",
    "activity.check_in": "check_in checkin 签到",
    "activity.round": "patrol",
    "alarm.sos": "sos emergency panic help help_call call_help sos_alarm panic_button emergency_button "
    "呼叫 求助 紧急呼叫 一键呼叫",
    "alarm.fall": "fall fall_detected fall_detection fall_alarm fall_status fall_down fall_down_status "
    "fall_state fallen 跌倒",
    "alarm.smoke": "smoke smoke_alarm smoke_detected 烟雾 烟感",
    "alarm.gas": "gas gas_alarm gas_leak carbon_monoxide co_alarm combustible_gas 燃气",
    "alarm.water": "water water_leak leak leakage water_alarm moisture_alarm flood 水浸",
    "alarm.bed_exit": "bed_exit bed_exit_alarm 离床报警",
    "alarm.wandering": "wandering wander_alarm geofence_alarm 走失",
    "alarm.weak_breathing": "weak_breathing apnea apnoea 呼吸微弱",
    "alarm.tamper": "tamper tampered tamper_alarm 防拆",
    "alarm.low_battery": "battery_low low_battery low_bat battery_alarm 低电量",
    "alarm.fault": "fault trouble problem device_fault malfunction 故障",
    "status.online": "online connected active_connection 在线",
    "status.battery": "battery battery_level battery_percent battery_percentage bat soc 电量",
    "status.rssi": "rssi signal_dbm rssi_dbm wifi_rssi",
    "status.fw": "fw fw_version firmware firmware_version current_fw_version sw_version 固件版本",
}


def normalised(name: str) -> str:
    """`heartRate`, `Heart-Rate` and `heart_rate` are one name."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


_MEANINGS: dict[str, Meaning] = {
    normalised(name): Meaning(says) for says, names in _THEIR_NAMES.items() for name in names.split()
} | {
    # A contact that is closed says true.
    "contact": Meaning("activity.door_open", inverted=True),
    "doorcontact": Meaning("activity.door_open", inverted=True),
    "doorclosed": Meaning("activity.door_closed"),
    "absence": Meaning("activity.absence"),
}

ANY_TEMPERATURE = frozenset({"temperature", "temp", "温度"})
"""Names under which a room's temperature goes as well as a body's."""
BODY_THERMOMETERS = frozenset({DeviceKind.THERMOMETER, DeviceKind.WRISTBAND, DeviceKind.HEALTH_KIOSK})
"""Kinds of device whose `temperature` is that of a body."""


def meaning_of(name: str, kind: DeviceKind | None = None) -> Meaning | None:
    """What a field of this name says on a device of this kind, as far as its name tells."""
    plain = normalised(name)
    if plain in ANY_TEMPERATURE:
        return Meaning("vitals.temp") if kind in BODY_THERMOMETERS else None
    return _MEANINGS.get(plain)


_KINDS: dict[str, DeviceKind] = {normalised(kind): kind for kind in DeviceKind} | {
    normalised(name): kind
    for kind, names in {
        DeviceKind.WRISTBAND: "band bracelet watch smart_watch wristwatch smart_band 手环 手表",
        DeviceKind.SMART_MATTRESS: "mattress sleep_monitor bed_sensor sleep_mat 床垫 睡眠监测",
        DeviceKind.THERMOMETER: "body_thermometer clinical_thermometer ear_thermometer 体温计",
        DeviceKind.BP_CUFF: "blood_pressure_monitor blood_pressure_cuff bp_monitor sphygmomanometer 血压计",
        DeviceKind.GLUCOMETER: "glucose_meter blood_glucose_meter 血糖仪",
        DeviceKind.SOS_BUTTON: "sos panic_button emergency_button call_button 一键呼叫",
        DeviceKind.FALL_RADAR: "radar mmwave fall_detector 跌倒雷达",
        DeviceKind.DOOR_CONTACT: "door door_sensor contact 门磁",
        DeviceKind.MOTION: "pir motion_sensor presence_sensor 人体感应",
        DeviceKind.SMOKE: "smoke_detector smoke_sensor 烟感",
        DeviceKind.GAS: "gas_detector gas_sensor 燃气报警器",
        DeviceKind.WATER_LEAK: "leak_sensor water_sensor 水浸传感器",
        DeviceKind.HEALTH_KIOSK: "kiosk 健康一体机",
    }.items()
    for name in names.split()
}


def kind_of(name: str) -> DeviceKind | None:
    """The kind of device that goes by this name."""
    return _KINDS.get(normalised(name))


_TELLING: tuple[tuple[str, DeviceKind], ...] = (
    ("alarm.fall", DeviceKind.FALL_RADAR),
    ("activity.in_bed", DeviceKind.SMART_MATTRESS),
    ("activity.out_of_bed", DeviceKind.SMART_MATTRESS),
    ("alarm.smoke", DeviceKind.SMOKE),
    ("alarm.gas", DeviceKind.GAS),
    ("alarm.water", DeviceKind.WATER_LEAK),
    ("activity.door_open", DeviceKind.DOOR_CONTACT),
    ("vitals.sbp", DeviceKind.BP_CUFF),
    ("vitals.glucose", DeviceKind.GLUCOMETER),
    ("vitals.spo2", DeviceKind.WRISTBAND),
    ("vitals.hr", DeviceKind.WRISTBAND),
    ("vitals.weight", DeviceKind.HEALTH_KIOSK),
    ("vitals.temp", DeviceKind.THERMOMETER),
    ("alarm.sos", DeviceKind.SOS_BUTTON),
    ("activity.motion", DeviceKind.MOTION),
    ("activity.presence", DeviceKind.MOTION),
)


def likely_kind(says: Iterable[str]) -> DeviceKind | None:
    """What a device probably is that can say all this: the most telling word decides."""
    words = set(says)
    return next((kind for word, kind in _TELLING if word in words), None)


_UNITS: dict[str, dict[str, tuple[float, float]]] = {
    "/min": dict.fromkeys(
        ("/min", "1/min", "bpm", "rpm", "brpm", "br/min", "beats/min", "min-1", "次/分", "次/分钟"),
        (1.0, 0.0),
    ),
    "%": {"%": (1.0, 0.0), "1": (100.0, 0.0)},
    "cel": {
        **dict.fromkeys(("cel", "c", "°c", "℃", "degc", "celsius"), (1.0, 0.0)),
        **dict.fromkeys(("degf", "[degf]", "f", "°f", "℉", "fahrenheit"), (5 / 9, -160 / 9)),
        "k": (1.0, -273.15),
    },
    "mm[hg]": {**dict.fromkeys(("mm[hg]", "mmhg"), (1.0, 0.0)), "kpa": (7.500617, 0.0)},
    # Glucose has 180.156 g/mol.
    "mmol/l": {"mmol/l": (1.0, 0.0), "mg/dl": (1 / 18.0156, 0.0)},
    "kg": {
        **dict.fromkeys(("kg", "公斤", "千克"), (1.0, 0.0)),
        **dict.fromkeys(("lb", "lbs", "[lb_av]"), (0.45359237, 0.0)),
        "g": (0.001, 0.0),
        "斤": (0.5, 0.0),
    },
}


def units_of(sign: str) -> tuple[str, ...]:
    """The units from which `sign` can be converted."""
    return tuple(_UNITS[SIGNS[sign].unit.casefold()])


def converted(sign: str, value: float, unit: str | None) -> float:
    """`value` in the unit of `sign`; NotUnderstoodError for a unit that is not one of it."""
    if not unit:
        return value
    known = _UNITS[SIGNS[sign].unit.casefold()].get(unit.strip().casefold())
    if known is None:
        raise NotUnderstoodError(f"{sign} in an unknown unit")
    scale, offset = known
    # What a conversion adds to the digits of the device is noise.
    return value if (scale, offset) == (1.0, 0.0) else round(value * scale + offset, 3)


def check_field(where: str, says: str, unit: str | None) -> None:
    """NotUnderstoodError where a field is to say what nobody knows, or in a unit that does not fit."""
    if says not in OUR_WORDS:
        raise NotUnderstoodError(
            f"{where}.says: {says!r} is unknown; known are {', '.join(sorted(OUR_WORDS))}"
        )
    if unit is None:
        return
    sign = says.removeprefix("vitals.")
    if not says.startswith("vitals."):
        raise NotUnderstoodError(f"{where}.unit: only vital signs have a unit")
    try:
        converted(sign, 1.0, unit)
    except NotUnderstoodError:
        raise NotUnderstoodError(
            f"{where}.unit: {unit!r} is not a unit of {sign}; known are {', '.join(units_of(sign))}"
        ) from None


def number(value: Any) -> float | None:
    """A finite number from a number or a string that holds one; None from all else, and from booleans."""
    if isinstance(value, str) and "_" in value:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


_ON = frozenset(
    "true on yes 1 open opened detected alarm alert occupied present active raised "  # noqa: SIM905
    "triggered pressed online connected motion moving move movement large small large_move small_move "
    "activity wet leak smoke gas low fall fall_alarm fallen fall_down".split()
)
_OFF = frozenset(
    "false off no 0 none closed close clear cleared normal idle inactive absent "  # noqa: SIM905
    "unoccupied not_detected no_motion static still dry ok released safe no_fall empty offline "
    "disconnected".split()
)
_NAMED: dict[str, ActivityEvent] = {
    "open": ActivityEvent.DOOR_OPEN,
    "opened": ActivityEvent.DOOR_OPEN,
    "closed": ActivityEvent.DOOR_CLOSED,
    "close": ActivityEvent.DOOR_CLOSED,
    **{str(event): event for pair in _OPPOSITES for event in pair},
    "present": ActivityEvent.PRESENCE,
    "absent": ActivityEvent.ABSENCE,
}
SUSPICIONS = frozenset({"maybe_fall", "fall_warning", "suspected_fall", "possible_fall"})
"""What radars say while they are not yet sure of a fall."""


def _word(text: str) -> str:
    return text.strip().casefold().replace(" ", "_").replace("-", "_")


def state(turn: Turn, value: Any, *, on: Any = None, off: Any = None, inverted: bool = False) -> bool | None:
    """Whether `value` means that `turn` is on; None: neither.

    A value that names the state itself, such as `open`, is taken by its word, however the field is turned.
    """
    if on is None and isinstance(value, str):
        named = _NAMED.get(_word(value))
        if named is not None and named in (turn.on, turn.off):
            return named is turn.on
        if named is ActivityEvent.PRESENCE and turn.on is ActivityEvent.MOTION:
            return False  # a radar: somebody is there, and still
    found = boolean(value, on, off)
    return None if found is None else found != inverted


def boolean(value: Any, on: Any = None, off: Any = None) -> bool | None:
    """Whether `value` means on; by `on` and `off` where a device says which are which. None: neither."""
    if on is not None or off is not None:
        if _same(value, on):
            return True
        if _same(value, off):
            return False
        if on is not None and off is not None:
            return None
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value != 0
    if isinstance(value, str):
        word = _word(value)
        return True if word in _ON else False if word in _OFF else None
    return None


def _same(value: Any, given: Any) -> bool:
    if given is None or value is None:
        return False
    if isinstance(value, bool) == isinstance(given, bool) and value == given:
        return True
    return str(value).casefold() == str(given).casefold()


def time_ms(value: Any, zone: tzinfo | None = None) -> int | None:
    """Milliseconds since 1970 from seconds, milliseconds or ISO 8601, as number or string; None from others.

    An ISO time without an offset is in `zone`; without that either, nobody knows when it was.
    """
    found = number(value)
    if found is not None:
        ms = found * 1000 if abs(found) < EPOCH_S_MAX else found
        return int(ms) if TS_MS_MIN <= ms <= TS_MS_MAX else None
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    if time.tzinfo is None:
        if zone is None:
            return None
        time = time.replace(tzinfo=zone)
    ms = (time - EPOCH) // timedelta(milliseconds=1)
    return ms if TS_MS_MIN <= ms <= TS_MS_MAX else None


def json_of(payload: bytes) -> Any:
    """The JSON value in `payload`; NotUnderstoodError for all else."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise NotUnderstoodError("payload too large")
    try:
        return msgspec.json.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotUnderstoodError("not JSON") from error


def text_of(payload: bytes) -> str:
    """The text in `payload`; NotUnderstoodError for all else."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise NotUnderstoodError("payload too large")
    try:
        return payload.decode().strip()
    except UnicodeDecodeError as error:
        raise NotUnderstoodError("not UTF-8") from error


def clean(text: Any, letters_max: int = 64) -> str | None:
    """`text` as the model takes it: short and without control characters; None when nothing is left."""
    if not isinstance(text, str | int | float) or isinstance(text, bool):
        return None
    kept = "".join(letter for letter in str(text) if letter >= " " and letter != "\x7f").strip()
    return kept[:letters_max].strip() or None
