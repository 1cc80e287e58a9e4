"""The route of the policy's page."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, NamedTuple

import msgspec
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from care import policy
from care.policy import LIMITS, ORDERED, Change, Limit, PolicyError, Problem, Standing
from dashboard.context import Session, session_of
from dashboard.params import INTEGER_MAX
from dashboard.policy.words import GROUPS, LABEL, UNIT, Unit
from dashboard.render import page, step_taken
from database.errors import InvalidError, NotFoundError
from identity.model import ScopeKind
from protocol.texts import N_

router = APIRouter(prefix="/county/policy")

DIGITS_MAX = 6
FIELDS_MAX = 50
UNIT_OF_STEP: Mapping[int, Unit] = {
    1: Unit.SECONDS,
    60: Unit.MINUTES,
    3_600: Unit.HOURS,
    86_400: Unit.DAYS,
}
UNIT_OF_SUFFIX: Mapping[str, Unit] = {
    "h": Unit.OCLOCK,
    "percent": Unit.PERCENT,
    "days": Unit.DAYS,
    "nights": Unit.NIGHTS,
}
IN_PLACE = {"HX-Retarget": "#policy", "HX-Reswap": "outerHTML", "HX-Reselect": "#policy"}


class Row(NamedTuple):
    """A value on the page. All numbers are in `unit`; `text` is what stands in the field."""

    name: str
    unit: Unit
    text: str
    usual: int
    low: int
    high: int
    is_usual: bool
    last: Change | None
    problem: Problem | None

    @property
    def before(self) -> str:
        """The label, not yet translated, of the value that this one must not be less than."""
        return next((LABEL[first] for first, second in ORDERED if second == self.name), "")


async def sent(request: Request) -> Mapping[str, str]:
    """The fields of the form as they were typed."""
    form = await request.form(max_fields=FIELDS_MAX, max_files=0)
    return {name: value for name, value in form.items() if isinstance(value, str)}


@router.get("")
def show(request: Request) -> Response:
    """Every value with what is usual, its limits, and who changed it last."""
    with _county_session(request) as session:
        return _page(request, session, policy.standing(session.connection), {}, {})


@router.post("")
def change(request: Request, texts: Annotated[Mapping[str, str], Depends(sent)]) -> Response:
    """Set what was typed, all of it or nothing; what is wrong is told beside the field."""
    with _county_session(request) as session:
        policy.require_setter(session.connection)
        standing = policy.standing(session.connection)
        typed = {name: _number(texts[name]) for name in LIMITS if name in texts}
        values = {name: number * step_of(name) for name, number in typed.items() if number is not None}
        unreadable = {name: Problem.NO_NUMBER for name, number in typed.items() if number is None}
        try:
            if unreadable:
                whole = {**msgspec.structs.asdict(standing.policy), **values}
                raise PolicyError({**policy.problems_of(whole), **unreadable})
            policy.put(session.connection, values, seen=_revision(texts.get("seen", "")))
        except PolicyError as error:
            return _page(request, session, standing, texts, error.problems)
        saved = session.language.gettext(N_("Saved. It holds from the next minute on."))
        return step_taken(request, session, saved, about=session.language.gettext(N_("Rules of the county")))


def step_of(name: str) -> int:
    """What one of the unit shown is, in the unit that the value's name tells."""
    return LIMITS[name].step


def unit_of(name: str) -> Unit:
    """In what a value is shown: spans of time in their steps, the rest as its name says."""
    suffix = name.rpartition("_")[2]
    return UNIT_OF_STEP[step_of(name)] if suffix == "s" else UNIT_OF_SUFFIX[suffix]


@contextmanager
def _county_session(request: Request) -> Iterator[Session]:
    """A session of somebody who looks after the county. NotFoundError for all others."""
    with session_of(request) as session:
        if session.staff.scope is not ScopeKind.COUNTY:
            raise NotFoundError("the policy is shown to the county")
        yield session


def _page(
    request: Request,
    session: Session,
    standing: Standing,
    texts: Mapping[str, str],
    problems: Mapping[str, Problem],
) -> Response:
    last = policy.last_changes(session.connection)
    values = msgspec.structs.asdict(standing.policy)
    rows = {
        name: _row(name, limit, values[name], last.get(name), texts.get(name), problems.get(name))
        for name, limit in LIMITS.items()
    }

    def told(name: str, value: int) -> str:
        return session.language.gettext(UNIT[unit_of(name)]) % {"value": value // step_of(name)}

    return page(
        request,
        "policy/policy.html",
        session,
        status=422 if problems else 200,
        headers=IN_PLACE if problems else None,
        groups=[(heading, [rows[name] for name in names]) for heading, names in GROUPS.items()],
        may_set=policy.may_set(session.connection),
        revision=texts.get("seen", standing.revision),
        changes=policy.changes(session.connection),
        changes_max=policy.CHANGES_MAX,
        known=LIMITS,
        first_problem=next((name for name in LIMITS if name in problems), None),
        told=told,
    )


def _row(
    name: str, limit: Limit, value: int, last: Change | None, text: str | None, problem: Problem | None
) -> Row:
    return Row(
        name=name,
        unit=unit_of(name),
        text=str(value // limit.step) if text is None else text,
        usual=limit.usual // limit.step,
        low=limit.low // limit.step,
        high=limit.high // limit.step,
        is_usual=value == limit.usual,
        last=last,
        problem=problem,
    )


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX else None


def _revision(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 10 and 0 < int(text) < INTEGER_MAX):
        raise InvalidError("`seen` is no revision")
    return int(text)
