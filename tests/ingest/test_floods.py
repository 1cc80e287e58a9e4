"""Budgets, turns and floods: the pure half of what keeps one device from holding up another."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from ingest.directory import Entry
from ingest.floods import (
    ENDING_EVERY_S,
    QUIET_S,
    TELL_EVERY_S,
    Budgets,
    Floods,
    Turns,
)
from ingest.rows import SignalRow
from ingest.subscriber import Incoming
from protocol.model import AlarmSignal, DeviceKind, SignalKind, SignalState

ENTRY = Entry(7, "button-1", DeviceKind.SOS_BUTTON, 1, "home-1", ())


def incoming(number: int) -> Incoming:
    return Incoming("anshou/v1/home-1/button-1/alarm", b"{}", number, number, 1, False, None)


def row(number: int, state: SignalState = SignalState.RAISED, kind: SignalKind = SignalKind.SOS) -> SignalRow:
    return SignalRow(number, ENTRY, False, AlarmSignal(kind=kind, state=state))


@given(waits_s=st.lists(st.floats(0, 30), max_size=60))
def test_a_budget_gives_a_burst_and_then_what_time_brings(waits_s: list[float]) -> None:
    budgets = Budgets(burst_max=5, refill_s=10.0)
    now_s, tokens = 100.0, 5.0
    for wait_s in waits_s:
        now_s += wait_s
        tokens = min(5.0, tokens + wait_s / 10.0)
        if abs(tokens - round(tokens)) < 1e-6:
            continue  # to the last bit either answer is right
        assert budgets.take("a", now_s) == (tokens >= 1)
        tokens -= tokens >= 1
    assert budgets.take("b", now_s), "another speaker has a budget of its own"


@given(said=st.lists(st.sampled_from("abc"), max_size=40))
def test_speakers_take_turns_and_each_is_heard_in_its_own_order(said: list[str]) -> None:
    turns, waiting = Turns(), defaultdict(list)
    for number, speaker in enumerate(said):
        turns.put(speaker, incoming(number))
        waiting[speaker].append(number)
    heard = []
    while turns:
        heard.append((said[turns.next().mid], turns.next().mid))
        turns.done()
    for speaker, numbers in waiting.items():
        assert [number for name, number in heard if name == speaker] == numbers
        # Nobody waits for more than one of each of the others.
        places = [place for place, (name, _) in enumerate(heard) if name == speaker]
        gaps = [after - before for before, after in zip([-1, *places], places, strict=False)]
        assert max(gaps) <= len(waiting)


def test_the_last_signal_of_each_kind_is_kept_and_the_others_are_counted() -> None:
    floods = Floods()
    flood = floods.of("button-1", 0.0)
    for number in range(1, 6):
        flood.add_signal(incoming(number), row(number))
    flood.add_signal(incoming(6), row(6, kind=SignalKind.FALL))
    assert [one.mid for one in flood.superseded] == [1, 2, 3, 4]
    assert {kind: kept.incoming.mid for kind, kept in flood.kept.items()} == {
        SignalKind.SOS: 5,
        SignalKind.FALL: 6,
    }
    assert flood.fresh == {SignalKind.SOS: 5, SignalKind.FALL: 1}
    assert len(floods) == 4
    flood.settled(list(flood.kept.values()), 1.0)
    assert not flood.kept
    assert not flood.fresh
    assert flood.untold == {SignalKind.SOS: 5, SignalKind.FALL: 1}


def test_in_a_flood_the_beginning_is_believed_at_once_and_the_end_now_and_then() -> None:
    flood = Floods().of("button-1", 0.0)
    flood.add_signal(incoming(1), row(1))
    (kept,) = flood.kept.values()
    assert flood.is_due(kept, 0.0)
    flood.settled([kept], 0.0)
    flood.add_signal(incoming(2), row(2, SignalState.CLEARED))
    (kept,) = flood.kept.values()
    flood.last_s = 60.0
    assert not flood.is_due(kept, 60.0)
    assert flood.is_due(kept, 60.0 + QUIET_S), "the flood is over"
    flood.last_s = ENDING_EVERY_S
    assert flood.is_due(kept, ENDING_EVERY_S)


def test_a_timeline_is_told_at_the_end_and_hourly() -> None:
    flood = Floods().of("button-1", 0.0)
    flood.add_signal(incoming(1), row(1))
    flood.settled(list(flood.kept.values()), 0.0)
    flood.last_s = TELL_EVERY_S
    assert not flood.is_to_be_told(TELL_EVERY_S - 1)
    assert flood.is_to_be_told(TELL_EVERY_S)
    flood.settled([], TELL_EVERY_S)
    assert not flood.untold
    assert not flood.is_to_be_told(TELL_EVERY_S + 1)
    assert flood.is_to_be_told(TELL_EVERY_S + QUIET_S)
