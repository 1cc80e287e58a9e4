"""What a process of ingest counts, for Prometheus and (through `ingest.health`) for people.

Counted once a transaction, never once a message: at the machine's limit a counter touched by each message
would cost more than decoding it. Every process has a registry of its own, made where it is composed.
"""

import contextlib
import logging
import threading
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    start_http_server,
)
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from ingest.rows import ActivityRow, DeadLetter, Rows, VitalsRow
from ingest.settle import Backlog
from ingest.store import Stored

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
PREFIX = "anshou_ingest"
LAG_SAMPLES_MAX = 500
"""Rows of one transaction whose lag is looked at, evenly spread: all of a small one, one in ten of 5,000."""
LAG_EDGES_S = tuple(float(f"{10.0**power:.3g}") for power in np.arange(-3, 5.01, 0.2))
"""From a millisecond to a day, five for each factor of ten."""
COMMIT_EDGES_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
ROWS_EDGES = (1, 10, 50, 100, 500, 1_000, 2_000, 5_000, 10_000, 20_000)
BROKER_STATUS: Mapping[str, tuple[str, str]] = {
    "$SYS/broker/publish/messages/dropped": (
        "anshou_broker_dropped_messages",
        "Messages that the broker has dropped since it started, its bounds being full.",
    ),
    "$SYS/broker/store/messages/count": (
        "anshou_broker_stored_messages",
        "Messages that the broker holds: retained, under way, and queued for sessions.",
    ),
    "$SYS/broker/store/messages/bytes": (
        "anshou_broker_stored_bytes",
        "Payload of the messages that the broker holds.",
    ),
    "$SYS/broker/clients/connected": ("anshou_broker_connected_clients", "Clients connected to the broker."),
}
"""What mosquitto tells of itself, every `sys_interval` seconds: https://mosquitto.org/man/mosquitto-8.html"""


class Lags:
    """How long after its own time each reading was committed, in seconds: counts between fixed edges."""

    def __init__(self) -> None:
        self._edges_us = np.array([edge * 1e6 for edge in LAG_EDGES_S], dtype=np.int64)
        self._lock = threading.Lock()
        self._counts = np.zeros(len(LAG_EDGES_S) + 1, dtype=np.int64)
        self._sum_s = 0.0

    def add(self, lags_us: NDArray[np.int64]) -> None:
        """Count these; a clock that is ahead of ours counts as no lag."""
        found = np.searchsorted(self._edges_us, lags_us)
        counts = np.bincount(found, minlength=len(self._counts))
        with self._lock:
            self._counts += counts
            self._sum_s += float(np.maximum(lags_us, 0).sum()) / 1e6

    def counts(self) -> NDArray[np.int64]:
        """How many since the start, by bucket; the last is beyond the last edge."""
        with self._lock:
            return self._counts.copy()

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """As Prometheus wants it."""
        with self._lock:
            cumulative, sum_s = self._counts.cumsum(), self._sum_s
        edges = [*(f"{edge:g}" for edge in LAG_EDGES_S), "+Inf"]
        yield HistogramMetricFamily(
            f"{PREFIX}_lag_seconds",
            "From the device's own time of a reading to its commit (readings sampled evenly).",
            buckets=[(edge, float(count)) for edge, count in zip(edges, cumulative, strict=True)],
            sum_value=sum_s,
        )


def quantile_s(counts: NDArray[np.int64], share: float) -> float | None:
    """The lag in seconds that this share of the counted readings did not exceed; None: nothing counted.

    Right to a bucket, hence to a factor of 1.6; between its edges it is interpolated.
    """
    total = int(counts.sum())
    if not total:
        return None
    cumulative = counts.cumsum()
    index = int(np.searchsorted(cumulative, share * total))
    if index >= len(LAG_EDGES_S):
        return LAG_EDGES_S[-1]
    low = LAG_EDGES_S[index - 1] if index else 0.0
    before = int(cumulative[index - 1]) if index else 0
    within = (share * total - before) / int(counts[index])
    return low + (LAG_EDGES_S[index] - low) * within


