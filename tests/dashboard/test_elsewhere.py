"""Over plain HTTP, another machine is told where the pages are, and nothing else."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from dashboard.app import create_app
from dashboard.serving import Certificates
from dashboard.settings import Settings
from deploy.authority import Authority
from protocol.enrolment import SERVER_NAME, shown
from tests.care.conftest import County
from tests.servers import Database

HTTPS_PORT = 8443
BROWSER = {"accept": "text/html,application/xhtml+xml", "accept-language": "en"}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority(folder=tmp_path / "authority")
    made.prepare(["10.1.2.3"])
    return made


@pytest.fixture
def app(database: Database, authority: Authority) -> FastAPI:
    return create_app(
        Settings(
            database_url=database.web_url,
            authority=str(authority.certificate),
            tell_https_port=HTTPS_PORT,
        )
    )


@pytest.fixture
def stranger(app: FastAPI, county: County) -> Iterator[TestClient]:
    """Somebody at another machine."""
    with TestClient(app, base_url="http://192.0.2.7:8080", follow_redirects=False) as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/desk", "/sign-in", "/county/devices"])
def test_a_browser_elsewhere_reads_where_the_pages_are(
    stranger: TestClient, authority: Authority, path: str
) -> None:
    answer = stranger.get(path, headers=BROWSER)
    assert answer.status_code == 200
    assert f'href="https://192.0.2.7:{HTTPS_PORT}/"' in answer.text
    assert shown(authority.fingerprint()) in answer.text
    assert 'name="password"' not in answer.text


def test_it_reads_so_in_chinese(stranger: TestClient) -> None:
    assert "请用加密地址打开" in stranger.get("/", headers={"accept": "text/html"}).text


def test_a_program_elsewhere_is_sent_there(stranger: TestClient) -> None:
    answer = stranger.get("/api/alarms?open=1", headers={"accept": "application/json"})
    assert answer.status_code == 307
    assert answer.headers["location"] == f"https://192.0.2.7:{HTTPS_PORT}/api/alarms?open=1"


def test_a_password_that_comes_in_clear_is_refused_unread(stranger: TestClient) -> None:
    answer = stranger.post("/sign-in", data={"username": "wang", "password": "x"}, headers=BROWSER)
    assert answer.status_code == 403
    assert "encrypted connection" in answer.text
    assert "set-cookie" not in answer.headers


def test_what_is_no_secret_is_told_to_everybody(stranger: TestClient, authority: Authority) -> None:
    told = stranger.get("/api/gateways/authority").json()
    assert told["certificate"] == authority.certificate.read_text()
    assert (told["https_port"], told["mqtt_port"]) == (8443, 8883)
    assert set(stranger.get("/api/health").json()) == {"ok"}
    file = stranger.get("/authority.crt")
    assert file.text == authority.certificate.read_text()
    assert file.headers["content-type"] == "application/x-x509-ca-cert"


@pytest.mark.parametrize("base", ["http://127.0.0.1:8080", "http://[::1]:8080", "https://192.0.2.7:8443"])
def test_this_machine_and_encrypted_connections_see_the_pages(app: FastAPI, base: str) -> None:
    with TestClient(app, base_url=base) as client:
        assert 'name="password"' in client.get("/sign-in", headers=BROWSER).text


def test_without_such_a_port_everybody_is_served(database: Database) -> None:
    app = create_app(Settings(database_url=database.web_url))
    with TestClient(app, base_url="http://192.0.2.7:8080") as client:
        assert 'name="password"' in client.get("/sign-in", headers=BROWSER).text
        assert client.get("/elsewhere").status_code == 404
        assert client.get("/authority.crt").status_code == 404


def certificate_shown(context: ssl.SSLContext, name: str) -> bytes:
    """What a client that asks for `name` is shown; both sides speak through memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = ssl.create_default_context()
    asking.check_hostname, asking.verify_mode = False, ssl.CERT_NONE
    client = asking.wrap_bio(to_client, to_server, server_hostname=name)
    server = context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(3):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    shown_now = client.getpeercert(binary_form=True)
    assert shown_now is not None
    return shown_now


def test_browsers_are_shown_ones_own_certificate_and_gateways_the_centres(tmp_path: Path) -> None:
    centre, own = Authority(folder=tmp_path / "centre"), Authority(folder=tmp_path / "own")
    centre.prepare()
    own.prepare(["desk.example"])
    settings = Settings(
        database_url="",
        tls_certificate=str(own.server_certificate),
        tls_key=str(own.server_key),
        tls_gateway_certificate=str(centre.server_certificate),
        tls_gateway_key=str(centre.server_key),
    )

    def usual() -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(own.server_certificate, own.server_key)
        return context

    context = Certificates(settings)(None, usual)  # type: ignore[arg-type]
    der = {a: ssl.PEM_cert_to_DER_cert(a.server_certificate.read_text()) for a in (centre, own)}
    assert certificate_shown(context, "desk.example") == der[own]
    assert certificate_shown(context, SERVER_NAME) == der[centre]
