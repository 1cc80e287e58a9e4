"""Numbers, and on and off, from whatever a device sends."""

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from gateway.dialects.words import TURNS, Turn, lasting, spelled
from protocol.model import UNSEEN, ActivityEvent, SignalKind


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


_ON = spelled(
    "true on yes y 1 detected alarm alarming alarmed alert active activated raised triggered trigger "
    "pressed alarm_triggered critical critical_alarm warning_alarm emergency "
    "是 有 报警 告警 警报 触发 已触发"
)
_OFF = spelled(
    "false off no n 0 none null nil normal idle inactive clear cleared ok okay fine well released "
    "no_alarm not_detected undetected standby safe untriggered deactivated alarm_deactivated recovered "
    "否 无 正常 解除 恢复 未触发 无报警"
)
_THERE = spelled(
    "presence present occupied occupy someone somebody person human people manned on_the_bed sitting sit "
    "sedentary standing lying presence_5min presence_30min enter entered arrive 有人 有人存在 存在"
)
_MOVING = spelled(
    "motion moving move movement large small medium near far large_move small_move large_movement "
    "small_movement large_motion small_motion micro_motion micro_movement activity active walking moved "
    "motion_detected person_moving 移动 运动 活动 活跃 有人移动 有人活动"
)
_STILL = spelled(
    "static stationary still peaceful motionless no_movement no_motion micro breath breathing quiet "
    "standing_still stationary_person 静止 安静 有人静止"
)
_NOBODY = spelled(
    "unoccupied vacant vacated empty absent absence nobody no_one noone no_person no_presence no_people "
    "no_human unmanned none_5min none_30min away left leave 无人 没人 空闲"
)
_FALLEN = spelled(
    "fall falls fell falling fallen fall_alarm fall_down fall_detected falldown tumble tumbled fell_down "
    "person_fallen 跌倒 摔倒 跌倒报警 有人跌倒"
)
_NOT_FALLEN = spelled("no_fall nofall not_fallen no_falling standing upright 未跌倒 无跌倒 无人跌倒")
_CRIES = spelled(
    "sos help panic emergency sos_alarm emergency_call call call_for_help 求助 呼叫 紧急呼叫 呼救"
)
_IN_BED_PLAINLY = spelled(
    "in_bed on_bed on_the_bed in_the_bed out_of_bed off_bed left_bed leave_bed bed_exit not_in_bed "
    "在床 离床 上床 下床"
)
_BED = ActivityEvent.IN_BED
_DOOR = ActivityEvent.DOOR_OPEN
_STATE_WORDS: dict[ActivityEvent | SignalKind, tuple[frozenset[str], frozenset[str]]] = {
    ActivityEvent.PRESENCE: (_THERE | _MOVING | _STILL | _FALLEN | {"low_posture"}, _NOBODY),
    ActivityEvent.MOTION: (_MOVING, _STILL | _NOBODY | _THERE),
    _BED: (
        spelled(
            "in_bed inbed on_bed on_the_bed in_the_bed occupied occupy lying sleeping asleep presence "
            "在床 上床"
        ),
        spelled(
            "out_of_bed outofbed off_bed offbed off_the_bed left_bed leave_bed bed_exit not_in_bed left "
            "unoccupied empty vacant absent absence leave sitting standing no_person 离床 下床 不在床"
        ),
    ),
    _DOOR: (
        spelled("open opened opening ajar tilted 开 打开 开门 已打开"),
        spelled("close closed closing shut 关 关闭 关门 已关闭"),
    ),
    SignalKind.SOS: (_CRIES, spelled("no_sos")),
    SignalKind.FALL: (
        _FALLEN,
        _NOT_FALLEN | _THERE | _MOVING | _STILL | _NOBODY | _IN_BED_PLAINLY | {"low_posture"},
    ),
    SignalKind.SMOKE: (
        spelled("smoke fire smoke_detected smoke_alarm 烟雾 火警 火灾 烟雾报警"),
        spelled("no_smoke"),
    ),
    SignalKind.GAS: (
        spelled("gas leak leakage gas_leak gas_detected gas_alarm co_alarm high 泄漏 燃气泄漏"),
        spelled("no_gas no_leak"),
    ),
    SignalKind.WATER: (
        spelled(
            "wet leak leaking leakage flood flooded water water_leak water_detected water_leakage_yes "
            "leak_detected 漏水 浸水 水浸"
        ),
        spelled("dry no_leak no_leakage no_water water_leakage_no"),
    ),
    SignalKind.LOW_BATTERY: (
        spelled("low critical empty very_low battery_low low_battery replace 低 低电 低电量 欠压"),
        spelled("high middle medium mid full good charged charging usb 高 中 满"),
    ),
    SignalKind.TAMPER: (
        spelled("tamper tampered removed 被拆 拆除"),
        spelled("mounted installed secure 已安装"),
    ),
    SignalKind.FAULT: (
        spelled("fault faulty error failure failed 故障 异常"),
        spelled("no_fault healthy good 健康"),
    ),
    SignalKind.BED_EXIT: (
        spelled("bed_exit out_of_bed off_bed left_bed 离床"),
        spelled("in_bed on_bed 在床"),
    ),
}
"""Words for the state itself, by what lasts: those that mean it does, and those that mean it does not."""

