"""All models of the published Zigbee converters through our rules: `python -m tests.gateway.stock.models`.

The npm package is fetched, as its lock file says, and its property lists are written to a file under `build/`
once. Each property is then understood, left aside for a reason, or listed: somebody should look at it.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from deploy.local import node, places
from gateway.dialects.zigbee2mqtt import Zigbee2Mqtt

HERE = Path(__file__).parent
SOURCES = ("package.json", "package-lock.json")
SCRIPT = "models.cjs"
FETCH_S_MAX = 240.0
READ_S_MAX = 120.0
ADDRESS = "0x00158d0000000001"
KEY = f"zigbee2mqtt:{ADDRESS}"
BASE = "zigbee2mqtt"
COMPOUND = frozenset({"light", "switch", "cover", "lock", "fan", "climate"})


class Model(NamedTuple):
    """A model as the converters have it."""

    vendor: str
    name: str
    description: str
    exposes: list[dict[str, Any]]

    def __str__(self) -> str:
        return f"{self.vendor} {self.name} ({self.description})"


class Heard(NamedTuple):
    """A model as our dialect has it once the hub has announced it."""

    model: Model
    known: Mapping[str, Any]

    @property
    def entry(self) -> dict[str, Any]:
        """What is known of it."""
        return dict(self.known[KEY])

    @property
    def says(self) -> set[str]:
        """Our words for all that it can say."""
        words = {mapping["says"] for mappings in self.entry["fields"].values() for mapping in mappings}
        return words | {"alarm.sos"} if self.entry["acts"] else words


def data_file() -> Path:
    """The property lists, one model a line; fetched unless they are there. RuntimeError: there are none."""
    digest = hashlib.blake2s(
        b"".join((HERE / name).read_bytes() for name in (*SOURCES, SCRIPT)), digest_size=6
    )
    file = places.checkout() / "build" / f"zigbee-models-{digest.hexdigest()}.jsonl"
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="models-", dir=file.parent) as name:
            folder = Path(name)
            for source in (*SOURCES, SCRIPT):
                shutil.copy(HERE / source, folder)
            _run([*node.npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder, FETCH_S_MAX)
            made = folder / file.name
            made.write_bytes(_run([str(node.node()), SCRIPT], folder, READ_S_MAX))
            made.replace(file)
    return file


def _run(command: list[str], folder: Path, timeout_s: float) -> bytes:
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=timeout_s)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr[-300:].decode(errors='replace')}")
    return done.stdout


def models() -> list[Model]:
    """All models."""
    with data_file().open(encoding="utf-8") as file:
        read = [json.loads(line) for line in file]
    return [Model(each["vendor"], each["model"], each["description"] or "", each["exposes"]) for each in read]


def heard(model: Model) -> Heard:
    """The model, announced by a hub."""
    definition = {
        "vendor": model.vendor,
        "model": model.name,
        "description": model.description,
        "exposes": model.exposes,
    }
    device = {"ieee_address": ADDRESS, "friendly_name": "d", "type": "EndDevice", "definition": definition}
    payload = json.dumps([device]).encode()
    told = Zigbee2Mqtt().understand(f"{BASE}/bridge/devices", payload, retained=True, known={})
    return Heard(model, told.learnt)


def properties(exposes: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """All properties of a list by themselves: those of a light or a switch stand beside the others."""
    for feature in exposes:
        if feature.get("type") in COMPOUND:
            yield from properties(feature.get("features", []))
        elif feature.get("property"):
            yield feature


def verdict(found: Heard, feature: Mapping[str, Any]) -> str:
    """What becomes of a property: `understood`, `listed`, or why it is left aside."""
    name = feature["property"]
    access = feature.get("access", 1)
    if name in found.entry["fields"] or name == "action":
        return "understood"
    if name not in found.entry["settings"]:
        return "listed"
    if access & 2:
        return "can be set: a setting"
    if not access & 1:
        return "never told"
    if feature["type"] == "numeric":
        return "a number that is no sign of a person"
    if feature["type"] not in {"binary", "enum", "text"}:
        return "an object or a list"
    return "by its name a diagnostic, a meter or a machine"


def main() -> int:
    """Print how many properties are understood, left aside and listed; with `--list` which are listed."""
    counted: Counter[str] = Counter()
    listed: Counter[str] = Counter()
    examples: dict[str, Model] = {}
    each = models()
    for found in map(heard, each):
        for feature in properties(found.model.exposes):
            what = verdict(found, feature)
            counted[what] += 1
            if what == "listed":
                name = f"{feature['type']} {feature['property']}"
                listed[name] += 1
                examples.setdefault(name, found.model)
    total = counted.total()
    print(f"{len(each)} models, {total} properties")
    for what, count in counted.most_common():
        print(f"  {count:6} {100 * count / total:5.1f} %  {what}")
    if "--list" in sys.argv[1:]:
        for name, count in listed.most_common():
            print(f"  {count:4}  {name}: {examples[name]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
