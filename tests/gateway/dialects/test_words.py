"""Numbers, units, states and times from anything."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.names import likely_kind, meaning_of
from gateway.dialects.times import time_ms
from gateway.dialects.units import converted, units_of
from gateway.dialects.values import boolean, number
from gateway.dialects.words import OUR_WORDS, SIGN_WORDS, STATUS_WORDS, NotUnderstoodError
from protocol.model import ActivityEvent, DeviceKind
from protocol.signs import SIGNS


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (72, 72),
        ("72", 72),
        (" 72.5 ", 72.5),
        (True, None),
        (None, None),
        ("", None),
        ("nan", None),
        ("inf", None),
        ("1_0", None),
        ("72 bpm", None),
        ([72], None),
        (10**400, None),
        ("1e400", None),
        (-0.5, -0.5),
    ],
)
def test_numbers(value: Any, expected: float | None) -> None:
    assert number(value) == expected


@pytest.mark.parametrize(
    ("sign", "value", "unit", "expected"),
    [
        ("temp", 98.6, "degF", 37.0),
        ("temp", 98.6, "°F", 37.0),
        ("temp", 310.15, "K", 37.0),
        ("temp", 36.6, "°C", 36.6),
        ("sbp", 16, "kPa", 120.01),
        ("glucose", 180.156, "mg/dL", 10.0),
        ("weight", 150, "lb", 68.039),
        ("weight", 120, "斤", 60.0),
        ("hr", 72, "次/分", 72),
        ("hr", 72, None, 72),
        ("spo2", 97, "%", 97),
    ],
)
def test_units(sign: str, value: float, unit: str | None, expected: float) -> None:
    assert converted(sign, value, unit) == expected


@pytest.mark.parametrize("sign", SIGNS)
def test_each_sign_has_its_own_unit_and_no_foreign_one(sign: str) -> None:
    assert converted(sign, 50, SIGNS[sign].unit) == 50
    assert units_of(sign)
    with pytest.raises(NotUnderstoodError):
        converted(sign, 50, "furlong")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        (0, False),
        (2, None),
        ("ON", True),
        ("off", False),
        ("Not Detected", False),
        ("1", True),
        ("", None),
        ("maybe", None),
        (None, None),
        ([], None),
    ],
)
def test_states(value: Any, expected: bool | None) -> None:
    assert boolean(value) is expected


def test_states_that_a_device_declared_are_taken_by_its_word() -> None:
    assert boolean(False, on=False, off=True) is True
    assert boolean("open", on="open", off="shut") is True
    assert boolean("ajar", on="open", off="shut") is None
    assert boolean(1, on="1") is True


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1_795_188_802, 1_795_188_802_000),
        (1_795_188_802_000, 1_795_188_802_000),
        ("1795188802", 1_795_188_802_000),
        ("2026-11-20T23:33:22+08:00", 1_795_188_802_000),
        ("2026-11-20T15:33:22Z", 1_795_188_802_000),
        ("2026-11-20T15:33:22", None),
        ("0001-01-01T00:00:00+14:00", None),
        (None, None),
        ("x", None),
        (1e300, None),
        (True, None),
        (1_795_188_802_123_456, 1_795_188_802_123),
        (1_795_188_802_123_456_789, 1_795_188_802_123),
        ("20261120233322", 1_795_188_802_000),
        (20261120233322, 1_795_188_802_000),
        ("261120233322", 1_795_188_802_000),
        (2611202333, 1_795_188_780_000),
        ("20261120233322123", 1_795_188_802_123),
        ("20261120T153322Z", 1_795_188_802_000),
        ("20261120", None),
        ("2026-11-20", None),
        ("20/11/2026 23:33:22", 1_795_188_802_000),
        ("20.11.2026 23:33:22", 1_795_188_802_000),
        ("11/20/2026 23:33:22", 1_795_188_802_000),
        ("05/11/2026 08:15", 1_793_837_700_000),
        ("2026/11/20 23:33:22", 1_795_188_802_000),
        ("2026年11月20日 23:33:22", 1_795_188_802_000),
        ("Fri, 20 Nov 2026 15:33:22 GMT", 1_795_188_802_000),
        ("32/01/2026 00:00:00", None),
        ("20261320233322", None),
        (99_999_999_999_999, None),
        (0, None),
        (86_400, None),
        ("1970-01-01T00:00:00Z", None),
    ],
)
def test_times(value: Any, expected: int | None) -> None:
    assert time_ms(value) == expected


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text())
def test_anything_gives_a_value_or_none(value: Any) -> None:
    number(value)
    boolean(value)
    time_ms(value)


@given(st.text(max_size=40), st.none() | st.sampled_from(DeviceKind))
def test_every_meaning_is_one_of_our_words(name: str, kind: DeviceKind | None) -> None:
    meaning = meaning_of(name, kind)
    assert meaning is None or meaning.says in OUR_WORDS


def test_our_words_are_the_models() -> None:
    assert {f"activity.{event}" for event in ActivityEvent} <= OUR_WORDS
    assert {f"vitals.{sign}" for sign in SIGNS} == set(SIGN_WORDS)
    assert STATUS_WORDS <= OUR_WORDS
    assert likely_kind(["status.battery"]) is None


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        ("heartRate", None, "vitals.hr"),
        ("Heart-Rate", None, "vitals.hr"),
        ("SPO2", None, "vitals.spo2"),
        ("体温", None, "vitals.temp"),
        ("temperature", None, None),
        ("temperature", DeviceKind.MOTION, None),
        ("temperature", DeviceKind.WRISTBAND, "vitals.temp"),
        ("bodyTemperature", None, "vitals.temp"),
        ("room_temperature", DeviceKind.WRISTBAND, None),
        ("humidity", None, None),
    ],
)
def test_names(name: str, kind: DeviceKind | None, says: str | None) -> None:
    meaning = meaning_of(name, kind)
    assert (meaning.says if meaning else None) == says
