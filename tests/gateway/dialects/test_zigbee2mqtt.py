"""Zigbee2MQTT: payloads shaped like the real ones, the ugly ones among them."""

import json
from typing import Any

import pytest

from gateway.dialects.zigbee2mqtt import Zigbee2Mqtt, Zigbee2MqttSettings
from protocol.model import DeviceKind
from tests.gateway.dialects.house import ALIVE, SOS, House, activity, cleared, raised, status, vitals

BATTERY = {"type": "numeric", "name": "battery", "property": "battery", "unit": "%", "access": 1}
LQI = {"type": "numeric", "name": "linkquality", "property": "linkquality", "unit": "lqi", "access": 1}


def binary(name: str, on: Any = True, off: Any = False, access: int = 1) -> dict[str, Any]:
    return {
        "type": "binary",
        "name": name,
        "property": name,
        "value_on": on,
        "value_off": off,
        "access": access,
    }


def enum(name: str, *values: str, access: int = 1) -> dict[str, Any]:
    return {"type": "enum", "name": name, "property": name, "values": list(values), "access": access}


def numeric(name: str, unit: str = "", access: int = 1) -> dict[str, Any]:
    return {"type": "numeric", "name": name, "property": name, "unit": unit, "access": access}


def device(
    address: str, name: str, *exposes: Any, power: str = "Battery", **definition: Any
) -> dict[str, Any]:
    return {
        "ieee_address": address,
        "friendly_name": name,
        "type": "EndDevice",
        "power_source": power,
        "supported": True,
        "definition": {"vendor": "Heiman", "model": "X1", "exposes": [*exposes, LQI], **definition},
    }


SIREN = {
    "type": "composite",
    "name": "warning",
    "property": "warning",
    "access": 2,
    "features": [
        enum("mode", "stop", "burglar", "fire", "emergency", access=2),
        enum("level", "low", "medium", "high", "very_high", access=2),
        binary("strobe", access=2),
        numeric("duration", "s", access=2),
    ],
}
DEVICES = [
    {"ieee_address": "0x00", "friendly_name": "Coordinator", "type": "Coordinator", "definition": None},
    device("0xb1", "床头/呼叫", enum("action", "emergency"), BATTERY),
    device("0xb2", "pir", binary("occupancy"), binary("battery_low"), BATTERY),
    device("0xb3", "front door", binary("contact", False, True), binary("tamper"), BATTERY),
    device(
        "0xb4",
        "radar",
        enum("fall_status", "normal", "fall_warning", "fall_alarm"),
        binary("occupancy"),
        power="Mains (single phase)",
    ),
    device(
        "0xb5",
        "tuya radar",
        binary("presence"),
        enum("fall_down_status", "none", "maybe_fall", "fall"),
        enum("motion_state", "none", "large", "small", "static"),
        numeric("static_dwell_alarm"),
    ),
    device("0xb6", "kitchen", binary("smoke"), binary("gas"), binary("carbon_monoxide"), BATTERY),
    device("0xb7", "siren", SIREN, BATTERY, power="Mains (single phase)"),
    device("0xb8", "room", numeric("temperature", "°C"), numeric("humidity", "%"), BATTERY),
    device("0xb9", "button", enum("action", "single", "double", "hold", "release"), BATTERY),
    device("0xba", "remote", enum("action", "on", "single", "brightness_step_up"), BATTERY),
    device("0xbb", "mat", binary("contact", False, True)),
    device("0xbc", "leak", binary("water_leak"), binary("vibration")),
    device("0xbd", "band", numeric("heart_rate", "bpm"), numeric("body_temperature", "°F")),
    device("0xbe", "bell", binary("alarm", "ON", "OFF", access=7)),
    device("0xbf", "lamp", {"type": "light", "features": [binary("state", "ON", "OFF", access=7)]}),
    device("0xc0", "mattress", binary("bed_occupancy"), binary("chair_occupancy")),
]


@pytest.fixture
def house() -> House:
    house = House(Zigbee2Mqtt())
    house.told("zigbee2mqtt/bridge/devices", DEVICES, retained=True)
    return house


def says(house: House, name: str, *payloads: Any) -> list[dict[str, Any]]:
    return [message for payload in payloads for message in house.says(f"zigbee2mqtt/{name}", payload)]


