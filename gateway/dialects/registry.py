"""Which dialects there are, and their settings file (TOML).

A table for each dialect that is not to be spoken as it comes: `[zigbee2mqtt]`, `[thingsboard]`,
`[homeassistant]`, and one `[[plain]]` for each source of plain JSON. See docs/devices.md.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from gateway.dialects import Dialect, homeassistant, sources, thingsboard, zigbee2mqtt
from gateway.dialects.anshou import Anshou
from gateway.dialects.homeassistant import HomeAssistant, HomeAssistantSettings
from gateway.dialects.plain import Plain
from gateway.dialects.sources import Source
from gateway.dialects.thingsboard import ThingsBoard, ThingsBoardSettings
from gateway.dialects.words import NotUnderstoodError
from gateway.dialects.zigbee2mqtt import Zigbee2Mqtt, Zigbee2MqttSettings
from protocol.environment import SettingsError

NAMES = ("anshou", "zigbee2mqtt", "thingsboard", "homeassistant", "plain")
HUBS_HEARD_THEMSELVES = {"zigbee2mqtt": "Zigbee2MQTT"}
"""Dialects whose hub announces its devices to Home Assistant as well, by the name it signs with."""


MAKERS: dict[str, tuple[Source, ...]] = msgspec.convert(
    tomllib.loads(Path(__file__).with_name("makers.toml").read_text(encoding="utf-8")),
    dict[str, tuple[Source, ...]],
)
"""Sources of plain JSON of makers that we know, by maker."""


class DialectSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings file."""

    zigbee2mqtt: Zigbee2MqttSettings = Zigbee2MqttSettings()
    thingsboard: ThingsBoardSettings = ThingsBoardSettings()
    homeassistant: HomeAssistantSettings = HomeAssistantSettings()
    plain: tuple[Source, ...] = ()
    makers: tuple[str, ...] = ()
    """Makers whose devices speak plain JSON: their sources come after those of `plain`."""

    @property
    def sources(self) -> tuple[Source, ...]:
        """All that is to be heard as plain JSON."""
        return (*self.plain, *(source for maker in self.makers for source in MAKERS[maker]))


def read(text: str, name: str = "mapping") -> DialectSettings:
    """The settings in `text`, a file called `name`.

    SettingsError says the line, what is wrong there, and what would be known.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{name}: {error}") from error
    try:
        settings = msgspec.convert(values, DialectSettings)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$")
        path = path.rstrip("`").lstrip(".")
        unknown = re.search(r"unknown field `(.*)`", what)
        if unknown is not None:
            path, what = f"{path}.{unknown[1]}".lstrip("."), f"is unknown; known are {_known_at(path)}"
        raise SettingsError(_placed(name, text, path, what)) from error
    for path, what in _wrong(settings):
        raise SettingsError(_placed(name, text, path, what))
    return settings


def by_name(
    names: Sequence[str], settings: DialectSettings | None = None, *, site: str, gateway: str
) -> list[Dialect]:
    """The dialects of these names; SettingsError for one that nobody speaks.

    Args:
        names: Of `NAMES`.
        settings: As `read` from the settings file; None: all as they come.
        site: Code of the site, for our own wire.
        gateway: This gateway's name, for our own wire.
    """
    given = settings or DialectSettings()
    skip = (*given.homeassistant.skip, *(hub for name, hub in HUBS_HEARD_THEMSELVES.items() if name in names))
    makers: dict[str, Callable[[], Dialect]] = {
        "anshou": lambda: Anshou(site, gateway),
        "zigbee2mqtt": lambda: Zigbee2Mqtt(given.zigbee2mqtt),
        "thingsboard": lambda: ThingsBoard(given.thingsboard),
        "homeassistant": lambda: HomeAssistant(msgspec.structs.replace(given.homeassistant, skip=skip)),
        "plain": lambda: Plain(given.sources),
    }
    dialects = []
    for name in dict.fromkeys(names):
        if name not in makers:
            raise SettingsError(f"the dialect {name!r} is unknown; known are {', '.join(NAMES)}")
        if name == "plain" and not given.sources:
            raise SettingsError(
                "the dialect 'plain' needs a settings file with at least one [[plain]] table, or `makers`"
            )
        dialects.append(makers[name]())
    return dialects


def _wrong(settings: DialectSettings) -> Iterator[tuple[str, str]]:
    checks: tuple[tuple[str, Callable[[], None]], ...] = (
        ("zigbee2mqtt", lambda: zigbee2mqtt.check(settings.zigbee2mqtt)),
        ("thingsboard", lambda: thingsboard.check(settings.thingsboard)),
        ("homeassistant", lambda: homeassistant.check(settings.homeassistant)),
    )
    for table, check in checks:
        try:
            check()
        except NotUnderstoodError as error:
            where, _, what = str(error).partition(": ")
            yield f"{table}.{where}", what
    for maker in settings.makers:
        if maker not in MAKERS:
            yield "makers", f"{maker!r} is unknown; known are {', '.join(MAKERS)}"
            return
    for where, what in sources.check(settings.plain):
        yield f"plain{where}", what


def _placed(name: str, text: str, path: str, what: str) -> str:
    line = line_of(text, path)
    return f"{name}{f', line {line}' if line else ''}: {path or 'the file'}: {what}"


def _known_at(path: str) -> str:
    """The names that may stand at `path`, such as `plain[0].fields[2]`."""
    struct: Any = DialectSettings
    inner = {"zigbee2mqtt": Zigbee2MqttSettings, "thingsboard": ThingsBoardSettings}
    inner |= {"homeassistant": HomeAssistantSettings, "plain": Source}
    first, *others = re.sub(r"\[.*?\]", "", path).split(".")
    if first:
        struct = inner.get(first, DialectSettings)
    if others:
        deeper = {
            "fields": sources.Field,
            "time": sources.Time,
            "only": sources.While,
            "keys": thingsboard.Key,
        }
        struct = deeper.get(others[0], struct)
    return ", ".join(field.name for field in msgspec.structs.fields(struct))


def line_of(text: str, path: str) -> int | None:
    """The line of `text` on which `path` (`plain[1].fields[0].unit`) is set, or its table begins.

    None: unknown. Good for a person to look at: the file is read line by line, not parsed again.
    """
    wanted = [part for part in re.split(r"\.|(?=\[)", path) if part]
    here: list[str] = []
    counts: dict[str, int] = {}
    best: tuple[int, int] | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*(\[\[?)\s*([^\]]+?)\s*\]\]?", line)
        key = re.match(r"\s*([\w\"'.-]+)\s*=", line)
        if header is not None:
            here = _parts(header[2], counts, array=header[1] == "[[")
            found = here
        elif key is not None:
            found = [*here, *(part.strip("\"'") for part in key[1].split("."))]
        else:
            continue
        if found == wanted[: len(found)] and (best is None or len(found) > best[0]):
            best = (len(found), number)
    return None if best is None else best[1]


def _parts(header: str, counts: dict[str, int], *, array: bool) -> list[str]:
    """A header's names, with the place of each table in its array."""
    parts: list[str] = []
    names = [name.strip().strip("\"'") for name in header.split(".")]
    for depth, name in enumerate(names):
        parts.append(name)
        place = ".".join(parts)
        if array and depth == len(names) - 1:
            counts[place] = counts.get(place, -1) + 1
        if place in counts:
            parts.append(f"[{counts[place]}]")
    return parts
