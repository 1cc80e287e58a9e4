"""Meters that several people share: whose reading it is stands in the message, or nobody knows.

A scale or a cuff with a key for each of its users is as many devices as it has users: each is proposed and
assigned by itself, so that no reading goes to the wrong person.
"""

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from gateway.dialects.names import meaning_of, normalised
from gateway.dialects.quantities import Quantity
from gateway.dialects.values import clean
from gateway.dialects.words import spelled
from protocol.model import DeviceKind

METERED = frozenset({"vitals.weight", "vitals.sbp", "vitals.dbp", "vitals.glucose"})
"""What is measured with meters that stand on a shelf for all."""
DIGITS_MAX = 2
"""Longer numbers may be those of cards or telephones."""
CRIES = frozenset({"alarm.sos", "alarm.fall"})
_NAMES = frozenset(
    normalised(name)
    for name in spelled(
        "user user_id user_no user_num user_number user_index user_name user_profile user_key person_id "
        "member member_id profile profile_id patient patient_id account_id family_id 用户 用户编号 用户ID "
        "成员 成员编号"
    )
)
_WORN = frozenset({DeviceKind.WRISTBAND, DeviceKind.SMART_MATTRESS})
"""Kinds that one person has for himself: an id of a person there is that of an account."""
_NOBODY = spelled("none null unknown nil -1 -")


def person_of(fields: Sequence[Quantity], kind: DeviceKind | None) -> str | None:
    """A short label of the person whose readings the fields are; None where none is named or needs to be.

    A number of a user on the meter is told as it is; whatever else may be somebody's name or number is not.
    """
    if kind in _WORN:
        return None
    label = next((label for found in fields if is_person(found.path) and (label := _label(found))), None)
    if label is None:
        return None
    says = {meaning.says for found in fields if (meaning := meaning_of(found.path.rpartition(".")[2]))}
    if not says & METERED or any(word in CRIES or word.startswith("activity.") for word in says):
        return None  # whoever calls for help wears it, and it is one device
    if label.isascii() and label.isdigit() and len(label) <= DIGITS_MAX:
        return label
    return hashlib.blake2s(label.casefold().encode(), digest_size=4).hexdigest()


@lru_cache(4_096)
def is_person(path: str) -> bool:
    """Whether a field of this name says whose reading it is."""
    return normalised(path.rpartition(".")[2]) in _NAMES


def names_one(values: Mapping[str, Any]) -> bool:
    """Whether there is a field at the top or right below it that says whose readings these are."""
    return any(
        is_person(name) or (isinstance(value, Mapping) and any(map(is_person, value)))
        for name, value in values.items()
    )


def _label(found: Quantity) -> str | None:
    if isinstance(found.value, float):
        return None
    label = clean(found.value)
    return None if label is None or label.casefold() in _NOBODY else label


def key_of_person(key: str, person: str) -> str:
    """The key of a shared meter as the meter of one of its users."""
    return f"{key}#{person}"
