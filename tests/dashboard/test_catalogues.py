"""Every text is in both languages, and no text has slipped past the catalogues."""

import re
from collections.abc import Mapping
from enum import StrEnum
from html.parser import HTMLParser

import pytest

from alarms.evidence import Grade
from alarms.feedback import Verdict
from alarms.kinds import AlarmKind
from alarms.model import AlarmPriority, AlarmState, AlarmStep
from alarms.reasons import Reason
from care.model import Ability, CareCategory, SelfCareLevel, SiteKind
from dashboard import ROOM, vocabulary
from dashboard.alarm import words as alarm_words
from dashboard.catalogues import TRANSLATED, extracted, kept
from dashboard.curves import Range
from dashboard.devices import words as devices_words
from dashboard.devices.intake import Process, Trouble
from dashboard.languages import CODES, SOURCE_LANGUAGE, languages, preferred
from dashboard.resident import words as resident_words
from identity.model import ScopeKind, StaffRole
from protocol.errors import DeadReason
from protocol.model import (
    ActivityEvent,
    DeviceKind,
    PowerSource,
)
from protocol.signs import SIGNS

TEMPLATES = sorted(ROOM.glob("**/templates/*.html"))
PEOPLE_TAKE = {
    AlarmStep.ACKNOWLEDGED,
    AlarmStep.ARRIVED,
    AlarmStep.RESOLVED,
    AlarmStep.CLOSED,
    AlarmStep.CANCELLED,
    AlarmStep.RELEASED,
    AlarmStep.UNDONE,
}
UNTRANSLATED = {"安守", "Anshou", "安守 Anshou", "· 安守 Anshou", "mmHg", "°C", "openapi.json"}


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_catalogue_is_complete(code: str) -> None:
    catalogue = kept(code)
    wanted = {message.id for message in extracted() if message.id}
    have = {message.id for message in catalogue if message.id}
    assert wanted - have == set(), "run python -m dashboard.catalogues"
    assert have - wanted == set(), "run python -m dashboard.catalogues"
    assert not catalogue.obsolete
    for message in catalogue:
        texts = message.string if isinstance(message.string, list | tuple) else [message.string]
        assert all(texts), f"{message.id!r} has no translation"
        assert not message.id or not message.fuzzy, f"{message.id!r} is only a guess"
        assert not list(message.check(catalogue)), message.id


def test_chinese_has_its_own_punctuation_and_spaces() -> None:
    """A number stands off from the word after it, and commas and colons are as wide as the words."""
    texts = [
        text
        for message in kept("zh_CN")
        if message.id
        for text in (message.string if isinstance(message.string, list | tuple) else [message.string])
    ]
    han = r"[\u4e00-\u9fff]"
    assert [text for text in texts if re.search(rf"[0-9]{han}|{han}[,:;!?]|[,:;!?]{han}", str(text))] == []


def test_the_source_language_says_what_is_written() -> None:
    assert set(CODES) - set(TRANSLATED) == {SOURCE_LANGUAGE}
    speech = languages()[SOURCE_LANGUAGE]
    asked = [message.id for message in extracted() if message.id]
    assert asked
    for text in asked:
        if isinstance(text, str):
            assert speech.gettext(text) == text
        else:
            one, many = text
            assert [speech.translations.ngettext(one, many, n) for n in (0, 1, 2)] == [many, one, many]


def test_chinese_is_chinese() -> None:
    same = [
        message.id
        for message in kept("zh_CN")
        if message.id and not re.search(r"[\u4e00-\u9fff\uff00-\uffef]", str(message.string))
    ]
    assert same == ["%(live)s of %(all)s"]


@pytest.mark.parametrize(
    ("vocabulary", "members"),
    [
        (vocabulary.ALARM_KIND, AlarmKind),
        (vocabulary.ALARM_ICON, AlarmKind),
        (vocabulary.PRIORITY, AlarmPriority),
        (vocabulary.STATE, AlarmState),
        (vocabulary.STEP, PEOPLE_TAKE),
        (vocabulary.STEP_DONE, AlarmStep),
        (vocabulary.STEP_ICON, AlarmStep),
        (vocabulary.SITE_KIND, SiteKind),
        (resident_words.CATEGORY, CareCategory),
        (vocabulary.SELF_CARE, SelfCareLevel),
        (resident_words.ABILITY, Ability),
        (vocabulary.ROLE, StaffRole),
        (vocabulary.SCOPE, ScopeKind),
        (vocabulary.DEVICE_KIND, DeviceKind),
        (devices_words.POWER, PowerSource),
        (vocabulary.ACTIVITY, ActivityEvent),
        (devices_words.DEAD_REASON, DeadReason),
        (vocabulary.WAY, vocabulary.Way),
        (devices_words.INTAKE, Process),
        (devices_words.INTAKE_CONSEQUENCE, Process),
        (devices_words.INTAKE_TROUBLE, Trouble),
        (resident_words.RANGE, Range),
        (alarm_words.GRADE, Grade),
        (alarm_words.VERDICT, Verdict),
        (alarm_words.VERDICT_ICON, Verdict),
        (vocabulary.REASON, Reason),
        (vocabulary.SIGN, {*SIGNS, "bp"}),
        (vocabulary.SIGN_UNIT, {*SIGNS, "bp"}),
    ],
)
def test_every_member_has_its_word(vocabulary: Mapping[str, str], members: type[StrEnum] | set[str]) -> None:
    assert set(vocabulary) == set(members)


