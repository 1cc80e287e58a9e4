"""Home Assistant's discovery: announcements shaped like those of ESPHome, Tasmota and others."""

import json
from typing import Any

import pytest

from gateway.dialects import KNOWN_MAX
from gateway.dialects.homeassistant import HomeAssistant, HomeAssistantSettings
from gateway.dialects.template import picked, plan
from gateway.dialects.words import NotUnderstoodError
from protocol.model import DeviceKind
from tests.gateway.dialects.house import ALIVE, SOS, House, activity, cleared, raised, status, vitals

ESPHOME = {
    "ids": "84f3eb123456",
    "name": "bathroom",
    "sw": "esphome v2026.9.0",
    "mdl": "esp32dev",
    "mf": "espressif",
}
KEY = "homeassistant:84f3eb123456"


@pytest.fixture
def house() -> House:
    return House(HomeAssistant())


def announce(house: House, place: str, config: Any) -> None:
    house.told(f"homeassistant/{place}/config", config, retained=True)


def esphome(house: House, component: str, name: str, **config: Any) -> str:
    """Announce a part as ESPHome does; the topic of its state."""
    topic = f"bathroom/{component}/{name}/state"
    announce(
        house,
        f"{component}/bathroom/{name}",
        {
            "name": name.replace("_", " ").title(),
            "stat_t": topic,
            "avty_t": "bathroom/status",
            "uniq_id": f"ESP{name}",
            "dev": ESPHOME,
            **config,
        },
    )
    return topic


@pytest.mark.parametrize(
    ("component", "name", "config", "states", "expected"),
    [
        (
            "binary_sensor",
            "pir",
            {"dev_cla": "motion"},
            ["ON", "ON", "OFF", "ON"],
            [activity("motion"), activity("motion")],
        ),
        (
            "binary_sensor",
            "radar",
            {"dev_cla": "occupancy"},
            ["ON", "OFF"],
            [activity("presence"), activity("absence")],
        ),
        (
            "binary_sensor",
            "bed_presence",
            {"dev_cla": "occupancy"},
            ["ON", "OFF"],
            [activity("in_bed"), activity("out_of_bed")],
        ),
        ("binary_sensor", "bedroom_pir", {"dev_cla": "motion"}, ["ON"], [activity("motion")]),
        (
            "binary_sensor",
            "front",
            {"dev_cla": "door"},
            ["OFF", "ON", "OFF"],
            [activity("door_open"), activity("door_closed")],
        ),
        ("binary_sensor", "mq2", {"dev_cla": "gas"}, ["ON", "OFF"], [raised("gas"), cleared("gas")]),
        (
            "binary_sensor",
            "leak",
            {"device_class": "moisture", "payload_on": "wet", "payload_off": "dry"},
            ["wet", "ON", "dry"],
            [raised("water"), cleared("water")],
        ),
        ("binary_sensor", "sos_button", {}, ["ON", "OFF", "ON"], [SOS, SOS]),
        (
            "binary_sensor",
            "rf",
            {"dev_cla": "motion", "off_delay": 30},
            ["ON", "ON"],
            [activity("motion"), activity("motion")],
        ),
        ("binary_sensor", "low", {"dev_cla": "battery"}, ["ON"], [raised("low_battery")]),
        ("binary_sensor", "unheard_of", {}, ["ON"], []),
        ("sensor", "heart_rate", {"unit_of_meas": "bpm"}, ["72", "nan", "0"], [vitals(hr=72)]),
        (
            "sensor",
            "body_temperature",
            {"dev_cla": "temperature", "unit_of_meas": "°F"},
            ["98.6"],
            [vitals(temp=37)],
        ),
        ("sensor", "temperature", {"dev_cla": "temperature", "unit_of_meas": "°C"}, ["36.6"], []),
        ("sensor", "weight", {"unit_of_meas": "lb"}, ["150"], [vitals(weight=68.039)]),
        ("sensor", "battery", {"dev_cla": "battery", "unit_of_meas": "%"}, ["88"], [status(battery=88)]),
        (
            "sensor",
            "wifi",
            {"dev_cla": "signal_strength", "unit_of_meas": "dBm"},
            ["-61"],
            [status(rssi=-61)],
        ),
        ("sensor", "fall_status", {}, ["normal", "fall", "normal"], [raised("fall"), cleared("fall")]),
        (
            "event",
            "help",
            {"dev_cla": "button"},
            ['{"event_type":"press"}', '{"event_type":"release"}'],
            [SOS],
        ),
        ("event", "knob", {"dev_cla": "button"}, ['{"event_type":"double_click"}', "press"], [SOS]),
    ],
)
def test_what_announced_parts_say(
    house: House, component: str, name: str, config: Any, states: list[str], expected: list[Any]
) -> None:
    topic = esphome(house, component, name, **config)
    assert [message for state in states for message in house.says(topic, state)] == expected


