"""Every rule of the record has words for people, or a reason why nobody can break it."""

import re
from datetime import date
from string import Formatter
from typing import Any

import pytest

from care import registry
from care.model import CareCategory, SiteKind
from care.refusals import JUDGED_ELSEWHERE, REFUSALS, UNREACHABLE
from dashboard.errors import sentence
from dashboard.languages import language
from database.connections import Connection
from database.errors import DomainError
from identity.model import ScopeKind
from tests.care.conftest import ROLES, County

CONSTRAINTS = """
    SELECT relname, conname FROM pg_constraint
    JOIN pg_class ON pg_class.oid = conrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = 'care' AND contype IN ('c', 'u', 'x')
"""


def test_each_constraint_has_its_words(owner: Connection) -> None:
    found = {
        row["conname"]
        for row in owner.execute(CONSTRAINTS).fetchall()
        if row["relname"] not in JUDGED_ELSEWHERE
    }
    assert found - REFUSALS.keys() - UNREACHABLE.keys() == set(), "new rules want words in care/refusals.py"
    assert not REFUSALS.keys() & UNREACHABLE.keys()
    known = {row["conname"] for row in owner.execute("SELECT conname FROM pg_constraint").fetchall()}
    assert (REFUSALS.keys() | UNREACHABLE.keys()) <= known, "and of rules that are gone the words go as well"


@pytest.mark.parametrize("constraint", list(REFUSALS))
def test_its_words_are_translated_with_all_that_they_tell_of(constraint: str) -> None:
    english = REFUSALS[constraint]
    chinese = language("zh_CN").gettext(english)
    assert chinese != english
    assert re.findall(r"%\(\w+\)s", chinese) == re.findall(r"%\(\w+\)s", english)
    assert not [part for _, part, *_ in Formatter().parse(english) if part], "no other kind of places"


def staff(connection: Connection, **given: Any) -> None:
    registry.add_staff(
        connection,
        **{
            "username": "li",
            "name": "李娜",
            "role": ROLES[given.get("scope", ScopeKind.COUNTY)],
            "password": "secret enough",
            "scope": ScopeKind.COUNTY,
            **given,
        },
    )


def resident(connection: Connection, county: County, **given: Any) -> None:
    registry.add_resident(
        connection,
        **{
            "site_id": county.home.id,
            "name": "王五",
            "sex": "male",
            "born_on": date(1940, 1, 1),
            "category": CareCategory.TEKUN_CENTRALISED,
            **given,
        },
    )


MISTAKES = {
    "operator twice": (
        lambda c, _: registry.add_operator(c, code="fushou", name="福寿"),
        "There is an operator with the code fushou already",
        "已有代码为 fushou 的运营方",
    ),
    "operator without a name": (
        lambda c, _: registry.add_operator(c, code="new", name="  "),
        "An operator needs a name",
        "请填写运营方的名称",
    ),
    "site twice": (
        lambda c, _: registry.add_site(
            c, code="home-a", kind=SiteKind.HOUSEHOLD, name="x", township="青石镇"
        ),
        "There is a site with the code home-a already",
        "已有代码为 home-a 的站点",
    ),
    "site of no township": (
        lambda c, _: registry.add_site(c, code="x", kind=SiteKind.HOUSEHOLD, name="x", township=" "),
        "A site needs its township",
        "请填写站点所在的乡镇",
    ),
    "bad code": (
        lambda c, _: registry.add_operator(c, code="Bad Code", name="x"),
        "Bad Code is no code: it may have a-z",
        "Bad Code 不能作代码",
    ),
    "born too late": (
        lambda c, county: resident(c, county, born_on=date(2045, 2, 28)),
        "2045-02-28 is no day of birth of somebody in care: it must lie between 1880-01-01",
        "应在 1880-01-01 到 2020-01-01 之间",
    ),
    "born too early": (
        lambda c, county: resident(c, county, born_on=date(1845, 2, 28)),
        "1845-02-28 is no day of birth",
        "1845-02-28 不像是老人的出生日期",
    ),
    "bed taken": (
        lambda c, county: resident(c, county, bed_id=county.bed_id),
        "Bed 1 in room 101 is 李秀英’s (number ",
        "101 房 1 床已住着李秀英",
    ),
    "device twice": (
        lambda c, county: registry.add_device(
            c, site=county.home, kind=county.button.device.kind, name=county.button.device.name
        ),
        "Choose another name",
        "已经用过，请换一个名称",
    ),
    "user name in Chinese": (
        lambda c, _: staff(c, username="李娜"),
        "李娜 is no user name: it may have a-z",
        "李娜 不能作用户名",
    ),
    "user name twice": (
        lambda c, _: staff(c, username="wang"),
        "There is somebody with the user name wang already",
        "用户名 wang 已有人用",
    ),
    "language": (
        lambda c, _: staff(c, language="fr"),
        "fr is no language of the pages. There are zh_CN and en.",
        "没有 fr 这种页面语言",
    ),
    "township": (
        lambda c, _: staff(c, scope=ScopeKind.TOWNSHIP, township="不存在镇"),
        "There is no township 不存在镇. There are: ",
        "没有“不存在镇”这个乡镇，现有：",
    ),
    "site named twice": (
        lambda c, _: staff(c, scope=ScopeKind.SITE, sites=("home-a", "home-a")),
        "A site was named twice",
        "同一个站点写了两次",
    ),
}


@pytest.mark.parametrize("mistake", list(MISTAKES))
def test_a_mistake_is_told_in_both_languages(owner: Connection, county: County, mistake: str) -> None:
    make, english, chinese = MISTAKES[mistake]
    with pytest.raises(DomainError) as refused:
        make(owner, county)  # type: ignore[no-untyped-call]
    owner.rollback()
    assert english in str(refused.value)
    assert chinese in refused.value.told(language("zh_CN").gettext)
    assert "argon2" not in str(refused.value.params)
    if refused.value.params.get("constraint"):
        assert chinese in sentence(refused.value, language("zh_CN")), "on a page as well"


def test_a_text_with_percent_signs_is_left_as_it_is() -> None:
    assert str(DomainError("100 % (all of it)", all="x")) == "100 % (all of it)"
    assert str(DomainError("of %(nobody)s", somebody="x")) == "of %(nobody)s"
