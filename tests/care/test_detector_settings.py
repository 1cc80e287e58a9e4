"""What watches over one person: the rules, who may change it, and the record that nobody can rewrite."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alarms import detector_settings
from alarms.detector_settings import (
    REASON_LENGTH_MAX,
    MayNotSetError,
    Part,
    Problem,
    Values,
    Wish,
    WishError,
    looks_enough,
    problems_of,
    rules_of,
    span_of,
)
from alarms.rules import ALL_DAY, Watch
from care.policy import Policy
from database.connections import Connection, connect
from database.errors import ConflictError, NotFoundError
from identity.model import ScopeKind, StaffRole
from identity.sessions import scope_of, sign_in
from protocol.calendar import HOME_TIME
from tests.care.conftest import PASSWORD, County
from tests.servers import Database

NOW = datetime(2026, 11, 24, 17, 30, tzinfo=UTC)
"""01:30 of 25 November where the homes are."""
TODAY = date(2026, 11, 25)
LESS = Wish(tolerance=1.5, reason="起夜多")


@pytest.fixture
def web(database: Database) -> Iterator[Connection]:
    with connect(database.web_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def leader(owner: Connection, county: County) -> str:
    """The user name of the home's shift leader."""
    owner.execute("UPDATE care.staff SET role = %s WHERE username = 'liu'", (StaffRole.SHIFT_LEADER,))
    return "liu"


RULES = rules_of(Policy())

wishes = st.builds(
    Wish,
    off_through=st.none() | st.dates(TODAY - timedelta(days=3), TODAY + timedelta(days=40)),
    tolerance=st.sampled_from([0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3, 4, float("nan")]),
    active_from_h=st.none() | st.integers(-1, 24),
    active_to_h=st.none() | st.integers(-1, 24),
    reason=st.sampled_from(["", "住院", "x" * (REASON_LENGTH_MAX + 1)]),
    is_confirmed=st.booleans(),
)


@given(st.sampled_from(Watch), wishes)
def test_what_is_allowed_is_never_off_in_disguise(watch: Watch, wish: Wish) -> None:
    rule = RULES[watch]
    if problems_of(rule, wish, TODAY):
        return
    if wish.off_through:
        assert 0 <= (wish.off_through - TODAY).days <= rule.off_days_max
    values = Values(tolerance=wish.tolerance, active_from_h=wish.active_from_h, active_to_h=wish.active_to_h)
    assert len(values.active_hours() & rule.hours) * 2 >= len(rule.hours)
    assert wish.tolerance == 1 or wish.tolerance in rule.tolerances
    assert wish.reason or wish.is_usual
    assert wish.is_confirmed or not (rule.is_vital and wish.is_less)


@given(st.sampled_from(Watch), wishes)
def test_nothing_else_is_refused(watch: Watch, wish: Wish) -> None:
    """The slow twin: each rule by itself, as the page tells it."""
    rule, wrong = RULES[watch], set()
    if wish.off_through and not TODAY <= wish.off_through <= TODAY + timedelta(days=rule.off_days_max):
        wrong.add(Part.OFF)
    if wish.tolerance not in (1, *rule.tolerances):
        wrong.add(Part.TOLERANCE)
    begins_h, ends_h = wish.active_from_h, wish.active_to_h
    if begins_h is not None or ends_h is not None:
        is_span = begins_h is not None and ends_h is not None and {begins_h, ends_h} <= set(range(24))
        hour, active = begins_h, []
        while is_span and hour != ends_h:
            assert hour is not None
            active.append(hour)
            hour = (hour + 1) % 24
        if not rule.has_hours or not is_span or 2 * len(rule.hours.intersection(active)) < len(rule.hours):
            wrong.add(Part.HOURS)
    changes_something = (wish.off_through, wish.tolerance, begins_h, ends_h) != (None, 1, None, None)
    if len(wish.reason) > REASON_LENGTH_MAX or (changes_something and not wish.reason):
        wrong.add(Part.REASON)
    is_less = wish.off_through is not None or wish.tolerance > 1 or begins_h is not None or ends_h is not None
    if rule.is_vital and is_less and not wish.is_confirmed:
        wrong.add(Part.CONFIRMATION)
    assert set(problems_of(rule, wish, TODAY)) == wrong


