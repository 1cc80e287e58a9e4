"""When something was, from whatever a device takes for a time."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from typing import Any

from gateway.dialects.values import number
from protocol.model import EPOCH

SHANGHAI = timezone(timedelta(hours=8))
"""The zone of local times in which no zone stands."""
PLAUSIBLE_MS_MIN = 1_420_070_400_000
"""2015: a device that shows an earlier time has lost it."""
PLAUSIBLE_MS_MAX = 2_366_841_600_000
"""2045. As seconds, a compact local time such as 2611050815 lies beyond."""

_SCALES = (1_000, 1, 1 / 1_000, 1 / 1_000_000)
"""Milliseconds in a second, a millisecond, a microsecond, a nanosecond."""
_COMPACT = {
    10: "%y%m%d%H%M",
    12: "%y%m%d%H%M%S",
    14: "%Y%m%d%H%M%S",
    17: "%Y%m%d%H%M%S%f",
}
"""Local times written without anything between, by how many digits they have."""
_DATE_FIRST = re.compile(
    r"(?P<year>\d{4})[-/.年](?P<month>\d{1,2})[-/.月](?P<day>\d{1,2})日?[\sT]\s*(?P<rest>\S.*)\Z"
)
_DAY_FIRST = re.compile(
    r"(?P<day>\d{1,2})[-/.](?P<month>\d{1,2})[-/.](?P<year>\d{4})[\sT,]\s*(?P<rest>\S.*)\Z"
)
_CLOCK = re.compile(
    r"(?P<hour>\d{1,2})[:时](?P<minute>\d{1,2})(?:[:分](?P<second>\d{1,2})(?:[.,](?P<part>\d{1,9}))?)?[分秒]?"
    r"\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2})?\Z"
)


def time_ms(value: Any, zone: tzinfo | None = None) -> int | None:
    """Milliseconds since 1970 from what a device takes for a time, as number or string; None from all else.

    Numbers are seconds, milli-, micro- or nanoseconds since 1970, told apart by which of them was in our
    days; or a local time without anything between, such as 20261105081500. Texts are ISO 8601, or have the
    year or the day first. What lies far from our days is no time: the device has lost it.

    Args:
        value: As the device sent it.
        zone: Of a time without an offset. None: a compact local time and one with the day first are in
            Shanghai's; when an ISO time without an offset was, nobody knows.
    """
    found = number(value)
    if found is not None:
        return _of_number(found, str(value).strip(), zone or SHANGHAI)
    if not isinstance(value, str) or len(value) > 64:
        return None
    text = value.strip()
    time = _iso(text, zone) or _written(text, zone) or _mailed(text)
    return None if time is None else _plausible((time - EPOCH) // timedelta(milliseconds=1))


def _of_number(found: float, text: str, zone: tzinfo) -> int | None:
    for scale in _SCALES:
        ms = _plausible(found * scale)
        if ms is not None:
            return ms
    return _compact(text.partition(".")[0], zone)


def _compact(digits: str, zone: tzinfo) -> int | None:
    form = _COMPACT.get(len(digits))
    if form is None or not digits.isascii() or not digits.isdigit():
        return None
    try:
        time = datetime.strptime(digits, form).replace(tzinfo=zone)
    except ValueError:
        return None
    return _plausible((time - EPOCH) // timedelta(milliseconds=1))


def _iso(text: str, zone: tzinfo | None) -> datetime | None:
    if ":" not in text and "T" not in text.upper():
        # A date alone is not when something was; a compact one with a space between is.
        date, _, clock = text.partition(" ")
        text = f"{date}T{clock}" if len(date) == 8 and len(clock) == 6 else ""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    if time.tzinfo is not None:
        return time
    return None if zone is None else time.replace(tzinfo=zone)


def _written(text: str, zone: tzinfo | None) -> datetime | None:
    dated = _DATE_FIRST.match(text)
    if dated is not None and zone is None:
        zone = SHANGHAI if "年" in text or "/" in text else None
    if dated is None:
        dated = _DAY_FIRST.match(text)
        zone = zone or SHANGHAI
    clock = _CLOCK.match(dated["rest"]) if dated is not None else None
    if dated is None or clock is None:
        return None
    if clock["zone"] is not None:
        zone = _offset(clock["zone"])
    day, month = int(dated["day"]), int(dated["month"])
    if month > 12 >= day:
        day, month = month, day  # the month first, since it cannot be the day
    micro = int((clock["part"] or "0")[:6].ljust(6, "0"))
    try:
        return datetime(
            int(dated["year"]), month, day,
            int(clock["hour"]), int(clock["minute"]), int(clock["second"] or 0), micro,
            tzinfo=zone,
        ) if zone is not None else None  # fmt: skip
    except ValueError:
        return None


def _mailed(text: str) -> datetime | None:
    try:
        time = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return time if time.tzinfo is not None else None


def _offset(text: str) -> tzinfo:
    if not text.startswith(("+", "-")):
        return UTC
    digits = text[1:].replace(":", "")
    minutes = min(int(digits[:2]) * 60 + int(digits[2:]), 24 * 60 - 1)
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def _plausible(ms: float) -> int | None:
    return int(ms) if PLAUSIBLE_MS_MIN <= ms <= PLAUSIBLE_MS_MAX else None
