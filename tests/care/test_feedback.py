"""What people say of alarms: kept, changed, counted, and never in another's name."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from alarms import feedback
from alarms.errors import UnfinishedError
from alarms.feedback import Verdict, reasons
from alarms.incident import Report, Step, report, take
from alarms.kinds import AlarmKind, AlarmSource
from alarms.model import Alarm, AlarmState, AlarmStep
from alarms.reasons import Reason
from database.connections import Connection, connect
from database.errors import InvalidError, NotFoundError
from identity.model import Actor
from identity.sessions import actor_of, scope_of, sign_in
from tests.care.conftest import PASSWORD, County
from tests.servers import Database

RaiseDone = Callable[..., Alarm]


@pytest.fixture
def web(database: Database) -> Iterator[Connection]:
    with connect(database.web_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def done(owner: Connection, county: County) -> RaiseDone:
    """Raises an alarm for the mother and brings it to a state."""

    def raise_done(
        kind: AlarmKind = AlarmKind.VITALS,
        state: AlarmState = AlarmState.RESOLVED,
        *,
        detector: str | None = "early_warning",
        days_ago: float = 0,
        **subject: Any,
    ) -> Alarm:
        told = Report(
            kind=kind,
            happened_at=datetime.now(UTC),
            actor=Actor(detector or "device"),
            source=AlarmSource.DETECTOR if detector else AlarmSource.DEVICE,
            detector=detector,
            **{"site_id": county.home.id, "resident_id": county.mother.id, **subject},
        )
        alarm = report(owner, told).alarm
        ways = {
            AlarmState.RESOLVED: (AlarmStep.ACKNOWLEDGED, AlarmStep.ARRIVED, AlarmStep.RESOLVED),
            AlarmState.ARRIVED: (AlarmStep.ACKNOWLEDGED, AlarmStep.ARRIVED),
            AlarmState.CANCELLED: (AlarmStep.CANCELLED,),
            AlarmState.CLEARED: (AlarmStep.CONDITION_ENDED,),
        }
        for step in ways[state]:
            over = step is AlarmStep.CONDITION_ENDED
            actor = Actor("early_warning") if over else actor_of(county.caregiver)
            taken = Step(step=step, actor=actor, note="x", happened_at=datetime.now(UTC) if over else None)
            alarm = take(owner, alarm.id, taken).alarm
        owner.execute(
            "UPDATE care.alarm SET opened_at = opened_at - %s WHERE id = %s",
            (timedelta(days=days_ago), alarm.id),
        )
        return alarm

    return raise_done


def test_a_changed_mind_leaves_its_trace(owner: Connection, county: County, done: RaiseDone) -> None:
    alarm = done()
    feedback.give(owner, alarm.id, actor_of(county.caregiver), Verdict.TRUE)
    feedback.give(
        owner,
        alarm.id,
        actor_of(county.colleague),
        Verdict.FALSE,
        reason=Reason.MEASURED_WRONGLY,
        note="  手环松了 ",
    )
    said = feedback.of_alarm(owner, alarm.id)
    assert [(one.actor, one.verdict, one.reason, one.note) for one in said] == [
        ("王护理", Verdict.TRUE, None, None),
        ("刘护理", Verdict.FALSE, Reason.MEASURED_WRONGLY, "手环松了"),
    ]
    assert said[0].at < said[1].at
    assert feedback.latest(said) == said[1]


def test_a_second_tap_adds_nothing(owner: Connection, county: County, done: RaiseDone) -> None:
    alarm, actor = done(), actor_of(county.caregiver)
    first = feedback.give(owner, alarm.id, actor, Verdict.UNSURE)
    assert feedback.give(owner, alarm.id, actor, Verdict.UNSURE) == first
    feedback.give(owner, alarm.id, actor_of(county.colleague), Verdict.UNSURE)
    assert len(feedback.of_alarm(owner, alarm.id)) == 2, "another person's word is another word"


def test_before_anybody_has_looked_nobody_judges(owner: Connection, county: County, done: RaiseDone) -> None:
    alarm = done(state=AlarmState.ARRIVED)
    with pytest.raises(UnfinishedError):
        feedback.give(owner, alarm.id, actor_of(county.caregiver), Verdict.TRUE)


@pytest.mark.parametrize(
    ("reason", "note"), [(Reason.PET_OR_OBJECT, None), (Reason.ILL, None), (None, "x" * 501)]
)
def test_what_does_not_fit_is_refused(
    owner: Connection, county: County, done: RaiseDone, reason: Reason | None, note: str | None
) -> None:
    alarm = done()
    with pytest.raises(InvalidError):
        feedback.give(owner, alarm.id, actor_of(county.caregiver), Verdict.FALSE, reason=reason, note=note)
    with pytest.raises(InvalidError):
        feedback.give(owner, alarm.id, Actor("early_warning"), Verdict.TRUE)
    assert feedback.of_alarm(owner, alarm.id) == []


@pytest.mark.parametrize("kind", AlarmKind)
@pytest.mark.parametrize("verdict", Verdict)
def test_every_kind_offers_a_few_reasons(kind: AlarmKind, verdict: Verdict) -> None:
    offered = reasons(kind, verdict)
    assert offered[-1] is Reason.OTHER
    assert 2 <= len(set(offered)) == len(offered) <= 6


def test_every_reason_is_offered_somewhere() -> None:
    offered = {reason for kind in AlarmKind for verdict in Verdict for reason in reasons(kind, verdict)}
    assert offered == set(Reason)


def test_people_speak_within_their_scope(web: Connection, county: County, done: RaiseDone) -> None:
    alarm = done()
    with scope_of(web, sign_in(web, "wang", PASSWORD)) as staff:
        given = feedback.give(web, alarm.id, actor_of(staff), Verdict.TRUE, reason=Reason.ILL)
    assert given.staff_id == county.caregiver.id
    with scope_of(web, sign_in(web, "zhao", PASSWORD)) as staff:
        assert feedback.of_alarm(web, alarm.id) == []
        assert feedback.precision(web, [30]) == []
        with pytest.raises(NotFoundError):
            feedback.give(web, alarm.id, actor_of(staff), Verdict.FALSE)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE care.alarm_feedback SET verdict = 'false'",
        "DELETE FROM care.alarm_feedback",
        # in a colleague's name, under a false name, for another site's alarm, at another time
        (
            "INSERT INTO care.alarm_feedback (alarm_id, site_id, staff_id, actor, verdict)"
            " VALUES (%(alarm)s, %(home)s, %(colleague)s, '刘护理', 'false')"
        ),
        (
            "INSERT INTO care.alarm_feedback (alarm_id, site_id, staff_id, actor, verdict)"
            " VALUES (%(alarm)s, %(home)s, %(own)s, '刘护理', 'false')"
        ),
        (
            "INSERT INTO care.alarm_feedback (alarm_id, site_id, staff_id, actor, verdict)"
            " VALUES (%(foreign)s, %(home)s, %(own)s, '王护理', 'false')"
        ),
        (
            "INSERT INTO care.alarm_feedback (alarm_id, site_id, staff_id, actor, verdict, at)"
            " VALUES (%(alarm)s, %(home)s, %(own)s, '王护理', 'false', now() - interval '1 day')"
        ),
    ],
)
def test_nobody_rewrites_or_speaks_for_others(
    web: Connection, county: County, done: RaiseDone, statement: str
) -> None:
    alarm = done()
    foreign = done(site_id=county.other_home.id, resident_id=county.stranger.id)
    params = {
        "alarm": alarm.id,
        "foreign": foreign.id,
        "home": county.home.id,
        "own": county.caregiver.id,
        "colleague": county.colleague.id,
    }
    token = sign_in(web, "wang", PASSWORD)
    with pytest.raises(psycopg.errors.InsufficientPrivilege), scope_of(web, token):
        web.execute(statement, params)


def test_not_even_the_owner_rewrites(owner: Connection, county: County, done: RaiseDone) -> None:
    alarm = done()
    feedback.give(owner, alarm.id, actor_of(county.caregiver), Verdict.TRUE)
    for statement in ("UPDATE care.alarm_feedback SET note = 'x'", "DELETE FROM care.alarm_feedback"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            owner.execute(statement)


def test_precision_counts_the_last_word(owner: Connection, county: County, done: RaiseDone) -> None:
    me = actor_of(county.caregiver)
    for verdict in (Verdict.TRUE, Verdict.TRUE, Verdict.FALSE, Verdict.UNSURE):
        feedback.give(owner, done().id, me, verdict)
    turned = done()
    feedback.give(owner, turned.id, me, Verdict.FALSE)
    feedback.give(owner, turned.id, actor_of(county.colleague), Verdict.TRUE)
    done()  # nobody said anything
    feedback.give(owner, done(days_ago=40).id, me, Verdict.FALSE)
    feedback.give(owner, done(days_ago=100).id, me, Verdict.FALSE)
    month, season = feedback.precision(owner, [30, 90])
    assert (month.detector, month.kind, month.days, season.days) == (
        "early_warning",
        AlarmKind.VITALS,
        30,
        90,
    )
    assert (month.raised, month.confirmed, month.refuted, month.unsure) == (6, 3, 1, 1)
    assert (season.raised, season.confirmed, season.refuted, season.unsure) == (7, 3, 2, 1)
    assert month.share == pytest.approx(0.75)
    assert season.decided == 5


def test_a_false_alarm_that_was_cancelled_is_false_until_somebody_says_otherwise(
    owner: Connection, county: County, done: RaiseDone
) -> None:
    def sos() -> feedback.Precision:
        (found,) = feedback.precision(owner, [30])
        return found

    alarm = done(AlarmKind.SOS, AlarmState.CANCELLED, detector=None)
    assert (sos().source, sos().detector, sos().refuted) == ("device", None, 1)
    feedback.give(owner, alarm.id, actor_of(county.caregiver), Verdict.TRUE)
    assert (sos().confirmed, sos().refuted) == (1, 0)


def test_what_a_device_took_back_or_what_passed_is_not_judged(owner: Connection, done: RaiseDone) -> None:
    done(AlarmKind.VITALS, AlarmState.CLEARED)
    taken_back = done(AlarmKind.BED_EXIT, AlarmState.CANCELLED, detector=None)
    owner.execute("ALTER TABLE care.alarm_event DISABLE TRIGGER append_only")
    owner.execute("UPDATE care.alarm_event SET staff_id = NULL WHERE alarm_id = %s", (taken_back.id,))
    for found in feedback.precision(owner, [30]):
        assert (found.raised, found.decided, found.unsure) == (1, 0, 0)
        assert found.share is None
        assert found.interval is None


def test_without_a_session_nothing_is_counted(web: Connection, done: RaiseDone) -> None:
    done()
    assert feedback.precision(web, [30, 90]) == []


@given(st.integers(1, 5_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_wilson_s(counts: tuple[int, int]) -> None:
    hits, trials = counts
    ours = feedback.wilson(hits, trials)
    theirs = binomtest(hits, trials).proportion_ci(0.95, method="wilson")
    assert ours is not None
    assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-6)
    assert 0 <= ours.low <= hits / trials <= ours.high <= 1


@pytest.mark.parametrize("trials", [1, 2, 3, 7, 19, 60, 333])
def test_of_none_or_of_all_the_interval_ends_where_shares_end(trials: int) -> None:
    none, every = feedback.wilson(0, trials), feedback.wilson(trials, trials)
    assert none is not None
    assert every is not None
    assert (none.low, every.high) == (0.0, 1.0)


def test_without_trials_there_is_no_interval() -> None:
    assert feedback.wilson(0, 0) is None


def counted(
    days: int, confirmed: int, refuted: int, *, unsure: int = 0, silent: int = 0
) -> feedback.Precision:
    return feedback.Precision(
        days=days,
        source=AlarmSource.DETECTOR,
        detector="early_warning",
        kind=AlarmKind.VITALS,
        raised=confirmed + refuted + unsure + silent,
        confirmed=confirmed,
        refuted=refuted,
        unsure=unsure,
    )


def test_before_is_what_the_last_days_leave() -> None:
    recent = counted(30, 3, 2, unsure=1, silent=4)
    assert counted(90, 10, 4, unsure=2, silent=9).before(recent) == counted(60, 7, 2, unsure=1, silent=5)
    assert counted(90, 10, 4).before(None) == counted(90, 10, 4)


@pytest.mark.parametrize(
    ("confirmed", "refuted", "poor"),
    [(4, 6, True), (5, 5, False), (0, 9, False), (0, 10, True), (0, 0, False)],
)
def test_few_are_right_only_where_enough_were_judged(confirmed: int, refuted: int, poor: bool) -> None:
    assert counted(30, confirmed, refuted, unsure=50).is_poor is poor