def test_state_topics_are_subscribed_to_once_announced_and_left_when_taken_back(house: House) -> None:
    start = list(house.dialect.filters(house.known))
    assert start == list(house.dialect.subscriptions)
    topic = esphome(house, "binary_sensor", "pir", dev_cla="motion")
    assert set(house.dialect.filters(house.known)) == {*start, topic, "bathroom/status"}
    house.told("homeassistant/binary_sensor/bathroom/pir/config", b"", retained=True)
    assert list(house.dialect.filters(house.known)) == start
    assert house.hears(topic, "ON") == []
    assert not any(house.known.values())


def test_an_announcement_that_changes_leaves_the_old_topic(house: House) -> None:
    old = esphome(house, "binary_sensor", "pir", dev_cla="motion")
    esphome(house, "binary_sensor", "pir", dev_cla="motion", stat_t="bathroom/new")
    assert old not in house.dialect.filters(house.known)
    assert house.says("bathroom/new", "ON") == [activity("motion")]


def test_a_device_is_proposed_with_all_its_parts(house: House) -> None:
    esphome(house, "binary_sensor", "radar", dev_cla="occupancy")
    esphome(house, "binary_sensor", "fall", dev_cla="safety")
    esphome(house, "sensor", "wifi", dev_cla="signal_strength", unit_of_meas="dBm")
    proposed = house.proposed[KEY]
    assert (proposed.kind, proposed.vendor, proposed.product) == (
        DeviceKind.FALL_RADAR,
        "espressif",
        "esp32dev",
    )
    assert proposed.says == ("activity.presence", "alarm.fall", "status.rssi")


def test_what_the_broker_replays_is_how_things_were(house: House) -> None:
    topic = esphome(house, "binary_sensor", "smoke", dev_cla="smoke")
    assert house.hears(topic, "ON", retained=True) == []
    assert house.says(topic, "ON") == [raised("smoke")]


def test_availability(house: House) -> None:
    topic = esphome(house, "binary_sensor", "pir", dev_cla="motion")
    assert house.says("bathroom/status", "offline", retained=True) == [{"is": "status", "online": False}]
    assert house.hears("bathroom/status", "online") == [(KEY, ALIVE)]
    assert house.says(topic, "ON") == [activity("motion")]


def test_tasmota_with_a_base_topic_and_a_template_with_brackets(house: House) -> None:
    config = {
        "name": "Tasmota MLX Body Temperature",
        "~": "tele/tasmota_3F2A",
        "stat_t": "~/SENSOR",
        "avty_t": "~/LWT",
        "pl_avail": "Online",
        "pl_not_avail": "Offline",
        "uniq_id": "3F2A_MLX_Temperature",
        "dev": {"cns": [["mac", "5C:CF:7F:3F:2A:00"]]},
        "unit_of_meas": "°C",
        "dev_cla": "temperature",
        "val_tpl": "{{ value_json['MLX90614']['OBJTMP'] | float }}",
    }
    announce(house, "sensor/3F2A_MLX_Temperature", config)
    sent = {"Time": "2026-11-20T10:00:00", "MLX90614": {"OBJTMP": 36.8, "AMBTMP": 21.0}, "TempUnit": "C"}
    assert house.hears("tele/tasmota_3F2A/SENSOR", sent) == [
        ("homeassistant:5C:CF:7F:3F:2A:00", vitals(temp=36.8))
    ]
    assert house.says("tele/tasmota_3F2A/LWT", "Offline") == [{"is": "status", "online": False}]


