"""`anshou bench ingest`: how fast readings are stored, beside what TimescaleDB and paho can do at best."""

import itertools
import multiprocessing
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.sharedctypes import Synchronized
from typing import NamedTuple

import psycopg
from psycopg import sql

from benchmarks.figures import Figure, figure
from benchmarks.load import Publisher, publish_packet
from benchmarks.stack import Stack, add_fleet, cpu_s, resident_mb, running_stack
from database.connections import Connection, connect
from ingest import pgcopy
from ingest.rows import VITALS_COLUMNS, VitalsRow
from ingest.subscriber import Incoming, Session, Subscriber
from protocol import wire
from protocol.broker import BrokerAddress
from protocol.model import VitalSigns
from protocol.signs import SIGNS
from protocol.wire import Leaf

HOMES = 100
RESIDENTS_A_HOME = 50
SIGNS_A_ROW = 5
BATCHES = 20_000
SINGLES = 150_000
ROWS_A_COPY = 5_000
COPY_ROWS = 500_000
WARM_UP = 0.05
"""Share of the messages that is sent before the clock starts: sessions, caches and chunks are then there."""
KEEPALIVE_S = 60
Packet = tuple[bytes, bytes]


class Measured(NamedTuple):
    """One run: rows stored per second, CPU of ingest and database in seconds, most memory of ingest in MB."""

    rows_per_s: float
    cpu_s: float
    memory_mb: float


def run() -> list[Figure]:
    """All figures of this benchmark."""
    with running_stack() as stack:
        with connect(stack.owner_url) as connection:
            homes = add_fleet(connection, HOMES, RESIDENTS_A_HOME)
        return _batches(stack, homes) + _singles(stack, homes)


def _batches(stack: Stack, homes: list[list[str]]) -> list[Figure]:
    rows = BATCHES * RESIDENTS_A_HOME
    ceiling = _copy_rows_per_s(stack)
    measured = _store(stack, list(_batch_packets(homes, BATCHES)), RESIDENTS_A_HOME, "batch")
    ceiling = max(ceiling, _copy_rows_per_s(stack))
    per_reading_us = measured.cpu_s / (rows * SIGNS_A_ROW) * 1e6
    name = "batches of 50"
    return [
        figure(f"{name}: stored", measured.rows_per_s, "rows/s", ceiling=ceiling, target=0.6, of="ratio"),
        figure(f"{name}: stored", measured.rows_per_s * SIGNS_A_ROW, "readings/s", target=500_000),
        figure(f"{name}: CPU of ingest + database", per_reading_us, "µs/reading", target=3, better="lower"),
        figure(f"{name}: memory of ingest", measured.memory_mb, "MB", target=300, better="lower"),
    ]


def _singles(stack: Stack, homes: list[list[str]]) -> list[Figure]:
    packets = list(_single_packets(homes, SINGLES, Leaf.VITALS))
    # On another leaf: the session of ingest would queue what is said on its own.
    bare = list(_single_packets(homes, SINGLES, Leaf.ALARM))
    ceiling = _received_per_s(stack, bare)
    measured = _store(stack, packets, 1, "vitals")
    ceiling = max(ceiling, _received_per_s(stack, bare))
    per_reading_us = measured.cpu_s / (SINGLES * SIGNS_A_ROW) * 1e6
    name = "single messages"
    return [
        figure(
            f"{name}: stored", measured.rows_per_s, "messages/s", ceiling=ceiling, target=0.85, of="ratio"
        ),
        figure(f"{name}: CPU of ingest + database", per_reading_us, "µs/reading", target=40, better="lower"),
    ]


def _store(stack: Stack, packets: list[Packet], rows_a_packet: int, counted: str) -> Measured:
    """Publish while ingest runs; timed from the end of the warm-up to the last commit.

    `counted` is the table of `readings` that gets one row a packet: counting is work for the database too.
    """
    warm_up = int(len(packets) * WARM_UP)
    with (
        connect(stack.owner_url, autocommit=True) as connection,
        stack.ingest("readings") as pid,
        _publisher(stack) as publisher,
    ):
        connection.execute("TRUNCATE readings.vitals, readings.resident_state")
        _wait_until_connected(connection)
        publisher.send(packets[:warm_up])
        _wait_until_stored(connection, counted, warm_up)
        cpu_before_s = stack.postgres_cpu_s() + cpu_s(pid)
        started_s = time.perf_counter()
        publisher.send(packets[warm_up:])
        _wait_until_stored(connection, counted, len(packets))
        elapsed_s = time.perf_counter() - started_s
        used_s = stack.postgres_cpu_s() + cpu_s(pid) - cpu_before_s
        return Measured(
            (len(packets) - warm_up) * rows_a_packet / elapsed_s, used_s / (1 - WARM_UP), resident_mb(pid)
        )


def _wait_until_connected(connection: Connection) -> None:
    while not connection.execute(
        "SELECT FROM pg_stat_activity WHERE usename = 'anshou_ingest' AND state = 'idle'"
    ).fetchall():
        time.sleep(0.05)
    time.sleep(1.0)  # it subscribes right after it has read the register


