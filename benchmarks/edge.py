"""`anshou bench edge`: from an SOS on the LAN to its notice at a desk, while a week's backlog drains.

A gateway's outbox is filled, then its process is started beside the whole centre: broker, ingest, database.
While the backlog drains, devices in the house press their buttons. Measured from the publication on the LAN
broker to the notification after COMMIT. The ceiling, in the same run: presses when nothing else is sent.
"""

import json
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple

import psycopg

from benchmarks.figures import Figure, figure
from benchmarks.house import GatewayProcess, lan_broker
from benchmarks.load import Publisher, publish_packet
from benchmarks.stack import Stack, add_fleet, resident_mb, running_stack
from database.connections import connect
from gateway.clock import Clock
from gateway.outbox import Entry, Outbox
from protocol import wire
from protocol.model import AlarmSignal, SignalKind, VitalSigns
from protocol.wire import ROOT

HOME = 1
RESIDENTS = 40
MESSAGES = 500_000
PRESSES_MIN = 200
PRESS_EVERY_S = (0.3, 1.7)
FILL_AT_ONCE = 2_000
LATE_S_MAX = 60.0
DRAIN_S_MAX = 1_800.0


class Latencies(NamedTuple):
    """Milliseconds."""

    p50: float
    p99: float
    worst: float


def run(*, messages: int = MESSAGES) -> list[Figure]:
    """All figures of this benchmark, with a backlog of so many messages."""
    with running_stack() as stack:
        with connect(stack.owner_url) as connection:
            (devices,) = add_fleet(connection, HOME, RESIDENTS)
        data = stack.folder / "outbox"
        bytes_each = _fill(data, devices, messages)
        with (
            lan_broker(stack.folder / "lan") as lan_port,
            stack.ingest("readings"),
            stack.ingest("settle"),
            stack.ingest("alarms"),
        ):
            stack.wait_until_ingest_is_connected()
            gateway = GatewayProcess(
                {
                    "mqtt_url": stack.mqtt_url("simulator"),
                    "site": f"home-{HOME}",
                    "name": f"gw-{HOME}",
                    "lan_url": f"mqtt://127.0.0.1:{lan_port}",
                    "data": data,
                },
                stack.folder / "gateway.log",
            )
            with _desk(stack) as heard:
                gateway.start()
                try:
                    _wait_for_log(stack.folder / "gateway.log", "LAN broker: connected")
                    house = Publisher(f"mqtt://127.0.0.1:{lan_port}", "bench-buttons")
                    with closing(house):
                        beside, drained_s = _beside_backlog(stack, house, devices, heard, messages)
                        alone = _press(house, devices, heard, lambda pressed: pressed < PRESSES_MIN)
                    memory_mb = resident_mb(gateway.pid)
                finally:
                    gateway.stop()
                loaded, idle = _latencies(stack, heard, beside), _latencies(stack, heard, alone)
            lost = messages - _stored(stack)
    print(
        f"{len(beside)} presses beside the backlog: p50 {loaded.p50:.0f}, p99 {loaded.p99:.0f},"
        f" worst {loaded.worst:.0f} ms; {len(alone)} alone: p50 {idle.p50:.0f}, p99 {idle.p99:.0f},"
        f" worst {idle.worst:.0f} ms; {bytes_each:.0f} bytes a message on disk",
        file=sys.stderr,
    )
    return [
        figure(
            "edge: SOS beside backlog, p50", loaded.p50, "ms", ceiling=idle.p50, target=100, better="lower"
        ),
        figure(
            "edge: SOS beside backlog, p99", loaded.p99, "ms", ceiling=idle.p99, target=1000, better="lower"
        ),
        figure("edge: backlog drained", messages / drained_s, "messages/s", target=1_000),
        figure("edge: messages lost", lost, "messages", target=0, better="lower"),
        figure("edge: most memory of the gateway", memory_mb, "MB", target=80, better="lower"),
        figure("edge: outbox on disk", bytes_each, "bytes/message", target=200, better="lower"),
    ]


