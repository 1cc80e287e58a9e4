"""`anshou bench county`: 100,000 elders at their real rates, everything on this machine.

The mix. Each elder has one device that speaks for them: a reading-set of five signs a minute, an activity
event every three minutes, its status every ten. 70,000 live in 700 homes, each behind a gateway that sends a
batch every second (so a reading waits up to a second in its outbox, which counts as lag); the devices of the
other 30,000 speak to the broker themselves. All of it comes over one connection: how the broker bears 30,700
connections is not measured here.
"""

import multiprocessing
import random
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from multiprocessing.connection import Connection as Pipe
from typing import NamedTuple

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from benchmarks import patterns
from benchmarks.figures import Figure, figure
from benchmarks.load import Publisher, publish_packet
from benchmarks.patterns import TS_MS
from benchmarks.stack import Stack, add_fleet, cpu_s, resident_mb, running_stack
from database.connections import connect
from deploy.local import ports
from ingest.metrics import LAG_EDGES_S, quantile_s
from protocol import wire
from protocol.model import Activity, ActivityEvent, DeviceStatus, Message

ELDERS = 100_000
ELDERS_A_HOME = 100
GATEWAY_SHARE = 0.7
VITALS_EVERY_S = 60
ACTIVITY_EVERY_S = 180
STATUS_EVERY_S = 600
GATEWAY_EVERY_S = 1
CORES = 2
"""Of the machine that the target is set for."""
WARM_UP_S = 20
KEEP_UP_S_MAX = 5.0
"""After the last message everything is stored within this time, or ingest has not kept up."""
PROCESSES = ("readings", "alarms", "settle")


class Sent(NamedTuple):
    """What the load published, in rows, and the CPU that this took."""

    vitals: int
    activity: int
    status: int
    messages: int
    cpu_s: float


