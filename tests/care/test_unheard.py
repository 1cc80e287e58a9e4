"""What boxes do not understand: kept bounded, taught by the right people, told to the box."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from care import proposals, registry, unheard
from care.pairing import NotAllowedError
from database.connections import Connection, connect
from database.errors import InvalidError, NotFoundError
from identity.model import Staff
from identity.sessions import scope_of, sign_in
from protocol.model import DeviceKind, Taught, UnheardField, UnheardReport
from tests.care.conftest import PASSWORD, County
from tests.servers import Database

KEY, PATH = "plain:cord-1", "anbao_flag"
SOS = Taught(says="alarm.sos", raised_by="1")


@pytest.fixture
def web(database: Database) -> Iterator[Connection]:
    with connect(database.web_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def scope(web: Connection) -> Callable[[str], AbstractContextManager[Staff]]:
    return lambda username: scope_of(web, sign_in(web, username, PASSWORD))


@pytest.fixture
def gateway(owner: Connection, county: County) -> int:
    device = registry.add_device(owner, site=county.home, kind=DeviceKind.GATEWAY, name="gateway-0001").device
    unheard.record(owner, device.id, report({PATH: "1", "n": "71", "note": None}))
    return device.id


def report(fields: dict[str, str | None], key: str = KEY) -> UnheardReport:
    said = {path: UnheardField(count=1, reason="unknown", example=value) for path, value in fields.items()}
    return UnheardReport(devices={key: said})


def test_a_lesson_reaches_the_box_and_can_be_taken_back(
    web: Connection, owner: Connection, gateway: int, scope: Callable[[str], AbstractContextManager[Staff]]
) -> None:
    with scope("town") as staff:
        unheard.teach(web, gateway, KEY, PATH, SOS, staff_id=staff.id)
        unheard.teach(web, gateway, KEY, "n", Taught(says="vitals.hr"), staff_id=staff.id)
    config = proposals.configs(owner)["home-a", "gateway-0001"]
    assert config is not None
    assert config.taught == {KEY: {PATH: SOS, "n": Taught(says="vitals.hr")}}
    with scope("town"):
        unheard.unteach(web, gateway, KEY, PATH)
    config = proposals.configs(owner)["home-a", "gateway-0001"]
    assert config is not None
    assert list(config.taught[KEY]) == ["n"]


def test_who_may_not_teach_and_what_cannot_be(
    web: Connection, gateway: int, scope: Callable[[str], AbstractContextManager[Staff]]
) -> None:
    with scope("wang") as staff, pytest.raises(NotAllowedError):
        unheard.teach(web, gateway, KEY, PATH, SOS, staff_id=staff.id)
    with scope("manager") as staff, pytest.raises(NotFoundError):
        unheard.teach(web, gateway, KEY, PATH, SOS, staff_id=staff.id)
    wrong = [
        (PATH, Taught(says="alarm.sos")),
        (PATH, Taught(says="alarm.outbreak", raised_by="1")),
        (PATH, Taught(says="vitals.hr")),
        ("note", Taught(says="vitals.hr")),
    ]
    for path, lesson in wrong:
        with scope("town") as staff, pytest.raises(InvalidError):
            unheard.teach(web, gateway, KEY, path, lesson, staff_id=staff.id)


def test_it_is_tried_against_the_example() -> None:
    assert unheard.tried(SOS, "1") is True
    assert unheard.tried(SOS, "0") is False
    assert unheard.tried(Taught(says="alarm.sos", raised_by="*"), "anything") is True
    assert unheard.tried(Taught(says="vitals.hr"), "71") == 71
    assert unheard.tried(Taught(says="vitals.hr"), "7100") is None
    assert unheard.tried(Taught(says="vitals.hr"), None) is None


def test_what_could_be_an_alarm_is_somebodys_task_after_a_day(owner: Connection, gateway: int) -> None:
    unheard.record(owner, gateway, report({"sos_state": "1"}))
    assert [each.is_overdue for each in unheard.unheard(owner)] == [False] * 4
    owner.execute("UPDATE care.unheard SET first_at = now() - interval '25 hours'")
    found = unheard.unheard(owner)
    assert (found[0].path, found[0].is_overdue) == ("sos_state", True)
    assert sum(each.is_overdue for each in found) == 1


def test_a_box_cannot_fill_the_table(
    owner: Connection, gateway: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unheard, "FIELDS_MAX", 5)
    for number in range(4):
        unheard.record(owner, gateway, report({f"f{n}": "1" for n in range(4)}, key=f"plain:{number}"))
    assert owner.execute("SELECT count(*) FROM care.unheard").fetchone() == {"count": 5}
