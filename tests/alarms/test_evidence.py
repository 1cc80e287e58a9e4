"""Evidence of every age and shape is read; what is not understood is left out."""

import json
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alarms.evidence import (
    SPAN_MAX,
    Case,
    Chart,
    Contribution,
    Evidence,
    Fact,
    Grade,
    Source,
    Window,
    read,
    stored,
)
from alarms.kinds import FINDERS

FULL: dict[str, Any] = {
    "sentence": {"zh_CN": "体温高于平时。", "en": "Warmer than usual."},
    "window": {"from": "2026-11-20T06:00:00+00:00", "to": "2026-11-23T06:00:00+00:00"},
    "seen": {"temp": 37.6, "score": 4, "samples": [1, 2]},
    "expected": {"temp": "36.1–36.9", "score": 0},
    "contributions": [
        {"sign": "temp", "value": 37.6, "expected_low": 36.1, "expected_high": 36.9, "share": 0.62},
        {"habit": "night_toilet", "value": 5, "expected_low": None, "expected_high": 2, "share": 0.38},
    ],
    "chart": {
        "source": "vitals",
        "sign": "temp",
        "from": "2026-11-20T06:00:00+00:00",
        "to": "2026-11-23T06:00:00+00:00",
        "low": 36.1,
        "high": 36.9,
    },
    "score": 4,
    "points": {"temp": 1},
    "grade": "likely",
    "cases": [{"resident_id": 7, "first_at": "2026-11-22T06:00:00+00:00", "signs": ["temp", "mood"]}],
}
BEGIN, END = datetime(2026, 11, 20, 6, tzinfo=UTC), datetime(2026, 11, 23, 6, tzinfo=UTC)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["temp"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
LIKE_EVIDENCE = st.dictionaries(
    st.sampled_from(sorted(FULL)),
    JSON
    | st.dictionaries(st.sampled_from(["from", "to", "source", "sign", "low", "high", "zh_CN"]), JSON)
    | st.lists(
        st.dictionaries(st.sampled_from(["sign", "habit", "value", "share", "resident_id", "signs"]), JSON),
        max_size=3,
    ),
)


OLD: list[dict[str, Any]] = json.loads((Path(__file__).parent / "old_evidence.json").read_text("utf-8"))
"""What each detector wrote before this schema: one of each shape, out of the code of that time."""


def test_all_of_it_is_read() -> None:
    found = read(FULL)
    assert found == Evidence(
        sentence={"zh_CN": "体温高于平时。", "en": "Warmer than usual."},
        window=Window(begins_at=BEGIN, ends_at=END),
        seen={"temp": 37.6, "score": 4, "samples": [1, 2]},
        expected={"temp": "36.1–36.9", "score": 0},
        contributions=(
            Contribution(sign="temp", value=37.6, low=36.1, high=36.9, share=0.62),
            Contribution(habit="night_toilet", value=5, high=2, share=0.38),
        ),
        chart=Chart(source=Source.VITALS, sign="temp", begins_at=BEGIN, ends_at=END, low=36.1, high=36.9),
        grade=Grade.LIKELY,
        cases=(Case(resident_id=7, first_at=datetime(2026, 11, 22, 6, tzinfo=UTC), signs=("temp",)),),
        score=4,
        own={"points": {"temp": 1}},
    )
    assert found.told("en") == "Warmer than usual."
    assert found.told("fr") == "体温高于平时。", "better another language than nothing"
    assert found.facts() == [Fact("score", 4, 0), Fact("samples", "1, 2", None)], (
        "what is told above is not twice"
    )


@pytest.mark.parametrize("old", OLD, ids=lambda old: f"{old['detector']} {old['written']}")
def test_old_evidence_still_opens(old: dict[str, Any]) -> None:
    raw = old["evidence"]
    found = read(raw)
    assert found.sentence == raw["sentence"]
    assert found.told("zh_CN") == raw["sentence"]["zh_CN"]
    # Nothing that was written is lost.
    assert len(found.contributions) == len(raw.get("contributions", ()))
    assert [case.resident_id for case in found.cases] == [
        case["resident_id"] for case in raw.get("cases", ())
    ]
    assert found.seen == raw.get("seen", {})
    assert found.expected == raw.get("expected", {})
    assert (found.chart is not None) is ("chart" in raw)
    assert (found.window is not None) is ("window" in raw)
    assert (found.grade, found.score) == (raw.get("grade"), raw.get("score"))
    known = {"sentence", "window", "seen", "expected", "contributions", "chart", "grade", "cases", "score"}
    assert found.own == {name: value for name, value in raw.items() if name not in known}
    # And it can be written anew.
    assert msgspec.convert(json.loads(json.dumps(stored(found))), Evidence) == found


def test_every_detector_that_wrote_before_has_a_sample() -> None:
    assert {old["detector"] for old in OLD} == set(FINDERS)


def test_the_oldest_alarms_have_a_sentence_or_nothing() -> None:
    assert not read({})
    assert not read({"score": 7, "points": {"hr": 3}})
    assert read({"sentence": "Only this."}).told("zh_CN") == "Only this."
    assert read({"sentence": {"en": "Only English."}}).told("zh_CN") == "Only English."


@given(LIKE_EVIDENCE | JSON)
def test_whatever_it_is_it_is_read(raw: Any) -> None:
    found = read(raw)
    assert found.chart is None or found.chart.begins_at < found.chart.ends_at
    assert all(one.share is None or 0 <= one.share <= 1 for one in found.contributions)
    found.told("zh_CN")
    found.facts()


@given(LIKE_EVIDENCE)
def test_what_was_read_is_read_again(raw: dict[str, Any]) -> None:
    found = read(raw)
    assert read(stored(found)) == found


def test_a_later_version_keeps_to_its_own() -> None:
    later = {**FULL, "version": 3, "mood": "low", "own": {"points": 1}}
    found = read(later)
    assert found.own == {"points": 1}, "what a later one has beside is not taken for what this one means"
    assert found.sentence == FULL["sentence"]


def test_a_chart_that_cannot_be_drawn_is_none() -> None:
    good = FULL["chart"]
    for wrong in (
        {"source": "moon"},
        {"sign": "mood"},
        {"sign": None},
        {"from": "yesterday"},
        {"from": "2026-11-20T06:00:00"},
        {"from": good["to"]},
        {"from": "2020-01-01T00:00:00+00:00"},
        {"source": "vitals", "sign": "battery"},
    ):
        assert read({"chart": {**good, **wrong}}).chart is None, wrong
    battery = read({"chart": {**good, "source": "device", "sign": "battery"}}).chart
    assert battery is not None
    assert battery.sign == "battery"
    activity = read({"chart": {**good, "source": "activity"}}).chart
    assert activity is not None
    assert activity.sign is None


@pytest.mark.parametrize(
    ("begins_at", "span", "can_be_shown"),
    [
        (BEGIN, SPAN_MAX, True),
        (BEGIN, SPAN_MAX + timedelta(microseconds=1), False),
        (BEGIN, timedelta(microseconds=1), True),
        (BEGIN, timedelta(0), False),
        (datetime(1970, 1, 1, tzinfo=UTC), timedelta(days=1), True),
        (datetime(1969, 12, 31, tzinfo=UTC), timedelta(days=1), False),
        (datetime(9998, 12, 31, tzinfo=UTC), timedelta(hours=23), True),
        (datetime(9998, 12, 31, tzinfo=UTC), timedelta(days=1), False),
    ],
)
def test_a_span_runs_forward_within_calendars(
    begins_at: datetime, span: timedelta, can_be_shown: bool
) -> None:
    expected: AbstractContextManager[object] = (
        nullcontext() if can_be_shown else pytest.raises(ValueError, match="the span")
    )
    with expected:
        Window(begins_at=begins_at, ends_at=begins_at + span)


@pytest.mark.parametrize("end", ["low", "high"])
@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan"), 1e12])
def test_a_band_that_cannot_be_drawn_is_refused(end: str, number: float) -> None:
    drawn = Chart(begins_at=BEGIN, ends_at=END, source=Source.VITALS, sign="temp", low=36.1, high=36.9)
    with pytest.raises(ValueError, match="not a number"):
        msgspec.structs.replace(drawn, **{end: number})


@pytest.mark.parametrize("field", ["value", "low", "high", "share"])
def test_a_contribution_that_is_no_number_is_refused(field: str) -> None:
    sound = Contribution(sign="temp", value=37.6, low=36.1, high=36.9, share=0.62)
    with pytest.raises(ValueError, match="not a number"):
        msgspec.structs.replace(sound, **{field: float("inf")})


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("up_at", "2026-11-20T06:00:00+00:00", BEGIN),
        ("up_at", "early", "early"),
        ("up_event", "2026-11-20T06:00:00+00:00", "2026-11-20T06:00:00+00:00"),
        ("why", "x" * 201, "x" * 200),
        ("why", "", None),
        ("why", None, None),
        ("count", 999_999_999_999, 999_999_999_999),
        ("count", 1e12, None),
        ("count", float("-inf"), None),
    ],
)
def test_what_was_seen_is_shown_as_what_it_is(name: str, value: Any, shown: Any) -> None:
    found = Evidence(seen={name: value}, expected={name: value})
    assert found.facts() == ([] if shown is None else [Fact(name, shown, shown)])