def run(*, minutes: float = 20.0, elders: int = ELDERS) -> list[Figure]:
    """All figures of this benchmark, from that many minutes."""
    with running_stack() as stack:
        print(f"registering {elders:,} elders …", file=sys.stderr)
        with connect(stack.owner_url) as connection:
            homes = add_fleet(connection, elders // ELDERS_A_HOME, ELDERS_A_HOME)
        with connect(stack.owner_url, autocommit=True) as connection:
            connection.execute("ANALYZE")
        return _measure(stack, homes, minutes * 60)


def _measure(stack: Stack, homes: list[list[str]], duration_s: float) -> list[Figure]:
    metrics_ports = {process: ports.any_free() for process in PROCESSES}
    with ExitStack() as closing:
        pids = {
            process: closing.enter_context(stack.ingest(process, metrics_port=port))
            for process, port in metrics_ports.items()
        }
        stack.wait_until_ingest_is_connected()
        everybody = {**pids, "mosquitto": stack.broker_pid}
        ours, load = multiprocessing.Pipe()
        publisher = multiprocessing.get_context("spawn").Process(
            target=_publish, args=(stack.mqtt_url("simulator"), homes, duration_s, load), daemon=True
        )
        publisher.start()
        ours.recv()  # the warm-up is over
        began_s, before = time.monotonic(), _cpu(stack, everybody)
        lags_before, wal_before = _lags(metrics_ports["readings"]), _wal_bytes(stack)
        sent: Sent = ours.recv()
        elapsed_s, after = time.monotonic() - began_s, _cpu(stack, everybody)
        wal_mb_per_s = (_wal_bytes(stack) - wal_before) / 2**20 / elapsed_s
        missing = _wait_until_stored(stack, sent)
        lags = _lags(metrics_ports["readings"]) - lags_before
        memory_mb = {name: resident_mb(pid) for name, pid in everybody.items()}
    shares = {name: (after[name] - before[name]) / elapsed_s for name in after}
    rows = sent.vitals + sent.activity + sent.status
    print(
        f"{elapsed_s:.0f} s: {sent.messages:,} messages, {rows:,} rows; of a core: "
        + ", ".join(f"{name} {share:.1%}" for name, share in shares.items())
        + f"; the load itself {sent.cpu_s / (elapsed_s + WARM_UP_S):.1%}"
        + f"; WAL {wal_mb_per_s:.2f} MiB/s; most memory: "
        + ", ".join(f"{name} {megabytes:.0f} MB" for name, megabytes in memory_mb.items()),
        file=sys.stderr,
    )
    p50_s, p99_s = (quantile_s(lags, share) or 0.0 for share in (0.5, 0.99))
    cpu_percent = sum(shares.values()) / CORES * 100
    ingest_mb = max(memory_mb[process] for process in PROCESSES)
    return [
        figure("rows not stored when the load ended", missing, "rows", target=0, better="lower"),
        figure("rows stored", rows / (elapsed_s + WARM_UP_S), "rows/s", target=_rows_per_s(homes) * 0.98),
        figure("lag device→commit, p50", p50_s, "s", target=2, better="lower"),
        figure("lag device→commit, p99", p99_s, "s", target=2, better="lower"),
        figure("CPU of 2 cores, all but the load", cpu_percent, "%", ceiling=100, target=70, better="lower"),
        figure("most memory of a process of ingest", ingest_mb, "MB", target=300, better="lower"),
    ]


def _rows_per_s(homes: list[list[str]]) -> float:
    elders = sum(map(len, homes))
    return elders * (1 / VITALS_EVERY_S + 1 / ACTIVITY_EVERY_S + 1 / STATUS_EVERY_S)


def _cpu(stack: Stack, pids: dict[str, int]) -> dict[str, float]:
    return {**{name: cpu_s(pid) for name, pid in pids.items()}, "postgres": stack.postgres_cpu_s()}


def _wal_bytes(stack: Stack) -> int:
    """What the database has written ahead since it was made: all that a replica would be sent."""
    with connect(stack.owner_url) as connection:
        row = connection.execute("SELECT pg_current_wal_lsn() - '0/0' AS bytes").fetchone()
    assert row is not None
    return int(row["bytes"])


def _lags(port: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Counts by bucket, as the process of readings serves them."""
    with urllib.request.urlopen(f"http://{ports.LOOPBACK}:{port}/metrics", timeout=10) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        cumulative = [
            sample.value
            for family in families
            if family.name == "anshou_ingest_lag_seconds"
            for sample in family.samples
            if sample.name.endswith("_bucket")
        ]
    assert len(cumulative) == len(LAG_EDGES_S) + 1, "a bucket for each edge and one beyond"
    return np.diff(np.array(cumulative), prepend=0).astype(np.int64)


def _wait_until_stored(stack: Stack, sent: Sent) -> int:
    """How many rows are missing `KEEP_UP_S_MAX` after the last was sent."""
    deadline_s = time.monotonic() + KEEP_UP_S_MAX
    with connect(stack.owner_url, autocommit=True) as connection:
        while True:
            row = connection.execute(
                """
                SELECT (SELECT count(*) FROM readings.vitals) + (SELECT count(*) FROM readings.activity)
                    + (SELECT count(*) FROM readings.device_status) AS stored
                """
            ).fetchone()
            assert row is not None
            missing = sent.vitals + sent.activity + sent.status - int(row["stored"])
            if missing <= 0 or time.monotonic() > deadline_s:
                return missing
            time.sleep(0.2)


def _publish(url: str, homes: list[list[str]], duration_s: float, told: "Pipe[object, object]") -> None:
    """The load: every second what is due in it, evenly spread; tells when it is warm, then what it sent."""
    county = _County(homes)
    publisher = Publisher(url, "bench-county")
    began_s = time.monotonic()
    warm = False
    for second in range(round(WARM_UP_S + duration_s)):
        if second >= WARM_UP_S and not warm:
            warm = True
            told.send(None)
        _pace(publisher, county.second(second), began_s + second)
    told.send(county.sent(time.process_time()))
    publisher.close()


def _pace(publisher: Publisher, speakers: list["_Speaker"], begins_s: float) -> None:
    """Have them speak, evenly spread over the second that begins then."""
    pace = 1 / max(1, len(speakers))

    def packets() -> Iterator[tuple[bytes, bytes]]:
        for number, speaker in enumerate(speakers):
            ahead_s = begins_s + number * pace - time.monotonic()
            if ahead_s > 0.002:  # the load is not to spend its time on waking up
                time.sleep(ahead_s)
            yield speaker.packet(time.time_ns() // 1_000_000)

    publisher.send(packets())


class _Speaker(NamedTuple):
    """Somebody who publishes in one second: a gateway its batch, or a device its message."""

    topic: str
    payload: bytes
    waited_ms_max: int

    def packet(self, now_ms: int) -> tuple[bytes, bytes]:
        """The packet now. What a gateway passes on was measured up to so many milliseconds ago."""
        ts_ms = now_ms - random.randrange(self.waited_ms_max + 1)
        return publish_packet(self.topic, self.payload.replace(_TS, b"%d" % ts_ms))


_TS = b"%d" % TS_MS


class _County:
    """Who says what in which second. Each elder has seconds of their own, so that every second is alike."""

    def __init__(self, homes: list[list[str]]) -> None:
        generator = random.Random(5)
        self._counts = dict.fromkeys(("vitals", "activity", "status", "messages"), 0)
        self._homes = homes
        self._behind_gateways = round(len(homes) * GATEWAY_SHARE)
        self._vitals = [patterns.vitals(generator) for _ in range(1_000)]

    def second(self, second: int) -> list[_Speaker]:
        """Everybody who speaks in it."""
        speakers: list[_Speaker] = []
        for home, devices in enumerate(self._homes, start=1):
            due = self._due(home, devices, second)
            if due and home <= self._behind_gateways:
                topic = f"{wire.ROOT}/home-{home}/gw-{home}/batch"
                payload = wire.encode_batch(f"s{second}", due)
                speakers.append(_Speaker(topic, payload, GATEWAY_EVERY_S * 1000))
                continue
            for device, message in due:
                topic = f"{wire.ROOT}/home-{home}/{device}/{wire.leaf_of(message)}"
                speakers.append(_Speaker(topic, wire.encode(message), 0))
        self._counts["messages"] += len(speakers)
        random.Random(second).shuffle(speakers)
        return speakers

    def sent(self, used_cpu_s: float) -> Sent:
        """What was asked for until now."""
        return Sent(**self._counts, cpu_s=used_cpu_s)

    def _due(self, home: int, devices: list[str], second: int) -> list[tuple[str, Message]]:
        due: list[tuple[str, Message]] = []
        # An elder's offset is that of their number in the home, turned by the home's: found without a search.
        for every_s, kind in (
            (VITALS_EVERY_S, "vitals"),
            (ACTIVITY_EVERY_S, "activity"),
            (STATUS_EVERY_S, "status"),
        ):
            first = (second + home * 7) % every_s
            for number in range(first, len(devices), every_s):
                due.append((devices[number], self._message(kind, home * 31 + number)))
                self._counts[kind] += 1
        return due

    def _message(self, kind: str, choice: int) -> Message:
        if kind == "vitals":
            return self._vitals[choice % len(self._vitals)]
        if kind == "activity":
            return Activity(ts_ms=TS_MS, event=ActivityEvent.MOTION)
        return DeviceStatus(ts_ms=TS_MS, online=True, battery=50 + choice % 50, rssi=-60 - choice % 20)
