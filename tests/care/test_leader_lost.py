"""A holder of a duty whose connection is lost without a word does not keep the lock for ever."""

import threading
import time
from urllib.parse import urlsplit

import pytest

from database import leases
from database.connections import Connection
from database.leases import Duty, DutyLock, serve
from tests.proxy import proxies
from tests.servers import Database

PATIENCE_S = 15.0


def test_somebody_works_again(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "SILENT_S_MIN", 1.0)
    monkeypatch.setattr(leases, "ANSWER_GRACE_S", 1.0)
    worked = threading.Semaphore(0)
    stop = threading.Event()
    port = urlsplit(database.service_url).port
    assert port is not None

    def work(connection: Connection) -> None:
        connection.execute("SELECT 1")
        worked.release()

    with proxies() as network:
        way = network.to(port)
        duty = Duty(
            lock=DutyLock.ESCALATION,
            database_url=database.service_url.replace(f":{port}/", f":{way.port}/"),
            interval_s=0.1,
            standby_poll_s=0.1,
            statement_timeout_s=1.0,
            work=work,
        )
        thread = threading.Thread(target=serve, args=(duty, stop))
        thread.start()
        try:
            assert worked.acquire(timeout=PATIENCE_S)
            way.half_open()
            way.restore()
            while worked.acquire(blocking=False):
                pass
            began_s = time.monotonic()
            assert worked.acquire(timeout=PATIENCE_S)
            assert time.monotonic() - began_s > 0.5, "the connection was not lost"
        finally:
            stop.set()
            thread.join(PATIENCE_S)
        assert not thread.is_alive()
