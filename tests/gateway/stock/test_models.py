"""Every model of the published Zigbee converters: its alarm is heard, and nothing is passed over silently."""

import json
import os
from typing import Any

import pytest

from gateway.dialects.names import words_of
from gateway.dialects.words import spelled
from gateway.dialects.zigbee2mqtt import Zigbee2Mqtt
from protocol.model import Activity, AlarmSignal
from tests.gateway.stock import models
from tests.gateway.stock.models import BASE, Heard, properties, verdict

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.timeout(600)]

LISTED_SHARE_MAX = 0.006
"""Properties that nobody knows and that are counted when they come."""

ABOUT = {
    "alarm.sos": spelled("sos emergency panic"),
    "alarm.fall": spelled("fall"),
    "alarm.smoke": spelled("smoke fire heat stove"),
    "alarm.gas": spelled("gas co monoxide methane lpg"),
    "alarm.water": spelled("leak leakage flood water"),
    "activity.in_bed": spelled("bed mattress sleeping"),
}
"""By alarm, the words in a model's description that promise it."""
NOT_ABOUT_PEOPLE = spelled(
    "light lamp bulb downlight valve walve meter counter pressure lock boiler timer heater level remote "
    "controller hot irrigation pump thermostat trv heating protector relay receiver floor pump guarded "
    "adapter switch module energy dioxide ergomotion hose fan"
)
"""Words of machines; what such a model is described as says nothing of an alarm."""
NOT_THEIRS = {
    # Which way the contact in the pad closes its list does not tell: a person maps it.
    ("OWON", "SPM915"): "activity.in_bed",
    # A plug that cuts the stove's power and tells nothing.
    ("Brun Holding", "Fire Fence"): "alarm.smoke",
    ("Namron", "1402790"): "alarm.smoke",
    # `leak` in its description is gas.
    ("Xiaomi", "JTQJ-BF-01LM/BW"): "alarm.water",
    ("Spacetronik", "ZB-DG02"): "alarm.water",
    ("Tuya", "DCR-RQJ"): "alarm.water",
}


@pytest.fixture(scope="module")
def heard() -> list[Heard]:
    try:
        return [models.heard(model) for model in models.models()]
    except (RuntimeError, OSError) as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


def test_every_model_whose_description_promises_an_alarm_gives_it(heard: list[Heard]) -> None:
    silent, promised = [], 0
    for found in heard:
        words = set(words_of(found.model.description))
        if words & NOT_ABOUT_PEOPLE:
            continue
        for says, telling in ABOUT.items():
            if words & telling:
                promised += 1
                if says not in found.says and NOT_THEIRS.get(found.model[:2]) != says:
                    silent.append(f"{says}: {found.model}")
    assert not silent
    assert promised > 150


def test_what_is_understood_is_said_when_it_begins(heard: list[Heard]) -> None:
    dumb = []
    for found in heard:
        features = {feature["property"]: feature for feature in properties(found.model.exposes)}
        for name, mappings in found.entry["fields"].items():
            says = {
                mapping["says"] for mapping in mappings if not mapping["says"].startswith(("status", "vit"))
            }
            values = said_by(features[name])
            if says - {"alarm.fault", "alarm.low_battery"} and not any(
                speaks(found, name, each) for each in values
            ):
                dumb.append(f"{name}: {found.model}")
    assert not dumb


def said_by(feature: dict[str, Any]) -> list[Any]:
    """All values that a property may have."""
    return list(feature.get("values") or (feature.get("value_on", True), feature.get("value_off", False)))


def speaks(found: Heard, name: str, value: Any) -> bool:
    payload = json.dumps({name: value}).encode()
    told = Zigbee2Mqtt().understand(f"{BASE}/d", payload, retained=False, known=found.known)
    return any(isinstance(heard.message, Activity | AlarmSignal) for heard in told.heard)


def test_no_setting_says_anything_about_a_person(heard: list[Heard]) -> None:
    loud = []
    for found in heard:
        for feature in properties(found.model.exposes):
            if feature["property"] in {"sos", "contact", "action"} or not feature.get("access", 1) & 2:
                continue
            if feature["type"] in {"binary", "enum"}:
                loud += [
                    f"{feature['property']}={value}: {found.model}"
                    for value in said_by(feature)
                    if speaks(found, feature["property"], value)
                ]
    assert not loud


def test_few_properties_are_known_to_nobody(heard: list[Heard]) -> None:
    each = [verdict(found, feature) for found in heard for feature in properties(found.model.exposes)]
    assert each.count("listed") / len(each) < LISTED_SHARE_MAX