def test_sos_is_heard_once_for_each_press_and_the_empty_action_after_it_is_nothing(house: House) -> None:
    pressed = {"action": "emergency", "battery": 100, "linkquality": 156}
    assert says(house, "床头/呼叫", pressed) == [SOS, status(battery=100)]
    assert says(house, "床头/呼叫", {"action": "", "battery": 100, "linkquality": 156}) == []
    assert says(house, "床头/呼叫", pressed) == [SOS, status(battery=100)]
    assert says(house, "床头/呼叫", {"action": None, "battery": 100}, {"battery": 100}) == []
    key, _ = house.hears("zigbee2mqtt/床头/呼叫", pressed)[0]
    assert key == "zigbee2mqtt:0xb1"


def test_an_empty_battery_goes_along_with_the_cry_that_it_may_have_caused(house: House) -> None:
    for _ in range(2):
        assert says(house, "床头/呼叫", {"action": "emergency", "battery": 0}) == [SOS, status(battery=0)]


def test_a_replayed_cry_is_none(house: House) -> None:
    assert house.hears("zigbee2mqtt/床头/呼叫", {"action": "emergency"}, retained=True) == []


@pytest.mark.parametrize(
    ("name", "payloads", "expected"),
    [
        (
            "pir",
            [{"occupancy": True}, {"occupancy": True}, {"occupancy": False}, {"occupancy": True}],
            [activity("motion"), activity("motion")],
        ),
        (
            "pir",
            [{"battery_low": True}, {"battery_low": True}, {"battery_low": False}],
            [raised("low_battery"), cleared("low_battery")],
        ),
        (
            "front door",
            [{"contact": True}, {"contact": False}, {"contact": False}, {"contact": True}],
            [activity("door_open"), activity("door_closed")],
        ),
        ("front door", [{"tamper": False}, {"tamper": True}], [raised("tamper")]),
        (
            "radar",
            [{"occupancy": True}, {"occupancy": True}, {"occupancy": False}],
            [activity("presence"), activity("absence")],
        ),
        (
            "radar",
            [
                {"fall_status": "normal"},
                {"fall_status": "fall_warning"},
                {"fall_status": "fall_alarm"},
                {"fall_status": "fall_alarm"},
                {"fall_status": "normal"},
            ],
            [raised("fall"), cleared("fall")],
        ),
        (
            "tuya radar",
            [{"fall_down_status": "none"}, {"fall_down_status": "maybe_fall"}, {"fall_down_status": "none"}],
            [],
        ),
        (
            "tuya radar",
            [{"fall_down_status": "fall"}, {"fall_down_status": "maybe_fall"}, {"fall_down_status": "none"}],
            [raised("fall"), cleared("fall")],
        ),
        (
            "tuya radar",
            [
                {"motion_state": "large"},
                {"motion_state": "small"},
                {"motion_state": "static"},
                {"motion_state": "large"},
            ],
            [activity("motion"), activity("motion")],
        ),
        (
            "kitchen",
            [{"smoke": True, "gas": False}, {"gas": True}, {"carbon_monoxide": True}],
            [raised("smoke"), raised("gas"), raised("gas")],
        ),
        ("room", [{"temperature": 36.6, "humidity": 40, "battery": 88}], [status(battery=88)]),
        ("button", [{"action": "single"}, {"action": "hold"}, {"action": "release"}], [SOS, SOS]),
        ("remote", [{"action": "single"}, {"action": "brightness_step_up"}], []),
        ("leak", [{"water_leak": True}, {"vibration": True}], [raised("water"), activity("motion")]),
        ("band", [{"heart_rate": 72, "body_temperature": 98.6}], [vitals(hr=72, temp=37)]),
        ("band", [{"heart_rate": 0}, {"heart_rate": None}, {"heart_rate": "wet"}], []),
        (
            "mattress",
            [{"bed_occupancy": True}, {"bed_occupancy": False}, {"chair_occupancy": True}],
            [activity("in_bed"), activity("out_of_bed"), activity("presence")],
        ),
        ("lamp", [{"state": "ON", "occupancy": True}], []),
    ],
)
def test_what_devices_say(house: House, name: str, payloads: list[Any], expected: list[Any]) -> None:
    assert says(house, name, *payloads) == expected


