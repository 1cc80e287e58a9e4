"""Evidence of every age and shape is read; what is not understood is left out."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dashboard import evidence
from dashboard.evidence import Case, Chart, Contribution, Fact, Grade, Source

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


def test_all_of_it_is_read() -> None:
    read = evidence.read(FULL, "en")
    assert read.sentence == "Warmer than usual."
    assert read.window == (BEGIN, END)
    assert read.contributions == [
        Contribution("temp", None, 37.6, 36.1, 36.9, 0.62),
        Contribution(None, "night_toilet", 5, None, 2, 0.38),
    ]
    assert read.facts == [Fact("score", 4, 0), Fact("samples", "1, 2", None)], (
        "what is told above is not twice"
    )
    assert read.chart == Chart(Source.VITALS, "temp", BEGIN, END, 36.1, 36.9)
    assert read.grade is Grade.LIKELY
    assert read.cases == [Case(7, datetime(2026, 11, 22, 6, tzinfo=UTC), ["temp"])]


def test_old_alarms_have_a_sentence_or_nothing() -> None:
    assert not evidence.read({}, "zh_CN")
    assert not evidence.read({"score": 7, "points": {"hr": 3}}, "zh_CN")
    assert evidence.read({"sentence": "Only this."}, "zh_CN").sentence == "Only this."
    assert evidence.read({"sentence": {"en": "Only English."}}, "zh_CN").sentence == "Only English."


@given(LIKE_EVIDENCE)
def test_whatever_it_is_it_is_read(raw: dict[str, Any]) -> None:
    read = evidence.read(raw, "zh_CN")
    assert read.chart is None or read.chart.begins_at < read.chart.ends_at
    assert all(one.share is None or 0 <= one.share <= 1 for one in read.contributions)


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
        assert evidence.read({"chart": {**good, **wrong}}, "en").chart is None, wrong
    battery = evidence.read({"chart": {**good, "source": "device", "sign": "battery"}}, "en").chart
    assert battery is not None
    assert battery.sign == "battery"
    activity = evidence.read({"chart": {**good, "source": "activity"}}, "en").chart
    assert activity is not None
    assert activity.sign is None
