"""The REST API describes itself: for programs, and on a page for people."""

import re

from starlette.testclient import TestClient

from dashboard.api.reference import operations


def test_programs_read_what_they_may_ask_and_no_pages(visitor: TestClient) -> None:
    answer = visitor.get("/api/openapi.json")
    assert answer.status_code == 200
    described = answer.json()
    assert described["openapi"].startswith("3.")
    assert re.fullmatch(r"\d+\.\d+\.\d+", described["info"]["version"])
    assert {"/api/alarms", "/api/me", "/api/health", "/api/residents/{resident_id}/signs"} <= set(
        described["paths"]
    )
    assert not [path for path in described["paths"] if not path.startswith("/api/")]


def test_every_operation_says_what_it_does(visitor: TestClient) -> None:
    for operation in operations(visitor.get("/api/openapi.json").json()):
        assert operation.text, f"{operation.method} {operation.path} has no words"


def test_people_read_the_same_on_a_page_of_ours(visitor: TestClient) -> None:
    page = visitor.get("/api/docs", headers={"accept-language": "en"})
    assert page.status_code == 200
    for operation in operations(visitor.get("/api/openapi.json").json()):
        assert f"{operation.method} {operation.path}" in page.text
    assert "Idempotency-Key" in page.text
    assert "family_notice" in page.text
    assert not re.findall(r'(?:src|href)="https?://', page.text), "nothing from elsewhere"
    assert "程序接口" in visitor.get("/api/docs", headers={"accept-language": "zh-CN"}).text
