"""Budgets, turns and floods: the pure half of what keeps one device from holding up another."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from ingest.directory import Entry
from ingest.floods import (
    ENDING_EVERY_S,
    MATTERS_MAX,
    QUIET_S,
    TELL_EVERY_S,
    Budgets,
    Floods,
    Matter,
    Turns,
)
from ingest.rows import SignalRow
from ingest.subscriber import Incoming
from protocol.model import AlarmSignal, DeviceKind, SignalKind, SignalState

ENTRY = Entry(7, "button-1", DeviceKind.SOS_BUTTON, 1, "home-1", ())


def incoming(number: int) -> Incoming:
    return Incoming("anshou/v1/home-1/button-1/alarm", b"{}", number, number, 1, False, None)


SOS = Matter(SignalKind.SOS)


def row(
    number: int,
    state: SignalState = SignalState.RAISED,
    kind: SignalKind = SignalKind.SOS,
    key: str | None = None,
) -> SignalRow:
    return SignalRow(number, ENTRY, False, AlarmSignal(kind=kind, state=state, key=key))


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


def test_what_cannot_be_stored_lets_the_others_pass_and_keeps_its_place() -> None:
    turns = Turns()
    for number, speaker in enumerate("aabc"):
        turns.put(speaker, incoming(number))
    heard: list[int] = []
    while turns:
        if turns.next().mid == 0 and len(heard) < 2:
            turns.postpone()
            continue
        heard.append(turns.next().mid)
        turns.done()
    assert heard == [2, 3, 0, 1]


def test_the_last_signal_of_each_kind_is_kept_and_the_others_are_counted() -> None:
    floods = Floods()
    flood = floods.of("button-1", 0.0)
    for number in range(1, 6):
        flood.add_signal(incoming(number), row(number))
    flood.add_signal(incoming(6), row(6, kind=SignalKind.FALL))
    assert [one.incoming.mid for one in flood.superseded] == [1, 2, 3, 4]
    fall = Matter(SignalKind.FALL)
    assert {matter: kept.incoming.mid for matter, kept in flood.begun.items()} == {SOS: 5, fall: 6}
    assert flood.fresh == {SOS: 5, fall: 1}
    assert len(floods) == 4
    flood.settled([], 1.0)
    assert not flood.begun
    assert not flood.fresh
    assert flood.untold == {SOS: 5, fall: 1}


@given(
    said=st.lists(
        st.tuples(st.sampled_from([None, "a", "b"]), st.sampled_from(list(SignalState))), max_size=20
    )
)
def test_no_end_and_nobody_elses_call_takes_the_place_of_a_call(
    said: list[tuple[str | None, SignalState]],
) -> None:
    flood = Floods().of("gateway-1", 0.0)
    last: dict[tuple[str | None, bool], int] = {}
    for number, (key, state) in enumerate(said):
        flood.add_signal(incoming(number), row(number, state, key=key))
        last[key, state is SignalState.RAISED] = number
    for key in (None, "a", "b"):
        matter = Matter(SignalKind.SOS, key)
        begun, ended = flood.begun.get(matter), flood.ended.get(matter)
        assert (begun.incoming.mid if begun else None) == last.get((key, True))
        calls = [state for whose, state in said if whose == key and state is SignalState.RAISED]
        assert flood.fresh[matter] == len(calls)
        # An end from before the last beginning is no news.
        end = last.get((key, False))
        is_after = end is not None and end > last.get((key, True), -1)
        assert (ended.incoming.mid if ended else None) == (end if is_after else None)
    kept = len(flood.begun) + len(flood.ended)
    assert kept + len(flood.superseded) == len(said), "each is acknowledged in the end"


def test_made_up_keys_do_not_fill_the_memory() -> None:
    flood = Floods().of("gateway-1", 0.0)
    for number in range(3 * MATTERS_MAX):
        flood.add_signal(incoming(number), row(number, key=f"made-up:{number}"))
    flood.add_signal(incoming(0), row(0, key="made-up:0"))
    assert len(flood.begun) == MATTERS_MAX + 1
    assert flood.fresh[Matter(SignalKind.SOS, "made-up:0")] == 2


def test_in_a_flood_the_beginning_is_believed_at_once_and_the_end_now_and_then() -> None:
    flood = Floods().of("button-1", 0.0)
    flood.add_signal(incoming(1), row(1))
    flood.add_signal(incoming(2), row(2, SignalState.CANCELLED))
    assert flood.begun[SOS].incoming.mid == 1
    ends = flood.due_ends(0.0)
    assert ends[SOS].incoming.mid == 2
    flood.settled(ends, 0.0)
    flood.add_signal(incoming(3), row(3, SignalState.CLEARED))
    flood.last_s = 60.0
    assert not flood.due_ends(60.0)
    assert list(flood.due_ends(60.0 + QUIET_S)) == [SOS], "the flood is over"
    flood.last_s = ENDING_EVERY_S
    assert list(flood.due_ends(ENDING_EVERY_S)) == [SOS]


def test_a_flood_that_cannot_be_settled_lets_the_others_pass() -> None:
    floods = Floods()
    for speaker in "abc":
        floods.of(speaker, 0.0)
    floods.postpone(floods.of("a", 0.0))
    assert [flood.speaker for flood in floods] == ["b", "c", "a"]


def test_a_timeline_is_told_at_the_end_and_hourly() -> None:
    flood = Floods().of("button-1", 0.0)
    flood.add_signal(incoming(1), row(1))
    flood.settled([], 0.0)
    flood.last_s = TELL_EVERY_S
    assert not flood.is_to_be_told(TELL_EVERY_S - 1)
    assert flood.is_to_be_told(TELL_EVERY_S)
    flood.settled([], TELL_EVERY_S)
    assert not flood.untold
    assert not flood.is_to_be_told(TELL_EVERY_S + 1)
    assert flood.is_to_be_told(TELL_EVERY_S + QUIET_S)
