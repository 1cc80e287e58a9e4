"""The routes of the page and of its form."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from alarms import detector_settings
from alarms.detector_settings import Part, Problem, WishError, rules_of
from alarms.rules import Watch
from care.policy import effective
from dashboard import detectors, residents
from dashboard.context import Session, session_of
from dashboard.detectors import State
from dashboard.params import ResidentId
from dashboard.render import page, step_taken
from dashboard.sensitivity import form
from dashboard.sensitivity.form import Answers
from dashboard.vocabulary import WATCH
from protocol.calendar import HOME_TIME
from protocol.texts import N_

router = APIRouter(prefix="/residents")

INTO_DIALOG = {"HX-Retarget": "#dialog-body", "HX-Reswap": "innerHTML"}


@router.get("/{resident_id}/watch")
def watch_page(request: Request, resident_id: ResidentId) -> Response:
    """Every detector with what is set for this person, and the record of changes."""
    now = datetime.now(UTC)
    with session_of(request) as session:
        person = residents.resident(session.connection, resident_id)
        policy = effective(session.connection)
        rules = rules_of(policy)
        found = detectors.rows(detector_settings.settings_of(session.connection, resident_id), rules, now)
        changes = detector_settings.changes_of(session.connection, resident_id)
        return page(
            request,
            "sensitivity/sensitivity.html",
            session,
            person=person,
            rows=found,
            off=[row for row in found if row.state is State.OFF],
            may_set=detector_settings.may_set(session.connection) and person.left_on is None,
            changes=[(change, detectors.state_of(change, change.at)) for change in changes],
            changes_max=detector_settings.CHANGES_MAX,
            known=set(Watch),
            figures=msgspec.structs.asdict(policy),
            # What a factor once came to is not known: the county may have changed the figure since.
            rules={watch: msgspec.structs.replace(rule, limit_s=None) for watch, rule in rules.items()},
            through_of=detector_settings.off_through,
            now=now,
        )


@router.get("/{resident_id}/watch/{watch}")
def watch_form(request: Request, resident_id: ResidentId, watch: Watch) -> Response:
    """The form to change one of them."""
    now = datetime.now(UTC)
    with session_of(request) as session:
        person = residents.resident(session.connection, resident_id)
        detector_settings.require_setter(session.connection)
        standing = detector_settings.settings_of(session.connection, resident_id).get(watch)
        rule = rules_of(effective(session.connection))[watch]
        row = detectors.row_of(watch, rule, standing, now)
        return _form(request, session, person, row, form.answers_of(row), {}, now)


@router.post("/{resident_id}/watch/{watch}")
def set_watch(
    request: Request, resident_id: ResidentId, watch: Watch, answers: Annotated[Answers, Form()]
) -> Response:
    """Set it in the name of who is signed in; what is wrong is told beside the field."""
    now = datetime.now(UTC)
    wish, unreadable = form.wish_of(answers)
    with session_of(request) as session:
        person = residents.resident(session.connection, resident_id)
        detector_settings.require_setter(session.connection)
        standing = detector_settings.settings_of(session.connection, resident_id).get(watch)
        rule = rules_of(effective(session.connection))[watch]
        try:
            if unreadable:
                today = now.astimezone(HOME_TIME).date()
                raise WishError(form.complaints(rule, wish, unreadable, today, standing))
            detector_settings.put(
                session.connection,
                resident_id,
                watch,
                wish,
                staff_id=session.staff.id,
                now=now,
                seen_at=form.seen_at(answers),
            )
        except WishError as error:
            row = detectors.row_of(watch, rule, standing, now)
            return _form(request, session, person, row, answers, error.problems, now)
        return _done(request, session, person.name, watch, session.language.gettext(N_("saved")))


@router.post("/{resident_id}/watch/{watch}/usual")
def restore_watch(
    request: Request, resident_id: ResidentId, watch: Watch, answers: Annotated[Answers, Form()]
) -> Response:
    """Back to what holds for everybody."""
    with session_of(request) as session:
        person = residents.resident(session.connection, resident_id)
        detector_settings.restore(
            session.connection,
            resident_id,
            watch,
            staff_id=session.staff.id,
            now=datetime.now(UTC),
            seen_at=form.seen_at(answers),
        )
        return _done(request, session, person.name, watch, session.language.gettext(N_("back to the usual")))


def _form(
    request: Request,
    session: Session,
    person: residents.Resident,
    row: detectors.Row,
    answers: Answers,
    problems: Mapping[Part, Problem],
    now: datetime,
) -> Response:
    return page(
        request,
        "sensitivity/_form.html",
        session,
        status=422 if problems else 200,
        headers=INTO_DIALOG,
        person=person,
        row=row,
        answers=answers,
        problems=problems,
        choices=form.choices(row.rule, row.setting, now.astimezone(HOME_TIME).date()),
    )


def _done(request: Request, session: Session, name: str, watch: Watch, what: str) -> Response:
    return step_taken(request, session, f"{session.language.word(WATCH, watch)} · {what}", about=name)
