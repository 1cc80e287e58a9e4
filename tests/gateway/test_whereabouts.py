"""A centre that has moved is found again, by its authority and by nothing else."""

import http.server
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from deploy.authority import Authority
from gateway import identity as identities
from gateway import pair
from gateway.identity import Identity
from gateway.whereabouts import FAILURES_MIN, Whereabouts
from tests.gateway.conftest import eventually

pytestmark = pytest.mark.integration

LOOPBACK = "127.0.0.1"


class Pages:
    """What a centre tells of itself, in clear and over TLS."""

    def __init__(self, shown: Authority, signed: Authority, mqtt_port: int) -> None:
        self.asked: list[str] = []
        pages = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                pages.asked.append(f"{'https' if self.server is pages.secure else 'http'}:{self.path}")
                answer: dict[str, Any] = {
                    "certificate": shown.certificate.read_text(),
                    "https_port": pages.secure.server_port,
                    "mqtt_port": mqtt_port if self.server is pages.secure else 1,
                }
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            def log_message(self, *_: object) -> None:
                pass

        self.plain = http.server.HTTPServer((LOOPBACK, 0), Handler)
        self.secure = http.server.HTTPServer((LOOPBACK, 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(signed.server_certificate, signed.server_key)
        # The handshake is made by the handler's first read: one that fails must not stop the server.
        self.secure.socket = context.wrap_socket(
            self.secure.socket, server_side=True, do_handshake_on_connect=False
        )
        self.secure.handle_error = lambda *_: None  # type: ignore[method-assign]
        for server in (self.plain, self.secure):
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.plain.server_port}"

    def close(self) -> None:
        for server in (self.plain, self.secure):
            server.shutdown()
            server.server_close()


@pytest.fixture
def authorities(tmp_path: Path) -> dict[str, Authority]:
    made = {name: Authority(folder=tmp_path / name) for name in ("ours", "another")}
    for authority in made.values():
        authority.prepare()
    return made


@pytest.fixture
def open_pages(authorities: dict[str, Authority]) -> Iterator[Callable[..., Pages]]:
    opened: list[Pages] = []

    def make(shown: str = "ours", signed: str = "ours", mqtt_port: int = 18883) -> Pages:
        opened.append(Pages(authorities[shown], authorities[signed], mqtt_port))
        return opened[-1]

    yield make
    for pages in opened:
        pages.close()


def paired(authority: Authority, pages: str | None) -> Identity:
    return Identity(
        site="qingshi",
        gateway="gateway-0001",
        username="gateway-0001-1",
        secret="x" * 24,
        host=LOOPBACK,
        https_port=1,  # nobody is there any more
        mqtt_host=LOOPBACK,
        mqtt_port=2,
        authority=authority.certificate.read_text(),
        since=datetime.now(UTC),
        pages=pages,
    )


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair, "PAUSE_S", 0.0)


def test_a_centre_that_has_moved_is_found_where_the_box_was_paired(
    authorities: dict[str, Authority], open_pages: Callable[..., Pages]
) -> None:
    pages = open_pages()
    found = pair.find(paired(authorities["ours"], pages.url))
    assert (found.https_port, found.mqtt_port) == (pages.secure.server_port, 18883), "as told over TLS"
    assert pages.asked == ["http:/api/gateways/authority", "https:/api/gateways/authority"]
    assert pair.find(found) is found, "nothing has moved since"


def test_a_box_paired_long_ago_asks_where_the_pages_were_last(
    authorities: dict[str, Authority], open_pages: Callable[..., Pages]
) -> None:
    pages = open_pages()
    before = msgspec.structs.replace(paired(authorities["ours"], None), https_port=pages.secure.server_port)
    assert pair.find(before).mqtt_port == 18883


def test_another_centre_is_not_believed(
    authorities: dict[str, Authority], open_pages: Callable[..., Pages]
) -> None:
    pages = open_pages(shown="another", signed="another")
    with pytest.raises(pair.PairingError, match="is another centre"):
        pair.find(paired(authorities["ours"], pages.url))
    assert pages.asked == ["http:/api/gateways/authority"]


def test_whoever_only_shows_our_authority_is_not_believed(
    authorities: dict[str, Authority], open_pages: Callable[..., Pages]
) -> None:
    pages = open_pages(shown="ours", signed="another")
    with pytest.raises(pair.PairingError, match="has no certificate of this centre's authority"):
        pair.find(paired(authorities["ours"], pages.url))


def test_a_new_address_can_be_named(
    authorities: dict[str, Authority], open_pages: Callable[..., Pages]
) -> None:
    pages = open_pages()
    found = pair.find(paired(authorities["ours"], "http://127.0.0.1:9"), pages.url)
    assert (found.mqtt_port, found.pages) == (18883, pages.url)


def test_after_vain_attempts_the_gateway_asks_and_keeps_the_answer(
    authorities: dict[str, Authority], open_pages: Callable[..., Pages], tmp_path: Path
) -> None:
    path = tmp_path / "gateway.json"
    identities.save(path, paired(authorities["ours"], open_pages().url))
    whereabouts = Whereabouts(path)
    for failures in range(FAILURES_MIN + 1):
        assert whereabouts.address(failures).port in (2, 18883)
    eventually(lambda: identities.load(path).mqtt_port == 18883)
    assert whereabouts.address(0).port == 18883


def test_a_secret_renewed_meanwhile_is_not_lost(authorities: dict[str, Authority], tmp_path: Path) -> None:
    path = tmp_path / "gateway.json"
    known = paired(authorities["ours"], None)
    identities.save(path, known)

    def find(identity: Identity) -> Identity:
        identities.save(path, msgspec.structs.replace(known, secret="y" * 24))
        return msgspec.structs.replace(identity, mqtt_port=18883)

    Whereabouts(path, find).address(FAILURES_MIN)
    eventually(lambda: identities.load(path).mqtt_port == 18883)
    assert identities.load(path).secret == "y" * 24


def test_where_the_file_cannot_be_written_the_answer_counts_all_the_same(
    authorities: dict[str, Authority], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "gateway.json"
    identities.save(path, paired(authorities["ours"], None))

    def refuse(_path: Path, _identity: Identity) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr(identities, "save", refuse)
    whereabouts = Whereabouts(path, lambda identity: msgspec.structs.replace(identity, mqtt_port=18883))
    whereabouts.address(FAILURES_MIN)
    eventually(lambda: whereabouts.address(0).port == 18883)


def test_the_centre_is_not_asked_while_its_broker_is_only_restarted(
    authorities: dict[str, Authority], tmp_path: Path
) -> None:
    path = tmp_path / "gateway.json"
    identities.save(path, paired(authorities["ours"], None))
    asked: list[Identity] = []

    def find(identity: Identity) -> Identity:
        asked.append(identity)
        return identity

    whereabouts = Whereabouts(path, find)
    for failures in range(FAILURES_MIN):
        whereabouts.address(failures)
    assert asked == []
    for _ in range(3):
        whereabouts.address(FAILURES_MIN)
    eventually(lambda: asked)
    assert len(asked) == 1, "and then once in a minute"
