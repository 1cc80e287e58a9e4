"""The dashboard over a real database: as an application in this process, and as a process of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from dashboard.app import create_app
from dashboard.settings import Settings
from database.connections import Connection
from tests.care.conftest import COUNTY, PASSWORD, County
from tests.dashboard.running import Dashboard, running
from tests.dashboard.ward import WARD, Ward
from tests.servers import Database, DatabaseServer, Population, asked_for


@pytest.fixture
def population(request: pytest.FixtureRequest) -> Population[object] | None:
    return asked_for(request, ward=WARD, county=COUNTY)


@pytest.fixture
def county(database_server: DatabaseServer, owner: Connection) -> County:
    return database_server.content(COUNTY, owner)


@pytest.fixture
def ward(database_server: DatabaseServer, owner: Connection) -> Ward:
    ward = database_server.content(WARD, owner)
    ward.speak(owner)
    return ward


@pytest.fixture
def app(database: Database) -> FastAPI:
    return create_app(Settings(database_url=database.web_url, pool_wait_s=2, beat_s=0.5))


@pytest.fixture
def visitor(app: FastAPI) -> Iterator[TestClient]:
    """A browser that nobody has signed in with; redirections are shown, not followed."""
    with TestClient(app, follow_redirects=False) as client:
        yield client


def sign_in(client: TestClient, username: str) -> TestClient:
    """Sign `username` in with this client."""
    answer = client.post("/sign-in", data={"username": username, "password": PASSWORD})
    assert answer.status_code == 303, answer.text
    return client


def one_line(html: str) -> str:
    """HTML whose line breaks are spaces: where the template breaks its lines says nothing."""
    return " ".join(html.split())


@pytest.fixture
def caregiver(county: County, visitor: TestClient) -> TestClient:
    """王护理, who works in home-a."""
    return sign_in(visitor, "wang")


@pytest.fixture
def dashboard(database: Database, county: County, tmp_path: Path) -> Iterator[Dashboard]:
    """The dashboard as its own process."""
    with running(database.web_url, tmp_path, beat_s=1) as dashboard:
        yield dashboard
