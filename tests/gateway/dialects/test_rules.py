"""Rules for whatever a device may send: no alarm from a setting, and no bad byte that costs a cry."""

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.dialects import registry, sources
from gateway.dialects.homeassistant import HomeAssistant
from gateway.dialects.names import is_setting, meaning_of
from gateway.dialects.plain import Plain
from gateway.dialects.thingsboard import ThingsBoard
from gateway.dialects.times import PLAUSIBLE_MS_MAX, PLAUSIBLE_MS_MIN, time_ms
from gateway.dialects.values import boolean
from gateway.dialects.words import spelled
from gateway.dialects.zigbee2mqtt import Zigbee2Mqtt
from protocol.model import Activity, AlarmSignal
from tests.gateway.dialects.house import SOS, House
from tests.gateway.dialects.test_any import payloads, values

ALARMING = spelled(
    "fall fall_detection smoke gas gas_alarm_1 water_leak sos emergency panic presence occupancy "
    "motion vibration in_bed bed door window battery_low tamper 跌倒 呼叫"
)
SET_UP = [
    "set",
    "max",
    "min",
    "threshold",
    "sensitivity",
    "enabled",
    "delay",
    "timeout",
    "mode",
    "volume",
    "silence",
    "test",
    "interval",
    "switch",
]
said = st.one_of(
    st.booleans(), st.integers(0, 3), st.sampled_from(["ON", "OFF", "alarm", "fall", "open", "1", "detected"])
)


def personal(told: Any) -> list[Any]:
    return [heard for heard in told.heard if isinstance(heard.message, Activity | AlarmSignal)]


@given(
    st.sampled_from(sorted(ALARMING)),
    st.sampled_from(["binary", "enum", "text"]),
    st.sampled_from([2, 3, 7]),
    said,
)
def test_what_can_be_set_on_a_zigbee_device_alarms_nobody(
    name: str, kind: str, access: int, value: Any
) -> None:
    if name == "sos":
        return  # a cry is never a setting, whatever the list says
    house = House(Zigbee2Mqtt())
    exposed = {
        "name": name,
        "property": name,
        "type": kind,
        "access": access,
        "values": ["alarm", "fall", "ON"],
    }
    device = {
        "ieee_address": "0x1",
        "friendly_name": "d",
        "type": "EndDevice",
        "definition": {"exposes": [exposed]},
    }
    house.told("zigbee2mqtt/bridge/devices", [device], retained=True)
    for each in (value, True, "ON"):
        assert not personal(house.told("zigbee2mqtt/d", {name: each}))


@given(st.sampled_from(sorted(ALARMING)), st.sampled_from(sorted(SET_UP)), st.booleans(), said)
def test_the_name_of_a_setting_alarms_nobody(name: str, word: str, before: bool, value: Any) -> None:
    whole = f"{word}_{name}" if before else f"{name}_{word}"
    if meaning_of(whole) is not None and not is_setting(whole):
        assert whole in {"panic_switch", "emergency_switch", "sos_switch"}  # these are pressed
        return
    house = House(ThingsBoard())
    for each in (value, True, "alarm"):
        assert not personal(
            house.told("tb/d/v1/devices/me/telemetry", {whole: each, "settings": {name: each}})
        )


@given(st.sampled_from(sorted(ALARMING)), st.sampled_from(["config", "diagnostic"]), said)
def test_an_announced_setting_alarms_nobody_about_a_person(name: str, category: str, value: Any) -> None:
    house = House(HomeAssistant())
    config = {
        "name": name,
        "state_topic": "s/t",
        "entity_category": category,
        "payload_on": value,
        "device": {"identifiers": ["d"]},
    }
    house.told("homeassistant/binary_sensor/d/e/config", config, retained=True)
    about_things = {"smoke", "gas", "water", "low_battery", "tamper"}
    for heard in personal(house.told("s/t", str(value))):
        assert isinstance(heard.message, AlarmSignal)
        assert heard.message.kind in about_things


@settings(max_examples=200)
@given(st.binary(max_size=40).map(lambda junk: junk.translate(None, b'"\\')), st.booleans())
@example(b"\xff\xfe\x00", True)
@example(b"\xcd", False)
def test_no_byte_of_a_text_costs_the_cry_beside_it(junk: bytes, first: bool) -> None:
    text = b'"note":"' + junk + b'"'
    fields = [text, b'"sos":true'] if first else [b'"sos":true', text]
    house = House(ThingsBoard())
    assert SOS in house.says("tb/d/v1/devices/me/telemetry", b"{" + b",".join(fields) + b"}")


@given(
    st.sampled_from(
        ["NaN", "nan", "-nan", "Infinity", "inf", "", "undefined", "--", "07", "1e999", "None", "'x'", "+5"]
    ),
    st.sampled_from(["", "\x00", "\x00\x00{", "}", "\r\n", "]"]),
    st.sampled_from(["", "\ufeff", "\x00", " \n"]),
)
def test_no_bad_value_costs_the_cry_beside_it(value: str, tail: str, head: str) -> None:
    house = House(ThingsBoard())
    payload = f'{head}{{"hr":{value},"sos":true}}{tail}'.encode()
    assert house.says("tb/d/v1/devices/me/telemetry", payload) == [SOS]


@given(st.integers(0, 40))
def test_what_breaks_off_is_understood_up_to_there(cut: int) -> None:
    whole = b'{"sos":true,"hr":72,"note":"something","list":[1,{"a":2}]}'
    house = House(ThingsBoard())
    assert SOS in house.says("tb/d/v1/devices/me/telemetry", whole[: 12 + cut])


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_that_is_neither_0_nor_1_is_neither_on_nor_off(value: float) -> None:
    assert boolean(value) is ({0: False, 1: True}.get(int(value)) if value in (0, 1) else None)


@given(
    st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=30) | st.text("0123456789", max_size=20)
)
def test_a_time_lies_in_our_days_or_is_none(value: Any) -> None:
    found = time_ms(value)
    assert found is None or PLAUSIBLE_MS_MIN <= found <= PLAUSIBLE_MS_MAX


MAKERS = Plain(registry.read(f"makers = {json.dumps(list(registry.MAKERS))}").sources)
TOPICS = spelled(
    "/Radar60FL/E/sys/property/post /Radar60SP/E/sys/property/post iMEDE_watch/hb iMEDE_watch/SOS "
    "sleepace-x /chiefdata/push/fire_alarm/a/1 home/g/BTtoMQTT/5C CM4_BLE_GW_TX dusun_sub "
    "ESP32_BLE_GW_TX x"
)


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(TOPICS)), payloads | values.map(lambda value: json.dumps(value).encode())
        )
    )
)
def test_nothing_that_a_known_maker_sends_does_harm(played: list[tuple[str, bytes]]) -> None:
    house = House(MAKERS)
    for topic, payload in played:
        house.told(topic, payload)


def test_every_makers_source_is_as_the_settings_file_must_be() -> None:
    for listed in registry.MAKERS.values():
        assert not list(sources.check(listed))
