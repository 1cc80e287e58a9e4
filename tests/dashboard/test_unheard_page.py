"""The devices page tells what is not understood, who is refused, what has no name; and people act on it."""

from datetime import UTC, datetime

import pytest
from starlette.testclient import TestClient

from alarms.incident import Report, report
from alarms.kinds import AlarmKind, AlarmSource
from care import proposals, registry, unheard
from dashboard import live
from database.connections import Connection
from identity.model import Actor
from protocol.model import DeviceKind, DeviceProposal, UnheardField, UnheardReport
from tests.care.conftest import County
from tests.dashboard.conftest import one_line, sign_in
from tests.ingest.conftest import eventually

KEY = "plain:cord-1"


@pytest.fixture
def gateway(owner: Connection, county: County) -> int:
    device = registry.add_device(owner, site=county.home, kind=DeviceKind.GATEWAY, name="gateway-0001").device
    proposed = DeviceProposal(key=KEY, label="床边拉绳", kind=DeviceKind.PULL_CORD, says=("alarm.sos",))
    assert proposals.record(owner, device.id, proposed)
    field = UnheardField(count=3, reason="unknown", example="1")
    unheard.record(owner, device.id, UnheardReport(devices={KEY: {"anbao_flag": field}}))
    return device.id


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks often whether the database takes what is written; ask for it before `visitor`."""
    monkeypatch.setattr(live, "CHECK_S", 0.05)


def health(visitor: TestClient) -> tuple[int, bool]:
    answer = visitor.get("/api/health")
    return answer.status_code, answer.json()["ok"]


def test_what_is_this(visitor: TestClient, gateway: int) -> None:
    browser = sign_in(visitor, "town")
    assert "anbao_flag" in browser.get("/county/devices").text
    what: dict[str, str | int] = {"gateway": gateway, "key": KEY, "path": "anbao_flag"}
    assert "床边拉绳" in browser.get("/county/devices/unheard", params=what).text
    means = {**what, "says": "alarm.sos", "raised_by": "1"}
    assert "会记为" in browser.post("/county/devices/unheard/try", data=means).text
    assert browser.post("/county/devices/unheard/teach", data=means).headers["HX-Refresh"] == "true"
    assert browser.get("/county/devices/unheard/mappings.json").json() == {
        str(gateway): {KEY: {"anbao_flag": {"says": "alarm.sos", "raised_by": "1"}}}
    }
    assert browser.post("/county/devices/unheard/teach", data=what).status_code == 422


@pytest.mark.usefixtures("often")
def test_who_is_refused_and_a_disk_that_fills_are_told(
    visitor: TestClient, owner: Connection, county: County
) -> None:
    button = county.button.device.name
    owner.execute(
        "INSERT INTO readings.refusal (reason, name, address, count) VALUES"
        " ('not_authorised', %s, '192.0.2.7', 12), ('not_authorised', 'made-up', '192.0.2.8', 1)",
        (button,),
    )
    page = one_line(sign_in(visitor, "wang").get("/county/devices").text)
    assert button in page and "192.0.2.7" in page and "设备已登记，但密钥不对" in page
    assert "made-up" not in page, "of nobody's place"
    assert "磁盘快满了" not in page
    owner.execute("INSERT INTO readings.disk VALUES ('centre', now(), 200000000, 500000000000)")
    page = sign_in(visitor, "county").get("/county/devices").text
    assert "made-up" in page and "磁盘快满了" in page
    eventually(lambda: health(visitor) == (200, True))
    owner.execute("UPDATE readings.disk SET free_bytes = 1000000")
    eventually(lambda: health(visitor) == (503, False))


@pytest.mark.usefixtures("often")
def test_a_database_that_takes_no_writing_is_not_healthy(visitor: TestClient, owner: Connection) -> None:
    eventually(lambda: health(visitor) == (200, True))
    owner.execute("DROP TABLE care.write_probe")
    owner.execute("CREATE VIEW care.write_probe AS SELECT now() AS at LIMIT 1")
    eventually(lambda: health(visitor) == (503, False))


def test_an_alarm_of_nobodys_device_tells_where_it_hangs(
    visitor: TestClient, owner: Connection, county: County, gateway: int
) -> None:
    told = Report(
        site_id=county.home.id,
        kind=AlarmKind.SOS,
        happened_at=datetime.now(UTC),
        actor=Actor("gateway-0001"),
        source=AlarmSource.DEVICE,
        device_id=gateway,
        proposal_key=KEY,
    )
    report(owner, told)
    page = one_line(sign_in(visitor, "wang").get("/desk").text)
    assert "床边拉绳" in page and "由网关 gateway-0001 接收" in page


def test_a_device_that_watches_nobody_is_given_to_somebody(
    visitor: TestClient, owner: Connection, county: County
) -> None:
    loose = registry.add_device(owner, site=county.home, kind=DeviceKind.SOS_BUTTON, name="loose-1").device
    browser = sign_in(visitor, "town")
    assert "loose-1" in browser.get("/county/devices").text
    assert county.mother.name in browser.get("/county/devices/assign", params={"device": loose.id}).text
    for watches in ("", "nobody:1", f"resident:{county.stranger.id}"):
        wrong = browser.post("/county/devices/assign", data={"device": loose.id, "watches": watches})
        assert wrong.status_code == 422, watches
    right = {"device": loose.id, "watches": f"resident:{county.mother.id}"}
    assert browser.post("/county/devices/assign", data=right).headers["HX-Refresh"] == "true"
    assert registry.device_by_name(owner, "loose-1").resident_id == county.mother.id
    assert sign_in(visitor, "wang").post("/county/devices/assign", data=right).status_code == 403
