"""Who gets in, what the cookie is like, and who cannot act in somebody's name."""

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from alarms.kinds import AlarmKind
from dashboard.app import create_app
from dashboard.security import own_path
from dashboard.settings import Settings
from database.connections import Connection
from tests.care.conftest import PASSWORD, County
from tests.dashboard.conftest import sign_in
from tests.dashboard.ward import Ward
from tests.servers import Database

PAGES = [
    "/",
    "/desk",
    "/desk/alarms",
    "/desk/beds",
    "/county",
    "/county/devices",
    "/county/detectors",
    "/alarms/1/feedback",
    "/alarms/1",
    "/residents/1",
]
DATA = ["/live", "/api/me", "/api/alarms", "/api/residents/1/signs", "/api/alarms/1/evidence"]


def test_a_session_begins_and_ends(county: County, visitor: TestClient) -> None:
    answer = visitor.post(
        "/sign-in", data={"username": " WANG ", "password": PASSWORD, "next": "/residents/1?x=2"}
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/residents/1?x=2")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert visitor.get("/api/me").json()["name"] == "王护理"
    token = visitor.cookies["anshou_session"]
    assert visitor.post("/sign-out").headers["location"] == "/sign-in"
    again = visitor.get("/api/me", headers={"Cookie": f"anshou_session={token}"})
    assert again.status_code == 401, "the token is dead, not only forgotten"


@pytest.mark.parametrize(("username", "password"), [("wang", "wrong"), ("nobody", PASSWORD)])
def test_a_wrong_name_and_a_wrong_password_look_alike(
    county: County, visitor: TestClient, username: str, password: str
) -> None:
    answer = visitor.post("/sign-in", data={"username": username, "password": password})
    assert answer.status_code == 401
    assert "用户名或密码不正确。" in answer.text
    assert "set-cookie" not in answer.headers


def failed(owner: Connection, username: str, address: str, times: int) -> None:
    owner.execute(
        "INSERT INTO care.sign_in_attempt (username, address, succeeded)"
        " SELECT %s, %s, false FROM generate_series(1, %s)",
        (username, address, times),
    )


def test_after_failures_the_door_stays_shut_and_says_how_long(
    county: County, visitor: TestClient, owner: Connection
) -> None:
    failed(owner, "wang", "testclient", 20)
    answer = visitor.post("/sign-in", data={"username": "wang", "password": PASSWORD})
    assert answer.status_code == 429
    assert 290 < int(answer.headers["Retry-After"]) <= 300
    assert "5 分钟" in answer.text


def test_nobody_is_locked_out_by_guesses_from_elsewhere(
    county: County, visitor: TestClient, owner: Connection
) -> None:
    failed(owner, "wang", "192.0.2.1", 200)
    sign_in(visitor, "wang")


def test_a_new_session_ends_the_browser_s_old_one(county: County, visitor: TestClient) -> None:
    first = sign_in(visitor, "wang").cookies["anshou_session"]
    second = sign_in(visitor, "liu").cookies["anshou_session"]
    visitor.cookies.clear()
    for token, status in ((first, 401), (second, 200)):
        assert visitor.get("/api/me", headers={"Cookie": f"anshou_session={token}"}).status_code == status


def test_over_tls_the_cookies_are_bound_to_this_host(
    county: County, app: FastAPI, database: Database
) -> None:
    with TestClient(app, base_url="https://localhost", follow_redirects=False) as client:
        answer = client.post("/sign-in", data={"username": "wang", "password": PASSWORD})
        session = answer.headers["set-cookie"]
        assert session.startswith("__Host-anshou_session=")
        assert {"Secure", "HttpOnly", "Path=/"} <= set(session.split("; "))
        assert "domain" not in session.lower()
        assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
        assert "Secure" in client.post("/language", data={"code": "en"}).headers["set-cookie"]
        assert client.get("/api/me").status_code == 200
        token = session.partition("=")[2].partition(";")[0]
        client.cookies.clear()
        forged = client.get("/api/me", headers={"Cookie": f"anshou_session={token}"})
        assert forged.status_code == 401, "a cookie that a page without TLS could have set"
    with TestClient(create_app(Settings(database_url=database.web_url))) as client:
        assert "Strict-Transport-Security" not in client.get("/sign-in").headers


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("localhost:8080", True),
        ("127.0.0.1:8080", True),
        ("[::1]:8443", True),
        ("192.0.2.7", True),
        ("anshou", True),
        ("desk.local", True),
        ("desk.example", True),
        ("DESK.example.:443", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("desk.example.evil.example", False),
        ("", False),
        ("[::1", False),
    ],
)
def test_only_names_that_are_ours_are_answered(database: Database, host: str, *, is_ours: bool) -> None:
    app = create_app(Settings(database_url=database.web_url, host_names=" desk.example , other.example"))
    with TestClient(app, follow_redirects=False) as client:
        for method, path in (("GET", "/sign-in"), ("POST", "/language"), ("GET", "/api/me")):
            answer = client.request(method, path, headers={"Host": host, "Origin": f"http://{host}"})
            assert (answer.status_code == 421) is not is_ours, answer.status_code


