"""What fields and devices of many makers are called, and what that is in our words."""

import re
from collections.abc import Iterable

from gateway.dialects import units
from gateway.dialects.words import Meaning, spelled
from protocol.model import DeviceKind

NAME_LETTERS_MAX = 96

_VITALS: dict[str, str] = {
    "vitals.hr": "hr heart_rate heart pulse pulse_rate bpm heart_bpm act_bpm beats_per_minute pr_bpm "
    "heartbeat_rate activity_heart_rate 心率 脉搏 脉率 心跳",
    "vitals.rr": "rr resp respiration respiration_rate respiratory respiratory_rate resp_rate breath "
    "breath_rate breathing_rate breathing breathe respirations breaths_per_minute 呼吸 呼吸率 呼吸频率",
    "vitals.spo2": "spo2 spo blood_oxygen oxygen_saturation sao2 bo blood_oxygen_saturation oxygen "
    "blood_oxygen_level 血氧 血氧饱和度",
    "vitals.temp": "body_temperature body_temp temp_body temperature_body skin_temperature_core "
    "bt_temp human_temperature human_body_temperature ear_temperature forehead_temperature 体温 人体温度",
    "vitals.sbp": "sbp sys systolic systolic_pressure systolic_blood_pressure blood_pressure_systolic "
    "bp_sys bp_systolic bp_high high_pressure pressure_high sys_bp blood_pressure_high systolic_bp 收缩压 "
    "高压",
    "vitals.dbp": "dbp dia diastolic diastolic_pressure diastolic_blood_pressure "
    "blood_pressure_diastolic bp_dia bp_diastolic bp_low low_pressure pressure_low dia_bp "
    "blood_pressure_low diastolic_bp 舒张压 低压",
    "vitals.glucose": "glucose blood_glucose blood_sugar glu blood_glucose_concentration "
    "blood_glucose_level 血糖",
    "vitals.weight": "weight body_weight body_mass 体重",
}
_ACTIVITIES: dict[str, str] = {
    "activity.motion": "motion movement moving vibration pir occupancy motion_detected human_motion "
    "person_moving body_movement 移动 人体移动 有人移动 人体感应",
    "activity.presence": "presence present human_presence occupied chair_occupancy chair_occupied "
    "someone_exists someone someone_exist person_exists human_exist has_person person_information person "
    "people human work_presence mmwave_occupancy radar_target target still_target has_target 有人 "
    "人体存在 是否有人",
    "activity.in_bed": "in_bed bed_occupancy bed_occupied bed_presence on_bed occupancy_bed bed "
    "get_into_bed 在床 是否在床",
    "activity.out_of_bed": "out_of_bed off_bed left_bed leave_bed leaving_bed 离床",
    "activity.door_open": "door door_open opened opening window window_open garage_door 门磁 门",
    "activity.meal": "meal",
    "activity.check_in": "check_in checkin 签到",
    "activity.round": "patrol",
}
_ALARMS: dict[str, str] = {
    "alarm.sos": "sos emergency panic help help_call call_help panic_button emergency_button "
    "emergency_call sos_button sos_key sos_pressed sos_call sos_switch panic_switch emergency_switch "
    "press_alarm one_key_alarm urgent_call distress pull_cord nurse_call call_button call_bell "
    "alarm_button help_button 呼叫 求助 紧急呼叫 一键呼叫 紧急求助 一键求助 呼救 一键报警 报警按钮 "
    "手动报警",
    "alarm.fall": "fall fall_detection fall_down fallen falling falls fell fall_event falldown tumble "
    "person_fallen person_fall person_fell 跌倒 摔倒 跌倒检测",
    "alarm.smoke": "smoke smoke_fire fire fire_alarm heat_alarm heat_detector 烟雾 烟感 火警",
    "alarm.gas": "gas gas_leak gas_leakage natural_gas combustible_gas co_alarm carbon_monoxide_alarm "
    "carbon_monoxide_detected methane lpg 燃气 可燃气体 燃气泄漏 一氧化碳",
    "alarm.water": "water water_leak water_leakage leak leakage leak_detect moisture_alarm flood "
    "flooding water_immersion active_water_leak 水浸 漏水",
    "alarm.bed_exit": "bed_exit 离床报警",
    "alarm.wandering": "wandering wander wander_alarm geofence_alarm geo_fence_alarm out_of_fence 走失",
    "alarm.weak_breathing": "weak_breathing apnea apnoea weak_breath breath_weak 呼吸微弱 呼吸暂停",
    "alarm.tamper": "tamper tampered tampering demolition dismantle 防拆 拆除",
    "alarm.low_battery": "battery_low low_battery low_bat bat_low low_voltage low_power battery_alarm "
    "battery_low_alarm 低电量 低电 欠压 电池低压",
    "alarm.fault": "fault trouble problem device_fault malfunction end_of_life endoflife reliability "
    "battery_defect 故障",
}
_STATUS: dict[str, str] = {
    "status.online": "online connected active_connection is_online 在线",
    "status.battery": "battery battery_level battery_percent battery_percentage bat soc battery_value "
    "remaining_power battery_capacity battery_power electricity electric_quantity battery_remaining "
    "bat_level batt power_percent remain_power 电量 电池电量 剩余电量",
    "status.rssi": "rssi signal_dbm rssi_dbm wifi_rssi",
    "status.fw": "fw fw_version firmware firmware_version current_fw_version sw_version 固件版本",
}


