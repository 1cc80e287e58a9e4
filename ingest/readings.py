"""The process that stores readings: broker -> micro-batches -> database -> acknowledgement.

Two threads. This one drives the broker's socket and acknowledges; the writer commits. What is read but not
committed is bounded: by the receive window in messages, and by `pending_bytes_max` in bytes. While the
database is slow or away nothing is acknowledged, and the broker keeps what it has.
"""

import gc
import logging
import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import psycopg

from ingest.batch import Assembler, MicroBatch
from ingest.clock import ClockRule
from ingest.database import Database
from ingest.directory import Directory
from ingest.latest import Heard
from ingest.metrics import BROKER_STATUS, Metrics
from ingest.settings import Settings
from ingest.store import Prepared, Stored, prepare, store
from ingest.subscriber import Incoming, Session, Subscriber
from protocol import wire
from protocol.broker import BrokerAddress
from protocol.watchdog import Loop, Watchdog
from protocol.wire import Leaf, Receipt

log = logging.getLogger(__name__)

TURN_S_MAX = 0.5
DATABASE_POLL_S = 0.05
STOP_S_MAX = 5.0
BATCHES_IN_HAND_MAX = 3
"""One being gathered, one waiting, one being committed."""
GC_THRESHOLD = 500_000
SWITCH_INTERVAL_S = 0.000_05
"""How long a thread may keep the interpreter from the other. The writer computes for microseconds between two
answers of the database: with Python's 5 ms it would wait for its turn longer than for the database."""


class Committed(NamedTuple):
    """A batch whose transaction is done."""

    batch: MicroBatch
    stored: Stored


class Writer(threading.Thread):
    """Commits one batch after the other, trying each until the database takes it."""

    def __init__(self, database: Database, wake: Callable[[], None], metrics: Metrics, loop: Loop) -> None:
        super().__init__(name="writer", daemon=True)
        self._database = database
        self._wake = wake
        self._metrics = metrics
        self._loop = loop
        self._heard = Heard()
        self._todo: queue.Queue[Prepared | None] = queue.Queue(maxsize=1)
        self._done: queue.SimpleQueue[Committed] = queue.SimpleQueue()
        self._giving_up = threading.Event()
        self.failure: Exception | None = None

    @property
    def has_room(self) -> bool:
        """Whether another batch can be handed over now."""
        return not self._todo.full()

    def hand_over(self, prepared: Prepared) -> None:
        """Have it committed; only where there is room."""
        self._todo.put_nowait(prepared)

    def committed(self) -> list[Committed]:
        """What was committed since the last call, in order."""
        return [self._done.get() for _ in range(self._done.qsize())]

    def finish(self, timeout_s: float) -> None:
        """Commit what was handed over, but wait no longer than this for a database that is away."""
        deadline_s = time.monotonic() + timeout_s
        try:
            self._todo.put(None, timeout=timeout_s)
        except queue.Full:
            log.warning("the database did not take the last batches; the broker will send them again")
        self.join(max(0.0, deadline_s - time.monotonic()))
        self._giving_up.set()

    def run(self) -> None:
        """The thread's loop."""
        try:
            while (prepared := self._todo.get()) is not None:
                self._commit(prepared)
                self._loop.rest()
                del prepared  # not kept while there is nothing to do
        except Exception as error:  # noqa: BLE001 - handed to the main thread, which raises it
            self.failure = error
            self._wake()
        finally:
            self._loop.rest()
            self._database.close()

    def _commit(self, prepared: Prepared) -> None:
        while not self._giving_up.is_set():
            self._loop.beat()
            connection = self._database.connection()
            if connection is None:
                self._giving_up.wait(DATABASE_POLL_S)
                continue
            began_s = time.monotonic()
            try:
                stored = store(connection, prepared, self._heard)
            except psycopg.OperationalError as error:
                self._database.failed(error)
                continue
            self._done.put(Committed(prepared.batch, stored))
            self._wake()
            took_s, at_us = time.monotonic() - began_s, time.time_ns() // 1000
            self._metrics.committed(prepared.rows, stored, took_s=took_s, at_us=at_us)
            return