def _fill(folder: Path, devices: list[str], messages: int) -> float:
    """Fill the outbox with readings of the last days, as an outage leaves them; bytes a message on disk."""
    clock = Clock(synchronised=lambda: True)
    outbox = Outbox(folder, clock)
    begin_ms = time.time_ns() // 1_000_000 - messages * 500
    for first in range(0, messages, FILL_AT_ONCE):
        outbox.keep(
            [
                Entry(
                    f"anshou:{devices[n % RESIDENTS]}",
                    devices[n % RESIDENTS],
                    VitalSigns(ts_ms=begin_ms + n * 400, hr=60 + n % 40, rr=16, spo2=97, temp=36.5),
                    clock.now(),
                )
                for n in range(first, min(first + FILL_AT_ONCE, messages))
            ]
        )
    outbox.close()
    return (folder / "outbox.sqlite").stat().st_size / messages


def _beside_backlog(
    stack: Stack, house: Publisher, devices: list[str], heard: dict[int, int], messages: int
) -> tuple[dict[tuple[str, int], int], float]:
    """The presses while it drains, and how long that took, from the first batch stored to the last."""
    began_s = time.monotonic()
    done = threading.Event()
    ended_s = began_s

    def watch() -> None:
        nonlocal ended_s
        with connect(stack.owner_url, autocommit=True) as connection:
            while time.monotonic() - began_s < DRAIN_S_MAX:
                row = connection.execute("SELECT count(*) AS n FROM readings.vitals").fetchone()
                if row is not None and row["n"] >= messages:
                    break
                time.sleep(1)
        ended_s = time.monotonic()
        done.set()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    pressed = _press(house, devices, heard, lambda _count: not done.is_set())
    thread.join()
    return pressed, ended_s - began_s


def _press(
    house: Publisher, devices: list[str], heard: dict[int, int], more: Callable[[int], bool]
) -> dict[tuple[str, int], int]:
    """Press buttons at random moments; when each was published, in ns, by device and time in ms."""
    chance = random.Random(4)
    pressed: dict[tuple[str, int], int] = {}
    before = len(heard)
    ts_ms = 0
    while more(len(pressed)):
        time.sleep(chance.uniform(*PRESS_EVERY_S))
        device = chance.choice(devices)
        ts_ms = max(ts_ms + 1, time.time_ns() // 1_000_000)
        signal = AlarmSignal(ts_ms=ts_ms, kind=SignalKind.SOS, signal_id=f"{ts_ms:x}")
        packet = publish_packet(f"{ROOT}/home-{HOME}/{device}/alarm", wire.encode(signal))
        pressed[device, ts_ms] = time.time_ns()
        house.send([packet])
    deadline_s = time.monotonic() + LATE_S_MAX
    while len(heard) - before < len(pressed) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    return pressed


@contextmanager
def _desk(stack: Stack) -> Iterator[dict[int, int]]:
    """LISTEN on a connection of its own: when each alarm event was notified, in ns."""
    heard: dict[int, int] = {}
    ready, done = threading.Event(), threading.Event()

    def listen() -> None:
        with psycopg.connect(stack.owner_url, autocommit=True) as connection:
            connection.execute("LISTEN anshou_alarm")
            ready.set()
            while not done.is_set():
                for notice in connection.notifies(timeout=0.5):
                    heard[json.loads(notice.payload)["event"]] = time.time_ns()

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield heard
    finally:
        done.set()
        thread.join()


def _latencies(stack: Stack, heard: dict[int, int], pressed: dict[tuple[str, int], int]) -> Latencies:
    with connect(stack.owner_url) as connection:
        rows = connection.execute(
            "SELECT id, actor,"
            " (extract(epoch FROM (detail ->> 'raised_at')::timestamptz) * 1000)::bigint AS ts_ms"
            " FROM care.alarm_event WHERE step IN ('raised', 'repeated')"
        ).fetchall()
    taken_ns = [
        heard[row["id"]] - pressed[row["actor"], int(row["ts_ms"])]
        for row in rows
        if (row["actor"], int(row["ts_ms"])) in pressed
    ]
    assert len(taken_ns) == len(pressed), f"{len(pressed)} pressed, {len(taken_ns)} told"
    cuts = quantiles(taken_ns, n=100)
    return Latencies(cuts[49] / 1e6, cuts[98] / 1e6, max(taken_ns) / 1e6)


def _stored(stack: Stack) -> int:
    with connect(stack.owner_url) as connection:
        row = connection.execute("SELECT count(*) AS n FROM readings.vitals").fetchone()
    assert row is not None, "a count has one row"
    return int(row["n"])


def _wait_for_log(log: Path, words: str) -> None:
    deadline_s = time.monotonic() + LATE_S_MAX
    while words not in (log.read_text(encoding="utf-8") if log.exists() else ""):
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"{words!r} is not in {log}")
        time.sleep(0.05)
