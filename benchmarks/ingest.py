"""`anshou bench ingest`: how fast readings are stored, beside what TimescaleDB and paho can do at best."""

import itertools
import random
import time
from collections.abc import Iterator

import psycopg

from benchmarks.figures import Figure, figure
from benchmarks.load import Publisher, publish_packet
from benchmarks.stack import Stack, add_fleet, cpu_s, resident_mb, running_stack
from care import db
from gateway import wire
from gateway.model import VitalSigns
from ingest import pgcopy
from ingest.batch import VitalsRow

HOMES = 100
RESIDENTS_A_HOME = 50
SIGNS_A_ROW = 5
BATCHES = 20_000
SINGLES = 100_000
ROWS_A_COPY = 5_000
COPY_ROWS = 500_000
Packet = tuple[bytes, bytes]


def run() -> list[Figure]:
    """All figures of this benchmark."""
    with running_stack() as stack:
        with db.connect(stack.owner_url) as connection:
            homes = add_fleet(connection, HOMES, RESIDENTS_A_HOME)
        figures = _batches(stack, homes)
        figures += _singles(stack, homes)
    return figures


def _batches(stack: Stack, homes: list[list[str]]) -> list[Figure]:
    rows = BATCHES * RESIDENTS_A_HOME
    packets = list(_batch_packets(homes, BATCHES))
    before = _copy_rows_per_s(stack)
    measured = _drain(stack, packets, rows)
    ceiling = max(before, _copy_rows_per_s(stack))
    readings = rows * SIGNS_A_ROW
    return [
        figure("batches of 50: rows stored", measured.rows_per_s, "rows/s", ceiling=ceiling, target=0.6, of="ratio"),
        figure("batches of 50: readings stored", measured.rows_per_s * SIGNS_A_ROW, "readings/s", target=500_000),
        figure(
            "batches of 50: CPU of ingest and database",
            measured.cpu_s / readings * 1e6,
            "µs/reading",
            target=3,
            better="lower",
        ),
        figure("batches of 50: memory of ingest", measured.memory_mb, "MB", target=300, better="lower"),
    ]


def _singles(stack: Stack, homes: list[list[str]]) -> list[Figure]:
    return []


class _Measured:
    def __init__(self, rows_per_s: float, cpu_s: float, memory_mb: float) -> None:
        self.rows_per_s = rows_per_s
        self.cpu_s = cpu_s
        self.memory_mb = memory_mb


def _drain(stack: Stack, packets: list[Packet], rows: int) -> _Measured:
    """Publish everything while ingest runs; the time from the first publish to the last commit."""
    publisher = Publisher(stack.mqtt_url("simulator"), "bench-load")
    with (
        db.connect(stack.owner_url, autocommit=True) as connection,
        stack.ingest("readings") as pid,
    ):
        connection.execute("TRUNCATE readings.vitals, readings.batch, readings.resident_state, readings.device_state")
        time.sleep(2.0)
        cpu_before_s = stack.postgres_cpu_s() + cpu_s(pid)
        started_s = time.perf_counter()
        publisher.send(packets)
        print("published", time.perf_counter() - started_s)
        while _stored(connection) < rows:
            time.sleep(0.05)
        elapsed_s = time.perf_counter() - started_s
        used_s = stack.postgres_cpu_s() + cpu_s(pid) - cpu_before_s
        print("ingest cpu", cpu_s(pid), "pg", used_s - cpu_s(pid), "elapsed", elapsed_s)
        memory_mb = resident_mb(pid)
    publisher.close()
    return _Measured(rows / elapsed_s, used_s, memory_mb)


def _stored(connection: db.Connection) -> int:
    row = connection.execute("SELECT count(*) AS stored FROM readings.vitals").fetchone()
    assert row is not None
    return int(row["stored"])


def _batch_packets(homes: list[list[str]], count: int) -> Iterator[Packet]:
    start_ms = int(time.time() * 1000) - count // len(homes) * 1000
    generator = random.Random(7)
    for number, home in zip(range(count), itertools.cycle(range(len(homes))), strict=False):
        ts_ms = start_ms + number // len(homes) * 1000
        items = [(device, _vitals(generator, ts_ms)) for device in homes[home]]
        topic = f"{wire.ROOT}/home-{home + 1}/gw-{home + 1}/batch"
        yield publish_packet(topic, wire.encode_batch(f"b{number}", items))


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
    """The ceiling: bare binary COPY of rows packed beforehand, in transactions of 5,000."""
    start_us = int(time.time()) * 1_000_000 - 86_400_000_000
    generator = random.Random(8)
    blocks = []
    for block in range(COPY_ROWS // ROWS_A_COPY):
        rows = [
            VitalsRow(start_us + block * 1_000_000, device, device, False,
                      float(generator.randint(55, 95)), 15.0, 97.0, 36.6, 130.0, None, None, None)
            for device in range(1, ROWS_A_COPY + 1)
        ]  # fmt: skip
        blocks.append(pgcopy.pack_vitals(rows))
    columns = ", ".join(["time", *VitalsRow._fields[1:]])
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
