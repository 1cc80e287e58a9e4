"""Our words for what devices say: `vitals.hr`, `activity.in_bed`, `alarm.sos`, `status.battery`.

They are those of a proposal's `says`, and of the settings file.
"""

from typing import NamedTuple

from gateway.errors import GatewayError
from protocol.model import ActivityEvent, SignalKind
from protocol.signs import SIGNS


class NotUnderstoodError(GatewayError):
    """Something that cannot be put into our words. The text has few variants: it is counted by."""


class Turn(NamedTuple):
    """What it means that something turns on, and off again.

    Attributes:
        on, off: What is said then; an alarm's end needs no word of its own.
        momentary: There is no state, and each `on` is news: a press, not a switch.
    """

    on: ActivityEvent | SignalKind
    off: ActivityEvent | None = None
    momentary: bool = False


class Meaning(NamedTuple):
    """What a field is in our words.

    Attributes:
        says: Our word.
        unit: The unit that stands in the field's name.
        inverted: Its `true` is our `off`.
        counts: It is a number of people or movements: more than none is on.
        coded: Its numbers are codes whose meaning differs by maker, so only words and true or false tell.
    """

    says: str
    unit: str | None = None
    inverted: bool = False
    counts: bool = False
    coded: bool = False


OPPOSITES = (
    (ActivityEvent.PRESENCE, ActivityEvent.ABSENCE),
    (ActivityEvent.IN_BED, ActivityEvent.OUT_OF_BED),
    (ActivityEvent.DOOR_OPEN, ActivityEvent.DOOR_CLOSED),
)
"""States of a person or a door: how it is while it lasts, and how it is otherwise."""

TURNS: dict[str, Turn] = {
    "activity.motion": Turn(ActivityEvent.MOTION),
    **{f"activity.{on}": Turn(on, off) for on, off in OPPOSITES},
    **{f"activity.{off}": Turn(off, on) for on, off in OPPOSITES},
    **{
        f"activity.{event}": Turn(event, momentary=True)
        for event in (
            ActivityEvent.TURNED,
            ActivityEvent.MEAL,
            ActivityEvent.CHECK_IN,
            ActivityEvent.ROUND,
        )
    },
    **{f"alarm.{kind}": Turn(kind, momentary=kind is SignalKind.SOS) for kind in SignalKind},
}
"""What turns on and off, by our word for `on`.

A call for help is momentary: many buttons never say that they were released, and one that is pressed again
must be heard again.
"""

SIGN_WORDS: dict[str, str] = {f"vitals.{sign}": sign for sign in SIGNS}
STATUS_WORDS = frozenset({"status.online", "status.battery", "status.rssi", "status.fw"})
OUR_WORDS = frozenset({*TURNS, *SIGN_WORDS, *STATUS_WORDS})
"""All that a field can be said to say."""


def lasting(turn: Turn) -> tuple[ActivityEvent | SignalKind, bool]:
    """What lasts while `turn` is on, or while it is off (False): for absence, presence and False."""
    return next(((on, False) for on, off in OPPOSITES if off is turn.on), (turn.on, True))


def spelled(text: str) -> frozenset[str]:
    """The words in `text`: a table that is easy to read."""
    return frozenset(text.split())


def check_word(where: str, says: str) -> None:
    """NotUnderstoodError where a field is to say what nobody knows."""
    if says not in OUR_WORDS:
        raise NotUnderstoodError(
            f"{where}.says: {says!r} is unknown; known are {', '.join(sorted(OUR_WORDS))}"
        )
