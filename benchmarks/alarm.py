"""`anshou bench alarm`: from an SOS's publication to its notice at a desk, while readings come in at 80 %.

Two loads in turn: gateways' batches of 50, and single messages. How much of each is sustained is measured
first, in this run. The ceiling, under the same load and between the same alarms: a message that passes
through the broker to a client which commits one row and notifies, and nothing else.
"""

import json
import multiprocessing
import random
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.sharedctypes import Synchronized
from statistics import quantiles
from typing import Any, NamedTuple

import psycopg

from benchmarks import patterns
from benchmarks.figures import Figure, figure
from benchmarks.load import Publisher, publish_packet
from benchmarks.patterns import Pattern
from benchmarks.stack import Stack, add_fleet, cpu_s, running_stack
from database.connections import Connection, connect
from ingest.subscriber import Incoming, Session, Subscriber
from protocol import wire
from protocol.broker import BrokerAddress
from protocol.model import AlarmSignal, SignalKind

HOMES = 100
RESIDENTS_A_HOME = 50
SAMPLES = 5_000
"""Alarms whose time is taken, under each load …"""
ALARMS_PER_S = 50.0
"""… at this rate, at random intervals."""
BARE_EVERY = 5
"""Every so many alarms one goes the bare way, for the ceiling."""
LOAD_SHARE = 0.8
CALIBRATION_S = 15.0
WARM_UP_S = 3.0
BARE_LEAF = "command"
"""A topic that ingest does not read."""
LATE_S_MAX = 30.0


class Latencies(NamedTuple):
    """Milliseconds."""

    p50: float
    p99: float
    worst: float

    @classmethod
    def of(cls, taken_ns: Sequence[int]) -> "Latencies":
        """Of so many nanoseconds each."""
        cuts = quantiles(taken_ns, n=100)
        return cls(cuts[49] / 1e6, cuts[98] / 1e6, max(taken_ns) / 1e6)


def run(*, samples: int = SAMPLES, rows_per_s: float | None = None) -> list[Figure]:
    """All figures of this benchmark.

    Args:
        samples: Alarms under each load.
        rows_per_s: Rows of readings a second that count as sustained; None: measured first.
    """
    figures = []
    with running_stack() as stack:
        with connect(stack.owner_url) as connection:
            homes = add_fleet(connection, HOMES, RESIDENTS_A_HOME)
            connection.execute(
                "CREATE TABLE bench_bare (id bigint PRIMARY KEY, at timestamptz DEFAULT now())"
            )
            connection.execute("GRANT INSERT ON bench_bare TO anshou_ingest")
            connection.execute("CREATE FUNCTION bench_tell() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN PERFORM pg_notify('bench_bare', NEW.id::text); RETURN NULL; END $$")  # fmt: skip
            connection.execute("CREATE TRIGGER tell AFTER INSERT ON bench_bare"
                " FOR EACH ROW EXECUTE FUNCTION bench_tell()")  # fmt: skip
        loads = {
            "batches of 50": (patterns.batches_of_homes(homes), RESIDENTS_A_HOME),
            "single messages": (patterns.singles_of_homes(homes), 1),
        }
        for number, (name, (load, rows)) in enumerate(loads.items()):
            with stack.ingest("readings"), stack.ingest("settle"), stack.ingest("alarms") as alarms_pid:
                stack.wait_until_ingest_is_connected()
                given = None if rows_per_s is None else rows_per_s / rows
                sustained = given or _sustained_per_s(stack, load, rows)
                plan = _plan(homes, samples, seed=number)
                alarms, bare = _under_load(stack, load, sustained * LOAD_SHARE, plan, alarms_pid)
            print(
                f"{name}: {sustained * rows:,.0f} rows/s sustained; alarm p50 {alarms.p50:.1f} ms,"
                f" p99 {alarms.p99:.1f} ms, worst {alarms.worst:.0f} ms; bare way p50 {bare.p50:.1f} ms,"
                f" p99 {bare.p99:.1f} ms, worst {bare.worst:.0f} ms",
                file=sys.stderr,
            )
            for share, target in (("p50", 5), ("p99", 50)):
                value, ceiling = getattr(alarms, share), getattr(bare, share)
                title = f"alarm beside {name}: {share}"
                figures.append(figure(title, value, "ms", ceiling=ceiling, target=target, better="lower"))
    return figures


