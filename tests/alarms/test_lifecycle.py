"""The table of all transitions, step by step and state by state, also those that do nothing."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from alarms.errors import AlreadyTakenError, IllegalStepError, UnfinishedError
from alarms.incident import Report, Step, report, take, timeline
from alarms.kinds import AlarmKind, AlarmPriority, AlarmSource
from alarms.lifecycle import BY_PEOPLE, UNDO_S, legal_steps, state_after
from alarms.model import Alarm, AlarmState, AlarmStep
from database.connections import Connection
from database.errors import NotFoundError
from identity.model import Actor
from identity.sessions import actor_of
from tests.care.conftest import County

NOW = datetime(2026, 3, 1, 2, 30, tzinfo=UTC)
STATES = ["open", "acknowledged", "arrived", "resolved", "closed", "cancelled", "cleared"]
# One column a state. A word is the state that follows, "." stays there with a line in the timeline, "-" is
# not possible: people are refused, all others do nothing.
LOW = """
acknowledged     acknowledged -         -         -       -       -          -
arrived          -            arrived   -         -       -       -          -
resolved         -            resolved  resolved  -       -       -          -
closed           -            -         -         closed  -       -          -
cancelled        cancelled    cancelled -         -       -       -          -
undone           -            open      acknowledged -      -       -          -
released         -            open      -         -       -       -          -
reminded         -            .         -         -       -       -          -
overdue          -            open      -         -       -       -          -
condition_ended  cleared      cleared   .         -       -       -          -
escalated        .            -         -         -       -       -          -
noted            .            .         .         .       .       .          .
raised           -            -         -         -       -       -          -
repeated         -            -         -         -       -       -          -
cleared          -            -         -         -       -       -          -
"""
HIGH = LOW.replace(
    "resolved         -            resolved ", "resolved         -            -        "
).replace("condition_ended  cleared      cleared ", "condition_ended  .            .       ")
WAY: Mapping[AlarmState, tuple[AlarmStep, ...]] = {
    AlarmState.OPEN: (),
    AlarmState.ACKNOWLEDGED: (AlarmStep.ACKNOWLEDGED,),
    AlarmState.ARRIVED: (AlarmStep.ACKNOWLEDGED, AlarmStep.ARRIVED),
    AlarmState.RESOLVED: (AlarmStep.ACKNOWLEDGED, AlarmStep.ARRIVED, AlarmStep.RESOLVED),
    AlarmState.CLOSED: (AlarmStep.ACKNOWLEDGED, AlarmStep.ARRIVED, AlarmStep.RESOLVED, AlarmStep.CLOSED),
    AlarmState.CANCELLED: (AlarmStep.CANCELLED,),
    AlarmState.CLEARED: (AlarmStep.CONDITION_ENDED,),
}
ACTOR = Actor("test")
BACK = frozenset({AlarmStep.UNDONE, AlarmStep.RELEASED, AlarmStep.OVERDUE})
"""What leads back is told by its own name, not by that of the state before."""


def grid(table: str) -> dict[tuple[AlarmStep, AlarmState], str]:
    rows = [line.split() for line in table.strip().splitlines()]
    return {
        (AlarmStep(row[0]), AlarmState(state)): cell
        for row in rows
        for state, cell in zip(STATES, row[1:], strict=True)
    }


GRIDS = {
    AlarmPriority.LOW: grid(LOW),
    AlarmPriority.MEDIUM: grid(LOW),
    AlarmPriority.HIGH: grid(HIGH),
}


@pytest.mark.parametrize("priority", AlarmPriority)
def test_the_table_is_the_machine(priority: AlarmPriority) -> None:
    assert set(GRIDS[priority]) == {(step, state) for step in AlarmStep for state in AlarmState}
    for (step, state), cell in GRIDS[priority].items():
        after = state_after(step, state, priority)
        assert after == {".": state, "-": None}.get(cell, cell), (step, state)
        assert (step in legal_steps(state, priority)) is (step in BY_PEOPLE and cell != "-")


def step_of(step: AlarmStep) -> Step:
    """The step with all that it may need."""
    return Step(
        step=step,
        actor=ACTOR,
        note="x",
        family_notice="x",
        level=1,
        happened_at=NOW,
        detail={"by_device": True},
    )


def chasing(alarm: Alarm, step: Step) -> Step:
    """The same step; who chases somebody says which acknowledgement is meant."""
    if step.step not in (AlarmStep.REMINDED, AlarmStep.OVERDUE):
        return step
    return structs.replace(step, happened_at=alarm.acknowledged_at)


def refusal_of(step: AlarmStep, state: AlarmState) -> type[IllegalStepError]:
    """What people are told whose step is not possible: somebody was first, or what must come first, or no."""
    if step in WAY[state]:
        return AlreadyTakenError
    if (step, state) == (AlarmStep.RESOLVED, AlarmState.ACKNOWLEDGED):
        return UnfinishedError
    return IllegalStepError


def bring(connection: Connection, county: County, state: AlarmState, priority: AlarmPriority) -> Alarm:
    told = Report(
        site_id=county.home.id,
        kind=AlarmKind.SOS,
        happened_at=NOW,
        actor=ACTOR,
        source=AlarmSource.DEVICE,
        # What is cleared was of a lower priority.
        priority=AlarmPriority.MEDIUM if state is AlarmState.CLEARED else priority,
    )
    alarm = report(connection, told).alarm
    for step in WAY[state]:
        alarm = take(connection, alarm.id, step_of(step)).alarm
    assert alarm.state is state
    return alarm


@pytest.mark.parametrize("priority", [AlarmPriority.MEDIUM, AlarmPriority.HIGH])
@pytest.mark.parametrize("state", AlarmState)
def test_the_database_goes_where_the_table_says(
    county: County, service: Connection, state: AlarmState, priority: AlarmPriority
) -> None:
    for step in AlarmStep:
        cell = GRIDS[priority][step, state]
        with service.transaction(force_rollback=True):
            alarm = bring(service, county, state, priority)
            before = timeline(service, alarm.id)
            if cell == "-" and step in BY_PEOPLE:
                with pytest.raises(IllegalStepError) as refusal, service.transaction():
                    take(service, alarm.id, step_of(step))
                assert refusal.type is refusal_of(step, state), (step, state)
                assert timeline(service, alarm.id) == before
                continue
            taken = take(service, alarm.id, chasing(alarm, step_of(step)))
            lines = timeline(service, alarm.id)[len(before) :]
            if cell == "-":
                assert (taken.alarm, taken.line, lines) == (alarm, None, [])
                continue
            [line] = lines
            assert line.state_after == taken.alarm.state == (state if cell == "." else cell)
            assert line.step == taken.line == (step if cell == "." or step in BACK else cell)


TIMES = {
    AlarmState.ACKNOWLEDGED: "acknowledged_at",
    AlarmState.ARRIVED: "arrived_at",
    AlarmState.RESOLVED: "resolved_at",
    AlarmState.CLOSED: "ended_at",
    AlarmState.CANCELLED: "ended_at",
    AlarmState.CLEARED: "ended_at",
}


@pytest.mark.parametrize("state", [state for state in AlarmState if state is not AlarmState.OPEN])
def test_a_move_sets_its_own_time_and_no_other(
    county: County, service: Connection, state: AlarmState
) -> None:
    with service.transaction(force_rollback=True):
        alarm = bring(service, county, AlarmState.OPEN, AlarmPriority.MEDIUM)
        for step in WAY[state]:
            before: dict[str, Any] = structs.asdict(alarm)
            done_at = NOW.replace(hour=3 + len(timeline(service, alarm.id)))
            alarm = take(service, alarm.id, structs.replace(step_of(step), done_at=done_at)).alarm
            changed = {name for name, value in structs.asdict(alarm).items() if value != before[name]}
            more = {"family_notice"} if alarm.state is AlarmState.CLOSED else set()
            assert changed == {"state", TIMES[alarm.state]} | more
            assert getattr(alarm, TIMES[alarm.state]) == timeline(service, alarm.id)[-1].at == done_at


def test_a_cause_ends_once_until_it_is_back(county: County, service: Connection) -> None:
    alarm = bring(service, county, AlarmState.OPEN, AlarmPriority.HIGH)
    over = step_of(AlarmStep.CONDITION_ENDED)
    assert take(service, alarm.id, over).line is AlarmStep.CONDITION_ENDED
    assert take(service, alarm.id, over).line is None
    assert take(service, alarm.id, structs.replace(over, taken_back=True)).line is AlarmStep.CONDITION_ENDED
    again = bring(service, county, AlarmState.OPEN, AlarmPriority.HIGH)
    assert (again.id, again.condition_ended_at) == (alarm.id, None)
    assert take(service, alarm.id, over).line is AlarmStep.CONDITION_ENDED


def test_a_level_is_named_once(county: County, service: Connection) -> None:
    alarm = bring(service, county, AlarmState.OPEN, AlarmPriority.HIGH)
    step = step_of(AlarmStep.ESCALATED)
    lines = [take(service, alarm.id, structs.replace(step, level=level)).line for level in (1, 1, 3, 2, 4)]
    named = AlarmStep.ESCALATED
    assert lines == [named, None, named, None, named]
    assert [line.detail["level"] for line in timeline(service, alarm.id)[1:]] == [1, 3, 4]


@pytest.mark.parametrize("step", AlarmStep)
def test_of_an_alarm_that_is_not_there_nothing_is_taken(service: Connection, step: AlarmStep) -> None:
    with pytest.raises(NotFoundError, match="no alarm 17"):
        take(service, 17, step_of(step))


@pytest.mark.parametrize("step", sorted(set(AlarmStep) - BY_PEOPLE - {AlarmStep.NOTED}))
def test_people_take_only_the_steps_of_people(county: County, service: Connection, step: AlarmStep) -> None:
    alarm = bring(service, county, AlarmState.OPEN, AlarmPriority.MEDIUM)
    somebody = Actor(county.caregiver.name, county.caregiver.id)
    with pytest.raises(IllegalStepError, match="not for people"):
        take(service, alarm.id, structs.replace(step_of(step), actor=somebody))


@given(
    steps=st.lists(st.sampled_from(sorted(BY_PEOPLE)), max_size=8), priority=st.sampled_from(AlarmPriority)
)
def test_no_order_of_steps_leaves_the_machine(steps: list[AlarmStep], priority: AlarmPriority) -> None:
    state = AlarmState.OPEN
    for step in steps:
        after = state_after(step, state, priority)
        if after is None:
            continue
        assert not state.is_ended
        state = after
    if priority is AlarmPriority.HIGH and state is AlarmState.CLOSED:
        remaining = iter(steps)
        assert all(step in remaining for step in WAY[AlarmState.CLOSED]), "high closes only the whole way"


def test_who_chases_touches_no_other_acknowledgement(county: County, service: Connection) -> None:
    alarm = bring(service, county, AlarmState.ACKNOWLEDGED, AlarmPriority.HIGH)
    take(service, alarm.id, step_of(AlarmStep.RELEASED))
    again = take(service, alarm.id, step_of(AlarmStep.ACKNOWLEDGED)).alarm
    for step in (AlarmStep.REMINDED, AlarmStep.OVERDUE):
        taken = take(service, alarm.id, structs.replace(step_of(step), happened_at=alarm.acknowledged_at))
        assert taken == (again, None)


def test_an_alarm_that_comes_back_waits_anew(county: County, service: Connection) -> None:
    alarm = bring(service, county, AlarmState.ACKNOWLEDGED, AlarmPriority.HIGH)
    assert alarm.waiting_since is None
    back = take(service, alarm.id, step_of(AlarmStep.RELEASED)).alarm
    line = timeline(service, alarm.id)[-1]
    assert (back.state, back.acknowledged_at, back.acknowledged_by) == (AlarmState.OPEN, None, None)
    assert (back.waiting_since, back.waiting_level) == (line.at, 0)


def test_a_press_is_taken_back_by_who_pressed_and_at_once(county: County, service: Connection) -> None:
    own, other = actor_of(county.caregiver), actor_of(county.colleague)

    def pressed(actor: Actor, step: AlarmStep, age_s: int = 0) -> Step:
        at = datetime.now(UTC) - timedelta(seconds=age_s)
        return Step(step=step, actor=actor, done_at=at)

    alarm = bring(service, county, AlarmState.OPEN, AlarmPriority.HIGH)
    take(service, alarm.id, pressed(own, AlarmStep.ACKNOWLEDGED))
    here = take(service, alarm.id, pressed(own, AlarmStep.ARRIVED)).alarm
    with pytest.raises(IllegalStepError, match="only who has pressed"), service.transaction():
        take(service, alarm.id, pressed(other, AlarmStep.UNDONE))
    on_the_way = take(service, alarm.id, pressed(own, AlarmStep.UNDONE)).alarm
    assert (on_the_way.state, on_the_way.arrived_at) == (AlarmState.ACKNOWLEDGED, None)
    assert on_the_way.acknowledged_at == here.acknowledged_at
    take(service, alarm.id, pressed(own, AlarmStep.ARRIVED, age_s=UNDO_S + 1))
    with pytest.raises(IllegalStepError, match="only who has pressed"), service.transaction():
        take(service, alarm.id, pressed(own, AlarmStep.UNDONE))
