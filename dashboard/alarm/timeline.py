"""How an alarm's timeline tells who did what."""

from collections.abc import Iterable
from typing import NamedTuple

from alarms.evidence import Grade
from alarms.model import AlarmEvent, AlarmStep
from dashboard.alarm.words import GRADE, PROGRAM
from dashboard.cards import Card
from dashboard.languages import Language
from dashboard.vocabulary import DETECTOR, DEVICE_KIND, ROLE, STEP_DONE
from identity.model import StaffRole
from protocol.texts import N_


class Line(NamedTuple):
    """A line of the timeline: who, and what they did."""

    event: AlarmEvent
    author: str
    done: str


def lines(events: Iterable[AlarmEvent], card: Card, language: Language) -> list[Line]:
    """The timeline of `card`, in the order of `events`."""
    return [Line(event, author(event, card, language), done(event, language)) for event in events]


def author(event: AlarmEvent, card: Card, language: Language) -> str:
    """People by their names; a program by what it does, and the device by what it is and whom it watches."""
    if event.staff_id is not None:
        return event.actor
    if (program := PROGRAM.get(event.actor) or DETECTOR.get(event.actor)) is not None:
        return language.gettext(program)
    if event.actor != card.device_name or card.device_kind is None:
        return event.actor
    device = language.word(DEVICE_KIND, card.device_kind)
    if card.resident_name is None:
        return device
    text = language.gettext(N_("%(device)s (%(resident)s)"))
    return text % {"device": device, "resident": card.resident_name}


def done(event: AlarmEvent, language: Language) -> str:
    """What was done. Nobody is said to have been told: escalation raises a level, and no more."""
    detail = event.detail
    # `told` is what earlier versions called the role, although they told nobody either.
    named = detail.get("role", detail.get("told"))
    if event.step is AlarmStep.ESCALATED and named in set(StaffRole):
        role = language.word(ROLE, StaffRole(named))
        return language.gettext(N_("escalated to: %(role)s")) % {"role": role}
    if event.step is AlarmStep.CONDITION_ENDED and not detail.get("by_device", True):
        return language.gettext(N_("shows that the cause has ended"))
    if event.step is AlarmStep.NOTED and detail.get("grade") in set(Grade):
        grade = language.word(GRADE, Grade(detail["grade"]))
        return language.gettext(N_("judges: %(grade)s")) % {"grade": grade}
    if event.step is AlarmStep.NOTED and "sentence" in detail:
        return language.gettext(N_("has found more"))
    return language.word(STEP_DONE, event.step)
