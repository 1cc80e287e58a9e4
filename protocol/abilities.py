"""What a device of each kind may say. What it may not is refused: a call button measures no blood pressure.

Generous, because makers put many things into one case: a radar that also counts breaths is still a radar.
What is not listed would be a mistake in the register, a device that speaks for another, or somebody who plays
one.
What is about life is never refused, whatever it comes from (nobody can know which cases have a button, a
detector, or a wire to another), but for one: what is pressed by hand smells no smoke.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from protocol.model import (
    CANNOT_WAIT,
    Activity,
    ActivityEvent,
    AlarmSignal,
    DeviceKind,
    Message,
    SignalKind,
    VitalSigns,
)
from protocol.signs import SIGNS

_OF_ANY = CANNOT_WAIT | {SignalKind.TAMPER, SignalKind.LOW_BATTERY, SignalKind.FAULT}
_ALL_SIGNS = frozenset(SIGNS)
_BY_CUFF_OR_BLOOD = frozenset({"sbp", "dbp", "glucose"})
_BY_TOUCH = frozenset({"temp", "hr", "spo2"})
_SEEN = frozenset({ActivityEvent.MOTION, ActivityEvent.PRESENCE, ActivityEvent.ABSENCE})
_IN_BED = frozenset({ActivityEvent.IN_BED, ActivityEvent.OUT_OF_BED, ActivityEvent.TURNED})
_DOOR = frozenset({ActivityEvent.DOOR_OPEN, ActivityEvent.DOOR_CLOSED})
_BY_HAND = frozenset({ActivityEvent.CHECK_IN, ActivityEvent.MEAL, ActivityEvent.ROUND})
_OF_THE_HOUSE = frozenset({SignalKind.SMOKE, SignalKind.GAS, SignalKind.WATER})
_LYING = frozenset({SignalKind.BED_EXIT, SignalKind.WEAK_BREATHING, SignalKind.WANDERING})


class Ability(NamedTuple):
    """What one kind may say beside its own status."""

    signs: frozenset[str] = frozenset()
    events: frozenset[ActivityEvent] = frozenset()
    alarms: frozenset[SignalKind] = frozenset()


def _able(
    signs: frozenset[str] | str = "",
    events: frozenset[ActivityEvent] = frozenset(),
    alarms: frozenset[SignalKind] = frozenset(),
) -> Ability:
    return Ability(frozenset(signs.split() if isinstance(signs, str) else signs), events, alarms | _OF_ANY)


_PRESSED = Ability(events=_BY_HAND, alarms=_OF_ANY - _OF_THE_HOUSE)

ABILITIES: Mapping[DeviceKind, Ability] = {
    # Pendants know a fall; "I am well" is a press too.
    DeviceKind.SOS_BUTTON: _PRESSED,
    DeviceKind.PULL_CORD: _PRESSED,
    # Radars of many makers also count heart beats and breaths, and see who lies in bed.
    DeviceKind.FALL_RADAR: _able("hr rr temp", _SEEN | _IN_BED, _LYING),
    DeviceKind.SMART_MATTRESS: _able(_ALL_SIGNS - _BY_CUFF_OR_BLOOD, _SEEN | _IN_BED, _LYING),
    DeviceKind.MOTION: _able("hr rr temp", _SEEN | _IN_BED | _DOOR, _LYING),
    DeviceKind.DOOR_CONTACT: _able(events=_SEEN | _DOOR, alarms=frozenset({SignalKind.WANDERING})),
    DeviceKind.SMOKE: _able(),
    DeviceKind.GAS: _able(),
    DeviceKind.WATER_LEAK: _able(),
    DeviceKind.WRISTBAND: _able(_ALL_SIGNS, _SEEN | _IN_BED | _BY_HAND, _LYING),
    # Cuffs and glucometers are often one case, and both count the pulse.
    DeviceKind.BP_CUFF: _able(_BY_CUFF_OR_BLOOD | _BY_TOUCH, frozenset({ActivityEvent.CHECK_IN})),
    DeviceKind.GLUCOMETER: _able(_BY_CUFF_OR_BLOOD | {"hr", "temp"}, frozenset({ActivityEvent.CHECK_IN})),
    DeviceKind.THERMOMETER: _able(_BY_TOUCH, frozenset({ActivityEvent.CHECK_IN})),
    DeviceKind.HEALTH_KIOSK: _able(_ALL_SIGNS, _BY_HAND | _SEEN),
    DeviceKind.PATROL_TAG: _able(events=_BY_HAND),
    DeviceKind.SIREN: _able(),
    DeviceKind.GATEWAY: _able(),
}
"""By kind. All may tell of their own status."""


def refused_word(kind: DeviceKind, message: Message) -> str | None:
    """The first word of `message`, such as `vitals.sbp`, that such a device does not say; None: none."""
    able = ABILITIES[kind]
    if isinstance(message, VitalSigns):
        wrong = next((sign for sign in message.signs() if sign not in able.signs), None)
        return None if wrong is None else f"vitals.{wrong}"
    if isinstance(message, Activity):
        return None if message.event in able.events else f"activity.{message.event}"
    if isinstance(message, AlarmSignal):
        return None if message.kind in able.alarms else f"alarm.{message.kind}"
    return None


def without_refused(kind: DeviceKind, vitals: VitalSigns) -> VitalSigns:
    """The vital signs without those that a device of this kind does not measure; perhaps none are left."""
    wrong = [sign for sign in vitals.signs() if sign not in ABILITIES[kind].signs]
    return msgspec.structs.replace(vitals, **dict.fromkeys(wrong)) if wrong else vitals


def may_raise(kind: DeviceKind, word: str) -> bool:
    """Whether a device of this kind may say `word` if that is an alarm, such as `alarm.fall`."""
    leaf, _, what = word.partition(".")
    return leaf != "alarm" or what not in set(SignalKind) or SignalKind(what) in ABILITIES[kind].alarms
