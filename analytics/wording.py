"""Words for findings, in Chinese and English: signs, devices, rooms, times. For people who give care."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from protocol.calendar import HOME_TIME
from protocol.model import DeviceKind

Sentence = dict[str, str]


def sentence(zh_cn: str, en: str) -> Sentence:
    """The two languages under the names that catalogues have."""
    return {"zh_CN": zh_cn, "en": en}


class Words(NamedTuple):
    """One thing in both languages."""

    zh_cn: str
    en: str


class SignWords(NamedTuple):
    """A sign, its unit and how many decimals are shown."""

    zh_cn: str
    en: str
    unit_zh_cn: str
    unit_en: str
    decimals: int


SIGNS: Mapping[str, SignWords] = {
    "rr": SignWords("呼吸", "respiration", "次/分", "/min", 0),
    "spo2": SignWords("血氧", "SpO2", "%", "%", 0),
    "sbp": SignWords("收缩压", "systolic pressure", "mmHg", "mmHg", 0),
    "hr": SignWords("心率", "pulse", "次/分", "/min", 0),
    "temp": SignWords("体温", "temperature", "℃", "°C", 1),
}
PERSONAL_SIGNS: Mapping[str, SignWords] = {
    **SIGNS,
    "weight": SignWords("体重", "weight", "千克", "kg", 1),
}
"""Signs that have a personal baseline."""
SPOT_SIGNS: Mapping[str, SignWords] = {
    "sbp": SIGNS["sbp"],
    "dbp": SignWords("舒张压", "diastolic pressure", "mmHg", "mmHg", 0),
    "hr": SIGNS["hr"],
}
"""Signs that somebody measures on purpose, as in analytics.history.SPOT_SIGNS."""
CONSCIOUSNESS = Words("意识", "consciousness")

NORMAL: Mapping[str, str] = {
    "rr": "12–20",
    "spo2": "≥96",
    "sbp": "111–219",
    "hr": "51–90",
    "temp": "36.1–38.0",
}
"""Where NEWS2 gives no points (SpO2 on scale 1)."""
SPO2_TARGET_SCALE_2 = "88–92"

DEVICES: Mapping[DeviceKind, Words] = {
    DeviceKind.SOS_BUTTON: Words("呼叫按钮", "SOS button"),
    DeviceKind.PULL_CORD: Words("拉绳呼叫器", "pull cord"),
    DeviceKind.FALL_RADAR: Words("跌倒雷达", "fall radar"),
    DeviceKind.SMART_MATTRESS: Words("智能床垫", "smart mattress"),
    DeviceKind.MOTION: Words("人体感应器", "motion sensor"),
    DeviceKind.DOOR_CONTACT: Words("门磁", "door contact"),
    DeviceKind.SMOKE: Words("烟雾报警器", "smoke alarm"),
    DeviceKind.GAS: Words("燃气报警器", "gas alarm"),
    DeviceKind.WATER_LEAK: Words("水浸传感器", "water leak sensor"),
    DeviceKind.WRISTBAND: Words("手环", "wristband"),
    DeviceKind.BP_CUFF: Words("血压计", "blood pressure cuff"),
    DeviceKind.GLUCOMETER: Words("血糖仪", "glucometer"),
    DeviceKind.THERMOMETER: Words("体温计", "thermometer"),
    DeviceKind.HEALTH_KIOSK: Words("健康一体机", "health kiosk"),
    DeviceKind.PATROL_TAG: Words("巡更点", "patrol tag"),
    DeviceKind.SIREN: Words("声光报警器", "siren"),
    DeviceKind.GATEWAY: Words("网关", "gateway"),
}

ROOMS: Mapping[str, Words] = {
    "bedroom": Words("卧室", "bedroom"),
    "bathroom": Words("卫生间", "bathroom"),
    "kitchen": Words("厨房", "kitchen"),
    "living_room": Words("客厅", "living room"),
    "hallway": Words("走廊", "hallway"),
    "other": Words("室内", "room"),
}
HABITS: Mapping[str, Words] = {
    "night_out_of_bed": Words("夜间离床", "getting up at night"),
    "night_bathroom": Words("夜间如厕", "bathroom at night"),
    "day_bathroom": Words("白天去卫生间", "bathroom by day"),
    "day_bedroom": Words("白天在卧室", "moving in the bedroom by day"),
    "kitchen": Words("厨房活动", "moving in the kitchen"),
    "living_room": Words("客厅活动", "moving in the living room"),
    "doors": Words("开门", "doors opened"),
    "turns": Words("翻身", "turning in bed"),
    "day_bed": Words("白天卧床次数", "lying down by day"),
    "meals": Words("用餐和签到", "meals and check-ins"),
    "active_hours": Words("有活动的小时数", "hours with activity"),
    "in_bed": Words("卧床时间", "time in bed"),
}
"""Habits by their names in analytics.history.HABITS and `in_bed`: events a day, readings of a mattress."""
BED = Words("床上", "bed")
SOMEWHERE = Words("室内", "room")
MEASURING = Words("测量体征时", "taking a measurement")


def clock(time: datetime, now: datetime) -> str:
    """Local time of day; with month and day where it is not today. Reads the same in both languages."""
    local = time.astimezone(HOME_TIME)
    return f"{local:%H:%M}" if local.date() == now.astimezone(HOME_TIME).date() else f"{local:%m-%d %H:%M}"


def span(seconds: float) -> Words:
    """How long, in minutes up to two hours, then in hours up to three days, then in days; rounded down."""
    minutes = int(seconds // 60)
    if minutes < 120:
        return Words(f"{minutes}分钟", f"{minutes} min")
    if minutes < 72 * 60:
        hours, rest = divmod(minutes, 60)
        if rest == 0:
            return Words(f"{hours}小时", f"{hours} h")
        return Words(f"{hours}小时{rest}分钟", f"{hours} h {rest} min")
    days = minutes // (24 * 60)
    return Words(f"{days}天", f"{days} days")


def sign(key: str) -> Words:
    """The name of a sign of NEWS2, consciousness among them."""
    if key in SIGNS:
        return Words(SIGNS[key].zh_cn, SIGNS[key].en)
    return CONSCIOUSNESS


def device(kind: str, name: str) -> Words:
    """A device by kind and name."""
    words = DEVICES[DeviceKind(kind)]
    return Words(f"{words.zh_cn}（{name}）", f"{words.en} ({name})")
