"""Who gets in, what the cookie is like, and who cannot act in somebody's name."""

import pytest
from starlette.testclient import TestClient

from dashboard.security import own_path
from database.connections import Connection
from tests.care.conftest import PASSWORD, County
from tests.dashboard.conftest import sign_in

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


def test_after_ten_failures_the_door_stays_shut(
    county: County, visitor: TestClient, owner: Connection
) -> None:
    owner.execute(
        "INSERT INTO care.sign_in_attempt (username, succeeded)"
        " SELECT 'wang', false FROM generate_series(1, 10)"
    )
    answer = visitor.post("/sign-in", data={"username": "wang", "password": PASSWORD})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "300")
    assert "五分钟" in answer.text


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
