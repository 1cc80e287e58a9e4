"""What a device says, understood by the names of its fields alone."""

from typing import Any

from gateway.dialects.hearing import UNKNOWN, Hearing
from gateway.dialects.names import STATE_NAMES, is_quiet, meaning_of, normalised, words_of
from gateway.dialects.quantities import Quantity
from gateway.dialects.values import cry_in, told_by
from gateway.dialects.words import Meaning, spelled
from protocol.model import DeviceKind

BLOOD_PRESSURE = frozenset({"bp", "bloodpressure", "nibp", "血压"})
"""Names of a systolic and diastolic pressure in one value, such as `128/76`."""
_STATE_WORDS = ("alarm.fall", "activity.in_bed", "activity.motion", "activity.presence")
_NOT_NOW = spelled(
    "settings setting config configuration threshold thresholds limit limits target targets goal "
    "schedule plan baseline normalrange reference"
)
"""Objects in which measurements stand that nobody made now."""


def say(hearing: Hearing, found: Quantity, kind: DeviceKind | None, *, attribute: bool = False) -> None:
    """Say what a value is by its name, on a device of this kind; what nobody knows is counted.

    An attribute is how a device is set up or is: no measurement, and nothing unheard.
    """
    path, value = found.path, found.value
    *outer, last = path.split(".")
    if _NOT_NOW.intersection(word for part in outer for word in words_of(part)):
        return
    if normalised(last) in BLOOD_PRESSURE and _say_pressure(hearing, found, attribute):
        return
    meaning = meaning_of(path, kind) or meaning_of(last, kind)
    if attribute and (meaning is None or meaning.says.startswith("vitals.") or "detection" in words_of(last)):
        return
    if meaning is not None:
        say_as(hearing, meaning, found)
    elif (
        not _say_state(hearing, path, last, value)
        and value is not None
        and not any(map(is_quiet, [*outer, last]))
    ):
        hearing.ignore(UNKNOWN, path, value)


def say_as(hearing: Hearing, meaning: Meaning, found: Quantity) -> None:
    """Say that a value has this meaning."""
    hearing.say(
        meaning.says,
        found.path,
        found.value,
        unit=found.unit_of(meaning.says) or meaning.unit,
        inverted=meaning.inverted,
        counts=meaning.counts,
        coded=meaning.coded,
    )


def _say_pressure(hearing: Hearing, found: Quantity, attribute: bool) -> bool:
    value = found.value
    if isinstance(value, str):
        value = value.replace(",", "/").split("/")
    if not isinstance(value, list) or len(value) < 2:
        return False
    if not attribute:
        hearing.say("vitals.sbp", found.path, value[0], unit=found.unit_of("vitals.sbp"))
        hearing.say("vitals.dbp", found.path, value[1], unit=found.unit_of("vitals.dbp"))
    return True


def _say_state(hearing: Hearing, path: str, last: str, value: Any) -> bool:
    """What a field says that is called a state and no more: `status` is `FALL DOWN`."""
    if normalised(last) not in STATE_NAMES or not isinstance(value, str):
        return False
    cry = cry_in(value)
    if cry == "alarm.sos":
        hearing.press()
        return True
    telling = {told.says for told in told_by([value])} | ({cry} if cry else set())
    # `normal` ends a fall; where somebody is, only a word for that tells.
    known = _STATE_WORDS if telling - {"alarm.fall"} else ("alarm.fall",)
    said = [
        says
        for says in _STATE_WORDS
        if says in telling or (says in known and hearing.was(f"{path}:{says}") is not None)
    ]
    for says in said:
        along = says == "activity.presence" and "activity.motion" in said
        hearing.say(says, f"{path}:{says}", value, along=along, path=path)
    return bool(said)