class ReadingsIngest:
    """Readings from one session at the broker into the database."""

    def __init__(
        self, settings: Settings, session: Session, metrics: Metrics, watchdog: Watchdog | None = None
    ) -> None:
        self._settings = settings
        self._watchdog = watchdog or Watchdog()
        self._loop = self._watchdog.loop(session.client_id)
        self._writer_loop = self._watchdog.loop(f"writer of {session.client_id}")
        self._metrics = metrics
        application = session.client_id  # two processes may work on two shares: each ends only its own past
        self._register = Database(settings.database_url, f"{application} directory")
        self._directory = Directory(self._register)
        clock = ClockRule(settings.clock_future_s_max, settings.clock_past_s_max)
        self._assembler = Assembler(self._directory, clock)
        self._subscriber = Subscriber(
            BrokerAddress.parse(settings.mqtt_url),
            session=session,
            receive_max=settings.receive_max,
            keepalive_s=settings.keepalive_s,
            on_message=self._receive,
            status_topics=list(BROKER_STATUS),
            on_status=self._metrics.broker_said,
        )
        self._writer = Writer(
            Database(settings.database_url, application, settings.database_answer_s_max),
            self._subscriber.wake,
            self._metrics,
            self._writer_loop,
        )
        self._batch = MicroBatch()
        self._handed_over = 0
        self._rows_in_hand = 0
        self.pending_bytes = 0
        self._stopping = False

    @property
    def pending_messages(self) -> int:
        """Messages in hand that are not committed."""
        return self._handed_over + len(self._batch)

    @property
    def connected(self) -> bool:
        """Whether the broker sends us its messages now."""
        return self._subscriber.subscribed

    def stop(self) -> None:
        """Finish what is in hand and return from `run`. Safe in a signal handler."""
        self._stopping = True
        self._subscriber.wake()

    def run(self) -> None:
        """Run until `stop`. Raises what no retry can mend; nothing unacknowledged is lost by that."""
        try:
            self._run()
        finally:
            self._watchdog.forget(self._loop)
            self._watchdog.forget(self._writer_loop)
            self._subscriber.close()
            self._register.close()

    def _run(self) -> None:
        self._loop.beat()
        while not self._directory.refresh():
            self._loop.beat()
            time.sleep(DATABASE_POLL_S)
            if self._stopping:
                return
        log.info("%d devices are registered", len(self._directory))
        # Rows are tuples of numbers, hundreds of thousands a second, and never form a cycle: looking for one
        # among them takes a tenth of the processor.
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD)
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        self._writer.start()
        while not self._stopping:
            self._loop.beat()
            self._subscriber.turn(self._wait_s())
            self._directory.refresh()
            self._acknowledge()
            self._hand_over()
        if self._batch and self._writer.has_room:
            self._writer.hand_over(prepare(self._batch))
        self._writer.finish(STOP_S_MAX)
        self._acknowledge()

    def _receive(self, incoming: Incoming) -> None:
        self.pending_bytes += len(incoming.payload)
        if not self._assembler.add(self._batch, incoming) and incoming.topic.endswith(f"/{Leaf.STATUS}"):
            self._subscriber.forget_retained(incoming.topic)
        self._subscriber.paused = self._is_full()

    def _due(self) -> bool:
        settings = self._settings
        return bool(self._batch) and (
            self._batch.row_count >= settings.batch_rows_max
            or len(self._batch) >= settings.receive_max // 2
            or self._age_s() >= settings.batch_age_ms_max / 1000
        )

    def _age_s(self) -> float:
        return time.monotonic() - self._batch.opened_s

    def _wait_s(self) -> float:
        if not self._batch:
            return TURN_S_MAX
        return min(TURN_S_MAX, max(0.001, self._settings.batch_age_ms_max / 1000 - self._age_s()))

    def _hand_over(self) -> None:
        if self._due() and self._writer.has_room:
            # Prepared here: a writer that computes would make this thread wait for the interpreter's lock
            # after every read of the socket.
            self._writer.hand_over(prepare(self._batch))
            self._metrics.took(len(self._batch))
            self._handed_over += len(self._batch)
            self._rows_in_hand += self._batch.row_count
            self._batch = MicroBatch()
        self._subscriber.paused = self._is_full()

    def _is_full(self) -> bool:
        """Whether enough is in hand. Small batches in quick succession also suit the processor's cache."""
        return (
            self._rows_in_hand + self._batch.row_count >= BATCHES_IN_HAND_MAX * self._settings.batch_rows_max
            or self.pending_bytes >= self._settings.pending_bytes_max
        )

    def _acknowledge(self) -> None:
        for batch, stored in self._writer.committed():
            for incoming in batch.deliveries:
                self._subscriber.acknowledge(incoming)
            for topic, batch_ids in batch.receipts().items():
                receipt = Receipt(batches=batch_ids, ts_ms=time.time_ns() // 1_000_000)
                self._subscriber.publish(topic, wire.encode(receipt))
            self.pending_bytes -= batch.payload_bytes
            self._handed_over -= len(batch)
            self._rows_in_hand -= batch.row_count
            if stored.dead:
                log.warning("%d dead letters, the first: %s", len(stored.dead), stored.dead[0].detail)
        if self._writer.failure is not None:
            raise self._writer.failure