class Totals(NamedTuple):
    """Counts since the process started; `lags` by bucket of `LAG_EDGES_S`."""

    received: int
    stored: int
    repeated_batches: int
    careful_stores: int
    dead: int
    pending: int
    broker_dropped: int | None
    lags: NDArray[np.int64]


class _Lagging(Collector):
    """Lags, as something that a registry can ask."""

    def __init__(self, lags: Lags) -> None:
        self._lags = lags

    def collect(self) -> Iterable[HistogramMetricFamily]:
        return self._lags.collect()


class Metrics:
    """The counters of one process. Safe to use from any thread."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._lags = Lags()
        registry.register(_Lagging(self._lags))
        ProcessCollector(registry=registry)
        self._totals: Tally[str] = Tally()
        self._lock = threading.Lock()
        self._received = self._counter("messages_received", "Messages (of settle: notes) taken in hand.")
        self._stored = self._counter(
            "rows_stored", "Rows committed, those that were there already included.", "table"
        )
        self._repeated = self._counter("batches_repeated", "Gateways' batches that were committed before.")
        self._careful = self._counter(
            "careful_stores", "Transactions that plain COPY could not do: repeated or refused rows."
        )
        self._dead = self._counter("dead_letters", "Messages and rows that could not be stored.", "reason")
        self._commit = self._histogram("commit_seconds", "Duration of a transaction.", COMMIT_EDGES_S)
        self._rows = self._histogram("transaction_rows", "Rows of a transaction.", ROWS_EDGES)
        self._pending: Callable[[], int] = lambda: 0
        self._broker: dict[str, Gauge] = {}
        self._broker_dropped: int | None = None

    def watch(self, name: str, documentation: str, value: Callable[[], float]) -> None:
        """A gauge that is asked for its value whenever it is read; from another thread."""
        Gauge(f"{PREFIX}_{name}", documentation, registry=self.registry).set_function(value)

    def watch_pending(self, messages: Callable[[], int]) -> None:
        """How many messages are in hand, not yet committed."""
        self._pending = messages
        self.watch("pending_messages", "Messages in hand that are not committed.", messages)

    def took(self, messages: int) -> None:
        """So many messages were taken in hand."""
        self._received.inc(messages)
        self._add(received=messages)

    def committed(self, rows: Rows, stored: Stored, *, took_s: float, at_us: int) -> None:
        """A micro-batch was committed at `at_us`, microseconds since 1970 UTC, in `took_s`."""
        self._commit.observe(took_s)
        self._rows.observe(stored.rows)
        for table, count in (
            ("vitals", rows.vitals_count()),
            ("activity", len(rows.activity)),
            ("device_status", len(rows.status)),
            ("alarm_signal", len(rows.signals)),
        ):
            if count:
                self._stored.labels(table).inc(count)
        if stored.carefully:
            self._careful.inc()
            self._repeated.inc(stored.repeated_batches)
        self._add(
            stored=stored.rows,
            repeated_batches=stored.repeated_batches,
            careful_stores=int(stored.carefully),
        )
        self.died(stored.dead)
        times_us = _sample_us(rows)
        if len(times_us):
            self._lags.add(at_us - times_us)

    def signal_committed(self, time_us: int, *, took_s: float, at_us: int) -> None:
        """An alarm signal was committed."""
        self._commit.observe(took_s)
        self._stored.labels("alarm_signal").inc()
        self._add(stored=1)
        self._lags.add(np.array([at_us - time_us], dtype=np.int64))

    def rolled_up(self, hours: int) -> None:
        """Rollups of so many hours of devices were made anew."""
        self._stored.labels("rollup_hour").inc(hours)
        self._add(stored=hours)

    def died(self, dead: Sequence[DeadLetter]) -> None:
        """These could not be stored."""
        for letter in dead:
            self._dead.labels(str(letter.reason)).inc()
        self._add(dead=len(dead))

    def broker_said(self, topic: str, payload: bytes) -> None:
        """The broker told something of itself; what is not in `BROKER_STATUS` is not ours."""
        if topic not in BROKER_STATUS:
            return
        try:
            value = int(payload)
        except ValueError:
            log.debug("the broker says %s of %s", payload[:100], topic)
            return
        name, documentation = BROKER_STATUS[topic]
        if topic not in self._broker:
            self._broker[topic] = Gauge(name, documentation, registry=self.registry)
        self._broker[topic].set(value)
        if topic.endswith("/publish/messages/dropped"):
            self._broker_dropped = value

    def totals(self) -> Totals:
        """What was counted since the process started."""
        with self._lock:
            totals = dict(self._totals)
        return Totals(
            totals.get("received", 0),
            totals.get("stored", 0),
            totals.get("repeated_batches", 0),
            totals.get("careful_stores", 0),
            totals.get("dead", 0),
            self._pending(),
            self._broker_dropped,
            self._lags.counts(),
        )

    def _add(self, **counts: int) -> None:
        with self._lock:
            self._totals.update(counts)

    def _counter(self, name: str, documentation: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}", documentation, labels, registry=self.registry)

    def _histogram(self, name: str, documentation: str, edges: Sequence[float]) -> Histogram:
        return Histogram(f"{PREFIX}_{name}", documentation, buckets=edges, registry=self.registry)


class BacklogMetrics:
    """How far derived data is behind: set by whoever asks the database (`ingest.settle.backlog`)."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, documentation: str) -> Gauge:
            return Gauge(f"{PREFIX}_{name}", documentation, registry=registry)

        self._gauges = {
            "unsettled": gauge("unsettled_notes", "Transactions whose rows are not in the latest state yet."),
            "unsettled_age_s": gauge("unsettled_age_seconds", "Age of the oldest of them."),
            "dirty_hours": gauge("dirty_hours", "Hours of devices whose rollups are stale."),
            "overdue_s": gauge("rollup_overdue_seconds", "How long ago the first of them was due."),
            "kept_chunks": gauge("kept_chunks", "Raw chunks old enough to go, but not proven."),
            "late_rows_dropped": gauge(
                "late_rows_dropped", "Rows that came after the raw data of their time was dropped."
            ),
        }
        self._kept = Gauge(
            f"{PREFIX}_kept_chunk", "1 for each raw chunk that is kept, and why.",
            ("source", "begins", "because"), registry=registry,
        )  # fmt: skip

    def set(self, backlog: Backlog, kept: Sequence[tuple[str, str, str]]) -> None:
        """The backlog now; `kept`: source, beginning and reason of each chunk that is kept."""
        for name, gauge in self._gauges.items():
            gauge.set(getattr(backlog, name) or 0)
        self._kept.clear()
        for source, begins, because in kept:
            self._kept.labels(source, begins, because).set(1)


