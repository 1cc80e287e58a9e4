"""The route of a resident's page; the charts fetch their data from the API."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import Response

from alarms import detector_settings
from care.model import Ability
from care.policy import effective
from dashboard import detectors, residents
from dashboard.context import session_of
from dashboard.curves import Range
from dashboard.params import ResidentId
from dashboard.render import page
from dashboard.resident import queries
from dashboard.resident.words import ABILITY
from protocol.calendar import HOME_TIME

router = APIRouter(prefix="/residents")


@router.get("/{resident_id}")
def resident(
    request: Request,
    resident_id: ResidentId,
    range: Range = Range.DAY,  # noqa: A002 - the name in the address
) -> Response:
    """Who they are, how they are, what watches them."""
    with session_of(request) as session:
        person = residents.resident(session.connection, resident_id)
        policy = effective(session.connection)
        return page(
            request,
            "resident/resident.html",
            session,
            person=person,
            range=range,
            age_years=residents.age_years(person.born_on, datetime.now(HOME_TIME).date()),
            lost=session.language.listed(
                session.language.word(ABILITY, ability) for ability in Ability if not getattr(person, ability)
            ),
            readings=queries.latest_readings(session.connection, resident_id),
            devices=queries.devices_of(session.connection, resident_id),
            battery_low=policy.battery_low_percent,
            alarms=queries.alarms_of(session.connection, resident_id),
            watches=detectors.rows(
                detector_settings.settings_of(session.connection, resident_id),
                detector_settings.rules_of(policy),
                datetime.now(UTC),
            ),
        )
