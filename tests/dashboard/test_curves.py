"""Curves: gaps stay gaps, bands hold what they stand for, and no chart gets more than it can draw."""

from datetime import UTC, datetime, timedelta
from statistics import fmean
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import curves
from dashboard.curves import DAY_MS, HOUR_MS, MINUTE_MS, Band, Event, bed_times, fitted, widened, with_gaps
from protocol.model import ActivityEvent
from protocol.signs import SIGNS

START_MS = 1_770_000_000_000
MEASURED = st.lists(
    st.tuples(st.integers(0, 400 * DAY_MS), st.integers(20, 300)), max_size=60, unique_by=lambda pair: pair[0]
)


def line(pairs: list[tuple[int, float]]) -> list[Band]:
    return [Band(START_MS + at, value, value, value) for at, value in sorted(pairs)]


def every(step_ms: int, count: int, value: float = 70.0) -> list[Band]:
    return line([(number * step_ms, value) for number in range(count)])


def gaps(curve: list[Band]) -> list[Band]:
    return [band for band in curve if band.mean is None]


def test_gaps_stay_gaps() -> None:
    steady = every(MINUTE_MS, 10)
    assert with_gaps(steady, 0) == steady
    torn = [*steady, Band(START_MS + 30 * MINUTE_MS, 71.0, 71.0, 71.0)]
    gap = Band(START_MS + 9 * MINUTE_MS + 1, None, None, None)
    assert with_gaps(torn, 0) == [*steady, gap, torn[-1]]
    assert with_gaps([], 0) == []
    assert with_gaps(steady[:1], HOUR_MS) == steady[:1]


def test_by_hand_three_times_a_day_is_no_gap() -> None:
    by_hand = every(8 * HOUR_MS, 9, 36.5)
    for width_ms in (0, HOUR_MS):
        assert gaps(with_gaps(by_hand, width_ms)) == []
    a_day_missed = by_hand[:3] + by_hand[7:]
    assert len(gaps(with_gaps(a_day_missed, HOUR_MS))) == 1


def test_one_empty_hour_among_full_ones_is_a_gap() -> None:
    hours = every(HOUR_MS, 48)
    torn = hours[:20] + hours[21:]
    assert gaps(with_gaps(torn, HOUR_MS)) == [Band(START_MS + 20 * HOUR_MS, None, None, None)]
    assert gaps(with_gaps(hours, HOUR_MS)) == []


@given(MEASURED, st.sampled_from(curves.WIDTHS_MS[1:]))
def test_wider_buckets_equal_their_slow_twin(pairs: list[tuple[int, float]], width_ms: int) -> None:
    curve = line(pairs)
    made = widened(curve, width_ms)
    begins = sorted({band.at_ms - (band.at_ms + curves.HOME_AHEAD_MS) % width_ms for band in curve})
    assert [band.at_ms for band in made] == begins
    for band in made:
        members = [one.mean for one in curve if band.at_ms <= one.at_ms < band.at_ms + width_ms]
        values = [value for value in members if value is not None]
        assert (band.low, band.high) == (min(values), max(values))
        assert band.mean == pytest.approx(fmean(values), abs=0.051)


def test_days_begin_at_home() -> None:
    (band,) = widened(line([(0, 70.0)]), DAY_MS)
    local = datetime.fromtimestamp(band.at_ms / 1000, UTC).astimezone(ZoneInfo("Asia/Shanghai"))
    assert (local.hour, local.minute) == (0, 0)
    year = [datetime(2026, month, 1, tzinfo=UTC) for month in range(1, 13)]
    ahead = {at.astimezone(ZoneInfo("Asia/Shanghai")).utcoffset() for at in year}
    assert ahead == {timedelta(milliseconds=curves.HOME_AHEAD_MS)}


@given(st.dictionaries(st.sampled_from(list(SIGNS)), MEASURED), st.integers(24, 400))
def test_no_chart_is_too_much(measured: dict[str, list[tuple[int, float]]], points_max: int) -> None:
    given_ = {sign: line(pairs) for sign, pairs in measured.items()}
    drawn, width_ms = fitted(given_, 0, points_max)
    assert curves.points(drawn, width_ms) <= points_max or width_ms == curves.WIDTHS_MS[-1]
    for sign, curve in given_.items():
        found = [band for band in drawn[sign] if band.mean is not None]
        lows = [band.low for band in found if band.low is not None]
        highs = [band.high for band in found if band.high is not None]
        values = [band.mean for band in curve if band.mean is not None]
        assert (min(lows, default=0), max(highs, default=0)) == (
            min(values, default=0),
            max(values, default=0),
        ), "the extremes are never lost"
        assert [band.at_ms for band in drawn[sign]] == sorted(band.at_ms for band in drawn[sign])


def test_a_day_of_every_second_and_a_season_of_every_sign_fit() -> None:
    seconds = fitted({"hr": every(1_000, 86_400)})
    assert seconds.width_ms == MINUTE_MS
    hours = fitted({sign: every(HOUR_MS, 90 * 24) for sign in SIGNS}, HOUR_MS)
    assert hours.width_ms == 3 * HOUR_MS
    assert curves.points(hours.curves, hours.width_ms) <= curves.POINTS_MAX
    one = fitted({sign: every(HOUR_MS, 90 * 24) for sign in ("hr", "rr", "spo2")}, HOUR_MS)
    assert one.width_ms == HOUR_MS


@given(
    st.lists(
        st.tuples(st.integers(0, DAY_MS), st.sampled_from(ActivityEvent), st.sampled_from([None, "厨房"])),
        max_size=300,
    ),
    st.integers(1, 100),
)
def test_thinned_events_keep_the_first_of_each(
    raw: list[tuple[int, ActivityEvent, str | None]], events_max: int
) -> None:
    events = [Event(*one) for one in sorted(raw, key=lambda one: one[0])]
    kept = curves.thinned(events, events_max)
    assert set(kept) <= set(events)
    assert [event.at_ms for event in kept] == sorted(event.at_ms for event in kept)
    assert {(event.event, event.room) for event in kept} == {(event.event, event.room) for event in events}
    sorts = len({(event.event, event.room) for event in events})
    # Two at most of each sort: a day can lie across the border of two of the widest buckets.
    assert len(kept) <= max(events_max, 2 * sorts)
    if len(events) <= events_max:
        assert kept == events


def test_bed_times_pair_up() -> None:
    names = ("out_of_bed", "in_bed", "turned", "in_bed", "out_of_bed", "in_bed")
    events = [
        Event(at, ActivityEvent(name), None) for at, name in zip((0, 1, 2, 3, 5, 8), names, strict=True)
    ]
    assert bed_times(events, 10) == [(1, 5), (8, 10)]
    assert bed_times([], 10) == []


def test_what_the_browser_gets() -> None:
    curve = [Band(1, 70.0, 60.0, 80.0), Band(2, None, None, None)]
    assert list(curves.as_json(curve, 0)) == [(1, 70.0), (2, None)]
    assert list(curves.as_json(curve, HOUR_MS)) == [(1, 70.0, 60.0, 80.0), (2, None, None, None)]
