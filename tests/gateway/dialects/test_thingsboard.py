"""ThingsBoard's gateway and device API: every shape in which its clients send."""

from typing import Any

import pytest

from gateway.dialects.thingsboard import Key, ThingsBoard, ThingsBoardSettings
from protocol.model import DeviceKind
from tests.gateway.dialects.house import ALIVE, SOS, House, activity, cleared, raised, status, vitals

TELEMETRY = "v1/gateway/telemetry"
TS = 1_795_188_802_000


@pytest.fixture
def house() -> House:
    return House(ThingsBoard())


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([{"ts": TS, "values": {"heartRate": 72}}], [vitals(ts=TS, hr=72)]),
        ([{"heart_rate": 72, "SpO2": "97", "resp": 16.5}], [vitals(hr=72, spo2=97, rr=16.5)]),
        ({"hr": " 72 "}, [vitals(hr=72)]),
        ({"ts": str(TS), "values": {"hr": 72}}, [vitals(ts=TS, hr=72)]),
        ({"ts": TS // 1000, "values": {"hr": 72}}, [vitals(ts=TS, hr=72)]),
        ([{"ts": TS, "values": {"hr": 71}}, {"ts": TS + 1, "values": {"hr": 72}}, {"hr": 73}],
         [vitals(ts=TS, hr=71), vitals(ts=TS + 1, hr=72), vitals(hr=73)]),
        ({"vitals": {"heart": {"heartRate": 70}, "bloodOxygen": 96}}, [vitals(hr=70, spo2=96)]),
        ({"bp": "128/76", "pulse": 72}, [vitals(sbp=128, dbp=76, hr=72)]),
        ({"blood_pressure": "128,76,72"}, [vitals(sbp=128, dbp=76)]),
        ({"心率": 66, "体温": 36.5}, [vitals(hr=66, temp=36.5)]),
        ({"sos": True}, [SOS]),
        ({"sos": "1"}, [SOS]),
        ({"sos": 0}, []),
        ({"inBed": True, "smoke": "alarm"}, [activity("in_bed"), raised("smoke")]),
        ({"door": "open"}, [activity("door_open")]),
        ({"contact": "open"}, [activity("door_open")]),
        ({"battery": "87", "rssi": -61, "fw_version": "1.2"}, [status(battery=87, rssi=-61, fw="1.2")]),
        ({"hr": 0, "spo2": 250}, []),
        ({"hr": True}, []),
        ({"hr": None, "note": "x", "list": [1, 2]}, []),
        ({}, []),
        ([], []),
    ],
)  # fmt: skip
def test_all_shapes_of_telemetry(house: House, values: Any, expected: list[Any]) -> None:
    assert house.says(TELEMETRY, {"A": values}) == expected


@pytest.mark.parametrize(
    "payload", [{"hr": 72}, [{"hr": 72}], {"ts": None, "values": {"hr": 72}}, [[{"hr": 1}], "x", {"hr": 72}]]
)
def test_the_device_api_has_the_same_shapes(payload: Any) -> None:
    house = House(ThingsBoard(ThingsBoardSettings(device="band-1")))
    assert house.hears("v1/devices/me/telemetry", payload) == [("thingsboard:band-1", vitals(hr=72))]


def test_the_device_api_without_a_name_is_refused_with_a_reason(house: House) -> None:
    assert house.hears("v1/devices/me/telemetry", {"hr": 72}) == []
    assert "does not say which device" in house.ignored[0]


@pytest.mark.parametrize("leaf", ["v1/devices/me/telemetry", "v2/t"])
def test_a_prefix_names_the_device(house: House, leaf: str) -> None:
    assert house.hears(f"tb/王奶奶/{leaf}", {"hr": 72}) == [("thingsboard:王奶奶", vitals(hr=72))]
    assert house.hears(f"tb/{leaf}", {"hr": 72}) == []


def test_temperature_is_a_bodys_only_where_the_device_is_for_bodies(house: House) -> None:
    for device, kind in (("room", "weather"), ("ear", "thermometer"), ("band", "smart-band")):
        house.told("v1/gateway/connect", {"device": device, "type": kind})
    measured = {device: [{"temperature": 36.6}] for device in ("room", "ear", "band", "unknown")}
    heard = [key for key, message in house.hears(TELEMETRY, measured) if message["is"] == "vitals"]
    assert heard == ["thingsboard:ear", "thingsboard:band"]


def test_devices_are_proposed_when_they_connect_and_when_they_say_something_new(house: House) -> None:
    assert house.hears("v1/gateway/connect", {"device": "A", "type": "wristband"}) == [
        ("thingsboard:A", ALIVE)
    ]
    assert house.proposed["thingsboard:A"].kind is DeviceKind.WRISTBAND
    house.told(TELEMETRY, {"A": [{"hr": 70}]})
    assert "vitals.hr" in house.proposed["thingsboard:A"].says
    house.proposed.clear()
    house.told(TELEMETRY, {"A": [{"hr": 71}]})
    assert not house.proposed


