"""Rooms by the names that people give them."""

import pytest

from dashboard.languages import language
from dashboard.rooms import room_name


@pytest.mark.parametrize(
    ("name", "chinese", "english"),
    [
        ("102", "102 房", "Room 102"),
        ("102A", "102A 房", "Room 102A"),
        ("2-103", "2-103 房", "Room 2-103"),
        ("102卫生间", "102 房卫生间", "Room 102 卫生间"),
        ("102 卫生间", "102 房卫生间", "Room 102 卫生间"),
        ("1层走廊", "1 层走廊", "1 层走廊"),
        ("2号楼厨房", "2 号楼厨房", "2 号楼厨房"),
        ("101室", "101 室", "101 室"),
        ("205房", "205 房", "205 房"),
        ("卧室", "卧室", "卧室"),
        ("卧室2", "卧室2", "卧室2"),
        ("", "", ""),
        (None, "", ""),
    ],
)
def test_a_room_has_its_number_and_its_name(name: str | None, chinese: str, english: str) -> None:
    assert room_name(name, language("zh_CN")) == chinese
    assert room_name(name, language("en")) == english
