"""Plain JSON: devices that publish what they like, put into our words by the settings file.

Each source is a topic pattern and its fields. A field is found by its path in the payload (`data.0.hr`;
empty: the whole payload, which then need not be JSON), and by its place in a packed string (`128,76,72`).
A path through a list goes into each of its elements, and an object in a string is looked into: makers put
many devices, or many readings of one, into one message.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import tzinfo
from typing import Any, NamedTuple

import msgspec

from gateway.dialects import Heard, Ignored, Knowledge, Order, Told, byname, persons
from gateway.dialects.hearing import NEITHER, UNKNOWN, Hearing
from gateway.dialects.known import entry_of, key_of, part_of, proposal, with_room
from gateway.dialects.names import is_quiet, normalised
from gateway.dialects.payload import inner_json, json_of, text_of
from gateway.dialects.quantities import Quantity, quantities
from gateway.dialects.sources import Field, Source, Time, While, filter_of, pattern_of, slots, words_of
from gateway.dialects.times import time_ms
from gateway.dialects.values import boolean, clean, counted, number, same
from gateway.dialects.words import TURNS, NotUnderstoodError, lasting
from protocol.model import ANYTHING, DeviceKind, DeviceProposal

NAME = "plain"
POINTS_MAX = 10_000
"""Points in one message."""
LISTS_MAX = 8
"""Lists within lists that a path goes through."""
_CHANGING = frozenset({"rssi", "snr", "lqi", "time", "timestamp", "ts", "seq", "packetid", "distance"})
"""What is new in each sending of the same measurement."""


_WORD_FOR = {turn.on: word for word, turn in TURNS.items()}


class Plain:
    """Plain JSON, as the sources say."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = [_Read(source) for source in sources]

    @property
    def name(self) -> str:
        """Its name in settings and the prefix of its keys."""
        return NAME

    @property
    def subscriptions(self) -> Sequence[str]:
        """Topic filters at the LAN broker."""
        return list(dict.fromkeys(filter_of(read.source.topic) for read in self._sources))

    def filters(self, known: Knowledge) -> Sequence[str]:  # noqa: ARG002 - the protocol's
        """All topic filters at the LAN broker."""
        return self.subscriptions

    def understand(self, topic: str, payload: bytes, *, retained: bool, known: Knowledge) -> Told:
        """What `payload` on `topic` means: each reading in it by the first source that fits."""
        tolds: list[Told] = []
        learnt: dict[str, Any] = {}
        left: list[Any] | None = None
        for read in self._sources:
            found = read.pattern.match(topic)
            if found is None:
                continue
            if left is None:
                try:
                    left = _readings(read.whole(payload))
                except NotUnderstoodError as error:
                    return Told(ignored=[Ignored(None, str(error))])
            fitting = [item for item in left if read.fits(item)]
            left = [item for item in left if not read.fits(item)]
            if fitting:
                now = {**known, **learnt} if learnt else known
                told = read.told(found.groupdict().get("device"), fitting, retained, now)
                learnt.update(told.learnt)
                tolds.append(told)
            if not left:
                break
        if left:
            tolds.append(Told(ignored=[Ignored(None, "a message of a sort that is not mapped")]))
        return Told(
            [heard for told in tolds for heard in told.heard],
            [proposal for told in tolds for proposal in told.proposed],
            [ignored for told in tolds for ignored in told.ignored],
            learnt,
        )

    def order_siren(self, key: str, kind: DeviceKind, on: bool, known: Knowledge) -> Order | None:  # noqa: ARG002 - the protocol's
        """None: plain JSON has no orders."""
        return None


class _Point(NamedTuple):
    """One reading in a message.

    Attributes:
        whole: The message, with one element in the place of each list that a path goes through.
        paths: The paths of these lists, …
        first: … of which this is the first reading: what stands outside of them is said with it.
    """

    whole: Any
    paths: tuple[str, ...] = ()
    first: bool = True


