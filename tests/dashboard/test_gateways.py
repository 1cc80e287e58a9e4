"""Gateways on the devices page, and what boxes are told."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from care import proposals, registry
from dashboard.app import create_app
from dashboard.devices.words import said
from dashboard.languages import language
from dashboard.settings import Settings
from database.connections import Connection
from deploy.authority import Authority
from identity.secrets import hash_device_secret
from protocol.enrolment import PairingCode, new_secret
from protocol.model import DeviceKind, DeviceProposal
from tests.care.conftest import County
from tests.dashboard.conftest import sign_in
from tests.servers import Database

HTMX = {"HX-Request": "true"}
KEY = "zigbee2mqtt:0x01"
STATE = """INSERT INTO readings.device_state (device_id, last_seen_at, online, queued, dropped, clock_off_ms)
    VALUES (%s, now(), true, %s, %s, %s)"""


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    authority = Authority(folder=tmp_path / "authority")
    authority.prepare()
    return authority


@pytest.fixture
def app(database: Database, authority: Authority) -> FastAPI:
    return create_app(
        Settings(database_url=database.web_url, beat_s=0.5, authority=str(authority.certificate))
    )


@pytest.fixture
def clerk(county: County, visitor: TestClient) -> TestClient:
    return sign_in(visitor, "county")


@pytest.fixture
def box(app: FastAPI, county: County) -> Iterator[TestClient]:
    with TestClient(app, base_url="https://centre") as client:
        yield client


@pytest.fixture
def gateway(owner: Connection, county: County) -> int:
    device = registry.add_device(owner, site=county.home, kind=DeviceKind.GATEWAY, name="gateway-0001").device
    says = ("alarm.fall", "vitals.hr", "status.battery", "status.tamper_count")
    proposals.record(
        owner, device.id, DeviceProposal(key=KEY, vendor="Heiman", product="<b>HS1FD", says=says)
    )
    return device.id


def code_on(page: str) -> str:
    return page.partition('id="pairing-code">')[2].partition("<")[0]


def broker_learns_at_once(owner: Connection) -> None:
    """In the place of ingest, which is not running here."""
    owner.execute(
        "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NEW.told_at := now(); RETURN NEW; END $$"
    )
    owner.execute(
        "CREATE TRIGGER tell BEFORE INSERT ON care.gateway_credential FOR EACH ROW EXECUTE FUNCTION tell()"
    )


def test_new_devices_are_shown_and_adopted(
    clerk: TestClient, owner: Connection, county: County, gateway: int
) -> None:
    page = clerk.get("/county/devices").text
    for text in (
        "新设备",
        KEY,
        "Heiman &lt;b&gt;HS1FD",
        "类型不明",
        "青石敬老院",
        "跌倒",
        "心率",
        "status.tamper_count",
    ):
        assert text in page
    form = clerk.get("/county/devices/proposals", params={"gateway": gateway, "key": KEY}, headers=HTMX).text
    assert "李秀英 · 101 房 · 1 床" in form
    data = {"gateway": gateway, "key": KEY, "kind": "", "watches": f"resident:{county.mother.id}"}
    missing = clerk.post("/county/devices/adopt", data=data, headers=HTMX)
    assert (missing.status_code, "请选择这是什么设备" in missing.text) == (422, True)
    done = clerk.post("/county/devices/adopt", data={**data, "kind": "fall_radar"}, headers=HTMX)
    assert (done.status_code, done.headers["HX-Refresh"]) == (200, "true")
    assert registry.device_by_name(owner, "fall-radar-0001").resident_id == county.mother.id
    assert KEY not in clerk.get("/county/devices").text
    again = clerk.post("/county/devices/adopt", data={**data, "kind": "fall_radar"}, headers=HTMX)
    assert again.status_code == 409


@pytest.mark.parametrize("watches", ["resident:", "resident:x", "gateway:1", "room:99999", "resident:²"])
def test_nonsense_is_refused(clerk: TestClient, gateway: int, watches: str) -> None:
    data = {"gateway": gateway, "key": KEY, "kind": "motion", "watches": watches}
    assert clerk.post("/county/devices/adopt", data=data, headers=HTMX).status_code == 422


def test_a_caregiver_sees_but_does_not_decide(visitor: TestClient, county: County, gateway: int) -> None:
    sign_in(visitor, "wang")
    page = visitor.get("/county/devices").text
    assert KEY in page
    assert "接入…" not in page
    assert "新增网关" not in page
    data = {"gateway": gateway, "key": KEY, "kind": "motion"}
    for path, form in (
        ("adopt", data),
        ("refuse", data),
        ("pairing", {"site": 1}),
        ("revoke", {"gateway": gateway}),
    ):
        refused = visitor.post(f"/county/devices/{path}", data=form, headers=HTMX)
        assert (refused.status_code, "只有主管人员和院长" in refused.text) == (403, True), path


@pytest.mark.parametrize(
    ("queued", "dropped", "clock_off_ms", "said"),
    [
        (0, 0, 0, "正常，没有待传的消息"),
        (1234, 0, 0, "1,234 条消息待补传"),
        (0, 56, 0, "有 56 条数据因存满被舍去；报警没有丢失"),
        (0, 0, 10_800_000, "时钟曾快 3 小时"),
        (0, 0, -7_200_000, "时钟曾慢 2 小时"),
        (None, None, None, "正常，没有待传的消息"),
    ],
)
def test_how_a_gateway_is_in_a_sentence(
    clerk: TestClient,
    owner: Connection,
    gateway: int,
    queued: int,
    dropped: int,
    clock_off_ms: int,
    said: str,
) -> None:
    owner.execute(STATE, (gateway, queued, dropped, clock_off_ms))
    page = clerk.get("/county/devices").text
    assert said in page


def test_a_box_is_paired_over_tls(
    clerk: TestClient, box: TestClient, owner: Connection, county: County, authority: Authority
) -> None:
    shown = clerk.post("/county/devices/pairing", data={"site": county.home.id}, headers=HTMX).text
    code = PairingCode.parse(code_on(shown))
    assert code.fits(authority.fingerprint())
    assert authority.fingerprint().hex(":").upper() in shown
    told = box.get("/api/gateways/authority").json()
    assert told == {
        "certificate": authority.certificate.read_text(),
        "https_port": 8443,
        "mqtt_port": 8883,
    }
    asked = {"code": str(code), "secret": new_secret()}
    assert clerk.post("/api/gateways/pair", json=asked).json()["error"]["code"] == "insecure"
    broker_learns_at_once(owner)
    answer = box.post("/api/gateways/pair", json=asked)
    assert answer.status_code == 200, answer.text
    enrolled = answer.json()
    assert (enrolled["site"], enrolled["gateway"], enrolled["mqtt_port"]) == ("home-a", "gateway-0001", 8883)
    assert code_on(shown) not in clerk.get("/county/devices").text
    assert box.post("/api/gateways/pair", json=asked).json() == enrolled, "the same box may ask again"
    other = box.post("/api/gateways/pair", json={**asked, "secret": new_secret()})
    assert (other.status_code, other.json()["error"]["code"]) == (403, "pairing_refused")
    secret = new_secret()
    mine = {"username": enrolled["username"], "secret": asked["secret"]}
    renewed = box.post("/api/gateways/rotate", json={**mine, "new_secret": secret})
    assert renewed.status_code == 200, renewed.text
    confirmed = box.post(
        "/api/gateways/confirm", json={"username": renewed.json()["username"], "secret": secret}
    )
    assert confirmed.status_code == 200
    assert box.post("/api/gateways/confirm", json=mine).status_code == 403


def test_guesses_are_locked_out(box: TestClient) -> None:
    codes = [
        box.post("/api/gateways/pair", json={"code": "0000-0000-0000", "secret": new_secret()})
        for _ in range(6)
    ]
    assert [answer.status_code for answer in codes] == [403] * 5 + [429]
    assert codes[-1].headers["Retry-After"] == "600"


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"\xff", b'{"code":"x","secret":"short"}', b'{"code":1,"secret":2}', b" " * 5000],
)
def test_rubbish_is_refused(box: TestClient, body: bytes) -> None:
    assert box.post("/api/gateways/pair", content=body).status_code == 422


def test_without_an_authority_nothing_is_paired(database: Database, county: County) -> None:
    with TestClient(create_app(Settings(database_url=database.web_url)), follow_redirects=False) as client:
        assert client.get("/api/gateways/authority").status_code == 404
        assert "新增网关" not in sign_in(client, "county").get("/county/devices").text


def test_a_locked_out_gateway_says_so(clerk: TestClient, owner: Connection, gateway: int) -> None:
    hashed = hash_device_secret("x" * 24)
    owner.execute("SELECT care.add_gateway_credential(%s, 'x', %s, %s, %s)", (gateway, *hashed))
    assert "已配对，但还没有收到消息" in clerk.get("/county/devices").text
    assert clerk.post("/county/devices/revoke", data={"gateway": gateway}, headers=HTMX).status_code == 200
    assert "已停用" in clerk.get("/county/devices").text


def test_every_word_of_the_model_can_be_said() -> None:
    says = [
        *(f"vitals.{sign}" for sign in ("hr", "weight")),
        "activity.motion",
        "alarm.sos",
        "status.battery",
        "odd",
    ]
    told = said([*says, "alarm.sos"], language("zh_CN"))
    assert told == ["心率", "体重", "有活动", "紧急呼救", "电池", "odd"]