def test_a_device_announced_as_a_whole(house: House) -> None:
    whole = {
        "dev": {"ids": ["care-7"], "name": "Wrist", "mf": "Maker", "mdl": "B7"},
        "o": {"name": "band2mqtt"},
        "~": "care/7",
        "stat_t": "~/state",
        "cmps": {
            "hr": {
                "p": "sensor",
                "name": "Heart rate",
                "unit_of_meas": "bpm",
                "val_tpl": "{{ value_json.hr }}",
            },
            "o2": {"p": "sensor", "name": "SpO2", "unit_of_meas": "%", "val_tpl": "{{ value_json.o2|int }}"},
            "sos": {"p": "binary_sensor", "stat_t": "~/sos", "pl_on": "1", "pl_off": "0"},
            "light": {"p": "light", "cmd_t": "~/light"},
        },
    }
    announce(house, "device/care-7", whole)
    assert house.says("care/7/state", {"hr": 71, "o2": "97"}) == [vitals(hr=71, spo2=97)]
    assert house.says("care/7/sos", "1") == [SOS]
    assert house.proposed["homeassistant:care-7"].kind is DeviceKind.WRISTBAND
    del whole["cmps"]["sos"]  # type: ignore[attr-defined]
    announce(house, "device/care-7", whole)
    assert house.says("care/7/sos", "1") == []


def test_hubs_heard_in_another_dialect_are_left_alone() -> None:
    house = House(HomeAssistant(HomeAssistantSettings(skip=("Zigbee2MQTT",))))
    config = {
        "stat_t": "zigbee2mqtt/pir",
        "dev_cla": "motion",
        "o": {"name": "Zigbee2MQTT"},
        "dev": {"ids": ["zigbee2mqtt_0x1"]},
    }
    announce(house, "binary_sensor/0x1/occupancy", config)
    assert not house.known
    assert not house.proposed


def test_a_button_announced_as_a_trigger(house: House) -> None:
    config = {
        "atype": "trigger",
        "type": "button_short_press",
        "stype": "button_1",
        "t": "stat/button/action",
        "pl": "SINGLE",
        "dev": {"ids": "btn"},
    }
    announce(house, "device_automation/btn/b1", config)
    assert house.says("stat/button/action", "SINGLE") == [SOS]
    assert house.says("stat/button/action", "SINGLE", retained=True) == []
    assert house.says("stat/button/action", "DOUBLE") == []


@pytest.mark.parametrize(
    ("config", "on"),
    [
        ({"cmd_t": "siren/set"}, b'{"state":"ON"}'),
        ({"cmd_t": "siren/set", "command_template": "{{ value }}", "pl_on": "1"}, b"1"),
    ],
)
def test_sirens(house: House, config: Any, on: bytes) -> None:
    announce(house, "siren/hall", {**config, "dev": {"ids": "s"}})
    assert house.proposed["homeassistant:s"].kind is DeviceKind.SIREN
    order = house.dialect.order_siren("homeassistant:s", DeviceKind.SIREN, True, house.known)
    assert order == ("siren/set", on)
    assert house.dialect.order_siren("homeassistant:s", DeviceKind.SMOKE, True, house.known) is None


@pytest.mark.parametrize(
    ("template", "payload", "expected"),
    [
        (None, b" 72 ", "72"),
        ("{{ value }}", b"72", "72"),
        ("{{value|float}}", b"72.5", 72.5),
        ("{{ value_json.a.b }}", b'{"a":{"b":1}}', 1),
        ("{{ value_json['a-b'][1] | int(0) }}", b'{"a-b":[1,"2.9"]}', 2),
        ('{{- value_json["a"].b|round(1) -}}', b'{"a":{"b":1.25}}', 1.25),
        ("{{ value_json.a }}", b"{}", None),
        ("{{ value_json.a.b }}", b'{"a":3}', None),
    ],
)
def test_templates_that_pick_a_value(template: str | None, payload: bytes, expected: Any) -> None:
    assert picked(json.loads(json.dumps(plan(template))), payload) == expected


