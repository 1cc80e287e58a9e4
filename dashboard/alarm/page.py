"""The routes of an alarm's page: the page itself, its steps and its notes."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from msgspec import structs

from alarms import feedback, incident
from alarms.feedback import Verdict
from alarms.incident import NOTE_LENGTH_MAX, Step
from alarms.model import AlarmStep
from dashboard import cards
from dashboard.alarm import judgement, queries, timeline
from dashboard.charts import can_draw
from dashboard.context import session_of
from dashboard.errors import FormError
from dashboard.params import AlarmId, PressKey, PressKeyField
from dashboard.render import page, step_taken
from dashboard.steps import NEEDS_FORM, UNDOABLE, Told, buttons, family_notice, require_fit
from dashboard.vocabulary import STEP_DONE
from identity.sessions import actor_of
from protocol.calendar import HOME_TIME

router = APIRouter(prefix="/alarms")
router.include_router(judgement.router)

Text = Annotated[str, Form(max_length=NOTE_LENGTH_MAX)]
Short = Annotated[str, Form(max_length=100)]


@router.get("/{alarm_id}")
def alarm(request: Request, alarm_id: AlarmId) -> Response:
    """The alarm's page."""
    with session_of(request) as session:
        card = cards.of_alarm(session.connection, alarm_id)
        events = incident.timeline(session.connection, alarm_id)
        found = card.why
        return page(
            request,
            "alarm/alarm.html",
            session,
            card=card,
            timeline=timeline.lines(events, card, session.language),
            evidence=structs.replace(found, chart=found.chart if can_draw(card, found.chart) else None),
            cases=queries.people_of(session.connection, found.cases),
            **judgement.feedback_values(session, card, events),
        )


@router.get("/{alarm_id}/steps/{step}")
def step_form(request: Request, alarm_id: AlarmId, step: AlarmStep) -> Response:
    """The words that a step asks for."""
    with session_of(request) as session:
        card = cards.of_alarm(session.connection, alarm_id)
        if step not in NEEDS_FORM or step not in buttons(card.state, card.priority, session.staff.role):
            raise FormError(f"there is no form for {step} now")
        now = datetime.now(HOME_TIME)
        return page(
            request, "alarm/_step_form.html", session, card=card, step=step, now=now.strftime("%H:%M")
        )


@router.post("/{alarm_id}/steps/{step}")
def take_step(
    request: Request,
    alarm_id: AlarmId,
    step: AlarmStep,
    note: Text = "",
    told_at: Short = "",
    told_way: Short = "",
    told_person: Short = "",
    verdict: Annotated[Verdict | None, Form()] = None,
    key: PressKeyField = None,
    key_header: PressKey = None,
) -> Response:
    """Take a step in the name of who is signed in; the answer is a notice, the list follows by itself.

    A press that is sent again with its key gets the same answer and is not taken again.
    """
    with session_of(request) as session:
        card = cards.of_alarm(session.connection, alarm_id)
        require_fit(session.staff.role, step, card.state, card.priority, note)
        taken = Step(
            step=step,
            actor=actor_of(session.staff),
            note=note.strip() or None,
            family_notice=family_notice(Told(told_at, told_way, told_person), session.language),
            key=key or key_header,
        )
        incident.take(session.connection, alarm_id, taken)
        if verdict is not None:
            feedback.give(session.connection, alarm_id, actor_of(session.staff), verdict)
        return step_taken(
            request,
            session,
            session.language.gettext(STEP_DONE[step]),
            about=cards.about(card, session.language),
            undo=alarm_id if step in UNDOABLE else None,
        )


@router.post("/{alarm_id}/notes")
def add_note(
    request: Request,
    alarm_id: AlarmId,
    note: Text,
    key: PressKeyField = None,
    key_header: PressKey = None,
) -> Response:
    """Write a note into the timeline."""
    with session_of(request) as session:
        card = cards.of_alarm(session.connection, alarm_id)
        require_fit(session.staff.role, AlarmStep.NOTED, card.state, card.priority, note)
        taken = Step(
            step=AlarmStep.NOTED, actor=actor_of(session.staff), note=note.strip(), key=key or key_header
        )
        incident.take(session.connection, alarm_id, taken)
        return step_taken(
            request,
            session,
            session.language.gettext(STEP_DONE[AlarmStep.NOTED]),
            about=cards.about(card, session.language),
        )
