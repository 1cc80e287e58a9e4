"""What is read from a row."""

from collections.abc import Mapping
from typing import Any, Self

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of what is read from a row: columns by name, enums and times checked."""

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """The record in `row`; columns it does not know are left aside."""
        return msgspec.convert(row, cls)