@pytest.mark.parametrize(
    "template",
    [
        "{{ value_json.a if value_json.b else 1 }}",
        "{{ value_json.a + 1 }}",
        "{{ states('x') }}",
        "{{ value_json.__class__.__mro__ | map('x') }}",
        "{% set x = 1 %}{{ x }}",
        "{{ value * 2 }}",
        "{{ value_json.a }}{{ value_json.b }}",
        "{{ ''.__class__ }}",
        "",
        3,
        "{{ value_json[a] }}",
        "{{ value.split(',')[0] }}",
        "{{ value_json.a | replace('a', 'b') }}",
        "{{ value_json" + ".a" * 500 + " }}",
    ],
)
def test_templates_that_do_more_are_refused_not_run(house: House, template: Any) -> None:
    with pytest.raises(NotUnderstoodError):
        plan(template)
    esphome(house, "binary_sensor", "pir", dev_cla="motion", val_tpl=template)
    assert house.ignored == ["a template that does more than pick a value"]


@pytest.mark.parametrize(
    "config",
    [
        b"nonsense",
        [1],
        {"stat_t": "#", "dev_cla": "motion"},
        {"stat_t": "$SYS/x", "dev_cla": "motion"},
        {"dev_cla": "motion"},
        {"stat_t": "a/+/b", "dev_cla": "motion"},
    ],
)
def test_an_announcement_cannot_make_us_listen_to_everything(house: House, config: Any) -> None:
    announce(house, "binary_sensor/x/y", config)
    assert list(house.dialect.filters(house.known)) == list(house.dialect.subscriptions)
    assert house.ignored


def test_what_is_learnt_is_bounded(house: House) -> None:
    house.known = {f"homeassistant:{number}": {"parts": {}} for number in range(KNOWN_MAX - 10)}
    for number in range(10):
        announce(house, f"binary_sensor/d{number}/m", {"stat_t": f"d/{number}", "dev_cla": "motion"})
    assert len(house.known) <= KNOWN_MAX
    assert "no room for another device" in house.ignored


def announce_sensors(house: House, *configs: dict[str, Any]) -> None:
    for number, config in enumerate(configs):
        whole = {**config, "state_topic": f"n/{number}", "device": {"identifiers": ["n"]}}
        house.told(f"homeassistant/sensor/n/{number}/config", whole, retained=True)


def test_a_scale_whose_weight_is_called_after_it_is_heard() -> None:
    house = House(HomeAssistant())
    announce_sensors(
        house, {"name": "Xiaomi Mi Scale Weight", "device_class": "weight", "unit_of_measurement": "kg"}
    )
    assert house.says("n/0", "65.2") == [vitals(weight=65.2)]


def test_signs_of_several_people_on_one_device_are_nobodys() -> None:
    house = House(HomeAssistant())
    weight = {"device_class": "weight", "unit_of_measurement": "kg"}
    announce_sensors(house, {"name": "Anna Weight", **weight}, {"name": "Bob Weight", **weight})
    assert house.says("n/0", "65.2") == house.says("n/1", "80") == []
    assert house.ignored == ["signs of several people on one device"] * 2


@pytest.mark.parametrize(
    "config",
    [
        {"name": "Systolic user 1", "unit_of_measurement": "mmHg"},
        {"name": "Weight User2", "device_class": "weight", "unit_of_measurement": "kg"},
        {"name": "Puls Oma", "unit_of_measurement": "bpm"},
    ],
)
def test_what_may_be_a_vital_sign_and_is_not_understood_is_counted(config: dict[str, Any]) -> None:
    house = House(HomeAssistant())
    announce_sensors(house, config)
    assert house.ignored == ["an announced sensor that nobody knows"]


def test_a_barometer_is_nobody() -> None:
    house = House(HomeAssistant())
    announce_sensors(
        house, {"name": "Air", "device_class": "atmospheric_pressure", "unit_of_measurement": "mmHg"}
    )
    assert house.ignored == []
