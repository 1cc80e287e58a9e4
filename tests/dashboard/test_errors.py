"""One error handler, one JSON shape, the same sentence for people: pinned here."""

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from alarms.incident import Step, take
from alarms.kinds import AlarmKind
from alarms.model import AlarmStep
from dashboard.app import create_app
from dashboard.security import HEADERS
from dashboard.settings import Settings
from database.connections import Connection
from identity.sessions import actor_of
from tests.care.conftest import County
from tests.dashboard.ward import Ward

HTMX = {"HX-Request": "true"}


def test_programs_get_one_shape(caregiver: TestClient) -> None:
    answer = caregiver.post("/api/alarms/999/steps/acknowledged", json={})
    assert answer.status_code == 404
    assert answer.json() == {
        "error": {
            "code": "not_found",
            "message": "这里没有内容，或者您无权查看。",
            "detail": {"alarm_id": "999"},
        }
    }


def test_the_loser_is_told_who_and_when(
    caregiver: TestClient, owner: Connection, county: County, ward: Ward
) -> None:
    alarm = ward.alarm(owner, 0, AlarmKind.SOS)
    take(owner, alarm.id, Step(step=AlarmStep.ACKNOWLEDGED, actor=actor_of(county.colleague)))
    answer = caregiver.post(f"/alarms/{alarm.id}/steps/acknowledged", headers=HTMX)
    assert answer.status_code == 409
    assert "刘护理 先您一步" in answer.text
    assert answer.headers["HX-Retarget"] == "#notices"
    assert answer.headers["HX-Trigger"] == '{"step-refused": {"final": true}}'
    program = caregiver.post(f"/api/alarms/{alarm.id}/steps/acknowledged", json={})
    assert program.status_code == 409
    error = program.json()["error"]
    assert error["code"] == "already_taken"
    assert error["detail"]["actor"] == "刘护理"
    assert "刘护理" in error["message"]


def test_what_must_come_first_is_said(caregiver: TestClient, owner: Connection, ward: Ward) -> None:
    alarm = ward.alarm(owner, 0, AlarmKind.SOS)
    caregiver.post(f"/alarms/{alarm.id}/steps/acknowledged", headers=HTMX)
    early = caregiver.post(f"/alarms/{alarm.id}/steps/resolved", headers=HTMX, data={"note": "没事"})
    assert (early.status_code, "须先有人到场" in early.text) == (422, True)
    caregiver.post(f"/alarms/{alarm.id}/steps/arrived", headers=HTMX)
    silent = caregiver.post(f"/alarms/{alarm.id}/steps/resolved", headers=HTMX, data={"note": "  "})
    assert (silent.status_code, "请简单写明" in silent.text) == (422, True)
    caregiver.post(f"/alarms/{alarm.id}/steps/resolved", headers=HTMX, data={"note": "没事"})
    untold = caregiver.post(f"/alarms/{alarm.id}/steps/closed", headers=HTMX, data={"told_way": "phone"})
    assert (untold.status_code, "告知家属" in untold.text) == (422, True)
    again = caregiver.post(f"/alarms/{alarm.id}/steps/cancelled", headers=HTMX, data={"note": "x"})
    assert again.status_code == 409


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/residents/999", 404),
        ("GET", "/residents/abc", 422),
        ("GET", "/alarms/99999999999999999999", 422),
        ("POST", "/desk", 405),
        ("GET", "/desk?site=0", 422),
    ],
)
def test_pages_get_a_page(caregiver: TestClient, method: str, path: str, status: int) -> None:
    answer = caregiver.request(method, path)
    assert answer.status_code == status
    assert "<!doctype html>" in answer.text
    assert "没有成功" in answer.text
    assert "Traceback" not in answer.text


def test_a_mistake_of_ours_tells_nothing_of_it(app: FastAPI) -> None:
    @app.get("/api/broken")
    def broken() -> None:
        raise RuntimeError("a secret detail")

    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.get("/api/broken", headers={"Accept-Language": "en"})
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal"
    assert "secret" not in answer.text
    for name, value in HEADERS.items():
        assert answer.headers[name] == value, "a mistake opens no door"


@pytest.mark.parametrize("path", ["/broken", "/static/x", "/api/nowhere", "/sign-in"])
def test_every_header_is_there_just_once(app: FastAPI, path: str) -> None:
    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError

    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.get(path)
    for name, value in HEADERS.items():
        assert answer.headers.get_list(name) == [value]


def test_without_a_database_people_are_told_to_wait() -> None:
    nobody_listens = "postgresql://anshou_web:x@127.0.0.1:1/none"
    with TestClient(create_app(Settings(database_url=nobody_listens, pool_wait_s=0.2))) as client:
        page = client.get("/desk", headers={"Cookie": f"anshou_session={'x' * 64}"}, follow_redirects=False)
        health = client.get("/api/health")
    assert page.status_code == 503
    assert page.headers["Retry-After"] == "5"
    assert "数据库没有响应" in page.text
    assert (health.status_code, health.json()) == (503, {"ok": False})