NO_FAULT = spelled("no_fault no_fault_detected healthy good clear none no_error")
"""What a device says that names its faults, and has none."""
_CONNECTED = (
    spelled("online connected available alive up home 在线 已连接"),
    spelled("offline disconnected unavailable lost dead down away 离线 断开"),
)
SUSPICIONS = spelled(
    "maybe_fall fall_warning suspected_fall possible_fall fall_suspected suspected pre_fall 疑似跌倒"
)
"""What radars say while they are not yet sure of a fall."""

_UP = spelled("sitting standing")
_TOLD_BY_VALUE: tuple[tuple[str, frozenset[str]], ...] = (
    ("alarm.fall", _FALLEN),
    ("alarm.sos", spelled("sos emergency sos_alarm 求助")),
    ("alarm.smoke", spelled("smoke smoke_alarm interconnect_smoke fire 火警 烟雾报警")),
    ("alarm.gas", spelled("gas gas_leak gas_alarm carbon_monoxide co co_alarm interconnect_co 燃气泄漏")),
    ("alarm.water", spelled("water_leakage water_leak leak leakage flood water_leakage_yes 漏水 浸水")),
    ("activity.in_bed", _IN_BED_PLAINLY),
    ("activity.motion", _MOVING - {"near", "far", "large", "small", "medium", "active", "activity"}),
    (
        "activity.presence",
        (_THERE | _NOBODY | _STILL) - spelled("left away empty enter entered leave micro quiet"),
    ),
)
_NAMED_ALARMS = frozenset({"alarm.sos", "alarm.smoke", "alarm.gas", "alarm.water"})
"""Alarms that are on by the value that names them, and by no other one."""
_MACHINES = spelled(
    "stuck blocked opening closing stop stopped up down forward reverse charging heat cool ring talk "
    "on_auto locked unlocked tilted"
)
"""What motors say; what moves there is no person."""


def word(text: str) -> str:
    """`No Presence` and `no-presence` are one word."""
    return "_".join(text.replace("-", " ").replace("_", " ").split()).casefold()


class ToldBy(NamedTuple):
    """What some of a field's values say, and by which of them it is on, and off."""

    says: str
    on: list[str]
    off: list[str]


def told_by(values: Sequence[str]) -> list[ToldBy]:
    """What a field says whose name does not tell, by all the values that it may have."""
    # Two at once, such as `water_shortage & water_leakage`.
    parts = [{word(part) for part in re.split(r"[&,+/|]", value)} for value in values]
    words = [word(value) for value in values]
    if _MACHINES.intersection(words):
        return []
    found = []
    for says, telling in _TOLD_BY_VALUE:
        if not any(telling & part for part in parts):
            continue
        on: list[str] = []
        off: list[str] = []
        for value, each, part in zip(values, words, parts, strict=True):
            if says in _NAMED_ALARMS:
                (on if part & telling else off).append(value)
                continue
            if each in SUSPICIONS or (
                says == "activity.in_bed" and each not in _IN_BED_PLAINLY | _NOBODY | _UP
            ):
                continue  # `occupied` tells nothing of the bed where another value names it
            means = state(TURNS[says], value)
            if means is not None:
                (on if means else off).append(value)
        found.append(ToldBy(says, on, off))
    return found