def test_every_icon_is_there() -> None:
    sprite = (ROOM / "static" / "vendor" / "icons.svg").read_text()
    templates = "".join(path.read_text() for path in TEMPLATES)
    used = {
        *vocabulary.ALARM_ICON.values(),
        *vocabulary.STEP_ICON.values(),
        *alarm_words.VERDICT_ICON.values(),
        *re.findall(r"icon\('([a-z0-9-]+)'", templates),
    }
    assert {name for name in used if f'id="tabler-{name}"' not in sprite} == set()


class Texts(HTMLParser):
    """What a person would read in a piece of HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found.append(data.strip())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        spoken = ("title", "aria-label", "placeholder", "alt")
        self.found += [(value or "").strip() for name, value in attrs if name in spoken]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_template_has_no_unmarked_text(template: object) -> None:
    source = template.read_text()  # type: ignore[attr-defined]
    source = re.sub(r"{#.*?#}", "", source, flags=re.DOTALL)
    source = re.sub(r"{%-?\s*trans\b.*?endtrans\s*-?%}", "", source, flags=re.DOTALL)
    source = re.sub(r"{% block live %}\w*{% endblock %}", "", source)  # an attribute, read by scripts
    source = re.sub(r"{{.*?}}|{%.*?%}", "", source, flags=re.DOTALL)
    texts = Texts()
    texts.feed(source)
    unmarked = [text for text in texts.found if re.search(r"[^\W\d_]", text) and text not in UNTRANSLATED]
    assert unmarked == []


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "zh_CN"),
        ("en-GB,en;q=0.9", "en"),
        ("fr, en;q=0.5, zh-CN;q=0.7", "zh_CN"),
        ("fr, de", "zh_CN"),
        ("en;q=0", "zh_CN"),
        (";;;,=", "zh_CN"),
        ("zh-TW,zh;q=0.9,en;q=0.8", "zh_CN"),
    ],
)
def test_the_language_a_browser_asks_for(header: str, code: str) -> None:
    assert preferred(header) == code


def test_times_are_those_of_the_home() -> None:
    from datetime import UTC, datetime

    now = datetime(2026, 3, 1, 15, 30, tzinfo=UTC)  # 23:30 at home
    late = datetime(2026, 3, 1, 16, 5, tzinfo=UTC)  # 00:05 of the next day at home
    speech = languages()["zh_CN"]
    assert speech.time(late) == "00:05:00"
    assert speech.when(now, now) == "23:30"
    assert speech.when(late, now) == "3月2日 00:05"
    assert languages()["en"].when(late, now) == "Mar 2 00:05"


@pytest.mark.parametrize(
    ("seconds", "chinese", "english"),
    [
        (0, "0 秒", "0 sec"),
        (45.9, "45 秒", "45 sec"),
        (12_600, "3 小时 30 分钟", "3 hr 30 min"),
        (3_605, "1 小时", "1 hr"),
        (7_199, "1 小时 59 分钟", "1 hr 59 min"),
        (180_000, "2 天 2 小时", "2 days 2 hr"),
    ],
)
def test_how_long_is_told_exactly(seconds: float, chinese: str, english: str) -> None:
    assert languages()["zh_CN"].span(seconds) == chinese
    assert languages()["en"].span(seconds) == english


@pytest.mark.parametrize(
    ("seconds", "chinese", "english"),
    [
        (24, "24 秒", "24 sec"),
        (200, "3 分钟", "3 min"),
        (9_000, "2 小时", "2 hr"),
        (200_000, "2 天", "2 days"),
    ],
)
def test_how_long_about(seconds: float, chinese: str, english: str) -> None:
    assert languages()["zh_CN"].duration(seconds) == chinese
    assert languages()["en"].duration(seconds) == english
