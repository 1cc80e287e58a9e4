"""Before anybody has signed in, and by one person alone: what is too much is refused, and others go on."""

import asyncio
import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode

import psycopg
import pytest
from starlette.testclient import TestClient

from alarms.kinds import AlarmKind
from dashboard import door, lanes
from dashboard.app import create_app
from dashboard.errors import BusyError
from dashboard.lanes import Known, Lane
from dashboard.render import static_version
from dashboard.security import BODY_BYTES_MAX
from dashboard.serving import UNHEARD_MS_MAX, listening
from dashboard.settings import Settings
from database.connections import Connection
from deploy.authority import Authority
from tests.care.conftest import PASSWORD, County
from tests.dashboard.conftest import sign_in
from tests.dashboard.running import Server, serving
from tests.dashboard.ward import Ward
from tests.servers import Database

SPARE_MAX = 20
PATIENCE_S = 30.0
HALF = b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\n"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
WITHOUT_BODY = HALF + b"Content-Length: 100\r\n\r\nusername="


def post(server: Server, path: str, body: object, headers: dict[str, str] | None = None) -> int:
    """The status of an answer to a body that may never end."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    with contextlib.closing(connection):
        # The answer comes before everything was sent, and the connection is closed then.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.request("POST", path, body, {**FORM, **(headers or {})})  # type: ignore[arg-type]
        return connection.getresponse().status


@pytest.fixture
def server(database: Database, county: County) -> Iterator[Server]:
    with serving(database.web_url, beat_s=0.5) as server:
        yield server


@pytest.mark.parametrize("path", ["/sign-in", "/api/alarms/1/steps/acknowledged", "/language", "/nowhere"])
def test_a_large_body_is_refused_before_it_is_read(server: Server, path: str) -> None:
    assert post(server, path, b"x", {"Content-Length": str(2**31)}) == 413


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=b"])
def test_a_body_without_a_length_is_read_to_its_limit_and_no_further(server: Server, kind: str) -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        yield b'--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
        while taken < 64 * BODY_BYTES_MAX:
            taken += BODY_BYTES_MAX // 4
            yield b"x" * (BODY_BYTES_MAX // 4)

    assert post(server, "/sign-in", endless(), {"Content-Type": kind}) == 413


def test_a_body_within_the_limit_is_read(visitor: TestClient, county: County) -> None:
    assert visitor.post("/language", data={"code": "en", "next": "/" + "x" * 400}).status_code == 303
    assert visitor.post("/language", content=b"x" * BODY_BYTES_MAX).status_code == 422
    assert visitor.post("/language", content=b"x" * (BODY_BYTES_MAX + 1)).status_code == 413
    assert visitor.post("/language", content=b"", headers={"Content-Length": "1e3"}).status_code == 413


@pytest.mark.parametrize("sent", [b"", b"GET", HALF, WITHOUT_BODY], ids=["nothing", "word", "head", "body"])
def test_a_request_that_never_ends_is_broken_off(
    database: Database, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(door, "REQUEST_S_MAX", 0.3)
    with serving(database.web_url) as server, socket.create_connection(("127.0.0.1", server.port)) as slow:
        slow.settimeout(PATIENCE_S)
        slow.sendall(sent)
        assert ends(slow)


def test_the_second_request_of_a_connection_has_no_longer(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "REQUEST_S_MAX", 0.3)
    with serving(database.web_url) as server, socket.create_connection(("127.0.0.1", server.port)) as slow:
        slow.settimeout(PATIENCE_S)
        slow.sendall(b"GET /sign-in HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert slow.recv(20).startswith(b"HTTP/1.1 200")
        slow.sendall(HALF)
        assert ends(slow)


@pytest.mark.parametrize("over_tls", [False, True], ids=["plain", "tls"])
def test_who_reads_slowly_is_served_to_the_end(
    database: Database, tls: Authority, monkeypatch: pytest.MonkeyPatch, *, over_tls: bool
) -> None:
    """Over a line that takes far longer than somebody who takes nothing is given."""
    monkeypatch.setattr(door, "ANSWER_S_MAX", 1.0)
    secure = (
        {"tls_certificate": str(tls.server_certificate), "tls_key": str(tls.server_key)} if over_tls else {}
    )
    asked = f"GET /static/{static_version()}/vendor/echarts.min.js HTTP/1.1\r\nHost: localhost\r\n".encode()
    with serving(database.web_url, **secure) as server, contextlib.ExitStack() as held:
        slow = held.enter_context(socket.socket())
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)
        slow.settimeout(PATIENCE_S)
        slow.connect(("127.0.0.1", server.port))
        if over_tls:
            context = ssl.create_default_context(cafile=str(tls.certificate))
            slow = held.enter_context(context.wrap_socket(slow, server_hostname="localhost"))
        slow.sendall((asked + b"\r\n") * 15 + asked + b"Connection: close\r\n\r\n")
        received, begun = bytearray(), time.monotonic()
        while time.monotonic() - begun < 5:
            received += slow.recv(16_384)
            time.sleep(0.1)
        while got := slow.recv(65_536):  # and all that still comes, quickly
            received += got
        assert received.count(b"HTTP/1.1 200") == 16


def test_an_answer_that_nobody_takes_is_broken_off(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "ANSWER_S_MAX", 0.3)
    with serving(database.web_url) as server, socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", server.port))
        page = urlopen(server, "/sign-in")
        script = page.partition('script src="')[2].partition('"')[0].rpartition("/js/")[0]
        asked = f"GET {script}/vendor/echarts.min.js HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        slow.sendall(asked * 20)
        deadline = time.monotonic() + PATIENCE_S
        with pytest.raises(OSError):
            while time.monotonic() < deadline:
                slow.sendall(b"\r\n")
                time.sleep(0.05)


def urlopen(server: Server, path: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    with contextlib.closing(connection):
        connection.request("GET", path)
        return connection.getresponse().read().decode()


@pytest.fixture
def tls(tmp_path: Path) -> Authority:
    authority = Authority(folder=tmp_path / "authority")
    authority.prepare({"localhost", "127.0.0.1"})
    return authority


@pytest.mark.parametrize("over_tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("sent", [b"", HALF, WITHOUT_BODY], ids=["nothing", "head", "body"])
def test_who_waits_longest_makes_room(
    database: Database, tls: Authority, monkeypatch: pytest.MonkeyPatch, sent: bytes, *, over_tls: bool
) -> None:
    monkeypatch.setattr(door.Spare.__init__, "__defaults__", (SPARE_MAX,))
    secure = (
        {"tls_certificate": str(tls.server_certificate), "tls_key": str(tls.server_key)} if over_tls else {}
    )
    with serving(database.web_url, **secure) as server, contextlib.ExitStack() as held:
        slow = []
        for _ in range(3 * SPARE_MAX):
            slow.append(held.enter_context(socket.create_connection(("127.0.0.1", server.port))))
            slow[-1].settimeout(PATIENCE_S)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                slow[-1].sendall(sent)
            if len(slow) % 10 == 0:
                assert is_served(server, tls if over_tls else None)
        assert ends(slow[0])
        assert is_served(server, tls if over_tls else None)


def is_served(server: Server, tls: Authority | None) -> bool:
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S)
    if tls is not None:
        context = ssl.create_default_context(cafile=str(tls.certificate))
        connection = context.wrap_socket(connection, server_hostname="localhost")
    with connection:
        connection.sendall(b"GET /sign-in HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return connection.recv(20).startswith(b"HTTP/1.1 200")


def ends(connection: socket.socket) -> bool:
    """Whether the other side breaks the connection off; it may have answered before."""
    try:
        while connection.recv(65_536):
            pass
    except ConnectionError:
        pass
    return True


async def crowded(lane: Lane, wanted: int, release: threading.Event) -> list[str]:
    async def one() -> str:
        try:
            await lane.run(lambda: release.wait(PATIENCE_S))
        except BusyError as error:
            return type(error).__name__
        return "done"

    tasks = [asyncio.create_task(one()) for _ in range(wanted)]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    release.set()
    return await asyncio.gather(*tasks)


def test_a_lane_lets_some_in_some_wait_and_refuses_the_rest() -> None:
    lane = Lane(at_once_max=2, waiting_max=3)
    outcomes = asyncio.run(crowded(lane, 20, threading.Event()))
    assert sorted(outcomes) == ["BusyError"] * 15 + ["done"] * 5
    assert lane.users == 0


def test_nobody_waits_in_a_lane_for_ever() -> None:
    lane = Lane(at_once_max=1, waiting_max=9, wait_s_max=0.05)

    async def second() -> None:
        async with lane.entered():
            with pytest.raises(BusyError):
                async with lane.entered():
                    pass

    asyncio.run(second())
    assert lane.users == 0


def test_sessions_are_remembered_for_a_while_and_not_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "KNOWN_MAX", 2)
    known = Known()
    for number in range(3):
        known.remember(f"token{number}", number)
    assert [known.staff_id(f"token{number}") for number in range(3)] == [None, 1, 2]
    known.forget("token2")
    assert known.staff_id("token2") is None
    monkeypatch.setattr(lanes, "KNOWN_S", -1.0)
    known.remember("token1", 1)
    assert known.staff_id("token1") is None


@contextlib.contextmanager
def locked(owner: Connection, what: str) -> Iterator[None]:
    """Nobody gets on with what asks for this table."""
    with psycopg.connect(owner.info.dsn, password=owner.info.password) as other:
        other.execute(f"LOCK TABLE {what} IN ACCESS EXCLUSIVE MODE")
        yield


def together(count: int, work: Callable[[], int]) -> tuple[list[threading.Thread], list[int]]:
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(work())) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, statuses


def test_sign_ins_without_end_hold_no_thread_of_the_desk(
    database: Database, owner: Connection, ward: Ward
) -> None:
    """Every password hangs; the desk is read and an alarm acknowledged all the same."""
    alarm = ward.alarm(owner, 0, AlarmKind.SOS)
    app = create_app(Settings(database_url=database.web_url, pool_size_max=8))
    with TestClient(app, follow_redirects=False) as client:
        sign_in(client, "wang")
        with locked(owner, "care.sign_in_attempt"):
            threads, statuses = together(
                60, lambda: client.post("/sign-in", data={"username": "x", "password": "y"}).status_code
            )
            assert client.get("/desk").status_code == 200
            assert client.post(f"/alarms/{alarm.id}/steps/acknowledged").status_code == 200
        for thread in threads:
            thread.join(PATIENCE_S)
    assert len(statuses) == 60
    assert statuses.count(503) >= 60 - 2 - 16, "most are told at once to come again"


def test_one_person_s_many_pages_do_not_keep_them_from_acknowledging(
    database: Database, owner: Connection, ward: Ward
) -> None:
    alarm = ward.alarm(owner, 0, AlarmKind.SOS)
    app = create_app(Settings(database_url=database.web_url, pool_size_max=8))
    with TestClient(app, follow_redirects=False) as client:
        sign_in(client, "wang")
        assert client.get("/desk").status_code == 200
        with locked(owner, "care.detector_setting_change"):
            path = f"/residents/{ward.residents[0].id}/watch"
            threads, statuses = together(40, lambda: client.get(path).status_code)
            assert client.post(f"/alarms/{alarm.id}/steps/acknowledged").status_code == 200
        for thread in threads:
            thread.join(PATIENCE_S)
    assert statuses.count(429) >= 40 - 4 - 12


def test_one_person_s_newest_live_page_is_served(database: Database, county: County) -> None:
    """A shared account has a tablet in every room, and some leave the network without a word."""
    with (
        serving(database.web_url, streams_person_max=2, beat_s=0.5) as server,
        contextlib.ExitStack() as held,
    ):
        cookie = signed_in(server)
        streams = []
        for _ in range(3):
            streams.append(held.enter_context(live_stream(server, cookie)))
            assert streams[-1].recv(12) == b"HTTP/1.1 200"
        streams[0].settimeout(PATIENCE_S)
        last = b""
        while got := streams[0].recv(65_536):
            last = (last + got)[-5:]
            if last == b"0\r\n\r\n":
                break
        assert last == b"0\r\n\r\n", "the stream has its proper end"
        for stream in streams[1:]:
            assert stream.recv(65_536)


def live_stream(server: Server, cookie: str) -> socket.socket:
    stream = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S)
    stream.sendall(f"GET /live HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n".encode())
    return stream


def test_a_stream_that_ends_gives_its_seat_back(database: Database, county: County) -> None:
    with serving(database.web_url, streams_max=2, beat_s=0.5) as server:
        cookie = signed_in(server)
        for _ in range(5):
            deadline = time.monotonic() + PATIENCE_S
            while True:
                with live_stream(server, cookie) as stream:
                    status = stream.recv(12)
                if status == b"HTTP/1.1 200":
                    break
                # The server learns a moment later that the one before has gone.
                assert (status, time.monotonic() < deadline) == (b"HTTP/1.1 503", True)
                time.sleep(0.05)


@pytest.mark.integration
def test_who_left_without_a_word_is_given_up_soon() -> None:
    with listening("127.0.0.1", 0) as door, socket.create_connection(door.getsockname()[:2]):
        accepted, _ = door.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == UNHEARD_MS_MAX


def signed_in(server: Server) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    with contextlib.closing(connection):
        body = urlencode({"username": "wang", "password": PASSWORD})
        connection.request("POST", "/sign-in", body, FORM)
        answer = connection.getresponse()
        assert answer.status == 303
        return (answer.getheader("Set-Cookie") or "").partition(";")[0]