def normalised(name: str) -> str:
    """`heartRate`, `Heart-Rate` and `heart_rate` are one name."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


_MEANINGS: dict[str, Meaning] = {
    normalised(name): Meaning(says)
    for table in (_VITALS, _ACTIVITIES, _ALARMS, _STATUS)
    for says, names in table.items()
    for name in names.split()
} | {
    # A contact that is closed says true.
    "contact": Meaning("activity.door_open", inverted=True),
    "doorcontact": Meaning("activity.door_open", inverted=True),
    "garagedoorcontact": Meaning("activity.door_open", inverted=True),
    "doorclosed": Meaning("activity.door_closed"),
    "absence": Meaning("activity.absence"),
    "nobody": Meaning("activity.absence"),
    **{
        normalised(name): Meaning("activity.turned", counts=True)
        for name in ("turned", "turn_over", "turnover", "turning", "翻身", "翻身次数")
    },
    **{
        normalised(name): Meaning("activity.presence", counts=True)
        for name in (
            *("people_flag", "people_count", "person_count", "number_of_people", "target_count", "人数"),
            *("target_number", "people_number", "persons", "human_count", "detected_targets"),
        )
    },
    # How much there is of it, or whether there is too much: only true and words tell.
    **{name: Meaning("alarm.gas", coded=True) for name in ("carbonmonoxide", "co", "costate", "costatus")},
    # By one maker 0 is the alarm, by others 1.
    **{
        name: Meaning("alarm.smoke", coded=True) for name in ("smokestate", "smokesensorstate", "smokestatus")
    },
    **{name: Meaning("activity.in_bed", coded=True) for name in ("bedstatus", "bedstate", "initbedstatus")},
    **{name: Meaning("alarm.low_battery", coded=True) for name in ("batterystate", "batterystatus")},
}
_CJK = re.compile(r"[\u3400-\u9fff]+")
_CJK_NAMES = sorted((name for name in _MEANINGS if _CJK.search(name)), key=len, reverse=True)
_CJK_NEUTRAL = re.compile(
    "报警|告警|警报|状态|传感器|探测器|信号|标志|实时|当前|检测|数据|设备|是否|雷达|按钮|按键|值|器"
)
_CJK_VETO = re.compile(
    "设置|灵敏度|阈值|上限|下限|开关|延时|时间|次数|音量|使能|间隔|模式|时长|自检|测试|消音|静音|距离|浓度|位置"
)

_WORD = re.compile(r"(?i:spo2|co2|pm\d+|nh3|ch4|h2s)|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")
_SUFFIX = re.compile(r"(?:alarm|alert|detected|detector|sensor|status|state|event|flag)\d*\Z")
_NEUTRAL = spelled(
    "sensor detector detect detected detection status state flag alarm alert event value val current "
    "now real realtime reading measured measurement result signal warning zone zones area region "
    "channel ch input wire probe left right both either any side half upper lower top bottom human "
    "person people radar mmwave device ias is has the sig sta latest actual instant data active is "
    "main cur information target wrist finger point ep endpoint l"
)
"""Words that tell nothing of what a field is about."""
_STATES = frozenset({"status", "state", "flag", "alarm", "alert", "event", "warning"})
_VETO = spelled(
    "set settings setting config configuration configure max min maximum minimum limit limits "
    "threshold thresholds thresh theshold sensitivity sens enable enabled enabling disable disabled "
    "delay timeout interval duration period timer time timestamp ts date mode melody ringtone ring "
    "volume mute muted silence silenced led light lamp brightness sound buzzer beep beeper siren "
    "indicator count counter total num position pos distance range height angle direction speed "
    "history last previous reset clear learn learning calibration offset scale version model type "
    "test selftest testing checking check control linkage broadcast relay consumption consumed energy "
    "voltage flow temp temperature humidity pressure target_temperature valve motor cover curtain "
    "shutter blind gate lock setpoint schedule percent raw concentration density ppm lel conductivity "
    "quality score id name index seq average avg mean resting goal recommended reference phone number "
    "contacts score trend switch trigger force simulate action hold keep unit units url topic "
    "ip mac addr address latitude longitude risk probability code reason overheat overcurrent "
    "overvoltage undervoltage load recovery shutoff charge charging charged preheat preheating warming "
    "wifi server reports interconnectable contamination scan learned reverse hush source outage orientation "
    "rain weather fertility soil illumination price tarif calendar register datetime linked co2 tvoc voc"
)
"""Words of settings, diagnostics, meters and machines: with one in its name a field is about no person."""
_ZONED = frozenset({"occupancy", "motion", "presence"})
_ZONES = frozenset({"in", "out", "or", "and", "up", "down", "a", "b", "c", "d"})
_RAW = frozenset({"value", "val", "level", "reading"})

SUBSTANCES = frozenset({"alarm.gas", "alarm.smoke", "alarm.water"})
"""Alarms about what can be measured as well: a number may be how much there is of it."""
_UNSURE = spelled("warning maybe possible suspected suspicion pre")
ANY_TEMPERATURE = frozenset({"temperature", "temp", "温度"})
"""Names under which a room's temperature goes as well as a body's."""
BODY_THERMOMETERS = frozenset({DeviceKind.THERMOMETER, DeviceKind.WRISTBAND, DeviceKind.HEALTH_KIOSK})
"""Kinds of device whose `temperature` is that of a body."""
STATE_NAMES = spelled(
    "status state event alarm alert posture detectionstatus detectionstate eventtype alarmtype "
    "alarmstatus alarmstate alarmname eventname alerttype warningtype worksate workstate targetstate "
    "activitystate behavior behaviour humanstate humanstatus personstate sensorstatus personstatus 状态 "
    "事件"
)
"""Names that say only that there is a state: what it is about its values tell."""


def words_of(name: str) -> list[str]:
    """The words of a name: `fallAlarm_1` is fall, alarm, 1."""
    return [word.casefold() for word in _WORD.findall(name[:NAME_LETTERS_MAX])]


def meaning_of(name: str, kind: DeviceKind | None = None) -> Meaning | None:
    """What a field of this name says on a device of this kind, as far as its name tells."""
    plain = normalised(name)
    known = _MEANINGS.get(plain)
    if known is not None or plain in _QUIET - ANY_TEMPERATURE:
        return known
    words, unit = units.in_name(words_of(name))
    joined = "".join(words)
    if joined in ANY_TEMPERATURE:
        return Meaning("vitals.temp", unit) if kind in BODY_THERMOMETERS else None
    if unit is not None and (found := _MEANINGS.get(joined)) is not None:
        return _fitting(found, words, unit)
    if is_setting(name):
        return None
    if _CJK.search(plain):
        return _meaning_in_chinese(plain)
    for core in ("".join(word for word in words if not word.isdigit()), "".join(_core(words)), _stem(plain)):
        found = _MEANINGS.get(core)
        if found is not None:
            return _fitting(found, words, unit)
    return Meaning("alarm.sos") if "sos" in words else None


def _stem(plain: str) -> str:
    """A name written as one word without what tells nothing: `falldetected`, `sosalarm`."""
    return _SUFFIX.sub("", plain)


def _core(words: list[str]) -> list[str]:
    zoned = _ZONED.intersection(words)
    return [
        word
        for word in words
        if word not in _NEUTRAL
        and not (word == "time" and "real" in words)
        and not word.isdigit()
        and not (zoned and word in _ZONES)
    ] or [word for word in words if word in {"person", "people", "human"}]


def _fitting(found: Meaning, words: list[str], unit: str | None) -> Meaning | None:
    """`found`, where the words that were left out do not gainsay it."""
    if found.says.startswith("vitals."):
        return None if _STATES.intersection(words) or "target" in words else found._replace(unit=unit)
    if found.says == "alarm.fall" and _UNSURE.intersection(words):
        return None
    if unit is not None:
        return None
    if found.says in SUBSTANCES and _RAW.intersection(words):
        return None
    if found.says == "alarm.gas" and found.coded and "alarm" in words:
        return found._replace(coded=False)
    return found


def _meaning_in_chinese(plain: str) -> Meaning | None:
    core = _CJK_NEUTRAL.sub("", plain)
    found = _MEANINGS.get(core)
    if found is None:
        part = next((name for name in _CJK_NAMES if name in core), None)
        found = _MEANINGS[part] if part is not None else (Meaning("alarm.sos") if "sos" in core else None)
    if found is not None and found.says.startswith("vitals.") and re.search("报警|告警|警报|状态", plain):
        return None
    return found


def named_in(words: list[str], *, strict: bool = True) -> Meaning | None:
    """What a title in plain words says, such as `Bathroom radar fall alarm`: a cry, a fall, or an alarm.

    `strict`: not where a word in it is that of a setting or a machine.
    """
    if strict and _VETO.intersection(words):
        return None
    for length in (3, 2, 1):
        for start in range(len(words) - length + 1):
            found = _MEANINGS.get("".join(words[start : start + length]))
            if found is not None and found.says.startswith(("alarm.", "activity.")):
                return found
    return None


def is_setting(name: str) -> bool:
    """Whether a name is that of a setting, a diagnostic or a meter, and so about no person."""
    if normalised(name) in _MEANINGS:
        return False
    found = _VETO.intersection(words_of(name))
    # `Real-time heart rate` is now.
    return bool(found - {"time"} if "real" in words_of(name) else found) or bool(_CJK_VETO.search(name))


_QUIET = frozenset(
    normalised(name)
    for name in spelled(
        "linkquality link_quality lqi last_seen update update_available voltage temperature temp humidity "
        "pressure illuminance illuminance_lux lux light device_temperature co2 pm25 pm10 tvoc voc noise "
        "power current energy ts time timestamp timestamps date msg_id message_id id device device_id "
        "deviceid type model brand vendor version method seq sn imei mac name ip ssid uptime "
        "power_on_behavior color color_mode brightness state_class distance latitude longitude lat lon "
        "lng location signal_gsm satellites working_mode device_name identify step steps product_id pid "
        "model_id manufacturer water_warning"
    )
)


def is_quiet(name: str) -> bool:
    """Whether a field of this name is nothing that anybody would look for here."""
    return normalised(name) in _QUIET or is_setting(name)


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
