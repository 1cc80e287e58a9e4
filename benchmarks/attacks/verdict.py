"""What became of an attack, and the register of all of them."""

import sys
import time
import traceback
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

import msgspec

from benchmarks.attacks.product import Product

SOS_S_MAX = 2.0
"""No attack may make another's SOS wait longer than this, from the press to the commit."""


class Result(StrEnum):
    """How an attack ended."""

    REFUSED = "refused"
    HELD = "held"
    FAILED = "failed"


class Verdict(NamedTuple):
    """An attack's own word about how it ended, with what was seen."""

    result: Result
    found: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """An attack and what became of it.

    Attributes:
        id: As in the list of attacks.
        family: The file it is in.
        title: What was tried.
        verdict: How it ended.
        found: What was seen.
        sos_pressed: How many SOS of others were sent meanwhile.
        sos_stored: How many of them were committed.
        sos_s_worst: The longest from press to commit, in seconds; None: none was sent.
        took_s: Duration of the attack in seconds.
        ok: Whether it was refused or held.
    """

    id: str
    family: str
    title: str
    verdict: Result
    found: str
    sos_pressed: int
    sos_stored: int
    sos_s_worst: float | None
    took_s: float
    ok: bool


class Attack(NamedTuple):
    """Something to try."""

    id: str
    family: str
    title: str
    attempt: Callable[[Product], Verdict]


_attacks: list[Attack] = []


def attack(id_: str) -> Callable[[Callable[[Product], Verdict]], Callable[[Product], Verdict]]:
    """Register the function as an attack: its docstring says what is tried, its file is the family."""

    def register(attempt: Callable[[Product], Verdict]) -> Callable[[Product], Verdict]:
        assert id_ not in {known.id for known in _attacks}, f"{id_} is there already"
        title = (attempt.__doc__ or "").strip().removesuffix(".")
        _attacks.append(Attack(id_, attempt.__module__.rpartition(".")[2], title, attempt))
        return attempt

    return register


def registered() -> list[Attack]:
    """All attacks of the families that were imported."""
    return list(_attacks)


def refused(found: str) -> Verdict:
    """The attacker was turned away."""
    return Verdict(Result.REFUSED, found)


def held(found: str) -> Verdict:
    """The attacker did what they wanted to, and it harmed nobody."""
    return Verdict(Result.HELD, found)


def failed(found: str) -> Verdict:
    """It did harm."""
    return Verdict(Result.FAILED, found)


def judged(ok: bool, found: str, *, good: Callable[[str], Verdict] = held) -> Verdict:
    """`good` or failed."""
    return good(found) if ok else failed(found)


def try_attack(one: Attack, product: Product) -> Outcome:
    """Try it and judge it; whatever it raises means that it failed."""
    product.forget_watched()
    began_s = time.monotonic()
    try:
        result, found = one.attempt(product)
    except Exception as error:  # noqa: BLE001 - the next attack is tried all the same
        traceback.print_exc(file=sys.stderr)
        result, found = Result.FAILED, f"{type(error).__name__}: {error}"
    took_s = time.monotonic() - began_s
    watched = product.watched
    pressed, stored = sum(w.pressed for w in watched), sum(w.stored for w in watched)
    worst = max((seconds for w in watched for seconds in w.took_s), default=None)
    late = stored < pressed or (worst is not None and worst > SOS_S_MAX)
    if late and result is not Result.FAILED:
        result, found = Result.FAILED, f"an SOS came late or not at all; {found}"
    print(f"{one.id:8} {result}: {found}", file=sys.stderr)
    return Outcome(
        id=one.id,
        family=one.family,
        title=one.title,
        verdict=result,
        found=found,
        sos_pressed=pressed,
        sos_stored=stored,
        sos_s_worst=worst,
        took_s=round(took_s, 2),
        ok=result is not Result.FAILED,
    )