def test_who_disconnects_is_off_line_until_heard_again(house: House) -> None:
    house.told("v1/gateway/connect", {"device": "A"})
    assert house.says("v1/gateway/disconnect", {"device": "A"}) == [{"is": "status", "online": False}]
    assert [message for _, message in house.hears(TELEMETRY, {"A": {"hr": 70}})] == [vitals(hr=70), ALIVE]
    assert [message for _, message in house.hears(TELEMETRY, {"A": {"hr": 70}})] == [vitals(hr=70)]


def test_one_bad_device_costs_its_neighbours_nothing(house: House) -> None:
    heard = house.hears(
        TELEMETRY, {"\u0001": {"hr": 1}, "A": "nonsense", "B": {"hr": 70}, "x" * 300: {"hr": 70}}
    )
    assert ("thingsboard:B", vitals(hr=70)) in heard
    assert len(house.ignored) == 3


def test_attributes_are_how_a_device_is_not_what_it_measures(house: House) -> None:
    attributes = {"A": {"firmwareVersion": "2.1.0", "battery": 80, "hr": 150, "sos": False}}
    assert house.says("v1/gateway/attributes", attributes) == [status(fw="2.1.0", battery=80)]
    assert house.hears("v1/gateway/attributes", {"device": "A", "data": {"sos": True}}) == []


def test_settings_name_keys_units_and_kinds() -> None:
    settings = ThingsBoardSettings(
        keys={
            "t1": Key(says="vitals.temp", unit="degF"),
            "data.p": Key(says="vitals.hr", scale=0.1),
            "leftBed": Key(says="activity.in_bed", inverted=True),
        },
        kinds={"ear-7": DeviceKind.THERMOMETER},
    )
    house = House(ThingsBoard(settings))
    assert house.says(TELEMETRY, {"A": {"T1": 98.6, "data": {"p": 720}}}) == [vitals(temp=37, hr=72)]
    assert house.says(TELEMETRY, {"ear-7": {"temperature": "36.4"}}) == [vitals(temp=36.4)]
    assert house.says(TELEMETRY, {"A": {"leftBed": 0}}) == [activity("in_bed")]
    assert house.says(TELEMETRY, {"A": {"leftBed": 1}}) == [activity("out_of_bed")]


def test_states_that_are_repeated_are_told_once(house: House) -> None:
    said = [house.says(TELEMETRY, {"A": [{"smoke": on, "bed": on}]}) for on in (True, True, False, False)]
    assert said == [
        [raised("smoke"), activity("in_bed")],
        [],
        [cleared("smoke"), activity("out_of_bed")],
        [],
    ]


def test_the_protocol_has_no_siren(house: House) -> None:
    assert house.dialect.order_siren("thingsboard:A", DeviceKind.SIREN, True, {}) is None


@pytest.mark.parametrize("before", ["", "tb/band-1/"])
def test_a_client_that_waits_for_its_limits_is_told_that_there_are_none(house: House, before: str) -> None:
    question = {"method": "getSessionLimits", "params": {"timeout": 5000}}
    house.told(f"{before}v1/devices/me/rpc/request/7", question)
    [(topic, limits)] = house.answered
    assert topic == f"{before}v1/devices/me/rpc/response/7"
    assert limits["maxPayloadSize"] and limits["maxInflightMessages"]
    for limited in ("rateLimits", "gatewayRateLimits"):
        assert limits[limited] == {"messages": "", "telemetryMessages": "", "telemetryDataPoints": ""}
    assert not house.ignored


def test_a_client_that_asks_for_attributes_is_told_that_there_are_none(house: House) -> None:
    house.told("v1/devices/me/attributes/request/3", {"sharedKeys": "fw_version"})
    asked = {"keys": ["limit"], "device": "A", "client": False, "id": 4}
    house.told("v1/gateway/attributes/request", asked)
    assert house.answered == [
        ("v1/devices/me/attributes/response/3", {}),
        ("v1/gateway/attributes/response", {"id": 4, "device": "A", "values": {}}),
    ]


def test_a_procedure_that_nobody_knows_is_answered_and_counted(house: House) -> None:
    house.told("tb/band-1/v1/devices/me/rpc/request/1", {"method": "callNurse", "params": {}})
    [(topic, said)] = house.answered
    assert topic == "tb/band-1/v1/devices/me/rpc/response/1"
    assert "error" in said
    assert "procedure" in house.ignored[0]


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("v1/devices/me/rpc/request/1", b"no JSON"),
        ("v1/devices/me/rpc/request/x", {"method": "getSessionLimits"}),
        ("v1/devices/me/rpc/response/1", {"method": "getSessionLimits"}),
        ("v1/gateway/attributes/request", [1]),
    ],
)
def test_what_is_no_question_is_not_answered(house: House, topic: str, payload: Any) -> None:
    house.told(topic, payload)
    assert not house.answered


def test_an_old_question_that_the_broker_replays_is_not_answered(house: House) -> None:
    house.told("v1/devices/me/rpc/request/1", {"method": "getSessionLimits"}, retained=True)
    assert not house.answered
