"""What people say of an alarm once they have looked: right, wrong or unsure, and why."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from pydantic import BeforeValidator

from alarms import feedback, incident
from alarms.feedback import NOTE_LENGTH_MAX, Verdict, reasons
from alarms.model import AlarmEvent, AlarmStep
from alarms.reasons import Reason
from dashboard import cards
from dashboard.alarm.words import VERDICT
from dashboard.cards import Card
from dashboard.context import Session, session_of
from dashboard.params import AlarmId, blank_is_none
from dashboard.render import page, step_taken
from dashboard.vocabulary import REASON
from identity.rights import Right, require
from identity.sessions import actor_of

router = APIRouter()

Note = Annotated[str, Form(max_length=NOTE_LENGTH_MAX)]
ReasonChoice = Annotated[Reason | None, BeforeValidator(blank_is_none), Form()]


@router.get("/{alarm_id}/feedback")
def feedback_form(request: Request, alarm_id: AlarmId) -> Response:
    """The form for an answer in own words."""
    with session_of(request) as session:
        card = cards.of_alarm(session.connection, alarm_id)
        timeline = incident.timeline(session.connection, alarm_id)
        values = feedback_values(session, card, timeline)
        standing = values["standing"]
        verdict = standing.verdict if standing else (Verdict.FALSE if values["cancelled_by"] else None)
        return page(
            request,
            "alarm/_feedback_form.html",
            session,
            card=card,
            standing=standing,
            verdict=verdict,
            note_length_max=NOTE_LENGTH_MAX,
        )


@router.post("/{alarm_id}/feedback")
def give(
    request: Request,
    alarm_id: AlarmId,
    verdict: Annotated[Verdict, Form()],
    reason: ReasonChoice = None,
    note: Note = "",
) -> Response:
    """Keep what is said in the name of who is signed in; the page follows by itself."""
    with session_of(request) as session:
        require(session.staff.role, Right.JUDGE)
        card = cards.of_alarm(session.connection, alarm_id)
        given = feedback.give(
            session.connection, alarm_id, actor_of(session.staff), verdict, reason=reason, note=note
        )
        words = [session.language.word(VERDICT, given.verdict)]
        if given.reason:
            words.append(session.language.word(REASON, given.reason))
        return step_taken(request, session, " · ".join(words), about=cards.about(card, session.language))


def feedback_values(session: Session, card: Card, timeline: Sequence[AlarmEvent]) -> dict[str, Any]:
    """What `alarm/_feedback.html` needs: what was said so far, or who cancelled the alarm as a false one."""
    said = feedback.of_alarm(session.connection, card.id)
    return {
        "may_judge": feedback.may_judge(card.state),
        "said": said,
        "standing": feedback.latest(said),
        "cancelled_by": next(
            (line for line in timeline if line.step is AlarmStep.CANCELLED and line.staff_id), None
        ),
        "reasons_of": {verdict: reasons(card.kind, verdict) for verdict in Verdict},
    }
