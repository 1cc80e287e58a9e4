"""The settings of plain JSON: where values stand in a message, and what they say."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from datetime import timedelta, timezone, tzinfo
from typing import Annotated, Literal

from msgspec import Meta, Struct

from gateway.dialects.units import check_field
from gateway.dialects.words import OUR_WORDS, NotUnderstoodError
from protocol.model import DeviceKind

DEVICE = "{device}"
SCALAR = bool | int | float | str
VALUES = SCALAR | tuple[SCALAR, ...]
"""One value, or several that mean the same."""


class While(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What another field must be for something to count."""

    field: str
    on: VALUES | None = None
    """What it must be, where it is not plain, …"""
    unless: VALUES | None = None
    """… or what it must not be; where the field is missing, that holds."""


class Field(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one field says."""

    says: str = ""
    """Our word, such as `vitals.hr`, `activity.in_bed`, `alarm.sos`, `status.battery`."""
    field: str = ""
    """Path in the payload; empty: the whole payload."""
    index: Annotated[int, Meta(ge=0, le=999)] | None = None
    """Place in a packed string, counted from 0."""
    separator: Annotated[str, Meta(min_length=1, max_length=8)] = ","
    """Between the parts of a packed string."""
    unit: str | None = None
    scale: float = 1.0
    offset: float = 0.0
    """The value is FIELD * scale + offset, in `unit`."""
    on: VALUES | None = None
    off: VALUES | None = None
    """Which values turn on and off, where it is not plain; on = "*": whatever it is, it was pressed."""
    inverted: bool = False
    """Its `true` is our `off`."""
    momentary: bool = False
    """There is no state: each message that turns it on is news."""
    bit: Annotated[int, Meta(ge=0, le=63)] | None = None
    """Place of a bit in a number, counted from the lowest; a string is taken as hexadecimal."""
    unit_field: str | None = None
    """Path of the field that holds the unit."""
    none: VALUES | None = None
    """Which values stand for nothing measured."""
    codes: dict[str, str] | None = None
    """By value what it says, instead of `says`; `!` before the word: its end; empty: nothing."""
    only: While | None = None
    """It counts only while another field is on."""


class Time(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When it was."""

    field: str
    format: Literal["auto", "epoch_s", "epoch_ms", "iso"] = "auto"
    zone: Annotated[str, Meta(pattern=r"^[+-](0\d|1[0-4]):[0-5]\d\Z")] = "+08:00"
    """Of a time without an offset."""

    @property
    def offset(self) -> tzinfo:
        """The zone."""
        hours, minutes = int(self.zone[1:3]), int(self.zone[4:])
        return timezone((-1 if self.zone[0] == "-" else 1) * timedelta(hours=hours, minutes=minutes))


class Source(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Devices of one sort."""

    topic: str
    """With {device} where a level is the device's name, + where a level may be anything, * in a level."""
    fields: Annotated[tuple[Field, ...], Meta(min_length=1, max_length=64)] | None = None
    """What is said where; left out: what the names of the fields tell."""
    names: bool = False
    """Beside `fields`, all other fields are understood by their names."""
    device: str | None = None
    """Its name, where the topic does not tell …"""
    device_field: str | None = None
    """… or the field that holds it."""
    kind: DeviceKind | None = None
    vendor: str | None = None
    product: str | None = None
    time: Time | None = None
    id_field: str | None = None
    """The device's own id of its alarm: the same id again is the same alarm."""
    only: While | None = None
    """Other messages on the topic say nothing."""
    repeats: bool = False
    """A message like the one before is the same measurement, sent again."""
    hidden: tuple[str, ...] = ()
    """Fields about people: never looked at, counted or shown."""

    @property
    def by_name(self) -> bool:
        """Whether names tell what fields say."""
        return self.fields is None or self.names

    @property
    def says(self) -> set[str]:
        """Our words for all that the fields are to say."""
        return {says for field in self.fields or () for says in words_of(field)}


def words_of(field: Field) -> list[str]:
    """Our words for what a field says."""
    if field.codes is None:
        return [field.says]
    return sorted({says.removeprefix("!") for says in field.codes.values() if says})


def slots(fields: Sequence[Field]) -> list[str]:
    """Under which name the state of each field is remembered: no two are the same.

    A field that stands alone goes by its own path, others by all that tells them apart.
    """
    plain = [field.field or field.says for field in fields]
    taken: dict[str, int] = {}
    found = []
    for field, own in zip(fields, plain, strict=True):
        name = own
        if plain.count(name) > 1 or field.codes is not None:
            parts = [
                field.field,
                field.index,
                field.bit,
                field.says,
                field.on,
                field.off,
                field.codes,
                field.only,
            ]
            digest = hashlib.blake2s(repr(parts).encode(), digest_size=4).hexdigest()
            name = f"{name[:40]}~{digest}"
        taken[name] = taken.get(name, 0) + 1
        found.append(name if taken[name] == 1 else f"{name}~{taken[name]}")
    return found


def pattern_of(topic: str) -> re.Pattern[str]:
    """What matches the topics of a source; a group tells the device."""
    levels = []
    for level in topic.split("/"):
        if level == DEVICE:
            levels.append(r"(?P<device>[^/]+)")
        elif level == "#":
            levels.append(r".*")
        else:
            levels.append(r"[^/]*" if level == "+" else re.escape(level).replace(r"\*", r"[^/]*"))
    return re.compile("/".join(levels) + r"\Z", re.DOTALL)


def filter_of(topic: str) -> str:
    """The topic filter at the broker by which all topics of a source arrive, and perhaps some more."""
    levels = topic.split("/")
    return "/".join("+" if level == DEVICE or "*" in level else level for level in levels)


def check(sources: Sequence[Source]) -> Iterator[tuple[str, str]]:
    """What is wrong with the sources: the place as a path such as `[0].fields[1].unit`, and a sentence."""
    topics: dict[str, bool] = {}
    for number_, source in enumerate(sources):
        for wrong in _wrong(source):
            yield f"[{number_}].{wrong[0]}", wrong[1]
        if topics.get(source.topic):
            yield f"[{number_}].topic", f"{source.topic!r} stands twice; only the first would be heard"
        topics[source.topic] = topics.get(source.topic, False) or source.only is None
        for place, field in enumerate(source.fields or ()):
            for which, text in _wrong_field(field):
                yield f"[{number_}].fields[{place}].{which}", text


def _wrong(source: Source) -> Iterator[tuple[str, str]]:
    levels = source.topic.split("/")
    if not source.topic or len(source.topic) > 256 or any(letter < " " for letter in source.topic):
        yield "topic", "is no topic"
    elif "#" in levels[:-1] or any(
        letter in level for level in levels for letter in "+#{}" if level not in {"+", "#", DEVICE}
    ):
        yield "topic", f"{source.topic!r}: {DEVICE}, + and # (at the end) each stand for whole levels"
    ways = [levels.count(DEVICE) == 1, source.device is not None, source.device_field is not None]
    if sum(ways) != 1 or levels.count(DEVICE) > 1:
        yield "topic", f"needs either one {DEVICE} level, or `device`, or `device_field`, to say who speaks"


def _wrong_field(field: Field) -> Iterator[tuple[str, str]]:
    if field.codes is not None:
        if field.says:
            yield "says", "stands beside `codes`, which say it"
        for code, says in field.codes.items():
            if says and says.removeprefix("!") not in OUR_WORDS:
                yield (
                    "codes",
                    f"{code!r} says {says!r}, which is unknown; known are {', '.join(sorted(OUR_WORDS))}",
                )
            elif says.startswith(("vitals.", "status.")):
                yield "codes", f"{code!r} says {says!r}, which is no state: a code is on or off"
        return
    try:
        check_field("", field.says, field.unit)
    except NotUnderstoodError as error:
        which, _, text = str(error).removeprefix(".").partition(": ")
        yield which, text
