"""How long after a fault the next thing that was said after it was committed."""

import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import psycopg

from benchmarks.faults.schedule import Fault, Harm, Link
from benchmarks.faults.senders import Gateway
from database.connections import Connection, connect
from database.errors import DatabaseUnavailableError

POLL_S = 0.01
SETTLE_POLL_S = 0.1
GIVE_UP_S = 120.0

ALARMS_ONLY = {Harm.KILL_ALARMS, Link.ALARMS_BROKER, Link.ALARMS_DATABASE}
READINGS_ONLY = {Harm.KILL_READINGS, Link.READINGS_BROKER, Link.READINGS_DATABASE}
SETTLE_ONLY = {Harm.KILL_SETTLE, Link.SETTLE_DATABASE}


class Overcome(NamedTuple):
    """A fault and how long it took; None: longer than `GIVE_UP_S`."""

    fault: Fault
    seconds: float | None


class _Waiting(NamedTuple):
    fault: Fault
    over_s: float
    over_at: datetime


class SettleWatch:
    """Until when all that was stored has been settled, asked of the database again and again."""

    def __init__(self, owner_url: str) -> None:
        self._url = owner_url
        self._connection: Connection | None = None
        self.settled_until = datetime.min.replace(tzinfo=UTC)

    def look(self) -> None:
        """Ask, unless the database is away."""
        try:
            if self._connection is None or self._connection.closed:
                self._connection = connect(self._url, autocommit=True, answer_s_max=5)
            row = self._connection.execute(
                "SELECT coalesce(min(noted_at), statement_timestamp()) AS until FROM readings.unsettled"
            ).fetchone()
            assert row is not None, "an aggregate has one row"
            self.settled_until = row["until"]
        except (psycopg.Error, DatabaseUnavailableError):
            self.close()

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Recovery(threading.Thread):
    """Watches all faults that are not yet overcome. Times include whatever struck meanwhile."""

    def __init__(self, gateways: Sequence[Gateway], owner_url: str) -> None:
        super().__init__(name="recovery", daemon=True)
        self._gateways = gateways
        self._settle = SettleWatch(owner_url)
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []
        self._stopping = threading.Event()
        self.overcome: list[Overcome] = []

    def watch(self, fault: Fault, over_s: float) -> None:
        """The fault was over at `over_s` by `time.monotonic`: what is said from now on must be committed."""
        with self._lock:
            self._waiting.append(_Waiting(fault, over_s, datetime.now(UTC)))

    def stop(self) -> None:
        """Wait for the faults that are not yet overcome, and end."""
        self._stopping.set()
        self.join(GIVE_UP_S + 10)

    def run(self) -> None:
        """The thread's loop."""
        next_settle_s = 0.0
        while self._waiting or not self._stopping.is_set():
            now_s = time.monotonic()
            if now_s >= next_settle_s:
                self._settle.look()
                next_settle_s = time.monotonic() + SETTLE_POLL_S
            for waiting in list(self._waiting):
                took_s = time.monotonic() - waiting.over_s
                if self._is_overcome(waiting) or took_s > GIVE_UP_S:
                    seconds = took_s if took_s <= GIVE_UP_S else None
                    self.overcome.append(Overcome(waiting.fault, seconds))
                    with self._lock:
                        self._waiting.remove(waiting)
            time.sleep(POLL_S)
        self._settle.close()

    def _is_overcome(self, waiting: _Waiting) -> bool:
        fault = waiting.fault
        struck = {fault.harm, fault.link}
        if struck & SETTLE_ONLY:
            return self._settle.settled_until > waiting.over_at
        gateways: Sequence[Gateway] = self._gateways
        if fault.harm is Harm.KILL_GATEWAY:
            gateways = [gateways[int(fault.dice * len(gateways))]]
        needed = {"readings", "alarms"}
        if struck & ALARMS_ONLY:
            needed = {"alarms"}
        elif struck & READINGS_ONLY:
            needed = {"readings"}
        return all(
            any(gateway.newest_receipted_s[path] > waiting.over_s for gateway in gateways) for path in needed
        )


def by_kind(
    overcome: Sequence[Overcome], kind_of: Callable[[Fault], str]
) -> dict[str, tuple[int, float, float]]:
    """For each kind of fault: how many, and p50 and maximum of the recovery in seconds (inf: never)."""
    seconds: dict[str, list[float]] = defaultdict(list)
    for item in overcome:
        seconds[kind_of(item.fault)].append(float("inf") if item.seconds is None else item.seconds)
    return {
        kind: (len(values), statistics.median(values), max(values))
        for kind, values in sorted(seconds.items())
    }