class _Read:
    """A source, and what is worked out of it once."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.pattern = pattern_of(source.topic)
        self._fields = list(zip(source.fields or (), slots(source.fields or ()), strict=True))
        self._hidden = {normalised(name) for name in source.hidden}
        paths = [field.field for field in source.fields or ()]
        paths += [
            path for path in (source.device_field, source.id_field, source.time and source.time.field) if path
        ]
        self._paths = list(dict.fromkeys(path for path in paths if path))
        beside = [way.field for way in (source.only, *(field.only for field in source.fields or ())) if way]
        beside += [field.unit_field for field in source.fields or () if field.unit_field]
        # As quantities are called: without the places in lists.
        self._mapped = {
            ".".join(step for step in path.split(".") if not step.isdigit())
            for path in [*self._paths, *beside]
        }

    def whole(self, payload: bytes) -> Any:
        """What stands in the payload."""
        try:
            return json_of(payload)
        except NotUnderstoodError:
            if self.source.by_name or all(field.field for field, _ in self._fields):
                raise
            return text_of(payload)

    def fits(self, reading: Any) -> bool:
        """Whether a reading is one that the source is about."""
        return self.source.only is None or _holds(self.source.only, reading)

    def _spread(self, point: _Point, left: int) -> Iterator[_Point]:
        """One point for each element of the first list that a path goes through."""
        found = next((way for path in self._paths if (way := _list_on(point.whole, path))), None)
        if found is None or not left:
            yield point
            return
        for place, element in enumerate(_at(point.whole, found)):
            whole = _replaced(point.whole, found.split("."), element)
            first = point.first and place == 0
            yield from self._spread(_Point(whole, (*point.paths, found), first), left - 1)

    def told(self, device: str | None, readings: Sequence[Any], retained: bool, known: Knowledge) -> Told:
        """What the readings in a message say."""
        source = self.source
        hearings: dict[str, Hearing] = {}
        ignored: list[Ignored] = []
        points = (point for item in readings for point in self._spread(_Point(item), LISTS_MAX))
        for count, point in enumerate(points):
            if count >= POINTS_MAX:
                ignored.append(Ignored(None, "too many points in one message"))
                break
            try:
                key = key_of(NAME, device or source.device or self._address(point.whole), known)
            except NotUnderstoodError as error:
                ignored.append(Ignored(None, str(error)))
                continue
            person = self._person(point)
            key = key if person is None else persons.key_of_person(key, person)
            if key not in hearings:
                hearings[key] = Hearing(
                    key,
                    part_of(entry_of(known, key), "last"),
                    retained=retained,
                    mappings=None if source.by_name else {slot for _, slot in self._slots()},
                )
            self._say(hearings[key], point)
        return self._joined(hearings, ignored, known)

    def _person(self, point: _Point) -> str | None:
        """Whose reading it is, where the message says so and its maker's source does not hide it."""
        if not isinstance(point.whole, Mapping) or not persons.names_one(point.whole):
            return None
        looked_at = [found for found in quantities(point.whole) if not self._is_hidden(found.path)]
        mapped = (field for field in self.source.fields or () if _at(point.whole, field.field) is not None)
        metered = [Quantity(says, None) for field in mapped for says in words_of(field)]
        return persons.person_of([*looked_at, *metered], self.source.kind)

    def _is_hidden(self, path: str) -> bool:
        return not self._hidden.isdisjoint(map(normalised, path.split(".")))

    def _slots(self) -> Iterator[tuple[Field, str]]:
        for field, slot in self._fields:
            yield field, slot
            for says in (field.codes or {}).values():
                if says:
                    yield field, f"{slot}:{lasting(TURNS[says.removeprefix('!')])[0]}"

    def _joined(self, hearings: Mapping[str, Hearing], ignored: list[Ignored], known: Knowledge) -> Told:
        heard: list[Heard] = []
        proposed: list[DeviceProposal] = []
        learnt: dict[str, Any] = {}
        source = self.source
        for key, hearing in hearings.items():
            heard += hearing.heard()
            ignored += hearing.ignored()
            entry = entry_of(known, key)
            last = hearing.remembered()
            said = {word for word in entry.get("says", ()) if isinstance(word, str)}
            says = source.says | said | (hearing.says if source.by_name else set())
            fresh = {**entry, "last": last or part_of(entry, "last")}
            if source.by_name:
                fresh["says"] = sorted(says)
            if fresh != entry:
                learnt[key] = fresh
            if not entry or (source.by_name and says != said):
                proposed.append(
                    proposal(
                        key,
                        says,
                        label=key.removeprefix(f"{NAME}:"),
                        kind=source.kind,
                        vendor=source.vendor,
                        product=source.product,
                    )
                )
        return Told(heard, proposed, ignored, with_room(known, learnt))

    def _address(self, point: Any) -> Any:
        address = _at(point, self.source.device_field or "")
        return str(address) if isinstance(address, int) and not isinstance(address, bool) else address

    def _say(self, hearing: Hearing, point: _Point) -> None:
        source = self.source
        if self._is_again(hearing, point.whole):
            return
        found = False
        for field, slot in self._fields:
            if not point.first and not any(_goes_through(field.field, path) for path in point.paths):
                continue
            value, unit = _value(field, point.whole)
            if value is None or (field.none is not None and same(value, field.none)):
                found |= value is not None
                continue
            found = True
            if field.only is None or _holds(field.only, point.whole):
                _say_field(hearing, field, slot, value, unit)
        if not found and not source.by_name:
            first = next(iter(self._unmapped(point)), None)
            shown = ("", None) if first is None else (first.path, first.value)
            hearing.ignore("none of the mapped fields is there", *shown)
        else:
            self._say_names(hearing, point)

    def _is_again(self, hearing: Hearing, point: Any) -> bool:
        """Whether it is the same once more: the same alarm by its id, or the same measurement."""
        source = self.source
        signal_id = _at(point, source.id_field) if source.id_field else None
        ts_ms = _time(source.time, point) if source.time is not None else None
        marks = {}
        if (shown := clean(signal_id)) is not None:
            marks[f"signal id {source.topic}"] = shown
        if source.repeats:
            marks["message"] = _digest(point)
        hearing.at(ts_ms, clean(signal_id))
        again = any(hearing.was(name) == mark for name, mark in marks.items())
        for name, mark in marks.items():
            hearing.remember(name, mark)
        return again

    def _say_names(self, hearing: Hearing, point: _Point) -> None:
        """Say by their names, or else count, the fields that are not mapped."""
        if self.source.by_name and not isinstance(point.whole, Mapping):
            hearing.ignore("not a JSON object")
        for found in self._unmapped(point):
            if self.source.by_name:
                byname.say(hearing, found, self.source.kind)
            elif found.value is not None and not any(map(is_quiet, found.path.split("."))):
                hearing.ignore(UNKNOWN, found.path, found.value)

    def _unmapped(self, point: _Point) -> Iterator[Quantity]:
        for found in quantities(point.whole) if isinstance(point.whole, Mapping) else ():
            if self._is_hidden(found.path) or self._is_mapped(found.path) or persons.is_person(found.path):
                continue
            if point.first or any(_goes_through(found.path, path) for path in point.paths):
                yield found

    def _is_mapped(self, path: str) -> bool:
        return any(path == mapped or path.startswith(f"{mapped}.") for mapped in self._mapped)


