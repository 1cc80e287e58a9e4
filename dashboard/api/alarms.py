"""Alarms as data: the list, and the next step."""

from typing import Any

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from alarms import lifecycle
from alarms.lifecycle import NOTE_LENGTH_MAX, legal_steps
from alarms.model import AlarmStep
from dashboard import cards
from dashboard.context import session_of
from dashboard.params import AlarmId, SiteChoice
from identity.sessions import actor_of

router = APIRouter(prefix="/api/alarms")


class Words(BaseModel):
    """What goes with a step."""

    note: str | None = Field(default=None, max_length=NOTE_LENGTH_MAX)
    family_notice: str | None = Field(default=None, max_length=300)


@router.get("")
def alarm_list(request: Request, site: SiteChoice = None) -> Response:
    """The alarms in scope that are not ended, the most urgent first."""
    with session_of(request) as session:
        found, total = cards.of_site(session.connection, site)
    return _json({"alarms": [_card(card) for card in found], "total": total})


@router.post("/{alarm_id}/steps/{step}")
def take_step(request: Request, alarm_id: AlarmId, step: AlarmStep, words: Words) -> Response:
    """Take a step in the name of who is signed in; the alarm as it then stands."""
    with session_of(request) as session:
        lifecycle.take_step(
            session.connection,
            alarm_id,
            step,
            actor_of(session.staff),
            note=words.note,
            family_notice=words.family_notice,
        )
        card = cards.of_alarm(session.connection, alarm_id)
    return _json(_card(card))


def _card(card: cards.Card) -> dict[str, Any]:
    steps = sorted(legal_steps(card.state, card.priority))
    return {**msgspec.structs.asdict(card), "steps": steps}


def _json(content: Any) -> Response:
    return Response(
        msgspec.json.encode(content), media_type="application/json", headers={"Cache-Control": "no-store"}
    )
