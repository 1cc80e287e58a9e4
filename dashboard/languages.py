"""Languages: gettext catalogues read straight from their .po files, and times as people write them."""

import io
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import cache
from importlib import resources

from babel import Locale, dates, lists, numbers, units
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

from protocol.calendar import HOME_TIME

FIRST_LANGUAGE = "zh_CN"
SOURCE_LANGUAGE = "en"
"""What the texts in the code and the templates are written in: it needs no catalogue."""
CODES = (FIRST_LANGUAGE, SOURCE_LANGUAGE)
DOMAIN = "dashboard"

FAR_DAYS = 300
"""A day so far away is told with its year."""

_NUMBER_AND_HAN = re.compile(r"(\d)(?=[\u4e00-\u9fff])")
_ACCEPTED = re.compile(r"\s*([a-zA-Z]{1,8})[-a-zA-Z0-9]*\s*(?:;\s*q=([01](?:\.\d+)?))?")


@dataclass(frozen=True, kw_only=True)
class Language:
    """A language that pages can be in.

    Attributes:
        code: As the staff's record and the catalogues name it, such as zh_CN.
        locale: Babel's rules for it.
        translations: Its catalogue; of the source language, one that gives every text back.
    """

    code: str
    locale: Locale
    translations: NullTranslations

    @property
    def tag(self) -> str:
        """As HTML names it, such as zh-CN."""
        return self.code.replace("_", "-")

    def gettext(self, text: str) -> str:
        """`text` in this language."""
        return str(self.translations.gettext(text))

    def word(self, words: Mapping[StrEnum, str], member: StrEnum) -> str:
        """The word for a member of an enum."""
        return self.gettext(words[member])

    def time(self, at: datetime) -> str:
        """Time of day with seconds: 10:42:05."""
        return at.astimezone(HOME_TIME).strftime("%H:%M:%S")

    def when(self, at: datetime, now: datetime | None = None) -> str:
        """Time of day, with the date when it is another day than today."""
        local = at.astimezone(HOME_TIME)
        today = (now or datetime.now(UTC)).astimezone(HOME_TIME).date()
        clock = local.strftime("%H:%M")
        if local.date() == today:
            return clock
        skeleton = "MMMd" if abs((local.date() - today).days) < FAR_DAYS else "yMMMd"
        return f"{dates.format_skeleton(skeleton, local, tzinfo=HOME_TIME, locale=self.locale)} {clock}"

    def date(self, day: date) -> str:
        """A day with its year."""
        return dates.format_date(day, "long", locale=self.locale)

    def duration(self, seconds: float) -> str:
        """How long: 45 sec, 3 min, 2 hr, 5 days."""
        told = dates.format_timedelta(
            timedelta(seconds=seconds), threshold=1.5, format="short", locale=self.locale
        )
        return _spaced(told)

    def span(self, seconds: float) -> str:
        """How long, in two units and rounded down: 45 sec, 3 hr 30 min, 5 days 2 hr."""
        left = int(seconds)
        parts: list[str] = []
        for unit, length_s in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
            count, left = divmod(left, length_s)
            if count:
                parts.append(units.format_unit(count, f"duration-{unit}", "short", locale=self.locale))
            if len(parts) == 2 or (parts and not count):
                break
        nothing = units.format_unit(0, "duration-second", "short", locale=self.locale)
        return _spaced(" ".join(parts) or nothing)

    def number(self, value: float, digits_max: int = 1) -> str:
        """A number with at most so many digits after the point."""
        pattern = "#,##0." + "#" * digits_max if digits_max else "#,##0"
        return numbers.format_decimal(value, format=pattern, locale=self.locale)

    def listed(self, items: Iterable[str]) -> str:
        """One and another: eating, dressing, and bathing."""
        return lists.format_list(list(items), locale=self.locale)

    def percent(self, share: float) -> str:
        """A share of 1 as percent. All or nothing is said only where it is so: 99.7 is not rounded to 100."""
        if 0 < share < 1 and round(share * 100) in (0, 100):
            tenths = min(999, max(1, math.floor(share * 1_000 + 1e-9)))
            return numbers.format_percent(tenths / 1_000, format="#,##0.0%", locale=self.locale)
        return numbers.format_percent(share, locale=self.locale)


def _spaced(text: str) -> str:
    """A number and a Chinese word with a space between, as the catalogue writes them: 15 分钟."""
    return _NUMBER_AND_HAN.sub(r"\1 ", text)


@cache
def languages() -> Mapping[str, Language]:
    """Every language by its code."""
    return {code: _load(code) for code in CODES}


def language(code: str | None) -> Language:
    """The language with this code, else the first."""
    known = languages()
    return known.get(code or FIRST_LANGUAGE, known[FIRST_LANGUAGE])


def preferred(accept_language: str) -> str:
    """The code that an Accept-Language header asks for; the first language when it asks for none of ours."""
    by_prefix = {code.partition("_")[0]: code for code in CODES}
    wanted: list[tuple[float, str]] = []
    for part in accept_language[:500].split(","):
        match = _ACCEPTED.fullmatch(part)
        if match and match[1].lower() in by_prefix:
            wanted.append((float(match[2] or 1), by_prefix[match[1].lower()]))
    best = max(wanted, key=lambda item: item[0], default=(0.0, FIRST_LANGUAGE))
    return best[1] if best[0] > 0 else FIRST_LANGUAGE


def _load(code: str) -> Language:
    return Language(code=code, locale=Locale.parse(code), translations=_translations(code))


def _translations(code: str) -> NullTranslations:
    if code == SOURCE_LANGUAGE:
        return NullTranslations()
    file = resources.files("dashboard") / "locale" / code / "LC_MESSAGES" / f"{DOMAIN}.po"
    catalogue = read_po(io.BytesIO(file.read_bytes()), locale=code, domain=DOMAIN)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled, domain=DOMAIN)