def _readings(whole: Any) -> list[Any]:
    """The readings in a message: the objects of a list, or the one."""
    whole = inner_json(whole)
    several = isinstance(whole, list) and whole and all(isinstance(item, dict) for item in whole)
    return list(whole) if several else [whole]


def _say_field(hearing: Hearing, field: Field, slot: str, value: Any, unit: str | None) -> None:
    path = field.field or "payload"
    if field.index is not None or field.bit is not None:
        path = f"{path}[{field.index if field.index is not None else field.bit}]"
    if field.codes is not None:
        _say_code(hearing, field, slot, value, path)
    elif field.momentary:
        _say_momentary(hearing, field, value, path)
    else:
        hearing.say(
            field.says,
            slot,
            value,
            unit=unit,
            on=field.on,
            off=field.off,
            inverted=field.inverted,
            path=path,
            # With the unit in a field of its own, a message without that field does not tell it.
            mapped=field.unit_field is None,
        )


def _say_momentary(hearing: Hearing, field: Field, value: Any, path: str) -> None:
    pressed = True if field.on == ANYTHING else boolean(value, field.on, field.off)
    if pressed is None and field.on is None and field.says.startswith("activity."):
        pressed = counted(value)
    if pressed is None:
        hearing.ignore(f"{field.says} {NEITHER}", path, value)
        return
    hearing.understood(path)
    if pressed and field.says in TURNS:
        hearing.press(field.says)


