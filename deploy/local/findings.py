"""What a look at an installation found: good, worth knowing, or something to be done."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a check ended."""

    GOOD = "✓"
    NOTE = "·"  # worth knowing, but nothing is wrong
    MISSING = "✗"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The outcome of one check.

    Attributes:
        state: Whether something has to be done.
        what: What was looked at.
        detail: What was found.
        remedy: What to do; empty when nothing has to be done.
    """

    state: State
    what: str
    detail: str
    remedy: str = ""

    def __str__(self) -> str:
        line = f"{self.state} {self.what}: {self.detail}"
        return f"{line}\n    → {self.remedy}" if self.remedy else line


def judge(good: bool, what: str, detail: str, remedy: str) -> Finding:
    """Good, or missing with what to do about it."""
    if good:
        return Finding(state=State.GOOD, what=what, detail=detail)
    return Finding(state=State.MISSING, what=what, detail=detail, remedy=remedy)
