"""What one device is heard to say in one message of its hub: fields in, the model's messages out."""

import hashlib
from collections.abc import Collection, Mapping
from typing import Any

from gateway.dialects import Heard, Ignored
from gateway.dialects.taught import lessons_of
from gateway.dialects.unheard import example
from gateway.dialects.units import measured, quantity
from gateway.dialects.values import SUSPICIONS, clean, connected, counted, number, same, state, word
from gateway.dialects.words import SIGN_WORDS, TURNS, NotUnderstoodError, Turn, lasting
from protocol.model import (
    ANYTHING,
    Activity,
    ActivityEvent,
    AlarmSignal,
    DeviceStatus,
    Message,
    SignalKind,
    SignalState,
    Taught,
    VitalSigns,
)

NAMES_MAX = 256
"""States of one device that are remembered."""
NAME_LETTERS_MAX = 64
IGNORED_MAX = 64
"""Things that were not understood in one message."""
ONLINE = "status.online"
NEITHER = "is neither on nor off"
UNKNOWN = "a field that nobody knows"
VOLTS_MAX = 6
"""Below, a battery level with a fraction is rather a voltage."""


class Hearing:
    """Gathers what one device says; made anew for each message, so that dialects stay pure.

    What turns on and off is told when it changes, not when it is repeated. The first `off` of all is no
    change. A replayed `on` of an alarm is not remembered: said once more, live, it must be heard. How things
    are is kept for each mapping by itself, and a person is there, and an alarm lasts, while any of the
    mappings that say so says it. One press is one cry, however many fields of a message tell it.

    Args:
        key: Of the device.
        last: How things were: what `turned` of earlier hearings came to.
        retained: The broker replays it: how things were, not what happens.
        ts_ms: The time that the device gave.
        suspicions: Take a radar's suspicion of a fall for a fall.
        speaks: The device itself speaks, and not its hub of it; so it is alive.
        mappings: The names of all that the device can say, where that is known: others are forgotten.
    """

    def __init__(
        self,
        key: str,
        last: Mapping[str, Any] | None = None,
        *,
        retained: bool = False,
        ts_ms: int | None = None,
        suspicions: bool = False,
        speaks: bool = True,
        mappings: Collection[str] | None = None,
    ) -> None:
        self.key = key
        self.says: set[str] = set()
        """Our words for all that the device said, also where nothing came of it."""
        self.turned: dict[str, Any] = {}
        """What is to be remembered, by the mapping's name."""
        self._last = last or {}
        self._retained = retained
        self._alive = speaks and not retained
        self._ts_ms = ts_ms
        self._signal_id: str | None = None
        self._suspicions = suspicions
        self._lessons = lessons_of(key)
        self._is_learning = False
        names = None if mappings is None else [*mappings, *(_taught_name(path) for path in self._lessons)]
        self._mappings = None if names is None else {_slot(name) for name in names}
        self._messages: list[Message] = []
        self._signs: dict[str, float] = {}
        self._status: dict[str, Any] = {}
        self._told: set[tuple[Any, SignalState]] = set()
        self._news = False
        self._pressed = False
        self._ignored: dict[tuple[str, str], Ignored] = {}
        self._understood: set[str] = set()

    def at(self, ts_ms: int | None, signal_id: str | None = None) -> None:
        """What follows was at another time; `signal_id` is the device's own id for its alarm."""
        self._end_signs()
        if ts_ms is None or ts_ms != self._ts_ms:
            self._told.clear()
        self._ts_ms, self._signal_id = ts_ms, signal_id

    def ignore(self, reason: str, path: str = "", value: Any = None) -> None:
        """Something could not be put into our words: the field `path` with `value`, where it was one."""
        shown = example(path, value) if path else None
        lesson = self._lessons.get(shown.path) if shown is not None else None
        if lesson is not None and value is not None and not self._is_learning:
            self._is_learning = True
            try:
                self._say_taught(lesson, path, value)
            finally:
                self._is_learning = False
            return
        if len(self._ignored) >= IGNORED_MAX:
            return
        self._ignored[reason, path] = Ignored(self.key, reason, *(shown or (None, None)))

    def _say_taught(self, lesson: Taught, path: str, value: Any) -> None:
        if lesson.says not in TURNS:
            self.say(lesson.says, _taught_name(path), value, path=path)
            return
        means_it = lesson.raised_by == ANYTHING or same(value, lesson.raised_by)
        if not TURNS[lesson.says].momentary:
            self.say(lesson.says, _taught_name(path), means_it, path=path)
            return
        self.understood(path)
        if means_it:
            self.press(lesson.says)

    def say(
        self,
        says: str,
        name: str,
        value: Any,
        *,
        unit: str | None = None,
        on: Any = None,
        off: Any = None,
        inverted: bool = False,
        counts: bool = False,
        coded: bool = False,
        holds: bool = False,
        along: bool = False,
        path: str | None = None,
        mapped: bool = False,
    ) -> None:
        """The mapping `name` holds `value`, which is our word `says`.

        Args:
            says: One of `words.OUR_WORDS`.
            name: Of the mapping; its state is remembered by it.
            value: As the device sent it; None says nothing.
            unit: The value's, where it is not ours.
            on: The value that means on, or several, where the device told, …
            off: … and the one that means off.
            inverted: The device's `true` is our `off`.
            counts: The value is a number of people or movements.
            coded: A number is a code that only the maker knows.
            holds: The value is repeated until it ends: only its beginning is news.
            along: That it begins is not told where movement is told already.
            path: Of the field, where it is not the mapping's name.
            mapped: Somebody said in the settings that it is `says`.
        """
        if value is None:
            return
        self.says.add(says)
        place = name if path is None else path
        try:
            if says in SIGN_WORDS:
                self._sign(SIGN_WORDS[says], value, unit, mapped)
            elif says in TURNS:
                found = self._found(says, value, on, off, inverted, counts, coded)
                self._turn_by(says, name, found, holds=holds, along=along)
            else:
                self._say_status(says.removeprefix("status."), name, value, on, off, inverted, unit)
            self._understood.add(place)
        except NotUnderstoodError as error:
            self.ignore(str(error), place, value)

    def press(self, says: str = "alarm.sos") -> None:
        """Something momentary happened."""
        self.says.add(says)
        if not self._retained:
            self._pressed = True
            self._tell(TURNS[says].on)

    def heard(self) -> list[Heard]:
        """All that was said, in order; a sign of life where a live message brought no news."""
        self._end_signs()
        messages = list(self._messages)
        alive = self._alive or (not self._retained and "online" in self._status)
        back = alive and self._last.get(ONLINE) is False and "online" not in self._status
        # How the battery is goes along with each cry: some buttons cry by themselves when it is empty.
        cried = self._pressed and "battery" in self._status
        if self._news or back or cried or (alive and not messages):
            online = self._status.get("online", True)
            if back or online != self._last.get(ONLINE, True):
                self.turned[ONLINE] = online
            fields = {**self._status, "online": online}
            if not (self._news or cried):
                fields = {name: value for name, value in fields.items() if name in {"online", "rssi"}}
            messages.append(DeviceStatus(ts_ms=self._ts_ms, **fields))
        return [Heard(self.key, message) for message in messages]

    def ignored(self) -> list[Ignored]:
        """What could not be put into our words. A field that one of its mappings understood is no such."""
        return [
            ignored
            for (reason, path), ignored in self._ignored.items()
            if not (path in self._understood and reason.endswith(NEITHER))
        ]

    def remembered(self) -> dict[str, Any] | None:
        """`last` as it is after this, bounded; None when it has not changed. To be asked after `heard`."""
        fresh = {name: value for name, value in self.turned.items() if self._last.get(name) != value}
        if not fresh:
            return None
        merged = {**self._last, **fresh}
        return dict(list(merged.items())[:NAMES_MAX])

    def understood(self, path: str) -> None:
        """The field `path` said something, to one of its mappings at least."""
        self._understood.add(path)

    def said_off(
        self, says: str, value: Any, *, on: Any = None, off: Any = None, inverted: bool = False
    ) -> bool:
        """Whether `value` means that what is said has ended."""
        return state(TURNS[says], value, on=on, off=off, inverted=inverted) is False

    def was(self, name: str) -> Any:
        """What is remembered of a mapping."""
        slot = _slot(name)
        return self.turned.get(slot, self._last.get(slot))

    def remember(self, name: str, value: Any) -> None:
        """Remember `value`, plain JSON, under a name of the dialect's own."""
        self.turned[_slot(name)] = value

    def _sign(self, sign: str, value: Any, unit: str | None, mapped: bool) -> None:
        found = number(value)
        if found is None and isinstance(value, str) and (parts := quantity(value)) is not None:
            found, unit = number(parts[0]), parts[1]
        if found is None:
            raise NotUnderstoodError(f"{sign} is not a number")
        found = measured(sign, found, unit, mapped=mapped)
        if self._retained:
            return
        if sign in self._signs:
            self._end_signs()
        self._signs[sign] = found

    def _found(
        self, says: str, value: Any, on: Any, off: Any, inverted: bool, counts: bool, coded: bool
    ) -> bool:
        """Whether `value` means that what is said is on; NotUnderstoodError where it means neither."""
        turn = TURNS[says]
        found: bool | None
        if turn.on is SignalKind.FALL and isinstance(value, str) and word(value) in SUSPICIONS:
            if not self._suspicions:
                raise NotUnderstoodError("a suspected fall, not confirmed by the device")
            return True
        if coded and on is None and off is None and number(value) is not None and not isinstance(value, bool):
            raise NotUnderstoodError(f"{says} is a code that nobody has explained")
        found = state(turn, value, on=on, off=off, inverted=inverted)
        counts = counts or (turn.momentary and not isinstance(turn.on, SignalKind))
        if found is None and counts and on is None and off is None:
            found = counted(value)
        if found is None:
            raise NotUnderstoodError(f"{says} {NEITHER}")
        return found

    def _turn_by(
        self, says: str, name: str, found: bool, *, holds: bool = False, along: bool = False
    ) -> None:
        turn = TURNS[says]
        if not turn.momentary:
            moves = (ActivityEvent.MOTION, SignalState.RAISED) in self._told
            self._turn(turn, _slot(name), found, silently=along and found and moves)
        elif holds:
            before = self.was(name)
            if not (found and self._retained):
                self.remember(name, found)
            if found and before is not True:
                self.press(says)
        elif found:
            self.press(says)

    def _turn(self, turn: Turn, name: str, on: bool, *, silently: bool) -> None:
        before = self.turned.get(name, self._last.get(name))
        alarm = isinstance(turn.on, SignalKind)
        if before is on or (self._retained and on and alarm):
            return
        self.turned[name] = on
        lasts, positive = lasting(turn)
        others = self._others(lasts, name, on is positive)
        if alarm and before and not on:
            if not others:
                self._tell(turn.on, SignalState.CLEARED)
        elif self._retained or silently or (others and not on and positive):
            return
        elif on:
            self._tell(turn.on)
        elif before and turn.off is not None:
            self._tell(turn.off)

    def _others(self, lasts: ActivityEvent | SignalKind, name: str, here: bool) -> list[str]:
        """The other mappings by which it lasts as well; `name` is added to them, or taken from them."""
        place = f"by {lasts}"
        listed = self.turned.get(place, self._last.get(place))
        others = [
            other
            for other in (listed if isinstance(listed, list) else ())
            if other != name
            and isinstance(other, str)
            and (self._mappings is None or other in self._mappings)
        ]
        now = [*others, name][-NAMES_MAX:] if here else others
        # One mapping alone is remembered by its own state.
        if now != (listed or []):
            self.turned[place] = now
        return others

    def _tell(self, what: ActivityEvent | SignalKind, state: SignalState = SignalState.RAISED) -> None:
        if (what, state) in self._told:
            return
        self._told.add((what, state))
        if isinstance(what, SignalKind):
            self._messages.append(
                AlarmSignal(ts_ms=self._ts_ms, kind=what, state=state, signal_id=self._signal_id)
            )
        else:
            self._messages.append(Activity(ts_ms=self._ts_ms, event=what))

    def _say_status(
        self, what: str, name: str, value: Any, on: Any, off: Any, inverted: bool, unit: str | None
    ) -> None:
        if what == "online":
            online = connected(value, on, off)
            if online is None:
                raise NotUnderstoodError("online is neither on nor off")
            self._status["online"] = online != inverted
            self._news |= self._last.get(ONLINE) is not self._status["online"]
            self.turned[ONLINE] = self._status["online"]
            return
        if what == "fw":
            found: int | str | None = clean(value)
        elif what == "rssi":
            level = number(value)
            found = round(level) if level is not None and -200 <= level <= 50 else None
        else:
            found = _percent(value, unit)
            if found is None and isinstance(value, str) and number(value) is None and not quantity(value):
                self._turn_by(
                    "alarm.low_battery",
                    name,
                    self._found("alarm.low_battery", value, None, None, False, False, True),
                )
                return
        if found is None:
            raise NotUnderstoodError(f"{what} is not one")
        self._status[what] = found
        # Signal strength is never the same twice: it goes along with the next news.
        if what != "rssi" and not self._retained and self._last.get(f"status.{what}") != found:
            self.turned[f"status.{what}"] = found
            self._news = True

    def _end_signs(self) -> None:
        if self._signs:
            self._messages.append(VitalSigns(ts_ms=self._ts_ms, **self._signs))
            self._signs = {}


def _slot(name: str) -> str:
    """The name by which a mapping is remembered: its own, or a short one that stands for it."""
    if len(name) <= NAME_LETTERS_MAX:
        return name
    return hashlib.blake2s(name.encode("utf-8", "replace"), digest_size=16).hexdigest()


def _percent(value: Any, unit: str | None) -> int | None:
    """A battery's level; None for a voltage, also where only its fraction gives it away."""
    if isinstance(value, str) and (parts := quantity(value)) is not None:
        value, unit = parts
    level = number(value)
    if level is None or not 0 <= level <= 100 or (unit and unit.strip() not in {"%", "percent"}):
        return None
    if not unit and level < VOLTS_MAX and not level.is_integer():
        return None
    return round(level)


def _taught_name(path: str) -> str:
    """Of the mapping that a person made for a field."""
    return f"taught {path}"
