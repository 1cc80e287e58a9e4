"""Messages as devices in the field send them, and what a right product says: data, one file a kind.

Each case: `seen_at` (where it was reported), `what`, `dialect`, `settings` (the settings file as TOML, or the
kinds of ThingsBoard's devices), `announced_first`, `steps` with `topic`, `payload` and `expect`, and where it
matters `key` (who spoke) and `ignored` (a part of a reason that must have been counted). A payload
`{"bytes_latin1": …}` stands for raw bytes. ANSHOU_CASES may name further files or folders, by colons.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.dialects import registry
from gateway.dialects.thingsboard import ThingsBoard, ThingsBoardSettings
from protocol.model import DeviceKind
from tests.gateway.dialects.house import ALIVE, House

CASES = Path(__file__).with_name("cases")


def files() -> Iterator[Path]:
    for place in [CASES, *(Path(part) for part in os.environ.get("ANSHOU_CASES", "").split(":") if part)]:
        yield from sorted(place.glob("**/*.json")) if place.is_dir() else [place]


def cases() -> Iterator[Any]:
    for file in files():
        read = json.loads(file.read_text(encoding="utf-8"))
        for place, case in enumerate(read if isinstance(read, list) else [read]):
            if "dialect" in case:
                yield pytest.param(case, id=f"{file.stem}-{case.get('id', place)}")


def house_of(case: dict[str, Any]) -> House:
    settings, name = case.get("settings"), case["dialect"]
    if isinstance(settings, dict):
        kinds = {device: DeviceKind(kind) for device, kind in settings.get("kinds", settings).items()}
        return House(ThingsBoard(ThingsBoardSettings(kinds=kinds)))
    read = registry.read(settings or "")
    return House(registry.by_name([name], read, site="home", gateway="gw")[0])


def bytes_of(payload: Any) -> Any:
    if isinstance(payload, dict) and set(payload) == {"bytes_latin1"}:
        return payload["bytes_latin1"].encode("latin-1")
    return payload


@pytest.mark.parametrize("case", list(cases()))
def test_a_case_from_the_field(case: dict[str, Any]) -> None:
    house = house_of(case)
    for told in case.get("announced_first", []):
        house.told(told["topic"], bytes_of(told["payload"]), retained=told.get("retained", True))
    house.ignored.clear()
    keys = set()
    for step in case["steps"]:
        retained = step.get("retained", False)
        heard = house.hears(step["topic"], bytes_of(step["payload"]), retained=retained)
        said = [message for _, message in heard if {**message, "ts": None} != {**ALIVE, "ts": None}]
        assert said == step["expect"], f"{case['what']}: {step}"
        keys |= {key for key, _ in heard}
    if "key" in case:
        assert keys == {case["key"]}
    for reason in case.get("ignored", []):
        assert any(reason in each for each in house.ignored), house.ignored


def test_there_are_cases_and_all_say_where_they_were_seen() -> None:
    read = [param.values[0] for param in cases()]
    assert len(read) >= 40
    assert all(case["seen_at"] and case["what"] and case["steps"] for case in read)