def cry_in(value: Any) -> str | None:
    """Our word for the alarm that a value names which needs no other to tell: `SOS`, `FALL DOWN`."""
    if not isinstance(value, str):
        return None
    found = word(value)
    if found in _FALLEN or found in SUSPICIONS:
        return "alarm.fall"
    return "alarm.sos" if found in _CRIES - {"call"} else None


def state(turn: Turn, value: Any, *, on: Any = None, off: Any = None, inverted: bool = False) -> bool | None:
    """Whether `value` means that `turn` is on; None: neither.

    A value that names the state itself, such as `open`, is taken by its word, however the field is turned.
    """
    if isinstance(value, str) and on is None and off is None:
        lasts, positive = lasting(turn)
        there, gone = _STATE_WORDS.get(lasts, (frozenset(), frozenset()))
        found = word(value)
        if found in there and found not in gone:
            return positive
        if found in gone and found not in there:
            return not positive
    known = boolean(value, on, off)
    return None if known is None else known != inverted


def connected(value: Any, on: Any = None, off: Any = None) -> bool | None:
    """Whether `value` means that a device is there; None: it says neither."""
    if isinstance(value, str) and on is None and off is None:
        found = word(value)
        if found in _CONNECTED[0] or found in _CONNECTED[1]:
            return found in _CONNECTED[0]
    return boolean(value, on, off)


def boolean(value: Any, on: Any = None, off: Any = None) -> bool | None:
    """Whether `value` means on; None: neither.

    Where only one of `on` and `off` is given, the other is what plainly means it, such as 0 or `normal`.
    A number that is neither 0 nor 1 means nothing by itself.
    """
    if on is not None or off is not None:
        if same(value, on):
            return True
        if same(value, off):
            return False
        plain = _plainly(value)
        if (on is not None and off is not None) or plain is None:
            return None
        return None if plain is (on is not None) else plain
    return _plainly(value)


def _plainly(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    level = number(value)
    if level is not None:
        return {0.0: False, 1.0: True}.get(level)
    if isinstance(value, str):
        found = word(value)
        return True if found in _ON else False if found in _OFF else None
    return None


def same(value: Any, given: Any) -> bool:
    """Whether a device's value is the one that is given, or one of those that are."""
    if isinstance(given, list | tuple):
        return any(same(value, each) for each in given)
    if given is None or value is None:
        return False
    if isinstance(value, bool) or isinstance(given, bool):
        return bool(_flag(value) == _flag(given))
    mine, theirs = number(value), number(given)
    if mine is not None and theirs is not None:
        return mine == theirs
    return str(value).strip().casefold() == str(given).strip().casefold()


def _flag(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    level = number(value)
    if level is not None:
        return {0.0: False, 1.0: True}.get(level, level)
    text = str(value).strip().casefold()
    return {"true": True, "false": False}.get(text, text)


def counted(value: Any) -> bool | None:
    """Whether a number of people or movements is more than none; None: it is no such number."""
    level = number(value)
    return level > 0 if level is not None and 0 <= level < 255 else None


def clean(text: Any, letters_max: int = 64) -> str | None:
    """`text` as the model takes it: short and without what is not seen; None when nothing is left."""
    if not isinstance(text, str | int | float) or isinstance(text, bool):
        return None
    kept = UNSEEN.sub("", str(text)).strip()
    return kept[:letters_max].strip() or None


def folded(name: str) -> str:
    """Names that differ in upper and lower case, or in space around them, are one."""
    return name.strip().casefold()
