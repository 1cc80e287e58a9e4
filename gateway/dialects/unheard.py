"""What devices said and nobody understood: counted for each device, with the last example.

Nothing unheard is silent. An alarm whose name is new to us must be shown to a person, and for that it is
kept: bounded in number and in bytes, and without anything that names a person or opens a door.
"""

import re
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from gateway.dialects import Ignored
from protocol.model import UNSEEN

PATH_LETTERS_MAX = 64
EXAMPLE_LETTERS_MAX = 48
DEVICES_MAX = 200
PATHS_MAX = 24
"""Fields of one device; further ones are counted together under `OTHERS`."""
OTHERS = "…"
HIDDEN = "<hidden>"

_SECRET = re.compile(
    r"passw|pwd|token|secret|credential|authori|api_?key|psk|ssid|phone|mobile|telephone|(?:^|[_.\s])tel(?:$|[_.\s\d])|"
    r"contact|citiz|idcard|id_?card|identity|cardno|imei|imsi|iccid|name|birth|brith|gender|sex|(?:^|[_.])age\Z|addr|"
    r"latitude|longitude|(?:^|[_.])(?:lat|lon|lng)\Z|gps|location|email|mail|user|owner|patient|resident|person|elder|"
    r"account|signature|session|cookie|url|avatar|photo|image|姓名|电话|手机|身份证|地址|密码|位置|住址|生日|性别",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_LONG_NUMBER = re.compile(r"(?:\+?\d[\s-]?){6,}[\dXx]")
_HEX_OR_CODE = re.compile(
    r"(?=[A-Za-z0-9+/_=-]*\d)[A-Za-z0-9+/_=-]{16,}|(?:[0-9A-Fa-f]{2}[:-]){3,}[0-9A-Fa-f]{2}"
)
_MAIL_OR_LINK = re.compile(r"\S+@\S+|\w+://\S+")
_LIKE_A_NAME = re.compile(r"[A-Z][a-z]+(?: [A-Z][a-z]*\.?)+\Z")
_HAN = re.compile(r"[\u3400-\u9fff]")
_TELLING_HAN = re.compile(
    "报警|告警|正常|异常|有人|无人|故障|在床|离床|跌倒|移动|静止|火|低电|漏水|恢复|解除|呼|燃气|烟|体动"
)
"""What devices say in Chinese; any other characters may be somebody's name."""


class Unheard(Struct, kw_only=True, omit_defaults=True):
    """One field of one device that was not understood."""

    count: int = 0
    reason: str = ""
    example: str | None = None
    last_ms: int | None = None


class Example(NamedTuple):
    """A field's path and a value of it, fit to be kept."""

    path: str
    value: str | None


def example(path: str, value: Any) -> Example:
    """The path and value without secrets: passwords, numbers of people and devices, names, places."""
    shown = scrubbed(path)[:PATH_LETTERS_MAX]
    if value is None:
        return Example(shown, None)
    if _SECRET.search(_CAMEL.sub("_", path)):
        return Example(shown, HIDDEN)
    if isinstance(value, dict | list | tuple):
        return Example(shown, f"<{'object' if isinstance(value, dict) else 'list'} of {len(value)}>")
    if isinstance(value, str):
        return Example(shown, _shown(value))
    try:
        text = msgspec.json.encode(value).decode()
    except (TypeError, ValueError, OverflowError):
        text = HIDDEN
    return Example(shown, scrubbed(text)[:EXAMPLE_LETTERS_MAX])


def scrubbed(text: str) -> str:
    """A text in which numbers that may be somebody's, codes, mail addresses and links are hidden."""
    kept = UNSEEN.sub(" ", text[:256])
    for pattern in (_MAIL_OR_LINK, _HEX_OR_CODE, _LONG_NUMBER):
        kept = pattern.sub("#", kept)
    return kept.strip()


def _shown(value: str) -> str:
    """A text as it may be kept: what a device says is a word or two, all else may be about people."""
    found = scrubbed(value)
    if len(value) > EXAMPLE_LETTERS_MAX or len(found.split()) > 4 or _LIKE_A_NAME.match(found):
        return f"<text of {len(value)}>"
    if _HAN.search(found) and not _TELLING_HAN.search(found):
        return f"<text of {len(value)}>"
    return found


class UnheardLog:
    """Gathers what was not understood, by device and field."""

    def __init__(self) -> None:
        self._devices: dict[str, dict[str, Unheard]] = {}

    def take(self, ignored: Ignored, now_ms: int | None) -> None:
        """Count one; without a device it is counted under the empty key."""
        key = ignored.key or ""
        fields = self._devices.pop(key, None)
        if fields is None:
            fields = {}
            while len(self._devices) >= DEVICES_MAX:
                del self._devices[next(iter(self._devices))]  # who was heard longest ago
        self._devices[key] = fields
        path = ignored.path or ""
        if path not in fields and len(fields) >= PATHS_MAX:
            path = OTHERS
        field = fields.setdefault(path, Unheard())
        field.count += 1
        field.reason = ignored.reason[:120]
        field.last_ms = now_ms
        if ignored.example is not None:
            field.example = ignored.example

    def told(self, devices_max: int = DEVICES_MAX) -> dict[str, dict[str, Unheard]]:
        """By device and field how often it was not understood, the last example, and when."""
        return {
            key: {path: msgspec.structs.replace(field) for path, field in fields.items()}
            for key, fields in list(self._devices.items())[-devices_max:]
        }
