"""The name of a room as people say it."""

import re

from dashboard.languages import Language
from protocol.texts import N_

_NUMBERED = re.compile(r"(\d[0-9A-Za-z-]*)\s*(.*)", re.DOTALL)
_ENDS_CHINESE = re.compile(r"[\u4e00-\u9fff]\Z")
_COUNTERS = "层楼号栋幢座室房间"
"""After one of these the number is that of a floor, a house …, or the name says `room` itself."""


def room_name(name: str | None, language: Language) -> str:
    """102 is room 102, 102卫生间 is its bathroom, 1层走廊 is on a floor; other names are names."""
    found = _NUMBERED.fullmatch(name.strip()) if name else None
    if found is None:
        return name or ""
    number, rest = found.groups()
    if rest and rest[0] in _COUNTERS:
        return f"{number} {rest}"
    room = language.gettext(N_("Room %(room)s")) % {"room": number}
    gap = "" if _ENDS_CHINESE.search(room) or not rest else " "
    return f"{room}{gap}{rest}"
