"""Alarms as data: the list, and the next step."""

from typing import Any

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from alarms import incident
from alarms.incident import NOTE_LENGTH_MAX, Step
from alarms.model import AlarmStep
from dashboard import cards
from dashboard.context import session_of
from dashboard.params import AlarmId, PressKey, SiteChoice
from dashboard.steps import Told, buttons, family_notice, require_fit
from dashboard.vocabulary import Way
from identity.model import StaffRole
from identity.sessions import actor_of

router = APIRouter(prefix="/api/alarms")


class FamilyNotice(BaseModel):
    """How the family was told: when, how and whom."""

    at: str = Field(max_length=100)
    way: Way
    person: str = Field(max_length=100)


class Words(BaseModel):
    """What goes with a step: the same as on the page."""

    note: str | None = Field(default=None, max_length=NOTE_LENGTH_MAX)
    family_notice: FamilyNotice | None = None


@router.get("")
def alarm_list(request: Request, site: SiteChoice = None) -> Response:
    """The alarms in scope that are not ended, the most urgent first."""
    with session_of(request) as session:
        found, total = cards.of_site(session.connection, site)
    return _json({"alarms": [_card(card, session.staff.role) for card in found], "total": total})


@router.post("/{alarm_id}/steps/{step}")
def take_step(
    request: Request, alarm_id: AlarmId, step: AlarmStep, words: Words, key: PressKey = None
) -> Response:
    """Take a step in the name of who is signed in; the alarm as it then stands.

    With the same `Idempotency-Key` it is taken once, however often it is sent.
    """
    told = words.family_notice
    with session_of(request) as session:
        card = cards.of_alarm(session.connection, alarm_id)
        require_fit(session.staff.role, step, card.state, card.priority, words.note)
        taken = Step(
            step=step,
            actor=actor_of(session.staff),
            note=words.note,
            family_notice=family_notice(Told(told.at, told.way, told.person), session.language)
            if told
            else None,
            key=key,
        )
        incident.take(session.connection, alarm_id, taken)
        card = cards.of_alarm(session.connection, alarm_id)
    return _json(_card(card, session.staff.role))


def _card(card: cards.Card, role: StaffRole) -> dict[str, Any]:
    return {**msgspec.structs.asdict(card), "steps": buttons(card.state, card.priority, role)}


def _json(content: Any) -> Response:
    return Response(
        msgspec.json.encode(content), media_type="application/json", headers={"Cache-Control": "no-store"}
    )