def _wait_until_stored(connection: Connection, table: str, rows: int) -> None:
    counting = sql.SQL("SELECT count(*) AS stored FROM {}").format(sql.Identifier("readings", table))
    while True:
        row = connection.execute(counting).fetchone()
        assert row is not None
        if row["stored"] >= rows:
            return
        time.sleep(0.05)


@contextmanager
def _publisher(stack: Stack) -> Iterator[Publisher]:
    publisher = Publisher(stack.mqtt_url("simulator"), "bench-load")
    try:
        yield publisher
    finally:
        publisher.close()


def _received_per_s(stack: Stack, packets: list[Packet]) -> float:
    """The ceiling of single messages: the same client takes and acknowledges them, and that is all."""
    context = multiprocessing.get_context("spawn")
    count = context.Value("q", 0)
    receiver = context.Process(target=_receive_only, args=(stack.mqtt_url("ingest"), count), daemon=True)
    receiver.start()
    with _publisher(stack) as publisher:
        while count.value == 0:
            publisher.send(packets[:1])  # until it has subscribed
            time.sleep(0.05)
        before = count.value
        started_s = time.perf_counter()
        publisher.send(packets)
        while count.value < before + len(packets):
            time.sleep(0.01)
        elapsed_s = time.perf_counter() - started_s
    receiver.terminate()
    receiver.join()
    return len(packets) / elapsed_s


def _receive_only(url: str, count: "Synchronized[int]") -> None:
    received: list[Incoming] = []
    subscriber = Subscriber(
        BrokerAddress.parse(url),
        session=Session("bench-receive-only", [f"{wire.ROOT}/+/+/{Leaf.ALARM}"]),
        receive_max=4_000,
        keepalive_s=KEEPALIVE_S,
        on_message=received.append,
    )
    while True:
        subscriber.turn(0.5)
        for incoming in received:
            subscriber.acknowledge(incoming)
        count.value += len(received)
        received.clear()


def _batch_packets(homes: list[list[str]], count: int) -> Iterator[Packet]:
    start_ms = int(time.time() * 1000) - count // len(homes) * 1000
    generator = random.Random(7)
    for number, home in zip(range(count), itertools.cycle(range(len(homes))), strict=False):
        ts_ms = start_ms + number // len(homes) * 1000
        items = [(device, _vitals(generator, ts_ms)) for device in homes[home]]
        topic = f"{wire.ROOT}/home-{home + 1}/gw-{home + 1}/batch"
        yield publish_packet(topic, wire.encode_batch(f"b{number}", items))


def _single_packets(homes: list[list[str]], count: int, leaf: Leaf) -> Iterator[Packet]:
    devices = [(f"home-{number}", device) for number, names in enumerate(homes, start=1) for device in names]
    start_ms = int(time.time() * 1000) - count // len(devices) * 1000
    generator = random.Random(9)
    for number, (site, device) in zip(range(count), itertools.cycle(devices), strict=False):
        message = _vitals(generator, start_ms + number // len(devices) * 1000)
        yield publish_packet(f"{wire.ROOT}/{site}/{device}/{leaf}", wire.encode(message))


def _vitals(generator: random.Random, ts_ms: int) -> VitalSigns:
    return VitalSigns(
        ts_ms=ts_ms,
        hr=float(generator.randint(55, 95)),
        rr=float(generator.randint(11, 20)),
        spo2=float(generator.randint(93, 99)),
        temp=generator.randint(360, 374) / 10,
        sbp=float(generator.randint(105, 160)),
    )


def _copy_rows_per_s(stack: Stack) -> float:
    """The ceiling of batches: bare binary COPY of rows packed beforehand, in transactions of 5,000."""
    start_us = int(time.time()) * 1_000_000 - 86_400_000_000
    generator = random.Random(8)
    blocks = []
    for block in range(COPY_ROWS // ROWS_A_COPY):
        time_us = start_us + block * 1_000_000
        rows = [_copied_row(generator, time_us, n) for n in range(1, ROWS_A_COPY + 1)]
        blocks.append(pgcopy.pack_vitals(pgcopy.columns_of(rows)))
    columns = ", ".join(["time", *VITALS_COLUMNS[1:]])
    with psycopg.connect(stack.owner_url) as connection:
        connection.execute("TRUNCATE readings.vitals")
        connection.commit()
        started_s = time.perf_counter()
        for packed in blocks:
            with (
                connection.cursor() as cursor,
                cursor.copy(f"COPY readings.vitals ({columns}) FROM STDIN (FORMAT BINARY)") as copy,
            ):
                copy.write(packed)
            connection.commit()
        return COPY_ROWS / (time.perf_counter() - started_s)


def _copied_row(generator: random.Random, time_us: int, device_id: int) -> VitalsRow:
    signs = _vitals(generator, 0)
    return VitalsRow(time_us, device_id, device_id, False, tuple(getattr(signs, sign) for sign in SIGNS))
