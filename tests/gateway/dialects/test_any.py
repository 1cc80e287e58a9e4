"""Every dialect, for anything that a device may send: whatever the bytes, the topic and the order."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dialects import KNOWN_MAX, Dialect, registry
from protocol import wire
from protocol.model import Activity, AlarmSignal, DeviceKind, DeviceStatus, SignalState
from tests.gateway.dialects.test_plain import SETTINGS

DIALECTS = {
    dialect.name: dialect
    for dialect in registry.by_name(registry.NAMES, registry.read(SETTINGS), site="home", gateway="gw")
}
ENTRY_BYTES_MAX = 256 * 1024

TOPICS = {
    "anshou": ["anshou/v1/home/b-1/alarm", "anshou/v1/home/b-1/status", "anshou/v1/home/b-1/vitals"],
    "zigbee2mqtt": [
        "zigbee2mqtt/bridge/devices",
        "zigbee2mqtt/bridge/groups",
        "zigbee2mqtt/bridge/info",
        "zigbee2mqtt/a",
        "zigbee2mqtt/a/availability",
        "zigbee2mqtt/a/occupancy",
        "zigbee2mqtt/a/set",
    ],
    "thingsboard": [
        "v1/gateway/connect",
        "v1/gateway/disconnect",
        "v1/gateway/telemetry",
        "v1/gateway/attributes",
        "v1/devices/me/telemetry",
        "tb/a/v1/devices/me/telemetry",
        "tb/a/v2/a",
        "v1/devices/me/rpc/request/1",
        "tb/a/v1/devices/me/attributes/request/2",
        "v1/gateway/attributes/request",
    ],
    "homeassistant": [
        "homeassistant/binary_sensor/a/b/config",
        "homeassistant/sensor/a/config",
        "homeassistant/device/a/config",
        "homeassistant/event/a/config",
        "homeassistant/siren/a/config",
        "a",
        "b",
    ],
    "plain": ["clinic/a/bp", "kiosk/x/data", "bed/x", "button/b"],
}
NAMES = [
    "a",
    "b",
    "device",
    "dev",
    "type",
    "ts",
    "values",
    "hr",
    "heartRate",
    "temp",
    "sos",
    "smoke",
    "fall_status",
    "contact",
    "occupancy",
    "action",
    "battery",
    "state",
    "last_seen",
    "ieee_address",
    "friendly_name",
    "definition",
    "exposes",
    "name",
    "user",
    "weight",
    "method",
    "property",
    "value_on",
    "value_off",
    "features",
    "power_source",
    "stat_t",
    "state_topic",
    "dev_cla",
    "~",
    "val_tpl",
    "cmps",
    "p",
    "ids",
    "avty",
    "avty_t",
    "t",
    "cmd_t",
    "unit_of_meas",
    "off_delay",
    "packed",
    "sn",
    "cry",
    "uniq_id",
    "config",
    "advanced",
    "output",
    "access",
    "unit",
    "online",
    "rssi",
    "fw",
    "bp",
    "at",
    "steps",
]
WORDS = [
    "a", "b", "ON", "OFF", "emergency", "single", "fall", "maybe_fall", "online", "offline",
    "motion", "smoke", "temperature", "binary", "enum", "numeric", "composite", "occupancy",
    "contact", "action", "{{ value }}", "{{ value_json.a }}", "°F", "128,76,72", "Mains", "sensor",
    "event", "button", "siren", "2026-11-20T10:00:00Z",
]  # fmt: skip
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(WORDS)
    | st.text(max_size=12) | st.integers(0, 200)
)  # fmt: skip
names = st.sampled_from(NAMES) | st.text(max_size=8)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(names, inner, max_size=8),
    max_leaves=16,
)
payloads = (
    st.binary(max_size=60)
    | values.map(lambda value: json.dumps(value).encode())
    | st.sampled_from(WORDS).map(str.encode)
)


def messages(dialect: str) -> st.SearchStrategy[list[tuple[str, bytes, bool]]]:
    topics = st.sampled_from(TOPICS[dialect]) | st.text(max_size=20)
    return st.lists(st.tuples(topics, payloads, st.booleans()), max_size=8)


def check_understood(dialect: Dialect, played: list[tuple[str, bytes, bool]]) -> None:
    known: dict[str, Any] = {}
    for topic, payload, retained in played:
        told = dialect.understand(topic, payload, retained=retained, known=known)
        for heard in told.heard:
            message = heard.message
            assert wire.decode(wire.leaf_of(message), wire.encode(message)) == message
            assert heard.key.startswith(f"{dialect.name}:")
            assert len(heard.key) <= 160
            if retained:
                assert not isinstance(message, Activity)
                assert not (isinstance(message, AlarmSignal) and message.state is SignalState.RAISED)
        for proposal in told.proposed:
            assert wire.decode_proposal(wire.encode(proposal)) == proposal
        assert all(ignored.reason for ignored in told.ignored)
        learnt = dict(told.learnt)
        assert json.loads(json.dumps(learnt, allow_nan=False)) == learnt
        known = {**known, **told.learnt}
        assert len(known) <= KNOWN_MAX
        assert all(len(json.dumps(entry)) < ENTRY_BYTES_MAX for entry in known.values())
    for key in known:
        dialect.order_siren(key, DeviceKind.SIREN, True, known)
    assert all(topic for topic in dialect.filters(known))


@settings(max_examples=100)
@given(st.data())
@pytest.mark.parametrize("name", DIALECTS)
def test_nothing_that_a_device_sends_does_harm(name: str, data: st.DataObject) -> None:
    check_understood(DIALECTS[name], data.draw(messages(name)))


@settings(max_examples=50)
@given(st.data())
@pytest.mark.parametrize("name", DIALECTS)
def test_knowledge_of_another_shape_does_no_harm(name: str, data: st.DataObject) -> None:
    places = [name, f"{name}:a", f"{name}/topic/a", f"{name}/config/homeassistant/sensor/a/config"]
    known = {place: data.draw(values) for place in places}
    for topic, payload, retained in data.draw(messages(name)):
        DIALECTS[name].understand(topic, payload, retained=retained, known=known)


@settings(max_examples=50)
@given(st.data())
@pytest.mark.parametrize("name", DIALECTS)
def test_saying_all_of_it_again_as_a_replay_raises_nothing(name: str, data: st.DataObject) -> None:
    played = data.draw(messages(name))
    check_understood(DIALECTS[name], [*played, *((topic, payload, True) for topic, payload, _ in played)])


@pytest.mark.parametrize("name", DIALECTS)
def test_payloads_too_deep_or_too_long_are_refused(name: str) -> None:
    for payload in (b"[" * 100_000, b'{"a":' * 5_000, b" " * (9 * 1024 * 1024)):
        for topic in TOPICS[name]:
            told = DIALECTS[name].understand(topic, payload, retained=False, known={})
            # What nobody can read is at most a sign of life, from a device that sends plain text.
            assert all(heard.message == DeviceStatus(online=True) for heard in told.heard)
