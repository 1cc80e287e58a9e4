"""One press is one SOS, in however many messages it comes; two presses are two."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import Stamp
from gateway.presses import PRESS_MS, Presses
from protocol.model import AlarmSignal, SignalKind, SignalState

SOS = AlarmSignal(kind=SignalKind.SOS)
KEY = "zigbee2mqtt:0x1"


def at(boot_ms: int) -> Stamp:
    return Stamp(1_795_000_000_000 + boot_ms, boot_ms, True)


@given(st.integers(0, PRESS_MS - 1))
def test_what_follows_at_once_is_the_same_press(later_ms: int) -> None:
    presses = Presses()
    assert not presses.is_again(KEY, SOS, at(0))
    assert presses.is_again(KEY, SOS, at(later_ms))


@given(st.integers(PRESS_MS, 10 * PRESS_MS))
def test_who_presses_again_is_heard_again(later_ms: int) -> None:
    presses = Presses()
    assert not presses.is_again(KEY, SOS, at(0))
    assert not presses.is_again(KEY, SOS, at(later_ms))


@given(st.lists(st.integers(0, PRESS_MS), min_size=1, max_size=50))
def test_however_often_somebody_presses_no_window_goes_by_unheard(gaps_ms: list[int]) -> None:
    presses, now_ms, heard_ms = Presses(), 0, [0]
    assert not presses.is_again(KEY, SOS, at(0))
    for gap_ms in gaps_ms:
        now_ms += gap_ms
        if not presses.is_again(KEY, SOS, at(now_ms)):
            heard_ms.append(now_ms)
        assert now_ms - heard_ms[-1] < PRESS_MS


def test_devices_are_apart_and_so_are_other_alarms() -> None:
    presses = Presses()
    fall = AlarmSignal(kind=SignalKind.FALL)
    for key, signal in ((KEY, SOS), ("zigbee2mqtt:0x2", SOS), (KEY, fall), (KEY, fall)):
        assert not presses.is_again(key, signal, at(0))


def test_moments_that_the_device_itself_tells_count_for_more_than_when_they_arrive() -> None:
    presses = Presses()
    first, second = (AlarmSignal(kind=SignalKind.SOS, ts_ms=ts_ms) for ts_ms in (1_000_000, 1_600_000))
    assert not presses.is_again(KEY, first, at(0))
    assert not presses.is_again(KEY, second, at(1))
    assert presses.is_again(KEY, second, at(2))


def test_presses_with_numbers_of_their_own_are_two() -> None:
    presses = Presses()
    for signal_id in ("a", "b"):
        signal = AlarmSignal(kind=SignalKind.SOS, signal_id=signal_id)
        assert not presses.is_again(KEY, signal, at(0))


def test_a_press_after_the_end_of_the_last_is_one() -> None:
    presses = Presses()
    ended = AlarmSignal(kind=SignalKind.SOS, state=SignalState.CANCELLED)
    assert [presses.is_again(KEY, signal, at(0)) for signal in (SOS, ended, SOS)] == [False, False, False]
