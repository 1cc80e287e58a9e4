"""The settings that there are, read from the rooms themselves."""

import importlib
import importlib.util
from collections.abc import Iterable

import msgspec

from protocol.environment import variable_of


def settings_known(rooms: Iterable[str]) -> set[str]:
    """The environment variables of these rooms."""
    known = set[str]()
    for room in rooms:
        name = f"{room}.settings"
        if importlib.util.find_spec(name) is None:
            continue
        for thing in vars(importlib.import_module(name)).values():
            if isinstance(thing, type) and issubclass(thing, msgspec.Struct) and thing.__module__ == name:
                known |= {variable_of(room, field.name) for field in msgspec.structs.fields(thing)}
    return known
