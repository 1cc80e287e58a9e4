"""Proposed devices: adopted once, by the right people, for the right site; refused ones stay away."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from care import proposals, registry
from care.pairing import NotAllowedError
from database.connections import Connection, connect
from database.errors import ConflictError, InvalidError, NotFoundError
from identity.model import Staff
from identity.sessions import scope_of, sign_in
from protocol.model import Adoption, DeviceKind, DeviceProposal, GatewayConfig
from tests.care.conftest import PASSWORD, County
from tests.servers import Database

Scope = Callable[[str], AbstractContextManager[Staff]]
KEY = "zigbee2mqtt:0x00158d0001a2b3c4"
RADAR = DeviceProposal(
    key=KEY, kind=DeviceKind.FALL_RADAR, vendor="Heiman", product="HS1FD", says=("alarm.fall", "status.rssi")
)


@pytest.fixture
def web(database: Database) -> Iterator[Connection]:
    with connect(database.web_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def scope(web: Connection) -> Scope:
    return lambda username: scope_of(web, sign_in(web, username, PASSWORD))


@pytest.fixture
def gateway(owner: Connection, county: County) -> int:
    device = registry.add_device(owner, site=county.home, kind=DeviceKind.GATEWAY, name="gateway-0001").device
    assert proposals.record(owner, device.id, RADAR)
    return device.id


def config(owner: Connection) -> GatewayConfig | None:
    return proposals.configs(owner)["home-a", "gateway-0001"]


def test_it_is_adopted_with_whom_it_watches(
    web: Connection, owner: Connection, county: County, scope: Scope, gateway: int
) -> None:
    with scope("town") as staff:
        assert [each.key for each in proposals.proposals(web)] == [KEY]
        name = proposals.adopt(
            web, gateway, KEY, kind=DeviceKind.FALL_RADAR, staff_id=staff.id, resident_id=county.mother.id
        )
        assert proposals.proposals(web) == []
    device = registry.device_by_name(owner, name)
    assert (name, device.kind, device.resident_id) == ("fall-radar-0001", "fall_radar", county.mother.id)
    assert (device.model, device.power) == ("Heiman HS1FD", "mains")
    assert config(owner) == GatewayConfig(devices={KEY: Adoption(name=name, kind=DeviceKind.FALL_RADAR)})
    assert proposals.record(owner, gateway, RADAR), "heard again, it stays adopted"
    assert proposals.proposals(owner) == []


def test_of_two_who_adopt_at_once_one_is_told(web: Connection, scope: Scope, gateway: int) -> None:
    with scope("town") as staff:
        proposals.adopt(web, gateway, KEY, kind=DeviceKind.MOTION, staff_id=staff.id)
    with scope("county") as staff, pytest.raises(ConflictError):
        proposals.adopt(web, gateway, KEY, kind=DeviceKind.MOTION, staff_id=staff.id)


def test_a_refused_one_is_not_proposed_again(
    web: Connection, owner: Connection, scope: Scope, gateway: int
) -> None:
    with scope("county") as staff:
        proposals.refuse(web, gateway, KEY, staff_id=staff.id)
    proposals.record(owner, gateway, RADAR)
    assert proposals.proposals(owner) == []
    assert config(owner) == GatewayConfig(refused=(KEY,))


def test_one_out_of_use_is_proposed_when_it_is_heard_again(
    web: Connection, owner: Connection, scope: Scope, gateway: int
) -> None:
    with scope("county") as staff:
        name = proposals.adopt(web, gateway, KEY, kind=DeviceKind.FALL_RADAR, staff_id=staff.id)
    registry.retire_device(owner, registry.device_by_name(owner, name).id)
    assert config(owner) == GatewayConfig()
    assert proposals.proposals(owner) == []
    proposals.record(owner, gateway, RADAR)
    assert [each.key for each in proposals.proposals(owner)] == [KEY]
    with scope("county") as staff:
        again = proposals.adopt(web, gateway, KEY, kind=DeviceKind.FALL_RADAR, staff_id=staff.id)
    assert again == "fall-radar-0002"


def test_who_may_not_adopt(web: Connection, owner: Connection, scope: Scope, gateway: int) -> None:
    with scope("wang") as staff, pytest.raises(NotAllowedError):
        proposals.adopt(web, gateway, KEY, kind=DeviceKind.MOTION, staff_id=staff.id)
    with scope("manager") as staff:
        assert proposals.proposals(web) == []
        with pytest.raises(NotFoundError), web.transaction():
            proposals.adopt(web, gateway, KEY, kind=DeviceKind.MOTION, staff_id=staff.id)
    assert len(proposals.proposals(owner)) == 1


def test_what_cannot_be(
    web: Connection, owner: Connection, county: County, scope: Scope, gateway: int
) -> None:
    def attempt(**given: object) -> None:
        with scope("county") as staff, web.transaction():
            proposals.adopt(
                web,
                gateway,
                KEY,
                **{"kind": DeviceKind.MOTION, "staff_id": staff.id, **given},  # type: ignore[arg-type]
            )

    with pytest.raises(InvalidError, match="not at its gateway's site"):
        attempt(resident_id=county.stranger.id)
    with pytest.raises(InvalidError, match="either a resident or a room"):
        attempt(resident_id=county.mother.id, room_id=county.room_id)
    with pytest.raises(ConflictError):
        attempt(name=county.button.device.name)
    for name in ("Großes Gerät", "../x", "a/b", "x" * 64):
        with pytest.raises(InvalidError):
            attempt(name=name)
    with pytest.raises(InvalidError, match="paired"):
        attempt(kind=DeviceKind.GATEWAY)
    assert owner.execute("SELECT count(*) FROM care.device WHERE kind = 'motion'").fetchone() == {"count": 0}


def test_a_gateway_cannot_flood_the_page(
    owner: Connection, gateway: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proposals, "OPEN_MAX", 3)
    recorded = [proposals.record(owner, gateway, DeviceProposal(key=f"x:{n}")) for n in range(5)]
    assert recorded == [True, True, False, False, False]
    assert proposals.record(owner, gateway, RADAR), "what is known already is brought up to date"
