"""What one device is heard to say in one message of its hub: fields in, the model's messages out."""

from collections.abc import Iterable, Mapping
from typing import Any

from gateway.dialects import KNOWN_MAX, Heard, Ignored, Knowledge
from gateway.dialects.words import (
    SIGN_WORDS,
    SUSPICIONS,
    TURNS,
    NotUnderstoodError,
    Turn,
    boolean,
    clean,
    converted,
    likely_kind,
    number,
    state,
)
from protocol.model import (
    Activity,
    ActivityEvent,
    AlarmSignal,
    DeviceKind,
    DeviceProposal,
    DeviceStatus,
    Message,
    SignalKind,
    SignalState,
    VitalSigns,
)
from protocol.signs import SIGNS

KEY_LETTERS_MAX = 160
NAMES_MAX = 64
"""States of one device that are remembered."""
NAME_LETTERS_MAX = 64
ONLINE = "status.online"
SAYS_MAX = 32
"""Words in one proposal."""


class Hearing:
    """Gathers what one device says; made anew for each message, so that dialects stay pure.

    What turns on and off is told when it changes, not when it is repeated. The first `off` of all is no
    change. A replayed `on` of an alarm is not remembered: said once more, live, it must be heard.

    Args:
        key: Of the device.
        last: How things were, by field: what `turned` of earlier hearings came to.
        retained: The broker replays it: how things were, not what happens.
        ts_ms: The time that the device gave.
        suspicions: Take a radar's suspicion of a fall for a fall.
        speaks: The device itself speaks, and not its hub of it; so it is alive.
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
    ) -> None:
        self.key = key
        self.says: set[str] = set()
        """Our words for all that the device said, also where nothing came of it."""
        self.turned: dict[str, Any] = {}
        """What is to be remembered, by field."""
        self._last = last or {}
        self._retained = retained
        self._alive = speaks and not retained
        self._ts_ms = ts_ms
        self._suspicions = suspicions
        self._messages: list[Message] = []
        self._signs: dict[str, float] = {}
        self._status: dict[str, Any] = {}
        self._news = False
        self._pressed = False
        self._reasons: dict[str, None] = {}

    def at(self, ts_ms: int | None) -> None:
        """What follows was at another time."""
        self._end_signs()
        self._ts_ms = ts_ms

    def ignore(self, reason: str) -> None:
        """Something could not be put into our words."""
        self._reasons[reason] = None

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
    ) -> None:
        """The field `name` holds `value`, which is our word `says`.

        Args:
            says: One of `words.OUR_WORDS`.
            name: Of the field; its state is remembered by it.
            value: As the device sent it; None says nothing.
            unit: The value's, where it is not ours.
            on: The value that means on, where the device told, …
            off: … and the one that means off.
            inverted: The device's `true` is our `off`.
        """
        if value is None:
            return
        self.says.add(says)
        try:
            if says in SIGN_WORDS:
                self._sign(SIGN_WORDS[says], value, unit)
            elif says in TURNS:
                self._turn_by(says, name, value, on, off, inverted)
            else:
                self._say_status(says.removeprefix("status."), value, on, off, inverted)
        except NotUnderstoodError as error:
            self.ignore(str(error))

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
        """What could not be put into our words."""
        return [Ignored(self.key, reason) for reason in self._reasons]

    def remembered(self) -> dict[str, Any] | None:
        """`last` as it is after this, bounded; None when it has not changed. To be asked after `heard`."""
        fresh = {
            name: value
            for name, value in self.turned.items()
            if len(name) <= NAME_LETTERS_MAX and self._last.get(name) != value
        }
        if not fresh:
            return None
        merged = {**self._last, **fresh}
        return dict(list(merged.items())[:NAMES_MAX])

    def _sign(self, sign: str, value: Any, unit: str | None) -> None:
        found = number(value)
        if found is None:
            raise NotUnderstoodError(f"{sign} is not a number")
        found = converted(sign, found, unit)
        limits = SIGNS[sign]
        if not limits.low <= found <= limits.high:
            # A wristband that is not worn says 0: no measurement, and nothing that could be clipped.
            raise NotUnderstoodError(f"{sign} outside {limits.low:g} to {limits.high:g} {limits.unit}")
        if self._retained:
            return
        if sign in self._signs:
            self._end_signs()
        self._signs[sign] = found

    def _turn_by(self, says: str, name: str, value: Any, on: Any, off: Any, inverted: bool) -> None:
        turn = TURNS[says]
        if turn.on is SignalKind.FALL and isinstance(value, str) and value.casefold() in SUSPICIONS:
            if not self._suspicions:
                raise NotUnderstoodError("a suspected fall, not confirmed by the device")
            found: bool | None = True
        else:
            found = state(turn, value, on=on, off=off, inverted=inverted)
        if found is None:
            raise NotUnderstoodError(f"{says} is neither on nor off")
        if turn.momentary:
            if found:
                self.press(says)
            return
        self._turn(turn, name, found)

    def _turn(self, turn: Turn, name: str, on: bool) -> None:
        before = self.turned.get(name, self._last.get(name))
        alarm = isinstance(turn.on, SignalKind)
        if before is on or (self._retained and on and alarm):
            return
        self.turned[name] = on
        if alarm and before and not on:
            self._tell(turn.on, SignalState.CLEARED)
        elif not self._retained and on:
            self._tell(turn.on)
        elif not self._retained and before and turn.off is not None:
            self._tell(turn.off)

    def _tell(self, what: ActivityEvent | SignalKind, state: SignalState = SignalState.RAISED) -> None:
        self._end_signs()
        if isinstance(what, SignalKind):
            self._messages.append(AlarmSignal(ts_ms=self._ts_ms, kind=what, state=state))
        else:
            self._messages.append(Activity(ts_ms=self._ts_ms, event=what))

    def _say_status(self, what: str, value: Any, on: Any, off: Any, inverted: bool) -> None:
        if what == "online":
            online = boolean(value, on, off)
            if online is None:
                raise NotUnderstoodError("online is neither on nor off")
            self._status["online"] = online != inverted
            self._news |= self._last.get(ONLINE) is not self._status["online"]
            self.turned[ONLINE] = self._status["online"]
            return
        if what == "fw":
            found: int | str | None = clean(value)
        else:
            low, high = (0, 100) if what == "battery" else (-200, 50)
            level = number(value)
            found = round(level) if level is not None and low <= level <= high else None
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


def key_of(dialect: str, address: Any) -> str:
    """The key of a device; NotUnderstoodError for an address that cannot be one."""
    if not isinstance(address, str) or not address:
        raise NotUnderstoodError("a device without an address")
    if any(letter < " " or letter == "\x7f" for letter in address):
        raise NotUnderstoodError("a device's address with control characters")
    key = f"{dialect}:{address}"
    if len(key) > KEY_LETTERS_MAX:
        raise NotUnderstoodError("a device's address is too long")
    return key


def entry_of(known: Knowledge, key: str) -> dict[str, Any]:
    """What is known under `key`; empty where nothing is, or nothing of ours."""
    entry = known.get(key)
    return entry if isinstance(entry, dict) else {}


def part_of(entry: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The mapping `name` of an entry; empty where there is none."""
    part = entry.get(name)
    return part if isinstance(part, dict) else {}


def with_room(known: Knowledge, learnt: dict[str, Any]) -> dict[str, Any]:
    """`learnt`, without new entries for which there is no room."""
    room = KNOWN_MAX - len(known)
    kept: dict[str, Any] = {}
    for key, entry in learnt.items():
        if key not in known:
            if room <= 0:
                continue
            room -= 1
        kept[key] = entry
    return kept


def proposal(
    key: str, says: Iterable[str], *, kind: DeviceKind | None = None, vendor: Any = None, product: Any = None
) -> DeviceProposal:
    """A device, for a person to judge; `kind` is guessed from what it says where it is not known."""
    words = sorted(says)
    return DeviceProposal(
        key=key,
        kind=kind or likely_kind(words),
        vendor=clean(vendor),
        product=clean(product),
        says=tuple(words[:SAYS_MAX]),
    )
