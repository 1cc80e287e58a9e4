"""Plain JSON: devices that publish what they like, put into our words by the settings file.

Each source is a topic pattern and its fields. A field is found by its path in the payload (`data.0.hr`;
empty: the whole payload, which then need not be JSON), and by its place in a packed string (`128,76,72`).
"""

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta, timezone
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from gateway.dialects import Heard, Ignored, Knowledge, Order, Told
from gateway.dialects.hearing import Hearing, entry_of, key_of, part_of, proposal, with_room
from gateway.dialects.words import (
    TURNS,
    NotUnderstoodError,
    boolean,
    check_field,
    json_of,
    number,
    text_of,
    time_ms,
)
from protocol.model import DeviceKind, DeviceProposal

NAME = "plain"
DEVICE = "{device}"
POINTS_MAX = 10_000
"""Points in one message."""


class Field(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one field says."""

    says: str
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
    on: bool | int | float | str | None = None
    off: bool | int | float | str | None = None
    """Which values turn on and off, where it is not plain."""
    inverted: bool = False
    """Its `true` is our `off`."""
    momentary: bool = False
    """There is no state: each message that turns it on is news."""


class Time(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When it was."""

    field: str
    format: Literal["auto", "epoch_s", "epoch_ms", "iso"] = "auto"
    zone: Annotated[str, Meta(pattern=r"^[+-](0\d|1[0-4]):[0-5]\d\Z")] = "+08:00"
    """Of an ISO time without an offset."""


class Source(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Devices of one sort."""

    topic: str
    """With {device} where a level is the device's name, and + where a level may be anything."""
    fields: Annotated[tuple[Field, ...], Meta(min_length=1, max_length=64)]
    device: str | None = None
    """Its name, where the topic does not tell …"""
    device_field: str | None = None
    """… or the field that holds it."""
    kind: DeviceKind | None = None
    vendor: str | None = None
    product: str | None = None
    time: Time | None = None


class Plain:
    """Plain JSON, as the sources say."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = [(source, _pattern(source.topic)) for source in sources]

    @property
    def name(self) -> str:
        """Its name in settings and the prefix of its keys."""
        return NAME

    @property
    def subscriptions(self) -> Sequence[str]:
        """Topic filters at the LAN broker."""
        return [source.topic.replace(DEVICE, "+") for source, _ in self._sources]

    def filters(self, known: Knowledge) -> Sequence[str]:  # noqa: ARG002 - the protocol's
        """All topic filters at the LAN broker."""
        return self.subscriptions

    def understand(self, topic: str, payload: bytes, *, retained: bool, known: Knowledge) -> Told:
        """What `payload` on `topic` means: by the first source that fits."""
        for source, pattern in self._sources:
            found = pattern.match(topic)
            if found is not None:
                try:
                    return _heard(source, found.groupdict().get("device"), payload, retained, known)
                except NotUnderstoodError as error:
                    return Told(ignored=[Ignored(None, str(error))])
        return Told()

    def order_siren(self, key: str, kind: DeviceKind, on: bool, known: Knowledge) -> Order | None:  # noqa: ARG002 - the protocol's
        """None: plain JSON has no orders."""
        return None


def _heard(source: Source, device: str | None, payload: bytes, retained: bool, known: Knowledge) -> Told:
    whole = _whole(source, payload)
    points = whole if isinstance(whole, list) and all(isinstance(item, dict) for item in whole) else [whole]
    hearings: dict[str, Hearing] = {}
    ignored: list[Ignored] = []
    if len(points) > POINTS_MAX:
        ignored.append(Ignored(None, "too many points in one message"))
    for point in points[:POINTS_MAX]:
        try:
            key = key_of(NAME, device or source.device or _address(point, source))
            if key not in hearings:
                hearings[key] = Hearing(key, part_of(entry_of(known, key), "last"), retained=retained)
            _say_point(hearings[key], source, point)
        except NotUnderstoodError as error:
            ignored.append(Ignored(None, str(error)))
    heard: list[Heard] = []
    proposed: list[DeviceProposal] = []
    learnt: dict[str, Any] = {}
    for key, hearing in hearings.items():
        heard += hearing.heard()
        ignored += hearing.ignored()
        entry = entry_of(known, key)
        last = hearing.remembered()
        if last is not None or not entry:
            learnt[key] = {**entry, "last": last or part_of(entry, "last")}
        if not entry:
            says = {field.says for field in source.fields}
            proposed.append(
                proposal(key, says, kind=source.kind, vendor=source.vendor, product=source.product)
            )
    return Told(heard, proposed, ignored, with_room(known, learnt))


def _whole(source: Source, payload: bytes) -> Any:
    try:
        return json_of(payload)
    except NotUnderstoodError:
        if all(field.field for field in source.fields):
            raise
        return text_of(payload)


def _address(point: Any, source: Source) -> Any:
    address = _at(point, source.device_field or "")
    return str(address) if isinstance(address, int) and not isinstance(address, bool) else address


def _say_point(hearing: Hearing, source: Source, point: Any) -> None:
    hearing.at(_time(source.time, point) if source.time is not None else None)
    found = False
    for field in source.fields:
        value = _value(field, point)
        if value is None:
            continue
        found = True
        if field.momentary:
            if field.says in TURNS and boolean(value, field.on, field.off) is True:
                hearing.press(field.says)
            continue
        hearing.say(
            field.says,
            field.field or field.says,
            value,
            unit=field.unit,
            on=field.on,
            off=field.off,
            inverted=field.inverted,
        )
    if not found:
        hearing.ignore("none of the mapped fields is there")


def _value(field: Field, point: Any) -> Any:
    value = _at(point, field.field)
    if field.index is not None:
        if isinstance(value, str):
            parts: Sequence[Any] = value.split(field.separator)
        else:
            parts = value if isinstance(value, list) else ()
        value = parts[field.index] if field.index < len(parts) else None
    if isinstance(value, str):
        value = value.strip() or None
    level = number(value)
    if level is not None and (field.scale, field.offset) != (1.0, 0.0):
        return round(level * field.scale + field.offset, 4)
    return value


def _at(value: Any, path: str) -> Any:
    for step in path.split(".") if path else ():
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isascii() and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _time(time: Time, point: Any) -> int | None:
    value = _at(point, time.field)
    if time.format in {"epoch_s", "epoch_ms"}:
        level = number(value)
        if level is None:
            return None
        # As milliseconds below the year 1973 the number would be taken for seconds.
        return (
            time_ms(level) if time.format == "epoch_s" else time_ms(level if level >= 1e11 else level / 1000)
        )
    hours, minutes = int(time.zone[1:3]), int(time.zone[4:])
    sign = -1 if time.zone[0] == "-" else 1
    zone = timezone(sign * timedelta(hours=hours, minutes=minutes))
    return time_ms(value if time.format == "auto" or isinstance(value, str) else None, zone)


def _pattern(topic: str) -> re.Pattern[str]:
    levels = []
    for level in topic.split("/"):
        if level == DEVICE:
            levels.append(r"(?P<device>[^/]+)")
        elif level in {"+", "#"}:
            levels.append(r"[^/]*" if level == "+" else r".*")
        else:
            levels.append(re.escape(level))
    return re.compile("/".join(levels) + r"\Z", re.DOTALL)


def check(sources: Sequence[Source]) -> Iterator[tuple[str, str]]:
    """What is wrong with the sources: the place as a path such as `[0].fields[1].unit`, and a sentence."""
    topics: set[str] = set()
    for number_, source in enumerate(sources):
        for wrong in _wrong(source):
            yield f"[{number_}].{wrong[0]}", wrong[1]
        if source.topic in topics:
            yield f"[{number_}].topic", f"{source.topic!r} stands twice; only the first would be heard"
        topics.add(source.topic)
        for place, field in enumerate(source.fields):
            try:
                check_field("", field.says, field.unit)
            except NotUnderstoodError as error:
                which, _, text = str(error).removeprefix(".").partition(": ")
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
