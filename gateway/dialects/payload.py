"""What stands in a payload: JSON or text, also where a byte of it is bad.

One bad value or byte costs that value, never the alarm beside it. So what a strict reader refuses (NaN, an
empty value, a comma too many, single quotes, a NUL at the end, a message that breaks off, text in GB 18030)
is read once more by a reader that forgives.
"""

import codecs
import re
from typing import Any

import msgspec

from gateway.dialects.values import number
from gateway.dialects.words import NotUnderstoodError

PAYLOAD_BYTES_MAX = 8 * 1024 * 1024
"""Longest payload that is looked at: a hub's list of all its devices has megabytes."""
FORGIVEN_BYTES_MAX = 256 * 1024
"""Longest payload that is read once more; what small devices send is short."""
DEPTH_MAX = 32
GARBAGE_LETTERS_MAX = 32
"""What may stand before the JSON: a name, or bytes of an older message."""

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_OPENING = re.compile(r"[\[{]")
_BARE = re.compile(r"[^,\[\]{}:\"\r\n]*")
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_CONSTANTS: dict[str, Any] = {"true": True, "false": False, "null": None, "none": None}


def json_of(payload: bytes) -> Any:
    """The JSON value in `payload`; NotUnderstoodError for all else.

    A value in it that is no JSON, such as NaN, is its text.
    """
    _check_length(payload)
    try:
        return msgspec.json.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    if len(payload) > FORGIVEN_BYTES_MAX:
        raise NotUnderstoodError("not JSON")
    texts = list(_texts(payload))
    for text in texts:
        try:
            return msgspec.json.decode(text)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            continue
    return _Forgiving(texts[-1]).read()


def text_of(payload: bytes) -> str:
    """The text in `payload`; NotUnderstoodError for all else."""
    _check_length(payload)
    text = _texts(payload)[0].partition("\x00")[0].strip()
    if "\ufffd" in text or any(letter < " " and letter not in "\t\r\n" for letter in text):
        raise NotUnderstoodError("not UTF-8")
    return text


def inner_json(value: Any) -> Any:
    """What is JSON in a string, such as `{"hr":72}` in AEP's serviceData; all else as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return value


def _check_length(payload: bytes) -> None:
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise NotUnderstoodError("payload too large")


def _texts(payload: bytes) -> list[str]:
    """What the bytes may be as text, likeliest first; the last one is always there."""
    for mark, encoding in _BOMS:
        if payload.startswith(mark):
            return [_trimmed(payload[len(mark) :].decode(encoding, "replace"))]
    payload = payload.strip(b"\x00 \t\r\n")
    try:
        return [_trimmed(payload.decode())]
    except UnicodeDecodeError:
        pass
    replaced = _trimmed(payload.decode("utf-8", "replace"))
    try:
        return [_trimmed(payload.decode("gb18030")), replaced]
    except UnicodeDecodeError:
        return [replaced]


def _trimmed(text: str) -> str:
    return text.strip("\x00\ufeff \t\r\n")


class _Forgiving:
    """Reads what is nearly JSON; what it cannot tell it leaves out."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._pairs = 0

    def read(self) -> Any:
        """The first value; NotUnderstoodError where there is no named one in it."""
        start = _OPENING.search(self._text, 0, GARBAGE_LETTERS_MAX)
        if start is None:
            raise NotUnderstoodError("not JSON")
        self._at = start.start()
        value = self._value(0)
        if not self._pairs:
            raise NotUnderstoodError("not JSON")
        return value

    def _value(self, depth: int) -> Any:
        self._skip()
        first = self._text[self._at : self._at + 1]
        if first in {"{", "["} and depth >= DEPTH_MAX:
            raise NotUnderstoodError("not JSON")
        if first == "{":
            return self._object(depth)
        if first == "[":
            return self._list(depth)
        if first in {'"', "'"}:
            return self._string(first)
        return self._bare()

    def _object(self, depth: int) -> dict[str, Any]:
        self._at += 1
        found: dict[str, Any] = {}
        while self._more("}"):
            first = self._text[self._at]
            name = self._string(first) if first in {'"', "'"} else str(self._bare())
            self._skip()
            if self._text[self._at : self._at + 1] != ":":
                if self._text[self._at : self._at + 1] not in {",", "}", ""}:
                    self._at += 1  # what stands where a name should be
                continue
            self._at += 1
            found[name] = self._value(depth + 1)
            self._pairs += 1
        return found

    def _list(self, depth: int) -> list[Any]:
        self._at += 1
        found: list[Any] = []
        while self._more("]"):
            before = self._at
            found.append(self._value(depth + 1))
            if self._at == before:
                self._at += 1
        return found

    def _more(self, end: str) -> bool:
        """Go on to the next part; False at the end of all, which is passed over."""
        while True:
            self._skip()
            here = self._text[self._at : self._at + 1]
            if here != ",":
                break
            self._at += 1
        if here in {"", "}", "]"}:
            self._at += 1 if here == end else 0
            if here not in {"", end}:
                self._at += 1  # the wrong bracket closes as well
            return False
        return True

    def _string(self, quote: str) -> str:
        parts: list[str] = []
        self._at += 1
        while self._at < len(self._text):
            letter = self._text[self._at]
            self._at += 1
            if letter == quote:
                break
            if letter == "\\":
                letter = self._escaped()
            parts.append(letter)
        return "".join(parts)

    def _escaped(self) -> str:
        letter = self._text[self._at : self._at + 1]
        self._at += 1
        if letter != "u":
            return _ESCAPES.get(letter, letter)
        digits = self._text[self._at : self._at + 4]
        self._at += 4
        try:
            code = int(digits, 16)
        except ValueError:
            return "\ufffd"
        return "\ufffd" if 0xD800 <= code <= 0xDFFF else chr(code)

    def _bare(self) -> Any:
        found = _BARE.match(self._text, self._at)
        text = found[0] if found is not None else ""
        self._at += len(text)
        text = text.strip("\x00 \t'")
        if not text:
            return None
        constant = text.casefold()
        if constant in _CONSTANTS:
            return _CONSTANTS[constant]
        level = number(text)
        return text if level is None else (int(level) if level.is_integer() and "." not in text else level)

    def _skip(self) -> None:
        while self._at < len(self._text) and self._text[self._at] in " \t\r\n\x00":
            self._at += 1
