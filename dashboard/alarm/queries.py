"""What an alarm's page asks, on a connection inside `scope_of`."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from alarms.evidence import Case
from database.connections import Connection
from database.queries import queries

_sql = queries("dashboard.alarm", "queries.sql")


class AffectedPerson(NamedTuple):
    """Somebody who is part of an outbreak."""

    resident_id: int
    name: str
    first_at: datetime | None
    signs: Sequence[str]


def people_of(connection: Connection, cases: Sequence[Case]) -> list[AffectedPerson]:
    """The cases of an outbreak with names; those out of scope are left out."""
    ids = {"resident_ids": [case.resident_id for case in cases]}
    names = {row["id"]: row["name"] for row in connection.execute(_sql["names"], ids)} if cases else {}
    return [
        AffectedPerson(case.resident_id, names[case.resident_id], case.first_at, case.signs)
        for case in cases
        if case.resident_id in names
    ]
