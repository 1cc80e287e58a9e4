"""What the county has decided: limits, who may change it, and the record that nobody can rewrite."""

import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from care import policy
from care.policy import (
    CHANNEL,
    LIMITS,
    ORDERED,
    MayNotSetPolicyError,
    Policy,
    PolicyError,
    Problem,
    UnknownValueError,
    problems_of,
)
from database.connections import Connection, connect
from database.errors import ConflictError
from identity.model import StaffRole
from identity.sessions import scope_of, sign_in
from tests.care.conftest import PASSWORD, County
from tests.servers import Database

USUAL = msgspec.structs.asdict(Policy())


@pytest.fixture
def web(database: Database) -> Iterator[Connection]:
    with connect(database.web_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def supervisor(owner: Connection, county: County) -> str:
    """县民政, a supervisor of the county."""
    owner.execute("UPDATE care.staff SET role = %s WHERE username = 'county'", (StaffRole.COUNTY_SUPERVISOR,))
    return "county"


def test_what_comes_with_the_schema_is_usual(owner: Connection) -> None:
    standing = policy.standing(owner)
    assert (standing.policy, standing.revision) == (Policy(), 1)
    assert policy.changes(owner) == []
    assert problems_of(USUAL) == {}


def add_raw(connection: Connection, values: dict[str, int]) -> None:
    """A revision as somebody would add it who passes all of our code by."""
    row = {"revision": policy.standing(connection).revision + 1, **values}
    names = sql.SQL(", ").join(map(sql.Identifier, row))
    statement = sql.SQL("INSERT INTO care.policy ({}) VALUES ({})")
    connection.execute(statement.format(names, sql.SQL(", ").join(map(sql.Placeholder, row))), row)


def beside(low: int, high: int, step: int) -> st.SearchStrategy[int]:
    """Values in the limits and at all their edges."""
    edges = [low - 1, low, low + 1, low + step, high - step, high - 1, high, high + 1, high + step]
    return st.sampled_from(edges) | st.integers(low // step, high // step).map(lambda count: count * step)


whole_sets = st.fixed_dictionaries(
    {}, optional={name: beside(limit.low, limit.high, limit.step) for name, limit in LIMITS.items()}
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(whole_sets)
def test_the_database_refuses_what_the_rules_refuse(owner: Connection, some: dict[str, int]) -> None:
    values = {**USUAL, **some}
    problems = problems_of(values)
    with owner.transaction(force_rollback=True):
        if problems:
            with pytest.raises(psycopg.errors.CheckViolation):
                add_raw(owner, values)
        else:
            add_raw(owner, values)
            assert msgspec.structs.asdict(policy.effective(owner)) == values


@pytest.mark.parametrize("name", LIMITS)
def test_each_limit_is_a_limit(owner: Connection, name: str) -> None:
    limit = LIMITS[name]
    for value in (limit.low - limit.step, limit.high + limit.step, *([limit.low + 1] * (limit.step > 1))):
        assert name in problems_of({**USUAL, name: value})
        with owner.transaction(force_rollback=True), pytest.raises(psycopg.errors.CheckViolation):
            add_raw(owner, {**USUAL, name: value})


@given(st.integers(0, 23), st.integers(0, 23))
def test_a_night_is_a_night(from_h: int, to_h: int) -> None:
    """The slow twin: hour by hour."""
    hours, hour = [], from_h
    while hour != to_h:
        hours.append(hour)
        hour = (hour + 1) % 24
    is_night = 2 <= len(hours) <= 14 and 2 in hours
    problems = problems_of({**USUAL, "night_from_h": from_h, "night_to_h": to_h})
    assert problems == ({} if is_night else {"night_to_h": Problem.NO_NIGHT})


@pytest.mark.parametrize(("first", "second"), ORDERED)
def test_what_must_come_after(first: str, second: str) -> None:
    low, high = LIMITS[second].low, LIMITS[first].high
    between = {USUAL[second], low, high}
    for value in between:
        if LIMITS[first].low <= value <= high and low <= value <= LIMITS[second].high:
            assert second not in problems_of({**USUAL, first: value, second: value})
    if low + LIMITS[first].step <= high:
        found = problems_of({**USUAL, first: low + LIMITS[first].step, second: low})
        assert found[second] is Problem.NOT_AFTER


def test_changed_by_the_county_and_read_by_all(
    web: Connection, owner: Connection, supervisor: str, database: Database
) -> None:
    owner.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
    with scope_of(web, sign_in(web, supervisor, PASSWORD)):
        after = policy.put(web, {"night_from_h": 21, "bed_exit_s": 1_200}, seen=1)
        assert (after.revision, after.policy.night_from_h, after.policy.bed_exit_s) == (2, 21, 1_200)
        assert policy.put(web, {"night_from_h": 21}, seen=2).revision == 2, "it was so already"
    assert [notice.payload for notice in owner.notifies(timeout=10, stop_after=1)] == ["2"]
    policy.put(owner, {"bed_exit_s": 900}, seen=2, by="root")
    for url in (database.service_url, database.ingest_url):
        with connect(url) as connection:
            assert policy.effective(connection).bed_exit_s == 900
    with scope_of(web, sign_in(web, "wang", PASSWORD)):
        assert policy.effective(web).night_from_h == 21
        told = [(one.name, one.actor, one.old, one.new) for one in policy.changes(web)]
        assert told == [
            ("bed_exit_s", "root", 1_200, 900),
            ("bed_exit_s", "县民政", 1_800, 1_200),
            ("night_from_h", "县民政", 22, 21),
        ]
        last = policy.last_changes(web)
        assert {name: one.revision for name, one in last.items()} == {"bed_exit_s": 3, "night_from_h": 2}


@pytest.mark.parametrize("username", ["wang", "town", "manager"])
def test_nobody_else_changes_it(web: Connection, county: County, username: str) -> None:
    with scope_of(web, sign_in(web, username, PASSWORD)):
        assert not policy.may_set(web)
        with pytest.raises(MayNotSetPolicyError):
            policy.put(web, {"bed_exit_s": 900}, seen=1)
        with web.transaction(), pytest.raises(psycopg.errors.InsufficientPrivilege), web.transaction():
            add_raw(web, {"bed_exit_s": 900})
        assert policy.standing(web).revision == 1


def test_who_is_not_signed_in_sees_nothing(web: Connection, county: County) -> None:
    assert web.execute("SELECT * FROM care.effective_policy").fetchall() == []


@pytest.mark.parametrize(
    "column",
    [{"actor": "somebody else"}, {"staff_id": 1}, {"at": "2020-01-01"}],
    ids=["actor", "staff_id", "at"],
)
def test_nobody_signs_in_another_name(web: Connection, supervisor: str, column: dict[str, Any]) -> None:
    with (
        scope_of(web, sign_in(web, supervisor, PASSWORD)),
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        web.transaction(),
    ):
        add_raw(web, {**column, "bed_exit_s": 900})


@pytest.mark.parametrize("statement", ["UPDATE care.policy SET bed_exit_s = 900", "DELETE FROM care.policy"])
def test_nothing_is_rewritten(owner: Connection, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        owner.execute(statement)


def test_who_has_seen_an_older_one_is_refused(owner: Connection) -> None:
    policy.put(owner, {"bed_exit_s": 900}, seen=1, by="a")
    with pytest.raises(ConflictError) as refused:
        policy.put(owner, {"bed_exit_s": 1_200}, seen=1, by="b")
    assert refused.value.params["missing"] == "seen"
    with pytest.raises(psycopg.errors.UniqueViolation):
        add_raw(owner, {"revision": 9})


def test_of_two_at_once_one_is_refused(owner: Connection, database: Database) -> None:
    with connect(database.owner_url) as first, connect(database.owner_url) as second:
        policy.put(first, {"bed_exit_s": 900}, seen=1, by="first")
        second.execute("SET lock_timeout = '30s'")
        second_pid = second.info.backend_pid

        # The first commits as soon as the second waits for it.
        def commit_when_awaited() -> None:
            blocked = "SELECT cardinality(pg_blocking_pids(%s)) > 0 AS yes"
            while not owner.execute(blocked, (second_pid,)).fetchone()["yes"]:  # type: ignore[index]
                pass
            first.commit()

        helper = threading.Thread(target=commit_when_awaited)
        helper.start()
        with pytest.raises(ConflictError):
            policy.put(second, {"bed_exit_s": 1_200}, seen=1, by="second")
        helper.join()
    assert policy.effective(owner).bed_exit_s == 900


def test_what_is_wrong_is_told(owner: Connection) -> None:
    with pytest.raises(UnknownValueError, match="bed_exit_h"):
        policy.put(owner, {"bed_exit_h": 1}, seen=1, by="root")
    with pytest.raises(PolicyError, match="from 300 to 14400 in steps of 60"):
        policy.put(owner, {"bed_exit_s": 301}, seen=1, by="root")
    with pytest.raises(PolicyError, match="must not be less than device_silence_mains_s"):
        policy.put(
            owner, {"device_silence_mains_s": 7_200, "device_silence_battery_s": 3_600}, seen=1, by="root"
        )
    with pytest.raises(PolicyError, match="2 to 14 hours"):
        policy.put(owner, {"night_from_h": 9}, seen=1, by="root")
    assert policy.standing(owner).revision == 1