def test_what_was_ignored_says_why(house: House) -> None:
    says(house, "tuya radar", {"fall_down_status": "maybe_fall"})
    says(house, "band", {"heart_rate": 0})
    says(house, "remote", {"action": "single"})
    house.told("zigbee2mqtt/pir", "{not json")
    house.told("zigbee2mqtt/pir", "[1, 2]")
    assert house.ignored == [
        "a suspected fall, not confirmed by the device",
        "hr outside 20 to 300 /min",
        "a press on a remote control",
        "not JSON",
        "not a JSON object",
    ]


def test_suspected_falls_alarm_where_the_house_wants_it() -> None:
    house = House(Zigbee2Mqtt(Zigbee2MqttSettings(suspected_falls=True)))
    house.told("zigbee2mqtt/bridge/devices", DEVICES)
    assert says(house, "tuya radar", {"fall_down_status": "maybe_fall"}, {"fall_down_status": "fall"}) == [
        raised("fall")
    ]


def test_heartbeats_are_signs_of_life_and_nothing_else(house: House) -> None:
    says(house, "radar", {"occupancy": True})
    for _ in range(5):
        heard = house.hears("zigbee2mqtt/radar", {"occupancy": True, "linkquality": 90})
        assert [message for _, message in heard] == [ALIVE]


def test_a_replay_raises_nothing_but_the_same_said_live_does(house: House) -> None:
    state = {"smoke": True, "gas": False}
    assert house.hears("zigbee2mqtt/kitchen", state, retained=True) == []
    assert says(house, "kitchen", state) == [raised("smoke")]


def test_a_replay_ends_what_had_ended_while_nobody_listened(house: House) -> None:
    says(house, "kitchen", {"smoke": True})
    assert house.says("zigbee2mqtt/kitchen", {"smoke": False}, retained=True) == [cleared("smoke")]


def test_a_replayed_activity_is_neither_told_nor_told_again(house: House) -> None:
    assert house.hears("zigbee2mqtt/pir", {"occupancy": True}, retained=True) == []
    assert says(house, "pir", {"occupancy": True}, {"occupancy": False}, {"occupancy": True}) == [
        activity("motion")
    ]


@pytest.mark.parametrize(
    ("online", "offline"), [("online", "offline"), ({"state": "online"}, {"state": "offline"})]
)
def test_availability_is_told_when_it_changes_or_is_live(house: House, online: Any, offline: Any) -> None:
    topic = "zigbee2mqtt/床头/呼叫/availability"
    assert house.says(topic, offline, retained=True) == [{"is": "status", "online": False}]
    assert house.says(topic, offline, retained=True) == []
    assert house.hears(topic, online)[0][1]["online"] is True
    house.says(topic, offline)
    # A button that is said to be off line, and calls, is there.
    cries = house.hears("zigbee2mqtt/床头/呼叫", {"action": "emergency"})
    assert [message for _, message in cries] == [SOS, ALIVE]
    assert house.known["zigbee2mqtt:0xb1"]["last"]["status.online"] is True


@pytest.mark.parametrize(
    ("last_seen", "ts"),
    [
        ("2026-11-20T23:33:22+08:00", 1_795_188_802_000),
        ("2026-11-20T15:33:22.123Z", 1_795_188_802_123),
        (1_795_188_802_123, 1_795_188_802_123),
        ("1970-01-01T08:00:12+08:00", None),  # the hub's clock was not set
        ("disable", None),
        (None, None),
    ],
)
def test_the_time_is_when_the_hub_heard_the_device(house: House, last_seen: Any, ts: int | None) -> None:
    _, message = house.hears("zigbee2mqtt/pir", {"occupancy": True, "last_seen": last_seen})[0]
    assert message.get("ts") == ts


