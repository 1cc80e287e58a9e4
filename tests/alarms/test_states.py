"""Which states count as active or ended is said once, and the indexes of alarms still serve."""

import re
from typing import Any

import pytest
from psycopg import sql

from alarms.model import AlarmState
from database.connections import Connection
from database.queries import queries


@pytest.mark.parametrize("state", AlarmState)
def test_the_database_and_the_code_agree(owner: Connection, state: AlarmState) -> None:
    row = owner.execute(
        "SELECT care.is_active(%(state)s) AS active, care.is_ended(%(state)s) AS ended", {"state": state}
    ).fetchone()
    assert row == {"active": state.is_active, "ended": state.is_ended}
    assert not (state.is_active and state.is_ended)


@pytest.mark.parametrize(
    ("index", "states"),
    [
        ("alarm_one_active", {state for state in AlarmState if state.is_active}),
        ("alarm_unended", {state for state in AlarmState if not state.is_ended}),
    ],
)
def test_the_indexes_that_need_the_literal_say_the_same(
    owner: Connection, index: str, states: set[AlarmState]
) -> None:
    row = owner.execute(
        "SELECT pg_get_expr(indpred, indrelid) AS rule FROM pg_index"
        " WHERE indexrelid = ('care.' || %s)::regclass",
        (index,),
    ).fetchone()
    assert row is not None
    found = owner.execute(
        sql.SQL("SELECT state FROM unnest(enum_range(NULL::care.alarm_state)) AS state WHERE {}").format(
            sql.SQL(row["rule"])
        )
    )
    assert {AlarmState(each["state"]) for each in found} == states


QUESTIONS: dict[str, tuple[sql.SQL, dict[str, Any]]] = {
    "desk": (
        queries("dashboard", "cards.sql")["cards"],
        {"alarm_id": None, "site_id": None, "limit": 200},
    ),
    "standing": (
        queries("analytics", "sql/history.sql")["standing_alarms"],
        {"kinds": ["vitals"], "ended_after": "2026-01-01T00:00:00Z"},
    ),
    "due": (
        queries("alarms", "sql/escalation.sql")["due"],
        {
            "site_kinds": ["household"],
            "levels": [1],
            "roles": ["carer"],
            "after_s": [60.0],
            "medium_factor": 5.0,
            "limit": 100,
        },
    ),
}


@pytest.mark.parametrize("question", sorted(QUESTIONS))
def test_the_index_of_unended_alarms_serves(owner: Connection, question: str) -> None:
    query, params = QUESTIONS[question]
    owner.execute("SET enable_seqscan = off")  # a table of no rows is read whole otherwise
    explained = sql.SQL("EXPLAIN ") + query
    plan = "\n".join(str(row["QUERY PLAN"]) for row in owner.execute(explained, params))
    assert re.search(r"using alarm_unended\b|on alarm_unended\b", plan), plan
    assert "is_ended" not in plan, "the function is inlined"
