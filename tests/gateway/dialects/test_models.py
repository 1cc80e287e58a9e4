"""Facts about single models, told by the published property lists: what their alarms look like.

All models are gone through in `tests/gateway/stock`; these are those that were not understood there once.
"""

from typing import Any, NamedTuple

import pytest

from gateway.dialects.zigbee2mqtt import Zigbee2Mqtt
from tests.gateway.dialects.house import House, activity, cleared, raised

Said = list[dict[str, Any]]
FIRE, NO_FIRE = [raised("smoke")], [cleared("smoke")]
OPEN, CLOSED = [activity("door_open")], [activity("door_closed")]
FAULT, NO_FAULT = [raised("fault")], [cleared("fault")]
NOTHING: Said = []


class Fact(NamedTuple):
    """A model, one of its properties, and what two values of it in turn say."""

    model: str
    described: str
    feature: dict[str, Any]
    values: tuple[Any, Any]
    says: tuple[Said, Said]
    beside: tuple[dict[str, Any], ...] = ()


def binary(name: str, on: Any = True, off: Any = False) -> dict[str, Any]:
    return {"type": "binary", "name": name, "property": name, "access": 1, "value_on": on, "value_off": off}


def enum(name: str, values: str) -> dict[str, Any]:
    return {"type": "enum", "name": name, "property": name, "access": 1, "values": values.split()}


ON_OFF = (True, False)
FACTS = [
    Fact("ZD1-EN", "Door & window sensor", binary("alarm"), ON_OFF, (OPEN, CLOSED)),
    Fact("1811680", "Zigbee opening sensor", binary("alarm_1"), ON_OFF, (OPEN, CLOSED)),
    Fact("S901D-ZG", "Door sensor", binary("alarm_1"), ON_OFF, (OPEN, CLOSED)),
    Fact("FB56-DOS06HM1.1", "3A / Nue Zigbee door sensor", binary("alarm_1"), ON_OFF, (OPEN, CLOSED)),
    Fact("TS0601_vibration_alarm_sensor", "Vibration alarm sensor", enum("alarm_status", "normal alarm"),
         ("alarm", "normal"), ([activity("motion")], NOTHING)),
    Fact("HM-5HA-E", "Smart heat alarm", binary("alarm"), ON_OFF, (FIRE, NO_FIRE)),
    Fact("FFZB1-SM-ECO", "Audio Detector: Listens for the siren tone from a UL listed smoke detector in your "
         "home and sends signal to your Zigbee HUB", binary("alarm"), ON_OFF, (FIRE, NO_FIRE)),
    Fact("6254380", "2.0 Stove guard", binary("high_temperature"), ON_OFF, (FIRE, NO_FIRE)),
    Fact("mKomfy_Sensor", "mKomfy, stove guard", enum("alarm_status", "ok tamper high_temperatur timer"),
         ("high_temperatur", "ok"), (FIRE, NO_FIRE)),
    Fact("ZB-DG03", "LPG gas sensor", enum("fault", "none fault serious_fault sensor_fault power_fault"),
         ("sensor_fault", "none"), (FAULT, NO_FAULT)),
    Fact("SMSZB-120", "Smoke detector with siren", enum("reliability", "no_fault_detected process_error"),
         ("process_error", "no_fault_detected"), (FAULT, NO_FAULT)),
    Fact("E12", "Carbon monoxide alarm", binary("end_of_life"), ON_OFF, (FAULT, NO_FAULT)),
    Fact("HM-722ESY-E Plus", "Smart carbon monoxide alarm", enum("endoflife", "normal expires_soon expired"),
         ("expired", "normal"), (FAULT, NO_FAULT)),
    # No door: a pad in a bed, and a float in a tank. Which way the contact closes nobody says.
    Fact("SPM915", "Sleeping pad monitor", binary("contact", False, True), (False, True), (NOTHING, NOTHING)),
    Fact("POK003", "Water level and temperature sensor", binary("contact"), ON_OFF, (NOTHING, NOTHING)),
    # No zone of an alarm system, since it is told by itself that somebody is there; no break-in to be a door.
    Fact("ROB_200-070-0", "Battery powered PIR presence sensor", binary("alarm_1"), ON_OFF,
         (NOTHING, NOTHING), (binary("occupancy"),)),
    Fact("S8", "S8 premium window handle", enum("alarm", "ALARM IDLE"), ("ALARM", "IDLE"),
         (NOTHING, NOTHING)),
    # A siren that sounds is no fire.
    Fact("SRAC-23B-ZBSR", "Smart siren", binary("alarm"), ON_OFF, (NOTHING, NOTHING)),
    # Charged is not low, and charging is not.
    Fact("HS2AQ-EM", "Air quality monitor", enum("battery_state", "not_charging charging charged"),
         ("charging", "not_charging"), (NOTHING, NOTHING)),
    Fact("SA12IZL", "Smart smoke alarm", enum("battery_state", "low middle high"), ("low", "high"),
         ([raised("low_battery")], [cleared("low_battery")])),
    # How much dioxide there is in the air is no gas alarm.
    Fact("EZC04", "Smart air quality monitor (CO2)", enum("co2_state", "alarm normal"), ("alarm", "normal"),
         (NOTHING, NOTHING)),
]  # fmt: skip


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.model)
def test_a_models_alarm_is_heard_and_nothing_else_is(fact: Fact) -> None:
    house = House(Zigbee2Mqtt())
    definition = {
        "model": fact.model,
        "description": fact.described,
        "exposes": [fact.feature, *fact.beside],
    }
    device = {"ieee_address": "0x1", "friendly_name": "d", "type": "EndDevice", "definition": definition}
    house.told("zigbee2mqtt/bridge/devices", [device], retained=True)
    name = fact.feature["property"]
    assert [house.says("zigbee2mqtt/d", {name: value}) for value in fact.values] == list(fact.says)


@pytest.mark.parametrize("described", ["Sleeping pad monitor", "Water level and temperature sensor"])
def test_a_contact_that_is_no_door_is_counted(described: str) -> None:
    house = House(Zigbee2Mqtt())
    definition = {"model": "m", "description": described, "exposes": [binary("contact", False, True)]}
    device = {"ieee_address": "0x1", "friendly_name": "d", "type": "EndDevice", "definition": definition}
    house.told("zigbee2mqtt/bridge/devices", [device], retained=True)
    house.told("zigbee2mqtt/d", {"contact": False})
    assert house.ignored == ["a field that nobody knows"]


def test_what_a_thermostat_does_is_not_counted_but_its_alarm_is() -> None:
    house = House(Zigbee2Mqtt())
    climate = {"type": "climate", "features": [enum("running_state", "idle heat")]}
    exposes = [climate, binary("fire_escape_alarm")]
    definition = {"model": "m", "description": "Thermostat", "exposes": exposes}
    device = {"ieee_address": "0x1", "friendly_name": "d", "type": "Router", "definition": definition}
    house.told("zigbee2mqtt/bridge/devices", [device], retained=True)
    house.told("zigbee2mqtt/d", {"running_state": "heat"})
    assert house.ignored == []
    house.told("zigbee2mqtt/d", {"fire_escape_alarm": True})
    assert house.ignored == ["a field that nobody knows"]
