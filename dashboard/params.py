"""Parameters of addresses, with the limits of the columns that they are compared with."""

from datetime import datetime
from typing import Annotated

from fastapi import Form, Header, Path, Query
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

from alarms.incident import KEY_LENGTH_MAX

INTEGER_MAX = 2**31 - 1
BIGINT_MAX = 2**63 - 1
YEAR_MIN, YEAR_MAX = 2000, 2200


def blank_is_none(value: object) -> object:
    """A form sends `site=` when no site is chosen."""
    return None if value == "" else value


def _plausible(at: datetime | None) -> datetime | None:
    """Far enough from the ends of the calendar that a year can be taken from it."""
    if at is not None and not YEAR_MIN <= at.year <= YEAR_MAX:
        raise ValueError("no time that anything was measured at")
    return at


SiteChoice = Annotated[
    Annotated[int, Field(ge=1, le=INTEGER_MAX)] | None, BeforeValidator(blank_is_none), Query()
]
Instant = Annotated[AwareDatetime | None, AfterValidator(_plausible), Query()]
EventId = Annotated[int | None, Query(ge=0, le=BIGINT_MAX)]
AlarmId = Annotated[int, Path(ge=1, le=BIGINT_MAX)]
ResidentId = Annotated[int, Path(ge=1, le=INTEGER_MAX)]
PressKey = Annotated[
    str | None, BeforeValidator(blank_is_none), Header(alias="Idempotency-Key", max_length=KEY_LENGTH_MAX)
]
"""The key of one press (`alarms.incident.Step`), as programs and pages with scripts send it."""
PressKeyField = Annotated[str | None, BeforeValidator(blank_is_none), Form(max_length=KEY_LENGTH_MAX)]
"""The same as a field of a form."""