@pytest.mark.parametrize("cookie", [r'anshou_session="\000x"', "anshou_session=x", 'anshou_session="a b"'])
@pytest.mark.parametrize("path", ["/desk", "/live", "/api/me", "/"])
def test_a_cookie_that_is_none_of_ours_is_no_session(visitor: TestClient, path: str, cookie: str) -> None:
    assert visitor.get(path, headers={"Cookie": cookie}).status_code in (303, 401)


NUL = "a\x00b"


@pytest.mark.parametrize(
    ("method", "path", "data"),
    [
        ("POST", "/sign-in", {"username": NUL, "password": NUL}),
        ("POST", "/alarms/1/notes", {"note": NUL}),
        ("POST", "/alarms/1/steps/cancelled", {"note": NUL}),
        ("POST", "/alarms/1/steps/closed", {"told_at": "1", "told_way": "phone", "told_person": NUL}),
        ("POST", "/alarms/1/feedback", {"verdict": "true", "note": NUL}),
        ("POST", "/alarms/1/steps/acknowledged", {"key": NUL}),
        ("GET", "/county/devices/proposals?gateway=1&key=%00", {}),
        ("POST", "/county/devices/adopt", {"gateway": "1", "key": NUL, "name": NUL}),
    ],
)
def test_a_zero_byte_is_no_value(
    visitor: TestClient, owner: Connection, ward: Ward, method: str, path: str, data: dict[str, str]
) -> None:
    alarm = ward.alarm(owner, 0, AlarmKind.SOS)
    if "closed" in path:
        owner.execute("UPDATE care.alarm SET state = 'resolved' WHERE id = %s", (alarm.id,))
    sign_in(visitor, "county")
    answer = visitor.request(method, path.replace("/1/", f"/{alarm.id}/"), data=data)
    assert 400 <= answer.status_code < 500, (answer.status_code, answer.text)


def test_strangers_learn_nothing_from_the_health(visitor: TestClient) -> None:
    assert visitor.get("/api/health").json() in ({"ok": True}, {"ok": False})


@pytest.mark.parametrize("path", PAGES)
def test_a_page_leads_to_the_sign_in_and_back(visitor: TestClient, path: str) -> None:
    answer = visitor.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in?next=%2F")


@pytest.mark.parametrize("path", DATA)
def test_data_is_refused_without_a_session(visitor: TestClient, path: str) -> None:
    answer = visitor.get(path)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "no_session"


def test_a_part_of_a_page_sends_the_whole_page_to_the_sign_in(visitor: TestClient) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/desk?site=1"}
    answer = visitor.get("/desk/beds", headers=headers)
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (401, "/sign-in?next=%2Fdesk%3Fsite%3D1")


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_another_site_cannot_act_here(caregiver: TestClient, headers: dict[str, str]) -> None:
    for path in ("/sign-out", "/language", "/alarms/1/steps/acknowledged", "/alarms/1/feedback", "/sign-in"):
        answer = caregiver.post(path, headers=headers, data={})
        assert answer.status_code == 403, path
    assert caregiver.get("/api/me").status_code == 200


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://testserver"}, {}], ids=str
)
def test_our_own_pages_may(caregiver: TestClient, headers: dict[str, str]) -> None:
    assert caregiver.post("/language", headers=headers, data={"code": "en"}).status_code == 303


@pytest.mark.parametrize(
    ("wanted", "goes_to"),
    [
        ("/desk?site=1", "/desk?site=1"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("/desk\r\nSet-Cookie: x=1", "/"),
        ("", "/"),
    ],
)
def test_nobody_is_led_astray(wanted: str, goes_to: str) -> None:
    assert own_path(wanted) == goes_to


def test_the_language_stays_with_the_person(county: County, visitor: TestClient) -> None:
    assert "登录" in visitor.get("/sign-in", headers={"Accept-Language": "zh"}).text
    assert "Sign in" in visitor.get("/sign-in", headers={"Accept-Language": "en"}).text
    visitor.post("/language", data={"code": "en", "next": "/sign-in"})
    assert "Sign in" in visitor.get("/sign-in", headers={"Accept-Language": "zh"}).text
    sign_in(visitor, "wang")
    assert '<html lang="zh-CN">' in visitor.get("/desk").text, "the record's language wins over the browser's"
    visitor.post("/language", data={"code": "en", "next": "/desk"})
    assert '<html lang="en">' in visitor.get("/desk").text
    visitor.post("/language", data={"code": "xx"})
    assert visitor.get("/api/me").json()["language"] == "en"


def test_every_answer_is_guarded(caregiver: TestClient) -> None:
    for path in ("/desk", "/sign-in", "/nowhere", "/api/me"):
        headers = caregiver.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "no-store"


def test_files_are_kept_for_ever_under_their_version(visitor: TestClient) -> None:
    page = visitor.get("/sign-in").text
    address = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
    answer = visitor.get(address)
    assert answer.status_code == 200
    assert "immutable" in answer.headers["Cache-Control"]
    assert visitor.get("/static/other/css/anshou.css").status_code == 404
    assert visitor.get(f"{address}/../../../../app.py").status_code == 404
