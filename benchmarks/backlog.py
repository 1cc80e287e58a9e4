"""`anshou bench backlog`: what ingest needs of memory while it drains a queue that grew in its absence.

Ingest signs in once, so that the broker keeps its session, and is stopped. Then messages are published, which
the broker queues; then ingest comes back. The bound on the broker's queue is the one of production (256 MiB):
two million small messages stay within it.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import closing

from benchmarks import patterns
from benchmarks.figures import Figure, figure
from benchmarks.load import Publisher
from benchmarks.patterns import Pattern
from benchmarks.stack import Stack, add_fleet, resident_mb, running_stack
from database.connections import connect

HOMES = 100
RESIDENTS_A_HOME = 50
MESSAGES = 2_000_000
STALL_S_MAX = 60.0
"""With nothing stored for so long, draining has stopped."""
POLL_S = 2.0


def run(*, messages: int = MESSAGES) -> list[Figure]:
    """All figures of this benchmark, from a backlog of so many messages."""
    with running_stack() as stack:
        with connect(stack.owner_url) as connection:
            homes = add_fleet(connection, HOMES, RESIDENTS_A_HOME)
        with stack.ingest("readings"):
            stack.wait_until_ingest_is_connected(processes=1)
        began_s = time.monotonic()
        with closing(Publisher(stack.mqtt_url("simulator"), "bench-backlog")) as publisher:
            publisher.send(_packets(patterns.singles_of_homes(homes), messages))
        filled_s = time.monotonic() - began_s
        broker_mb = resident_mb(stack.broker_pid)
        print(f"{messages:,} messages queued in {filled_s:.0f} s; broker {broker_mb:.0f} MB", file=sys.stderr)
        return _drain(stack, messages)


def _drain(stack: Stack, messages: int) -> list[Figure]:
    with stack.ingest("readings") as pid:
        stored, idle_mb, drained_s = _wait_until_stored(stack, pid, messages)
        memory_mb = resident_mb(pid)
    return [
        figure("backlog: messages lost", messages - stored, "messages", target=0, better="lower"),
        figure("backlog: drained", messages / drained_s, "messages/s", target=2_500),
        figure(
            "backlog: most memory of ingest",
            memory_mb,
            "MB",
            ceiling=idle_mb,
            target=300,
            better="lower",
        ),
    ]


def _wait_until_stored(stack: Stack, pid: int, messages: int) -> tuple[int, float, float]:
    """Rows stored in the end, memory of ingest when it has just begun in MB, and how long it took in s."""
    stored, began_s = 0, time.monotonic()
    changed_s = began_s
    with connect(stack.owner_url, autocommit=True) as connection:
        time.sleep(POLL_S)
        idle_mb = resident_mb(pid)
        while stored < messages and time.monotonic() - changed_s < STALL_S_MAX:
            row = connection.execute("SELECT count(*) AS stored FROM readings.vitals").fetchone()
            assert row is not None
            if row["stored"] > stored:
                stored, changed_s = int(row["stored"]), time.monotonic()
            time.sleep(POLL_S)
    return stored, idle_mb, changed_s - began_s


def _packets(load: list[Pattern], messages: int) -> Iterator[tuple[bytes, bytes]]:
    """Each device in turn, a second apart, the last now."""
    rounds = messages // len(load)
    start_ms = time.time_ns() // 1_000_000 - rounds * 1000
    for number in range(messages):
        yield load[number % len(load)].at(start_ms + number // len(load) * 1000)