def _say_code(hearing: Hearing, field: Field, slot: str, value: Any, path: str) -> None:
    """What a code says, and that the alarms of the other codes have ended."""
    codes = field.codes or {}
    says = next((says for code, says in codes.items() if same(value, code)), None)
    if says is None:
        hearing.ignore("a code that nobody has explained", path, value)
        return
    for word in dict.fromkeys(each.removeprefix("!") for each in codes.values() if each):
        named = says.removeprefix("!") == word
        lasts, positive = lasting(TURNS[word])
        if field.momentary or TURNS[word].momentary:
            if named and not says.startswith("!"):
                hearing.press(word)
        elif named or word.startswith("alarm."):
            on = (named and not says.startswith("!")) is positive
            hearing.say(_WORD_FOR[lasts], f"{slot}:{lasts}", on, path=path)


def _holds(only: While, point: Any) -> bool:
    value = _at(point, only.field)
    if only.unless is not None:
        return not same(value, only.unless)
    if only.on is not None:
        return same(value, only.on)
    return boolean(value) is True or counted(value) is True


def _value(field: Field, point: Any) -> tuple[Any, str | None]:
    """The value of a field, and its unit."""
    value, unit = _at(point, field.field), field.unit
    if field.unit_field is not None:
        beside = _at(point, field.unit_field)
        unit = str(beside) if beside is not None else unit
    if field.index is not None:
        if isinstance(value, str):
            parts: Sequence[Any] = value.split(field.separator)
        else:
            parts = value if isinstance(value, list) else ()
        value = parts[field.index] if field.index < len(parts) else None
    if isinstance(value, Mapping):
        one = next(quantities({"value": value}), None)
        value = one.value if one is not None and one.path == "value" else None
        unit = unit or (one.unit_of(field.says) if one is not None else None)
    elif field.field and unit is None and field.says.startswith("vitals."):
        unit = _unit_beside(field, point)
    if isinstance(value, str):
        value = value.strip() or None
    if field.bit is not None:
        return _bit(value, field.bit), None
    level = number(value)
    if level is not None and (field.scale, field.offset) != (1.0, 0.0):
        return round(level * field.scale + field.offset, 4), unit
    return value, unit


def _unit_beside(field: Field, point: Any) -> str | None:
    """The unit that stands beside a value whose mapping gives none."""
    outer, _, last = field.field.rpartition(".")
    around = _at(point, outer)
    if not isinstance(around, Mapping) or (field.scale, field.offset) != (1.0, 0.0):
        return None
    plain: dict[str, Any] = {
        name: value for name, value in around.items() if not isinstance(value, list | dict)
    }
    found = next((found for found in quantities(plain) if found.path == last), Quantity(last, None))
    return found.unit_of(field.says)


def _bit(value: Any, bit: int) -> bool | None:
    if isinstance(value, str):
        try:
            value = int(value.removeprefix("0x"), 16)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return None
    return bool(value >> bit & 1)


def _at(value: Any, path: str) -> Any:
    for step in path.split(".") if path else ():
        value = inner_json(value)
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isascii() and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _list_on(value: Any, path: str) -> str | None:
    """The path of the first list that `path` goes through without saying to which element."""
    steps = path.split(".")
    for place, step in enumerate(steps):
        value = inner_json(value)
        if isinstance(value, list) and value and place and not step.isdigit():
            return ".".join(steps[:place]) if any(isinstance(each, dict) for each in value) else None
        value = _at(value, step)
    return None


def _replaced(value: Any, steps: Sequence[str], element: Any) -> Any:
    """A copy of `value` in which `element` stands at the end of `steps`."""
    if not steps:
        return element
    value = inner_json(value)
    if isinstance(value, list):
        at = int(steps[0])
        return [*value[:at], _replaced(value[at], steps[1:], element), *value[at + 1 :]]
    return {**value, steps[0]: _replaced(value.get(steps[0]), steps[1:], element)}


def _goes_through(path: str, outer: str) -> bool:
    return path.startswith(f"{outer}.")


def _digest(point: Any) -> str:
    if isinstance(point, Mapping):
        point = {name: value for name, value in point.items() if normalised(name) not in _CHANGING}
    return hashlib.blake2s(msgspec.json.encode(point, order="sorted"), digest_size=8).hexdigest()


def _time(time: Time, point: Any) -> int | None:
    value = _at(point, time.field)
    zone: tzinfo = time.offset
    if time.format in {"epoch_s", "epoch_ms"}:
        level = number(value)
        if level is None:
            return None
        value = level * 1_000 if time.format == "epoch_s" else level
        # Its scale is given: it is not to be taken for another one.
        return time_ms(value) if value >= 1e12 else None
    return time_ms(value, zone)
