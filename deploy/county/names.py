"""Invented names of people and places. Whoever or whatever bears one of them does so by chance."""

import numpy as np

from simulator.chance import generator
from simulator.person import Sex
from simulator.plan import PlannedRoom, PlannedSite, RoomSort, SiteSort

COUNTY = "禾安县"
OPERATORS = (
    ("hean-care", "禾安康养服务有限公司"),
    ("mushan", "沐杉养老服务中心"),
    ("chunhe", "春禾社会福利服务社"),
)
"""Code and name of each operator."""
TOWNSHIPS = (
    "禾源镇", "望杉镇", "沐溪乡", "南禾镇", "栗坪乡", "石榴镇",
    "云杉乡", "北禾镇", "梨湾镇", "松塘乡", "槐渡镇", "稻荷乡",
)  # fmt: skip
VILLAGES = ("上禾村", "下禾村", "杉树村", "塘边村", "栗树村", "新田村", "竹背村", "河湾村")
HOME_NAMES = ("安和", "长青", "福源", "颐乐", "松鹤", "春晖", "康泰", "晚晴", "禾香", "仁寿", "和风", "余庆")

_SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高梁谢宋唐许韩冯邓曹彭曾肖田董袁潘蒋蔡余杜"
_GIVEN = {
    Sex.MALE: (
        "建德福长友水金仁守国炳文启万正树贵春光志开永",
        "明生根才贵和义梁坤海发田清林旺荣高来泰年安山",
    ),
    Sex.FEMALE: ("秀桂凤玉春菊金素淑月翠银美冬爱惠巧桃瑞莲兰", "英兰珍梅香莲芬贞娥花秀玉云芝珠霞琴芳仙华菊"),
}
"""First and second characters of given names."""
_RELATIVES = (
    ("侄子", Sex.MALE),
    ("侄女", Sex.FEMALE),
    ("外甥", Sex.MALE),
    ("外甥女", Sex.FEMALE),
    ("堂弟", Sex.MALE),
    ("表妹", Sex.FEMALE),
)
_ROOM_NAMES = {
    RoomSort.BEDROOM: "卧室",
    RoomSort.BATHROOM: "卫生间",
    RoomSort.KITCHEN: "厨房",
    RoomSort.LIVING_ROOM: "客厅",
    RoomSort.HALLWAY: "走廊",
}


def person(seed: int, role: str, number: int, sex: Sex | None = None) -> str:
    """The name of person `number` in a `role` such as "resident" or "caregiver"."""
    rng = generator(seed, "name", role, number)
    drawn = Sex.FEMALE if rng.random() < 0.5 else Sex.MALE
    return _full_name(rng, sex or drawn)


def relative(seed: int, number: int) -> str:
    """Whom to tell about resident `number`: how they are related, a name and a telephone number."""
    rng = generator(seed, "relative", number)
    related, sex = _RELATIVES[int(rng.integers(len(_RELATIVES)))]
    return f"{related} {_full_name(rng, sex)} {phone(seed, 'relative', number)}"


def phone(seed: int, role: str, number: int) -> str:
    """A mobile number that belongs to nobody: 100 begins no number of people in China."""
    digits = generator(seed, "phone", role, number).integers(0, 10, 8)
    return "100" + "".join(str(digit) for digit in digits)


def township(site: PlannedSite) -> str:
    """The name of the township of a site."""
    return TOWNSHIPS[site.township]


def village(site: PlannedSite) -> str | None:
    """The name of the village of a site that lies in one."""
    return None if site.village is None else VILLAGES[site.village]


def site(planned: PlannedSite, number: int, resident: str | None) -> str:
    """The name of a site; `number` counts sites of its sort, `resident` lives in the household."""
    match planned.sort:
        case SiteSort.CARE_HOME:
            return f"{township(planned)}{HOME_NAMES[number % len(HOME_NAMES)]}敬老院"
        case SiteSort.DAY_CENTRE:
            return f"{village(planned)}幸福院"
        case SiteSort.HOUSEHOLD:
            return f"{village(planned)} {resident}家"


def address(planned: PlannedSite, number: int) -> str:
    """An address for a site."""
    if planned.sort is SiteSort.CARE_HOME:
        return f"{COUNTY}{township(planned)}安宁路{number * 7 + 3}号"
    return f"{COUNTY}{township(planned)}{village(planned)}{number % 60 + 1}号"


def room(planned: PlannedRoom, sort: SiteSort) -> str:
    """The name of a room, unlike that of any other room of its site."""
    if sort is SiteSort.HOUSEHOLD:
        return _ROOM_NAMES[planned.sort]
    match planned.sort:
        case RoomSort.BEDROOM:
            return str(planned.number)
        case RoomSort.BATHROOM:
            return f"{planned.number}卫生间"
        case RoomSort.HALLWAY:
            return f"{planned.floor}层走廊"
        case RoomSort.KITCHEN:
            return "厨房"
        case RoomSort.LIVING_ROOM:
            return "活动厅"


def _full_name(rng: np.random.Generator, sex: Sex) -> str:
    parts = (_SURNAMES, *_GIVEN[sex])
    return "".join(part[int(rng.integers(len(part)))] for part in parts)
