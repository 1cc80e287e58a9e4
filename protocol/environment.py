"""Settings from the environment: every room reads its own in the same way.

A setting `answer_timeout_s` of room `ingest` is the variable `ANSHOU_INGEST_ANSWER_TIMEOUT_S`. The
servers are shared by all rooms: `ANSHOU_DATABASE_URL` and `ANSHOU_MQTT_URL`.
"""

import difflib
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from protocol.errors import ProtocolError

Settings = TypeVar("Settings", bound=msgspec.Struct)

SHARED = frozenset({"database_url", "mqtt_url"})
"""Settings that every room may have and whose variables bear no room's name."""

RENAMED: Mapping[str, str] = {
    f"ANSHOU_CARE_{setting}": f"ANSHOU_ALARMS_{setting}"
    for setting in (
        "HOUSEHOLD_VILLAGE_ASSISTANT_S",
        "HOUSEHOLD_TOWNSHIP_S",
        "HOUSEHOLD_COUNTY_S",
        "HOME_SHIFT_LEADER_S",
        "HOME_DIRECTOR_S",
        "HOME_OPERATOR_S",
        "HOME_COUNTY_S",
        "MEDIUM_FACTOR",
        "STANDBY_POLL_S",
        "STATEMENT_TIMEOUT_S",
    )
}
"""Variables of earlier versions, and their names now. The room that reads the new one refuses the old one."""


class SettingsError(ProtocolError):
    """A setting that is unknown, missing or not of its type. The text says which and what to do."""


def variable_of(room: str, setting: str) -> str:
    """The name of the environment variable that sets `setting` of `room`."""
    return f"ANSHOU_{setting}".upper() if setting in SHARED else f"ANSHOU_{room}_{setting}".upper()


def read_settings(
    cls: type[Settings], room: str, environ: Mapping[str, str], *, moved: Mapping[str, str] | None = None
) -> Settings:
    """A frozen `cls` filled from `environ`; SettingsError for what it does not know or cannot read.

    `moved`: settings that there once were, and what to do instead.
    """
    gone = {variable_of(room, setting): hint for setting, hint in (moved or {}).items()}
    variables = {variable_of(room, field.name): field for field in msgspec.structs.fields(cls)}
    for old, new in RENAMED.items():
        if old in environ and new in variables:
            raise SettingsError(f"{old} is now called {new}; it means the same")
    prefix = f"ANSHOU_{room}_".upper()
    for name in environ:
        if name in gone:
            raise SettingsError(f"{name} is no setting any more: {gone[name]}")
        if name.startswith(prefix) and name not in variables:
            close = difflib.get_close_matches(name, variables, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(variables)}"
            raise SettingsError(f"unknown setting {name}: {hint}")
    given = {field.name: environ[name] for name, field in variables.items() if environ.get(name, "") != ""}
    for name, field in variables.items():
        if field.required and field.name not in given:
            raise SettingsError(f"{name} is not set, and {room} cannot start without it")
    try:
        return msgspec.convert(given, cls, strict=False)
    except msgspec.ValidationError as error:
        setting = str(error).rpartition("`$.")[2].rstrip("`")
        where = variable_of(room, setting) if setting else room
        raise SettingsError(f"{where}: {str(error).partition(' - at')[0]}") from error
