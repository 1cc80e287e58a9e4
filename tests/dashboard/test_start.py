"""The process: what it refuses to start with, and how fast it starts."""

import os
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from dashboard.app import create_app
from dashboard.errors import ExposedError, UnfitRoleError
from dashboard.guard import connections_each, require_bound_role, require_private_words
from dashboard.live import Watcher
from dashboard.settings import Settings
from database.connections import Connection
from protocol.environment import SettingsError, read_settings
from tests.care.conftest import PASSWORD, County
from tests.dashboard.conftest import sign_in
from tests.dashboard.running import Dashboard, running
from tests.servers import Database

STOP_S_MAX = 4.0
"""Generous: the machine of a test run has other things to do."""


def start(**environ: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ANSHOU_")}
    return subprocess.run(
        [sys.executable, "-m", "dashboard"],
        env={**clean, **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_web_s_own_role_is_fit(database: Database) -> None:
    require_bound_role(database.web_url)


@pytest.mark.parametrize(
    ("role", "complaint"),
    [("owner_url", "is a superuser"), ("service_url", "can read the schema `readings`")],
)
def test_a_role_that_sees_too_much_is_refused(database: Database, role: str, complaint: str) -> None:
    with pytest.raises(UnfitRoleError, match=complaint):
        require_bound_role(getattr(database, role))


def test_a_role_that_bypasses_row_security_is_refused(database: Database, owner: Connection) -> None:
    owner.execute("ALTER ROLE anshou_web BYPASSRLS")
    try:
        with pytest.raises(UnfitRoleError, match="bypasses row security"):
            require_bound_role(database.web_url)
    finally:
        owner.execute("ALTER ROLE anshou_web NOBYPASSRLS")


@pytest.mark.parametrize("options", ["WITH INHERIT TRUE", "WITH INHERIT FALSE", "WITH ADMIN TRUE, SET FALSE"])
def test_a_role_that_is_a_member_of_another_is_refused(
    database: Database, owner: Connection, options: str
) -> None:
    """Also where it does not inherit: it could take the other's rights on."""
    owner.execute(f"GRANT anshou_ingest TO anshou_web {options}")
    try:
        with pytest.raises(UnfitRoleError, match="is a member of other roles"):
            require_bound_role(database.web_url)
    finally:
        owner.execute("REVOKE anshou_ingest FROM anshou_web")


@pytest.mark.parametrize(
    ("limit", "workers", "connections"),
    [(-1, 64, 10), (78, 1, 10), (78, 4, 8), (38, 1, 10), (38, 2, 8), (38, 4, 3), (10, 8, 1)],
)
def test_all_processes_fit_into_the_limit_of_their_role(
    database: Database, owner: Connection, limit: int, workers: int, connections: int
) -> None:
    settings = Settings(database_url=database.web_url, workers=workers)
    with limited(owner, limit):
        assert connections_each(settings) == connections


@contextmanager
def limited(owner: Connection, limit: int) -> Iterator[None]:
    """The web's role with this limit; roles are the whole server's."""
    row = owner.execute("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'anshou_web'").fetchone()
    assert row is not None
    owner.execute(f"ALTER ROLE anshou_web CONNECTION LIMIT {limit}")
    try:
        yield
    finally:
        owner.execute(f"ALTER ROLE anshou_web CONNECTION LIMIT {row['rolconnlimit']}")


def test_an_empty_database_is_told_apart(empty_database: str) -> None:
    with pytest.raises(UnfitRoleError, match="anshou migrate"):
        require_bound_role(empty_database)


def test_the_process_says_in_one_line_what_is_wrong(database: Database) -> None:
    as_owner = start(ANSHOU_DATABASE_URL=database.owner_url)
    assert as_owner.returncode == 2
    assert as_owner.stderr.startswith("anshou dashboard: the dashboard refuses to start: its database role")
    assert "Traceback" not in as_owner.stderr
    mistyped = start(ANSHOU_DATABASE_URL=database.web_url, ANSHOU_DASHBOARD_PROT="1")
    assert (mistyped.returncode, "did you mean ANSHOU_DASHBOARD_PORT?" in mistyped.stderr) == (2, True)
    away = start(ANSHOU_DATABASE_URL="postgresql://anshou_web:x@127.0.0.1:1/none")
    assert (away.returncode, "cannot connect to the database" in away.stderr) == (1, True)


def test_it_starts_with_one_worker_and_with_several(database: Database, tmp_path: Path) -> None:
    for workers in (1, 2):
        dashboard = Dashboard(database.web_url, tmp_path / f"{workers}.log", workers=workers)
        try:
            dashboard.start()
        finally:
            dashboard.stop()


@pytest.mark.parametrize("setting", [field.name for field in msgspec.structs.fields(Settings)])
def test_every_setting_is_explained(setting: str) -> None:
    assert f"\n        {setting}: " in (Settings.__doc__ or "") or f"    {setting}:" in (
        Settings.__doc__ or ""
    )


@pytest.mark.parametrize(("name", "value"), [("PORT", "70000"), ("POOL_SIZE_MAX", "0"), ("BEAT_S", "-1")])
def test_a_setting_beyond_its_limits_is_refused(name: str, value: str) -> None:
    environ = {"ANSHOU_DATABASE_URL": "postgresql://x/y", f"ANSHOU_DASHBOARD_{name}": value}
    with pytest.raises(SettingsError, match=f"ANSHOU_DASHBOARD_{name}"):
        read_settings(Settings, "dashboard", environ)


def test_it_stops_promptly_though_pages_are_open(database: Database, county: County, tmp_path: Path) -> None:
    with running(database.web_url, tmp_path) as dashboard:
        body = urllib.parse.urlencode({"username": "wang", "password": PASSWORD}).encode()
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with browser.open(dashboard.url("/sign-in"), body, timeout=20) as answer:
            assert answer.status == 200
        with browser.open(dashboard.url("/live"), timeout=20) as stream:
            assert stream.readline().startswith(b"id: ")
            started = time.monotonic()
            dashboard.stop()
            assert time.monotonic() - started < STOP_S_MAX


def test_more_live_pages_than_allowed_are_told_to_wait(database: Database, county: County) -> None:
    app = create_app(Settings(database_url=database.web_url, streams_max=1))
    hub = app.state.context.hub
    with TestClient(app, follow_redirects=False) as client:
        sign_in(client, "wang")
        hub.take_seat(Watcher(), county.outsider.id, 1, 1)
        answer = client.get("/live")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "busy")


@pytest.mark.parametrize(
    ("settings", "is_refused"),
    [
        ({}, False),
        ({"host": "localhost"}, False),
        ({"host": "127.0.0.2"}, False),
        ({"host": "::1"}, False),
        ({"host": "0.0.0.0"}, True),
        ({"host": "::"}, True),
        ({"host": "192.0.2.7"}, True),
        ({"host": "desk.example"}, True),
        ({"host": "0.0.0.0", "trusted_proxies": " "}, True),
        ({"host": "0.0.0.0", "trusted_proxies": "192.0.2.1"}, False),
        ({"host": "0.0.0.0", "plain_http": True}, False),
        ({"host": "0.0.0.0", "tls_certificate": "a.pem", "tls_key": "a.key"}, False),
    ],
)
def test_passwords_do_not_cross_a_network_in_the_clear(settings: dict[str, Any], is_refused: bool) -> None:
    wanted = Settings(database_url="postgresql://x/y", **settings)
    with pytest.raises(ExposedError, match="in the clear") if is_refused else nullcontext():
        require_private_words(wanted)


def test_a_network_without_tls_stops_the_start(database: Database) -> None:
    refused = start(ANSHOU_DATABASE_URL=database.web_url, ANSHOU_DASHBOARD_HOST="0.0.0.0")
    assert refused.returncode == 2
    assert "ANSHOU_DASHBOARD_TLS_CERTIFICATE" in refused.stderr
    assert "Traceback" not in refused.stderr
