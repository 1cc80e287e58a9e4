"""Which steps somebody may take, and the words that go with them: the same for pages and for programs."""

from typing import NamedTuple

from alarms.lifecycle import legal_steps
from alarms.model import AlarmPriority, AlarmState, AlarmStep
from dashboard.errors import FormError
from dashboard.languages import Language
from dashboard.vocabulary import STEP, WAY, Way
from identity.model import StaffRole
from identity.rights import Right, may, require
from protocol.texts import N_

NEEDS_FORM = frozenset({AlarmStep.RESOLVED, AlarmStep.CLOSED, AlarmStep.CANCELLED})
"""Steps that ask for words before they are taken."""

_WORDS = {AlarmStep.RESOLVED: "note", AlarmStep.CANCELLED: "reason", AlarmStep.NOTED: "note"}
UNDOABLE = frozenset({AlarmStep.ACKNOWLEDGED, AlarmStep.ARRIVED})
"""Steps after which the notice offers to take the press back."""
_ORDER = tuple(AlarmStep(step) for step in STEP if step is not AlarmStep.UNDONE)


class Told(NamedTuple):
    """How the family was told, as somebody has written it."""

    at: str = ""
    way: str = ""
    person: str = ""


def buttons(state: AlarmState, priority: AlarmPriority, role: StaffRole) -> list[AlarmStep]:
    """The steps that somebody of this function may take now, the expected one first."""
    possible = legal_steps(state, priority)
    return [step for step in _ORDER if step in possible and may(role, right_of(step))]


def right_of(step: AlarmStep) -> Right:
    """What is needed to take a step. FormError: it is not for people to take."""
    try:
        return Right(step)
    except ValueError:
        raise FormError(f"{step} is not for people to take") from None


def require_fit(
    role: StaffRole, step: AlarmStep, state: AlarmState, priority: AlarmPriority, note: str | None
) -> None:
    """That somebody may take a step, and has written what it asks for. NoRightError, FormError.

    Where the step is not possible any more nothing is asked for: that it is too late is the better answer.
    """
    require(role, right_of(step))
    missing = _WORDS.get(step)
    is_possible = step is AlarmStep.NOTED or step in legal_steps(state, priority)
    if missing and is_possible and not (note and note.strip()):
        raise FormError(f"{step} needs a {missing}", missing=missing)


def family_notice(told: Told, language: Language) -> str | None:
    """How the family was told, as one line of the record; None unless all is said."""
    at, way, person = (part.strip() for part in told)
    if not (at and person and way in set(Way)):
        return None
    return language.gettext(N_(", ")).join((at, language.word(WAY, Way(way)), person))