def test_devices_are_proposed_with_what_they_can_say(house: House) -> None:
    sos = house.proposed["zigbee2mqtt:0xb1"]
    assert (sos.kind, sos.vendor, sos.product) == (DeviceKind.SOS_BUTTON, "Heiman", "X1")
    assert sos.says == ("alarm.sos", "status.battery")
    kinds = {key.removeprefix("zigbee2mqtt:"): proposal.kind for key, proposal in house.proposed.items()}
    assert kinds == {
        "0xb1": DeviceKind.SOS_BUTTON,
        "0xb2": DeviceKind.MOTION,
        "0xb3": DeviceKind.DOOR_CONTACT,
        "0xb4": DeviceKind.FALL_RADAR,
        "0xb5": DeviceKind.FALL_RADAR,
        "0xb6": DeviceKind.SMOKE,
        "0xb7": DeviceKind.SIREN,
        "0xb9": DeviceKind.SOS_BUTTON,
        "0xba": DeviceKind.SOS_BUTTON,
        "0xbb": DeviceKind.DOOR_CONTACT,
        "0xbc": DeviceKind.WATER_LEAK,
        "0xbd": DeviceKind.WRISTBAND,
        "0xbe": DeviceKind.SIREN,
        "0xc0": DeviceKind.SMART_MATTRESS,
    }


def test_a_renamed_device_is_the_same_device(house: House) -> None:
    renamed = [
        {**device, "friendly_name": "王奶奶"} if device["ieee_address"] == "0xb1" else device
        for device in DEVICES
    ]
    house.told("zigbee2mqtt/bridge/devices", renamed)
    assert house.hears("zigbee2mqtt/王奶奶", {"action": "emergency"})[0][0] == "zigbee2mqtt:0xb1"


def test_a_device_that_was_removed_is_forgotten(house: House) -> None:
    house.told("zigbee2mqtt/bridge/devices", DEVICES[:3])
    assert house.known["zigbee2mqtt:0xb4"] is None
    assert house.known["zigbee2mqtt:0xb1"] is not None


def test_a_cry_from_a_button_that_nobody_announced_is_heard() -> None:
    house = House(Zigbee2Mqtt())
    pressed = {"action": "emergency", "battery": 90}
    assert house.hears("zigbee2mqtt/0xa4c138", pressed)[0] == ("zigbee2mqtt:0xa4c138", SOS)
    assert says(house, "0xa4c138", pressed) == [SOS, status(battery=90)]
    assert house.proposed["zigbee2mqtt:0xa4c138"].kind is DeviceKind.SOS_BUTTON
    assert says(house, "0xb3", {"contact": False}, {"contact": True}) == [
        activity("door_open"),
        activity("door_closed"),
    ]


def test_orders_groups_and_what_the_hub_says_of_itself_are_nobodys_words(house: House) -> None:
    house.told("zigbee2mqtt/bridge/groups", [{"id": 1, "friendly_name": "lights"}], retained=True)
    for topic in (
        "siren/set",
        "siren/get",
        "siren/set/warning",
        "bridge/logging",
        "bridge/state",
        "lights",
        "lights/availability",
        "pir/occupancy",
    ):
        assert house.hears(f"zigbee2mqtt/{topic}", {"action": "emergency", "state": "ON"}) == []
    assert house.hears("elsewhere/pir", {"occupancy": True}) == []


def test_a_hub_that_speaks_by_single_properties_is_understood(house: House) -> None:
    info = {"version": "2.6.0", "config": {"advanced": {"output": "attribute"}}}
    house.told("zigbee2mqtt/bridge/info", info, retained=True)
    assert house.says("zigbee2mqtt/床头/呼叫/action", "emergency") == [SOS]
    assert house.says("zigbee2mqtt/pir/occupancy", "true") == [activity("motion")]


def test_a_pressure_mat_on_a_contact_is_a_bed_where_the_settings_say_so() -> None:
    settings = Zigbee2MqttSettings(
        devices={"mat": {"contact": "activity.in_bed"}, "0xb3": {"contact": "ignore"}}
    )
    house = House(Zigbee2Mqtt(settings))
    house.told("zigbee2mqtt/bridge/devices", DEVICES)
    assert house.proposed["zigbee2mqtt:0xbb"].kind is DeviceKind.SMART_MATTRESS
    assert says(house, "mat", {"contact": True}, {"contact": False}) == [
        activity("in_bed"),
        activity("out_of_bed"),
    ]
    assert says(house, "front door", {"contact": True}, {"contact": False}) == []


