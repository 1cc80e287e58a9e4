"""Parameters of addresses, with the limits of the columns that they are compared with."""

from typing import Annotated

from fastapi import Path, Query
from pydantic import BeforeValidator, Field

INTEGER_MAX = 2**31 - 1
BIGINT_MAX = 2**63 - 1


def _blank_is_none(value: object) -> object:
    """A form sends `site=` when no site is chosen."""
    return None if value == "" else value


SiteChoice = Annotated[
    Annotated[int, Field(ge=1, le=INTEGER_MAX)] | None, BeforeValidator(_blank_is_none), Query()
]
EventId = Annotated[int | None, Query(ge=0, le=BIGINT_MAX)]
AlarmId = Annotated[int, Path(ge=1, le=BIGINT_MAX)]
ResidentId = Annotated[int, Path(ge=1, le=INTEGER_MAX)]
