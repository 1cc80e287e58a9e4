"""What nobody understood: counted by device and field, bounded, and without secrets."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects import Ignored
from gateway.dialects.thingsboard import ThingsBoard
from gateway.dialects.unheard import (
    DEVICES_MAX,
    EXAMPLE_LETTERS_MAX,
    HIDDEN,
    OTHERS,
    PATH_LETTERS_MAX,
    PATHS_MAX,
    UnheardLog,
    example,
)
from tests.gateway.dialects.house import House


@pytest.mark.parametrize(
    ("path", "value", "shown"),
    [
        ("strange_alarm", True, "true"),
        ("strange_alarm", "raised", "raised"),
        ("code", 7, "7"),
        ("data.level", 3.5, "3.5"),
        ("x", {"a": 1, "b": 2}, "<object of 2>"),
        ("x", [1, 2], "<list of 2>"),
        ("状态", "火警报警", "火警报警"),
        ("password", "1234", HIDDEN),
        ("wifiPwd", "1234", HIDDEN),
        ("accessToken", "abc", HIDDEN),
        ("sosPhone1", "13800138000", HIDDEN),
        ("citiz", "3570300400000", HIDDEN),
        ("nameEN", "Wang", HIDDEN),
        ("brith", "19400101", HIDDEN),
        ("gps.lat", 31.2, HIDDEN),
        ("note", "call 13800138000", "call #"),
        ("note", "110101194001011234", "#"),
        ("note", "wang@example.com", "#"),
        ("note", "https://a.example/x?y", "#"),
        ("note", "a8f5f167f44f4964e6c998dee827110c", "#"),
        ("note", "aa:bb:cc:dd:ee:ff", "#"),
        ("note", "Wang Guiying", "<text of 12>"),
        ("note", "王桂英", "<text of 3>"),
        ("note", "a sentence about what somebody had for breakfast", "<text of 48>"),
        ("n", 13800138000, "#"),
        ("none", None, None),
    ],
)
def test_an_example_shows_the_device_and_hides_the_person(path: str, value: Any, shown: str | None) -> None:
    assert example(path, value).value == shown


def test_a_number_in_a_path_is_hidden_too() -> None:
    assert example("13800138000.hr", 1).path == "#.hr"


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.text(max_size=400), anything)
def test_examples_are_short_whatever_was_sent(path: str, value: Any) -> None:
    shown = example(path, value)
    assert len(shown.path) <= PATH_LETTERS_MAX
    assert shown.value is None or len(shown.value) <= max(EXAMPLE_LETTERS_MAX, 32)
    assert "13800138000" not in str(example(path, f"{value}13800138000").value)


def test_it_is_counted_by_device_and_field_with_the_last_example_and_time() -> None:
    log = UnheardLog()
    log.take(Ignored("tb:a", "unknown", "x", "1"), 1_000)
    log.take(Ignored("tb:a", "unknown", "x", "2"), 2_000)
    log.take(Ignored("tb:a", "unknown", "y", None), None)
    log.take(Ignored(None, "not JSON"), 3_000)
    told = log.told()
    assert [(field.count, field.example, field.last_ms) for field in told["tb:a"].values()] == [
        (2, "2", 2_000),
        (1, None, None),
    ]
    assert told[""][""].reason == "not JSON"
    assert list(log.told(1)) == [""]
    assert msgspec.json.decode(msgspec.json.encode(told))["tb:a"]["x"]["count"] == 2


def test_it_is_bounded_and_nothing_is_silent_beyond() -> None:
    log = UnheardLog()
    for device in range(DEVICES_MAX + 10):
        for field in range(PATHS_MAX + 10):
            log.take(Ignored(f"d{device}", "unknown", f"f{field}", "1"), 1)
    told = log.told()
    assert len(told) == DEVICES_MAX
    assert "d0" not in told
    assert all(len(fields) == PATHS_MAX + 1 for fields in told.values())
    assert all(fields[OTHERS].count == 10 for fields in told.values())
    assert len(msgspec.json.encode(told)) < 1_000_000


def test_an_alarm_with_a_name_of_its_own_is_counted_with_its_value() -> None:
    house = House(ThingsBoard())
    told = house.told("tb/a/v1/devices/me/telemetry", {"choking_alarm": True, "wearer": "王", "humidity": 40})
    assert [(ignored.path, ignored.example) for ignored in told.ignored] == [
        ("choking_alarm", "true"),
        ("wearer", "<text of 1>"),
    ]
