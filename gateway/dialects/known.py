"""What a dialect has learnt of its devices: keys, entries, and the proposals made of them."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from gateway.dialects import KNOWN_MAX, Knowledge
from gateway.dialects.names import likely_kind
from gateway.dialects.values import clean, folded
from gateway.dialects.words import NotUnderstoodError
from protocol.model import UNSEEN, DeviceKind, DeviceProposal

KEY_LETTERS_MAX = 160
_HARDWARE_ADDRESS = re.compile(r"(?=.*\d)(0x)?[0-9a-f:_-]{6,}\Z", re.IGNORECASE)
SAYS_MAX = 32
"""Words in one proposal."""


def key_of(dialect: str, address: Any, known: Knowledge | None = None) -> str:
    """The key of a device; NotUnderstoodError for an address that cannot be one.

    One that differs from a `known` key only in upper and lower case is the same device.
    """
    if not isinstance(address, str) or not address.strip():
        raise NotUnderstoodError("a device without an address")
    if any(letter < " " or letter == "\x7f" for letter in address.strip()):
        raise NotUnderstoodError("a device's address with control characters")
    address = UNSEEN.sub("\ufffd", address.strip())
    key = f"{dialect}:{address}"
    if len(key) > KEY_LETTERS_MAX:
        raise NotUnderstoodError("a device's address is too long")
    if known is None or known.get(key):
        return key
    like = folded(key)
    return next((other for other in known if folded(other) == like and known.get(other)), key)


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
    key: str,
    says: Iterable[str],
    *,
    label: Any = None,
    kind: DeviceKind | None = None,
    vendor: Any = None,
    product: Any = None,
) -> DeviceProposal:
    """A device, for a person to judge; `kind` is guessed from what it says where it is not known.

    A `label` that is a hardware address tells nobody anything.
    """
    called = clean(label)
    words = sorted(says)
    return DeviceProposal(
        key=key,
        label=None if called is None or _HARDWARE_ADDRESS.match(called) else called,
        kind=kind or likely_kind(words),
        vendor=clean(vendor),
        product=clean(product),
        says=tuple(words[:SAYS_MAX]),
    )