def test_the_rules_go_by_what_the_county_decides() -> None:
    decided = Policy(
        night_from_h=20, night_to_h=5, bed_exit_s=660, wandering_s=180, no_turning_s=7_200, absence_days=2
    )
    rules = rules_of(decided)
    assert {watch: rule.limit_s for watch, rule in rules.items() if rule.limit_s is not None} == {
        Watch.BED_EXIT: 660,
        Watch.WANDERING: 180,
        Watch.TURNING: 7_200,
        Watch.ABSENCE: decided.absence_s,
    }
    assert rules[Watch.BED_EXIT].hours == span_of(20, 5) == {20, 21, 22, 23, 0, 1, 2, 3, 4}
    assert {rule.hours for rule in rules.values() if not rule.at_night} == {ALL_DAY}


def test_the_limits_themselves_are_allowed() -> None:
    rule = RULES[Watch.BED_EXIT]
    last_day, longest = TODAY + timedelta(days=rule.off_days_max), "x" * REASON_LENGTH_MAX
    assert problems_of(rule, Wish(last_day, reason=longest), TODAY) == {}
    assert problems_of(rule, Wish(TODAY, reason=longest + "x"), TODAY) == {Part.REASON: Problem.REASON_LONG}
    half = sorted(rule.hours)[: len(rule.hours) // 2]
    assert 2 * len(half) == len(rule.hours)
    assert looks_enough(rule, frozenset(half))
    assert not looks_enough(rule, frozenset(half[1:]))


@pytest.mark.parametrize(("from_h", "to_h"), [(24, 6), (20, 24), (-1, 6), (20, -1)])
def test_an_hour_that_no_day_has_is_not_offered(from_h: int, to_h: int) -> None:
    wish = Wish(active_from_h=from_h, active_to_h=to_h, reason="x")
    assert problems_of(RULES[Watch.BED_EXIT], wish, TODAY) == {Part.HOURS: Problem.NOT_OFFERED}


def test_a_tolerance_that_stands_is_offered_although_the_rule_has_it_no_more() -> None:
    rule, wish = RULES[Watch.BED_EXIT], Wish(tolerance=7.5, reason="x")
    assert problems_of(rule, wish, TODAY) == {Part.TOLERANCE: Problem.NOT_OFFERED}
    assert problems_of(rule, wish, TODAY, Values(tolerance=7.5)) == {}


@pytest.mark.parametrize("values", [Values(active_from_h=5), Values(active_to_h=5), Values()])
def test_half_a_span_is_none(values: Values) -> None:
    assert values.active_hours() == ALL_DAY


@given(st.integers(0, 23), st.integers(0, 23))
def test_a_span_of_hours(from_h: int, to_h: int) -> None:
    span = span_of(from_h, to_h)
    assert (from_h in span, len(span)) == (True, (to_h - from_h) % 24 or 24)
    assert to_h not in span or from_h == to_h


@pytest.mark.parametrize(
    ("watch", "wish", "part", "problem"),
    [
        (Watch.BED_EXIT, Wish(TODAY - timedelta(days=1), reason="x"), Part.OFF, Problem.PAST),
        (Watch.BED_EXIT, Wish(TODAY + timedelta(days=31), reason="x"), Part.OFF, Problem.TOO_LONG),
        (Watch.BED_EXIT, Wish(date.max, reason="x"), Part.OFF, Problem.TOO_LONG),
        (Watch.EARLY_WARNING, Wish(tolerance=2, reason="x"), Part.TOLERANCE, Problem.NOT_OFFERED),
        (Watch.ROUTINE, Wish(active_from_h=1, active_to_h=2, reason="x"), Part.HOURS, Problem.NOT_OFFERED),
        (Watch.BED_EXIT, Wish(active_from_h=6, active_to_h=20, reason="x"), Part.HOURS, Problem.HOURS_FEW),
        (Watch.BED_EXIT, Wish(active_from_h=3, active_to_h=3, reason="x"), Part.HOURS, Problem.HOURS_EQUAL),
        (Watch.BED_EXIT, Wish(active_from_h=3, reason="x"), Part.HOURS, Problem.HOURS_MISSING),
        (Watch.BED_EXIT, Wish(tolerance=2), Part.REASON, Problem.NO_REASON),
        (Watch.INACTIVITY, Wish(TODAY, reason="回家"), Part.CONFIRMATION, Problem.UNCONFIRMED),
    ],
)
def test_each_problem_has_its_name(watch: Watch, wish: Wish, part: Part, problem: Problem) -> None:
    assert problems_of(RULES[watch], wish, TODAY)[part] is problem


def test_a_setting_goes_its_way(web: Connection, county: County, leader: str) -> None:
    with scope_of(web, sign_in(web, leader, PASSWORD)) as staff:
        mother = county.mother.id

        def put(wish: Wish, seen_at: datetime | None) -> detector_settings.Setting:
            done = detector_settings.put(
                web, mother, Watch.BED_EXIT, wish, staff_id=staff.id, now=NOW, seen_at=seen_at
            )
            assert done is not None
            return done

        assert detector_settings.settings_of(web, mother) == {}
        first = put(LESS, None)
        assert (first.tolerance, first.actor, first.changed_by) == (1.5, "刘护理", staff.id)
        assert not first.is_off(NOW)
        assert first.is_personal()
        off = put(LESS._replace(off_through=TODAY, reason="住院\0 "), first.changed_at)
        assert off.is_off(NOW)
        assert off.reason == "住院"
        assert off.off_until == datetime(2026, 11, 26, tzinfo=HOME_TIME), "through the end of that day"
        assert detector_settings.off_through(off) == TODAY
        assert not off.is_off(off.off_until), "on again by itself"
        assert off.tolerance == 1.5, "and then as before"
        back = detector_settings.restore(
            web, mother, Watch.BED_EXIT, staff_id=staff.id, now=NOW, seen_at=off.changed_at
        )
        assert back is not None
        assert not back.is_off(NOW)
        assert not back.is_personal()
        told = detector_settings.changes_of(web, mother)
    assert [(line.actor, line.detector, line.tolerance, line.reason) for line in told] == [
        ("刘护理", "bed_exit", 1, None),
        ("刘护理", "bed_exit", 1.5, "住院"),
        ("刘护理", "bed_exit", 1.5, "起夜多"),
    ]


def test_saying_the_same_again_adds_no_line(web: Connection, county: County, leader: str) -> None:
    with scope_of(web, sign_in(web, leader, PASSWORD)) as staff:
        given: dict[str, Any] = {"staff_id": staff.id, "now": NOW}
        mother = county.mother.id
        assert detector_settings.put(web, mother, Watch.TURNING, Wish(), **given) is None
        first = detector_settings.put(web, mother, Watch.TURNING, LESS, **given)
        assert first is not None
        again = detector_settings.put(web, mother, Watch.TURNING, LESS, **given, seen_at=first.changed_at)
        assert again == first
        assert len(detector_settings.changes_of(web, mother)) == 1


def test_of_two_at_once_the_second_is_told(web: Connection, county: County, leader: str) -> None:
    with scope_of(web, sign_in(web, leader, PASSWORD)) as staff:
        given: dict[str, Any] = {"staff_id": staff.id, "now": NOW, "seen_at": None}
        detector_settings.put(web, county.mother.id, Watch.BED_EXIT, LESS, **given)
        with pytest.raises(ConflictError):
            detector_settings.put(web, county.mother.id, Watch.BED_EXIT, LESS._replace(tolerance=2), **given)


def test_who_has_left_is_left_alone(owner: Connection, web: Connection, county: County, leader: str) -> None:
    owner.execute("UPDATE care.resident SET left_on = '2026-11-01' WHERE id = %s", (county.mother.id,))
    with scope_of(web, sign_in(web, leader, PASSWORD)) as staff, pytest.raises(ConflictError):
        detector_settings.put(web, county.mother.id, Watch.BED_EXIT, LESS, staff_id=staff.id, now=NOW)


@pytest.mark.parametrize(
    ("username", "role", "may"),
    [
        ("wang", StaffRole.CAREGIVER, False),
        ("wang", StaffRole.CARER, False),
        ("wang", StaffRole.VILLAGE_ASSISTANT, False),
        ("wang", StaffRole.SHIFT_LEADER, True),
        ("wang", StaffRole.HOME_DIRECTOR, True),
        ("county", StaffRole.COUNTY_SUPERVISOR, True),
        ("town", StaffRole.TOWNSHIP_OFFICER, True),
    ],
)
def test_who_leads_may_change_and_all_may_look(
    owner: Connection, web: Connection, county: County, username: str, role: StaffRole, may: bool
) -> None:
    owner.execute("UPDATE care.staff SET role = %s WHERE username = %s", (role, username))
    owner.execute(
        "INSERT INTO care.detector_setting (resident_id, detector, tolerance) VALUES (%s, 'bed_exit', 2)",
        (county.mother.id,),
    )
    with scope_of(web, sign_in(web, username, PASSWORD)) as staff:
        assert staff.scope is (ScopeKind.SITE if username == "wang" else staff.scope)
        assert detector_settings.settings_of(web, county.mother.id)[Watch.BED_EXIT].tolerance == 2
        assert len(detector_settings.changes_of(web, county.mother.id)) == 1
        assert detector_settings.may_set(web) is may
        given: dict[str, Any] = {"staff_id": staff.id, "now": NOW}
        if may:
            assert detector_settings.put(web, county.mother.id, Watch.TURNING, LESS, **given)
        else:
            with pytest.raises(MayNotSetError):
                detector_settings.put(web, county.mother.id, Watch.TURNING, LESS, **given)


def test_nobody_reaches_beyond_their_scope(
    owner: Connection, web: Connection, county: County, leader: str
) -> None:
    owner.execute(
        "INSERT INTO care.detector_setting (resident_id, detector) VALUES (%s, 'turning')",
        (county.stranger.id,),
    )
    with scope_of(web, sign_in(web, leader, PASSWORD)) as staff:
        assert detector_settings.settings_of(web, county.stranger.id) == {}
        assert detector_settings.changes_of(web, county.stranger.id) == []
        with pytest.raises(NotFoundError):
            detector_settings.put(web, county.stranger.id, Watch.TURNING, LESS, staff_id=staff.id, now=NOW)


INSERT = (
    "INSERT INTO care.detector_setting (resident_id, detector, is_on, off_until, reason, changed_by) VALUES "
)


@pytest.mark.parametrize(
    ("username", "statement"),
    [
        ("wang", INSERT + "(%(mother)s, 'turning', true, NULL, 'x', %(wang)s)"),
        ("liu", INSERT + "(%(stranger)s, 'turning', true, NULL, 'x', %(liu)s)"),
        # in another's name, without an end, with an end too far away
        ("liu", INSERT + "(%(mother)s, 'turning', true, NULL, 'x', %(wang)s)"),
        ("liu", INSERT + "(%(mother)s, 'turning', false, NULL, 'x', %(liu)s)"),
        ("liu", INSERT + "(%(mother)s, 'turning', true, now() + interval '40 days', 'x', %(liu)s)"),
        ("liu", "UPDATE care.detector_setting SET is_on = false, changed_by = %(liu)s"),
        # the record, and its dates
        ("liu", "UPDATE care.detector_setting SET changed_at = now() - interval '1 day'"),
        ("liu", "DELETE FROM care.detector_setting"),
        ("liu", "DELETE FROM care.detector_setting_change"),
        ("liu", "UPDATE care.detector_setting_change SET reason = 'y'"),
        (
            "liu",
            (
                "INSERT INTO care.detector_setting_change (resident_id, detector, at, actor, is_on,"
                " tolerance) VALUES (%(mother)s, 'turning', now(), '王护理', true, 1)"
            ),
        ),
    ],
)
def test_the_database_refuses_by_itself(
    owner: Connection, web: Connection, county: County, leader: str, username: str, statement: str
) -> None:
    owner.execute(
        "INSERT INTO care.detector_setting (resident_id, detector) VALUES (%s, 'bed_exit')",
        (county.mother.id,),
    )
    params = {
        "mother": county.mother.id,
        "stranger": county.stranger.id,
        "wang": county.caregiver.id,
        "liu": county.colleague.id,
    }
    token = sign_in(web, username, PASSWORD)
    with pytest.raises(psycopg.errors.InsufficientPrivilege), scope_of(web, token):
        web.execute(statement.encode(), params)


def test_a_caregiver_s_update_finds_no_row(owner: Connection, web: Connection, county: County) -> None:
    owner.execute(
        "INSERT INTO care.detector_setting (resident_id, detector) VALUES (%s, 'bed_exit')",
        (county.mother.id,),
    )
    with scope_of(web, sign_in(web, "wang", PASSWORD)) as staff:
        cursor = web.execute("UPDATE care.detector_setting SET changed_by = %s", (staff.id,))
        assert cursor.rowcount == 0


def test_every_way_to_change_a_setting_is_in_the_record(owner: Connection, county: County) -> None:
    mother = county.mother.id
    owner.execute(
        "INSERT INTO care.detector_setting (resident_id, detector, changed_at) VALUES (%s, 'turning', %s)",
        (mother, NOW - timedelta(days=400)),
    )
    owner.execute("UPDATE care.detector_setting SET is_on = false")
    newest, oldest = detector_settings.changes_of(owner, mother)
    assert (oldest.is_on, newest.is_on) == (True, False)
    assert oldest.at > NOW - timedelta(days=1), "when it was done is the database's to say"
    row = owner.execute("SELECT session_user AS name").fetchone()
    assert row is not None
    assert newest.actor == row["name"]
    for statement in (
        "UPDATE care.detector_setting_change SET reason = 'x'",
        "DELETE FROM care.detector_setting_change",
        "TRUNCATE care.detector_setting_change",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            owner.execute(statement)


def test_what_is_off_without_an_end_is_told_and_can_be_mended(
    owner: Connection, web: Connection, county: County, leader: str
) -> None:
    owner.execute(
        "INSERT INTO care.detector_setting (resident_id, detector, is_on) VALUES (%s, 'turning', false)",
        (county.mother.id,),
    )
    with scope_of(web, sign_in(web, leader, PASSWORD)) as staff:
        standing = detector_settings.settings_of(web, county.mother.id)[Watch.TURNING]
        assert standing.is_off(NOW + timedelta(days=1_000))
        assert detector_settings.off_through(standing) is None
        mended = detector_settings.restore(
            web, county.mother.id, Watch.TURNING, staff_id=staff.id, now=NOW, seen_at=standing.changed_at
        )
        assert mended is not None
        assert not mended.is_off(NOW)


def test_a_broken_wish_changes_nothing(web: Connection, county: County, leader: str) -> None:
    with scope_of(web, sign_in(web, leader, PASSWORD)) as staff:
        with pytest.raises(WishError) as caught:
            detector_settings.put(
                web,
                county.mother.id,
                Watch.EARLY_WARNING,
                Wish(TODAY + timedelta(days=4), tolerance=2),
                staff_id=staff.id,
                now=NOW,
            )
        assert caught.value.problems == {
            Part.OFF: Problem.TOO_LONG,
            Part.TOLERANCE: Problem.NOT_OFFERED,
            Part.REASON: Problem.NO_REASON,
            Part.CONFIRMATION: Problem.UNCONFIRMED,
        }
        assert detector_settings.settings_of(web, county.mother.id) == {}
