"""The proxy, between a client and a server that gives back what it is told."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.proxy import Proxies, Proxy, proxies

pytestmark = pytest.mark.integration

ANSWER_S_MAX = 5.0
SILENCE_S = 0.3


@pytest.fixture
def echo_port() -> Iterator[int]:
    """A server that gives back what it gets."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=give_back, args=(connection,), daemon=True).start()

    def give_back(connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65_536):
                    connection.sendall(data)
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(ANSWER_S_MAX)


@pytest.fixture
def network() -> Iterator[Proxies]:
    with proxies(seed=1) as running:
        yield running


@pytest.fixture
def proxy(network: Proxies, echo_port: int) -> Proxy:
    return network.to(echo_port)


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=ANSWER_S_MAX)


def ask(client: socket.socket, question: bytes) -> bytes:
    client.sendall(question)
    answer = b""
    while len(answer) < len(question):
        part = client.recv(65_536)
        if not part:
            raise ConnectionError("closed")
        answer += part
    return answer


def is_broken(client: socket.socket) -> bool:
    try:
        ask(client, b"?")
    except ConnectionError:
        return True
    return False


def wait_for_connections(proxy: Proxy, count: int) -> None:
    deadline_s = time.monotonic() + ANSWER_S_MAX
    while proxy.connection_count != count:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def test_passes_everything_on(proxy: Proxy) -> None:
    question = bytes(range(256)) * 4_000
    with connect(proxy) as client:
        sender = threading.Thread(target=client.sendall, args=(question,))
        sender.start()
        answer = b""
        while len(answer) < len(question):
            answer += client.recv(65_536)
        sender.join()
    assert answer == question


def test_the_end_of_one_side_is_the_end_of_the_other(proxy: Proxy) -> None:
    with connect(proxy) as client:
        assert ask(client, b"a") == b"a"
    wait_for_connections(proxy, 0)


def test_cut_breaks_what_is_there_and_what_is_new(proxy: Proxy) -> None:
    with connect(proxy) as client:
        assert ask(client, b"a") == b"a"
        proxy.cut()
        assert is_broken(client)
    with connect(proxy) as client:
        assert is_broken(client)
    proxy.restore()
    with connect(proxy) as client:
        assert ask(client, b"b") == b"b"


def test_delay_holds_each_way(proxy: Proxy) -> None:
    with connect(proxy) as client:
        assert ask(client, b"a") == b"a"
        proxy.delay(0.2)
        began_s = time.monotonic()
        assert ask(client, b"b") == b"b"
        assert time.monotonic() - began_s >= 0.4
        proxy.restore()
        began_s = time.monotonic()
        assert ask(client, b"c") == b"c"
        assert time.monotonic() - began_s < 0.2


def test_half_open_connections_never_live_again(proxy: Proxy) -> None:
    with connect(proxy) as before:
        assert ask(before, b"a") == b"a"
        proxy.half_open()
        with connect(proxy) as during:
            wait_for_connections(proxy, 2)
            proxy.restore()
            for client in (before, during):
                client.settimeout(SILENCE_S)
                with pytest.raises(TimeoutError):
                    ask(client, b"b")
            with connect(proxy) as after:
                assert ask(after, b"c") == b"c"


def test_the_other_end_of_a_half_open_connection_learns_nothing(network: Proxies) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = network.to(listener.getsockname()[1])
        client = connect(proxy)
        client.sendall(b"a")
        server, _ = listener.accept()
        with server:
            server.settimeout(ANSWER_S_MAX)
            assert server.recv(1) == b"a"
            proxy.half_open()
            proxy.restore()
            client.close()
            server.settimeout(SILENCE_S)
            with pytest.raises(TimeoutError):
                server.recv(1)


def test_corrupt_changes_a_byte_now_and_then(proxy: Proxy) -> None:
    question = b"x" * 100
    with connect(proxy) as client:
        assert ask(client, question) == question
        proxy.corrupt()
        answers = [ask(client, question) for _ in range(30)]
        assert all(len(answer) == len(question) for answer in answers)
        assert any(answer != question for answer in answers)
        assert any(answer == question for answer in answers)
        proxy.restore()
        assert ask(client, question) == question


def test_nobody_behind_it(network: Proxies) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with connect(network.to(port)) as client:
        assert is_broken(client)


def test_closing_breaks_even_dead_connections(echo_port: int) -> None:
    with proxies() as network:
        proxy = network.to(echo_port)
        client = connect(proxy)
        assert ask(client, b"a") == b"a"
        proxy.half_open()
    with client:
        assert is_broken(client)
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
