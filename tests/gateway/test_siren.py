"""The siren's policy: when it sounds, who silences it, and for how long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.siren import CONFIRM_S_MAX, REPEAT_S, SOUND_S_MAX, URGENT, Siren
from protocol.model import AlarmSignal, SignalKind, SignalState


def signal(kind: SignalKind = SignalKind.SOS, state: SignalState = SignalState.RAISED) -> AlarmSignal:
    return AlarmSignal(kind=kind, state=state)


def test_it_sounds_when_the_centre_does_not_confirm_in_time() -> None:
    siren = Siren()
    siren.heard(1, "button", signal(), 100.0)
    assert siren.due_s(100.0) == CONFIRM_S_MAX
    assert siren.order(100.0 + CONFIRM_S_MAX - 0.1) is None
    assert siren.order(100.0 + CONFIRM_S_MAX) is True
    assert siren.order(100.0 + CONFIRM_S_MAX + 1) is None, "it was told"
    assert siren.order(100.0 + CONFIRM_S_MAX + REPEAT_S) is True, "one that missed it is told again"


def test_a_confirmation_in_time_keeps_the_house_quiet() -> None:
    siren = Siren()
    siren.heard(1, "button", signal(), 0.0)
    assert siren.confirmed(1)
    assert siren.order(CONFIRM_S_MAX * 2) is None


@pytest.mark.parametrize(
    "end", ["confirmed", "cleared", "cancelled at the device", "cancelled for it", "for all"]
)
def test_it_is_silenced_by_whoever_answers(end: str) -> None:
    siren = Siren()
    siren.heard(1, "button", signal(), 0.0)
    assert siren.order(CONFIRM_S_MAX) is True
    if end == "confirmed":
        siren.confirmed(1)
    elif end == "cleared":
        siren.heard(2, "button", signal(state=SignalState.CLEARED), 9.0)
    elif end == "cancelled at the device":
        siren.heard(2, "button", signal(state=SignalState.CANCELLED), 9.0)
    else:
        siren.cancelled("button" if end == "cancelled for it" else None)
    assert siren.order(10.0) is False
    assert siren.order(10.1) is None


def test_one_answer_does_not_silence_another_alarm() -> None:
    siren = Siren()
    siren.heard(1, "button", signal(), 0.0)
    siren.heard(2, "kitchen", signal(SignalKind.SMOKE), 0.0)
    assert siren.order(CONFIRM_S_MAX) is True
    siren.heard(3, "button", signal(state=SignalState.CANCELLED), 6.0)
    siren.heard(4, "kitchen", signal(SignalKind.SOS, SignalState.CLEARED), 6.0)
    assert siren.order(6.0) is None
    assert siren.sounding


def test_nobody_answers_and_it_ends_after_all() -> None:
    siren = Siren()
    siren.heard(1, "button", signal(), 0.0)
    assert siren.order(CONFIRM_S_MAX) is True
    assert siren.order(CONFIRM_S_MAX + SOUND_S_MAX) is False
    assert siren.order(CONFIRM_S_MAX + 9 * SOUND_S_MAX) is None


@pytest.mark.parametrize("kind", sorted(set(SignalKind) - URGENT))
def test_what_can_wait_is_not_sounded(kind: SignalKind) -> None:
    siren = Siren()
    siren.heard(1, "sensor", signal(kind), 0.0)
    assert siren.order(1e6) is None


def test_a_restart_keeps_it_sounding_and_silences_what_ended_meanwhile() -> None:
    siren = Siren()
    siren.heard(1, "button", signal(), 0.0)
    siren.order(CONFIRM_S_MAX)
    again = Siren()
    again.recall(siren.remembered(), 1_000.0)
    again.reconcile([(1, "button", signal())], 1_000.0)
    assert again.order(1_000.0) is True
    ended = Siren()
    ended.recall(siren.remembered(), 1_000.0)
    ended.reconcile([], 1_000.0)  # the receipt had come just before
    assert ended.order(1_000.0) is False


def test_an_alarm_that_a_crash_kept_from_it_is_followed_and_a_cancelled_one_is_not() -> None:
    siren = Siren()
    siren.heard(1, "button", signal(), 0.0)
    siren.cancelled()
    again = Siren()
    again.recall(siren.remembered(), 0.0)
    again.reconcile([(1, "button", signal()), (2, "radar", signal(SignalKind.FALL))], 0.0)
    assert again.order(CONFIRM_S_MAX) is True
    again.confirmed(2)
    assert again.order(CONFIRM_S_MAX) is False


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["heard", "end", "confirm", "cancel", "restart", "wait"]),
            st.integers(1, 4),
            st.floats(0, 100),
        ),
        max_size=40,
    )
)
def test_it_is_told_to_sound_only_while_something_sounds(steps: list[tuple[str, int, float]]) -> None:
    siren, now_s, told = Siren(), 0.0, False
    number = 0
    for step, which, wait_s in steps:
        now_s += wait_s
        if step == "heard":
            number += 1
            siren.heard(number, f"d{which}", signal(), now_s)
        elif step == "end":
            siren.heard(number + 1, f"d{which}", signal(state=SignalState.CLEARED), now_s)
            number += 1
        elif step == "confirm":
            siren.confirmed(which)
        elif step == "cancel":
            siren.cancelled(f"d{which}")
        elif step == "restart":
            remembered, siren = siren.remembered(), Siren()
            siren.recall(remembered, now_s)
        order = siren.order(now_s)
        told = told if order is None else order
        assert told == siren.sounding
