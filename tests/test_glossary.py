"""Every noun of the glossary is a class, and every noun of the models is in the glossary."""

import enum
import importlib
import inspect
import re
from pathlib import Path

import msgspec
import pytest

import alarms.model
import care.model
import identity.model
import protocol.model
import protocol.signs

TEXT = (Path(__file__).parents[1] / "docs" / "glossary.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ([^|]+) \| ([^|]+) \| `([\w.]+)` \| ([^|]+) \|$", TEXT, re.MULTILINE)
BASES = {"Record", "Struct", "StrEnum"}


@pytest.mark.parametrize(("chinese", "english", "path"), [row[:3] for row in ROWS])
def test_each_noun_is_a_class(chinese: str, english: str, path: str) -> None:
    module, _, name = path.rpartition(".")
    assert inspect.isclass(getattr(importlib.import_module(module), name))
    assert re.search(r"[\u4e00-\u9fff]", chinese)
    assert re.fullmatch(r"[A-Za-z -]+", english)


def test_each_class_of_the_models_is_a_noun() -> None:
    linked = {path for _, _, path, _ in ROWS}
    for module in (alarms.model, care.model, identity.model, protocol.model, protocol.signs):
        for name, value in vars(module).items():
            ours = inspect.isclass(value) and value.__module__ == module.__name__
            if ours and not name.startswith("_") and name not in BASES:
                assert issubclass(value, enum.Enum | msgspec.Struct | tuple)
                assert f"{module.__name__}.{name}" in linked, f"{name} is missing in docs/glossary.md"


def test_no_noun_stands_twice() -> None:
    for column in range(3):
        values = [row[column] for row in ROWS]
        assert len(values) == len(set(values))