@contextlib.contextmanager
def served(registry: CollectorRegistry, port: int) -> Iterator[None]:
    """Serve /metrics on the loopback interface, at `port`; 0: nowhere.

    A port that is taken is told and gone without: an SOS must not wait for a number.
    """
    if not port:
        yield
        return
    try:
        server, thread = start_http_server(port, addr=LOOPBACK, registry=registry)
    except OSError as error:
        log.warning(
            "no metrics are served, port %d cannot be had: %s; choose another (ANSHOU_INGEST_METRICS_PORT)",
            port,
            error,
        )
        yield
        return
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _sample_us(rows: Rows) -> NDArray[np.int64]:
    """Times of vital signs and activity, in microseconds since 1970 UTC: at most LAG_SAMPLES_MAX of each."""
    blocks = rows.blocks[:: 1 + len(rows.blocks) // LAG_SAMPLES_MAX]
    of_blocks = np.array([block.ts_ms[0] * 1000 for block in blocks], dtype=np.int64)
    return np.concatenate([_spread_us(rows.vitals), of_blocks, _spread_us(rows.activity)])


def _spread_us(rows: Sequence[VitalsRow] | Sequence[ActivityRow]) -> NDArray[np.int64]:
    stride = 1 + len(rows) // LAG_SAMPLES_MAX
    return np.array([row.time_us for row in rows[::stride]], dtype=np.int64)