class _Press(NamedTuple):
    """One alarm to be published: by whom, and how long after the one before."""

    home: int
    device: str
    pause_s: float
    bare: bool


def _plan(homes: list[list[str]], samples: int, seed: int) -> list[_Press]:
    """Presses of half as many people as there are samples: about half of them open, the others join."""
    generator = random.Random(seed)
    everybody = [(home, device) for home, devices in enumerate(homes, start=1) for device in devices]
    people = generator.sample(everybody, min(len(everybody) // 2, samples // 2))
    count = samples + samples // BARE_EVERY
    return [
        _Press(*generator.choice(people), generator.expovariate(ALARMS_PER_S), number % (BARE_EVERY + 1) == 0)
        for number in range(count)
    ]


def _under_load(
    stack: Stack, load: list[Pattern], per_s: float, plan: list[_Press], alarms_pid: int
) -> tuple[Latencies, Latencies]:
    with _listening(stack) as heard, _bare_way(stack), _publishing(stack, load, per_s) as sent:
        time.sleep(WARM_UP_S)
        cpu_before_s, began_s, sent_before = cpu_s(alarms_pid), time.monotonic(), sent.value
        pressed = _press(stack, plan)
        elapsed_s = time.monotonic() - began_s
        share = (cpu_s(alarms_pid) - cpu_before_s) / elapsed_s
        reached = (sent.value - sent_before) / elapsed_s
        heard.wait_for(len(plan))
    print(
        f"load: {reached:,.0f} of {per_s:,.0f} messages/s; alarm process: {share:.0%} of a core",
        file=sys.stderr,
    )
    with connect(stack.owner_url) as connection:
        events = connection.execute(
            "SELECT id, actor, step,"
            " (extract(epoch FROM (detail ->> 'raised_at')::timestamptz) * 1000)::bigint AS ts_ms"
            " FROM care.alarm_event"
        ).fetchall()
    steps = [row["step"] for row in events]
    print(f"{steps.count('raised')} opened, {steps.count('repeated')} joined in all", file=sys.stderr)
    alarms, bare = [], []
    for row in events:
        published_ns = pressed.get((row["actor"], int(row["ts_ms"])))
        if published_ns is not None:
            alarms.append(heard.alarms[row["id"]] - published_ns)
    for (device, ts_ms), published_ns in pressed.items():
        if not device:
            bare.append(heard.bare[ts_ms] - published_ns)
    assert len(alarms) + len(bare) == len(plan), "every alarm was told"
    return Latencies.of(alarms), Latencies.of(bare)


def _press(stack: Stack, plan: list[_Press]) -> dict[tuple[str, int], int]:
    """Publish them; when each was, in ns, by device ('' the bare way) and time in ms, which is its own."""
    pressed: dict[tuple[str, int], int] = {}
    publisher = Publisher(stack.mqtt_url("simulator"), "bench-alarms")
    ts_ms = 0
    due_s = time.monotonic()
    for press in plan:
        due_s += press.pause_s
        time.sleep(max(0.0, due_s - time.monotonic()))
        ts_ms = max(ts_ms + 1, time.time_ns() // 1_000_000)
        site = f"{wire.ROOT}/home-{press.home}"
        if press.bare:
            packet = publish_packet(f"{site}/{press.device}/{BARE_LEAF}", b"%d" % ts_ms)
        else:
            signal = AlarmSignal(ts_ms=ts_ms, kind=SignalKind.SOS)
            packet = publish_packet(f"{site}/{press.device}/alarm", wire.encode(signal))
        pressed["" if press.bare else press.device, ts_ms] = time.time_ns()
        publisher.send([packet])
    publisher.close()
    return pressed


class _Heard:
    """When what was notified, in ns."""

    def __init__(self) -> None:
        self.alarms: dict[int, int] = {}
        self.bare: dict[int, int] = {}

    def wait_for(self, count: int) -> None:
        """Until so many came, from the beginning."""
        deadline_s = time.monotonic() + LATE_S_MAX
        while len(self.alarms) + len(self.bare) < count and time.monotonic() < deadline_s:
            time.sleep(0.05)


@contextmanager
def _listening(stack: Stack) -> Iterator[_Heard]:
    """A desk: LISTEN on a connection of its own."""
    heard, ready, done = _Heard(), threading.Event(), threading.Event()

    def listen() -> None:
        with psycopg.connect(stack.owner_url, autocommit=True) as connection:
            connection.execute("LISTEN anshou_alarm")
            connection.execute("LISTEN bench_bare")
            ready.set()
            while not done.is_set():
                for notice in connection.notifies(timeout=0.5):
                    at_ns = time.time_ns()
                    if notice.channel == "bench_bare":
                        heard.bare[int(notice.payload)] = at_ns
                    else:
                        heard.alarms[json.loads(notice.payload)["event"]] = at_ns

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield heard
    finally:
        done.set()
        thread.join()


@contextmanager
def _process(target: Any, *arguments: Any) -> Iterator["Synchronized[int]"]:
    """`target(*arguments, count)` in a process of its own, ended in the end; `count` starts at 0."""
    context = multiprocessing.get_context("spawn")
    count = context.Value("q", 0)
    process = context.Process(target=target, args=(*arguments, count), daemon=True)
    process.start()
    try:
        yield count
    finally:
        process.terminate()
        process.join()


@contextmanager
def _publishing(stack: Stack, load: list[Pattern], per_s: float | None) -> Iterator["Synchronized[int]"]:
    """The load at a rate (None: as fast as the broker takes it); counts what was sent."""
    with _process(_publish, stack.mqtt_url("simulator"), load, per_s) as sent:
        while not sent.value:
            time.sleep(0.05)
        yield sent


def _publish(url: str, load: list[Pattern], per_s: float | None, sent: "Synchronized[int]") -> None:
    publisher = Publisher(url, "bench-load")

    def packets() -> Iterator[tuple[bytes, bytes]]:
        ts_ms = time.time_ns() // 1_000_000
        while True:
            ts_ms = max(ts_ms + 1, time.time_ns() // 1_000_000)
            for pattern in load:
                sent.value += 1
                yield pattern.at(ts_ms)

    publisher.send(packets(), per_s=per_s)


@contextmanager
def _bare_way(stack: Stack) -> Iterator[None]:
    with _process(_bare, stack.mqtt_url("simulator"), stack.ingest_url) as ready:
        while not ready.value:
            time.sleep(0.05)
        yield


def _bare(url: str, database_url: str, ready: "Synchronized[int]") -> None:
    waiting: list[Incoming] = []
    subscriber = Subscriber(
        BrokerAddress.parse(url),
        session=Session("bench-bare", [f"{wire.ROOT}/+/+/{BARE_LEAF}"]),
        receive_max=200,
        keepalive_s=60,
        on_message=waiting.append,
    )
    with psycopg.connect(database_url, autocommit=True) as connection:
        while True:
            subscriber.turn(0.5)
            ready.value = int(subscriber.subscribed)
            for incoming in waiting:
                connection.execute("INSERT INTO bench_bare (id) VALUES (%s)", (int(incoming.payload),))
                subscriber.acknowledge(incoming)
            waiting.clear()


def _sustained_per_s(stack: Stack, load: list[Pattern], rows: int) -> float:
    """Messages a second that are stored while they come as fast as the broker takes them."""
    with connect(stack.owner_url, autocommit=True) as connection:
        with _publishing(stack, load, None):
            time.sleep(WARM_UP_S)
            before, began_s = _stored(connection), time.monotonic()
            time.sleep(CALIBRATION_S)
            stored, elapsed_s = _stored(connection) - before, time.monotonic() - began_s
        while (now := _stored(connection)) != before:  # what the broker still holds
            before = now
            time.sleep(1.0)
        connection.execute("TRUNCATE readings.vitals, readings.unsettled")
    return stored / elapsed_s / rows


def _stored(connection: Connection) -> int:
    row = connection.execute("SELECT count(*) AS stored FROM readings.vitals").fetchone()
    assert row is not None
    return int(row["stored"])