def test_sirens_are_told_to_sound_and_to_stop(house: House) -> None:
    order = house.dialect.order_siren("zigbee2mqtt:0xb7", DeviceKind.SIREN, True, house.known)
    assert order is not None
    assert order.topic == "zigbee2mqtt/siren/set"
    assert json.loads(order.payload)["warning"]["mode"] == "emergency"
    silence = house.dialect.order_siren("zigbee2mqtt:0xb7", DeviceKind.SIREN, False, house.known)
    assert silence is not None
    assert json.loads(silence.payload)["warning"]["mode"] == "stop"
    bell = house.dialect.order_siren("zigbee2mqtt:0xbe", DeviceKind.SIREN, True, house.known)
    assert bell is not None
    assert json.loads(bell.payload) == {"alarm": "ON"}
    assert house.dialect.order_siren("zigbee2mqtt:0xb1", DeviceKind.SIREN, True, house.known) is None
    assert house.dialect.order_siren("zigbee2mqtt:0xb7", DeviceKind.SMOKE, True, house.known) is None


def test_hubs_may_have_bases_of_their_own() -> None:
    house = House(Zigbee2Mqtt(Zigbee2MqttSettings(base_topics=("east/z2m", "west/z2m"))))
    assert list(house.dialect.subscriptions) == ["east/z2m/#", "west/z2m/#"]
    house.told("east/z2m/bridge/devices", DEVICES[1:2])
    house.told("west/z2m/bridge/devices", [{**DEVICES[1], "ieee_address": "0xff"}])
    assert house.hears("east/z2m/床头/呼叫", {"action": "emergency"})[0][0] == "zigbee2mqtt:0xb1"
    assert house.hears("west/z2m/床头/呼叫", {"action": "emergency"})[0][0] == "zigbee2mqtt:0xff"


def announce_held(house: House) -> None:
    """A button whose call is a state, and that tells its battery."""
    sos = {
        "name": "sos",
        "property": "sos",
        "type": "binary",
        "access": 1,
        "value_on": True,
        "value_off": False,
    }
    battery = {"name": "battery", "property": "battery", "type": "numeric", "access": 1, "unit": "%"}
    device = {"ieee_address": "0xe1", "friendly_name": "never", "definition": {"exposes": [sos, battery]}}
    house.told("zigbee2mqtt/bridge/devices", [device], retained=True)


def test_a_cry_that_never_ends_is_not_heard_again_with_each_report_of_the_battery(house: House) -> None:
    announce_held(house)
    for quality in (120, 121):
        house.told("zigbee2mqtt/never", {"battery": 90, "linkquality": quality})
    held = {"sos": True, "battery": 90, "linkquality": 120}
    assert SOS in house.says("zigbee2mqtt/never", held)
    for quality in (90, 130, 80):
        assert house.says("zigbee2mqtt/never", {**held, "linkquality": quality}) == []
    assert any("a press, or only a report" in reason for reason in house.ignored)
    assert SOS not in house.says("zigbee2mqtt/never", {**held, "battery": 89})
    assert SOS not in house.says("zigbee2mqtt/never", {**held, "sos": False})
    assert SOS in house.says("zigbee2mqtt/never", held)


def test_what_the_hub_says_again_when_it_starts_is_no_report_of_the_device(house: House) -> None:
    announce_held(house)
    for _ in range(2):
        house.told("zigbee2mqtt/never", {"battery": 90, "linkquality": 120})
    for quality in (60, 70):
        assert SOS in house.says("zigbee2mqtt/never", {"sos": True, "battery": 90, "linkquality": quality})


def test_a_cry_that_never_ends_is_heard_again_where_nothing_else_made_the_device_speak(house: House) -> None:
    announce_held(house)
    for quality in (120, 121):
        house.told("zigbee2mqtt/never", {"tamper": False, "linkquality": quality})
    for quality in (120, 90):
        told = {"sos": True, "tamper": False, "linkquality": quality}
        assert SOS in house.says("zigbee2mqtt/never", told)


def test_a_cry_is_heard_each_time_from_a_hub_that_leaves_out_what_it_only_remembers(house: House) -> None:
    announce_held(house)
    for quality in (120, 121):
        house.told("zigbee2mqtt/never", {"battery": 90, "linkquality": quality})
    assert SOS in house.says("zigbee2mqtt/never", {"sos": True, "battery": 90})
    assert SOS not in house.says("zigbee2mqtt/never", {"battery": 89})
    for _ in range(2):
        assert SOS in house.says("zigbee2mqtt/never", {"sos": True, "battery": 89})
