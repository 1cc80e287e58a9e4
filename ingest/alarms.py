"""The process of the alarm path: one message, one transaction, on connections of its own.

It shares nothing with the readings: neither process, nor session at the broker, nor connection, nor a row
that a batch of readings could hold locked. Where two are started, one works and the other stands by.
"""

import logging
import sys
import time
from collections import deque
from secrets import token_hex

import psycopg
from prometheus_client import CollectorRegistry

from database.leases import Duty, DutyLock, Post
from database.queries import queries
from ingest.batch import Assembler, MicroBatch
from ingest.clock import ClockRule, time_of
from ingest.database import ANSWER_S_MAX, Database
from ingest.directory import Directory
from ingest.metrics import Metrics
from ingest.rows import SignalRow, dead_letter
from ingest.settings import Settings
from ingest.signals import store_signal
from ingest.store import store_dead_letters
from ingest.subscriber import Incoming, Session, Subscriber
from protocol import wire
from protocol.broker import BrokerAddress
from protocol.errors import DeadReason, WireError
from protocol.watchdog import Watchdog
from protocol.wire import ROOT, Leaf, Receipt

_sql = queries("ingest", "sql/signals.sql")

log = logging.getLogger(__name__)

RECEIVE_MAX = 200
"""Signals in hand at once; the broker keeps the others until these are committed."""
TURN_S_MAX = 0.5
RETRY_POLL_S = 0.05
POST_CHECK_S = 1.0
POST_RETRY_S_MAX = 2.0
TOUCH_EVERY_S = 1.0
SWITCH_INTERVAL_S = 0.000_5
"""How long the thread that reads the register anew may keep the interpreter from an alarm."""


class AlarmIngest:
    """Alarm signals, from the broker to the desks."""

    def __init__(
        self, settings: Settings, metrics: Metrics | None = None, watchdog: Watchdog | None = None
    ) -> None:
        self._metrics = metrics or Metrics(CollectorRegistry())
        watchdog = watchdog or Watchdog()
        self._loop = watchdog.loop("alarms")
        self._metrics.watch_pending(lambda: len(self._waiting))
        self._metrics.watch("connected", "Whether the broker sends us its messages.", lambda: self.connected)
        application = f"anshou ingest alarms {settings.worker}"
        self._database = Database(settings.database_url, application)
        # Under a name of its own: who stands by reads the register beside the one that works.
        self._register = Database(settings.database_url, f"{application} directory {token_hex(3)}")
        self._directory = Directory(self._register)
        clock = ClockRule(settings.clock_future_s_max, settings.clock_past_s_max)
        self._assembler = Assembler(self._directory, clock)
        self._waiting: deque[Incoming] = deque()
        self._heard: dict[int, int] = {}
        self._touch_due_s = 0.0
        self._stopping = False
        self._subscriber = Subscriber(
            BrokerAddress.parse(settings.mqtt_url),
            session=Session(f"anshou-ingest-alarms-{settings.worker}", [f"{ROOT}/+/+/{Leaf.ALARM}"]),
            receive_max=RECEIVE_MAX,
            keepalive_s=settings.keepalive_s,
            on_message=self._waiting.append,
        )
        duty = Duty(
            lock=DutyLock.ALARM_INTAKE,
            database_url=settings.database_url,
            interval_s=POST_CHECK_S,
            standby_poll_s=POST_CHECK_S,
            statement_timeout_s=ANSWER_S_MAX,
            work=lambda _connection: None,  # it is done elsewhere, on connections of its own
            retry_s_max=POST_RETRY_S_MAX,
        )
        self._post = Post(duty, self._subscriber.wake, watchdog.loop("post"))

    @property
    def connected(self) -> bool:
        """Whether the broker sends us its messages now."""
        return self._subscriber.subscribed

    def stop(self) -> None:
        """Return from `run` after the signal in hand. Safe in a signal handler."""
        self._stopping = True
        self._subscriber.wake()

    def run(self) -> None:
        """Run until `stop`. Raises what no retry can mend; nothing unacknowledged is lost by that."""
        self._post.start()
        try:
            self._run()
        finally:
            self._loop.rest()
            self._subscriber.close()
            self._post.leave()
            self._database.close()
            self._register.close()

    def _run(self) -> None:
        self._loop.beat()
        while not self._directory.refresh():
            self._loop.beat()
            time.sleep(RETRY_POLL_S)
            if self._stopping:
                return
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        while not self._stopping:
            self._loop.beat()
            if not self._post.held:
                self._stand_by()
                continue
            self._subscriber.turn(RETRY_POLL_S if self._waiting else TURN_S_MAX)
            self._directory.refresh()
            while self._waiting and self._handle(self._waiting[0]):
                self._waiting.popleft()
            if self._heard and not self._waiting and time.monotonic() >= self._touch_due_s:
                self._touch_devices()

    def _stand_by(self) -> None:
        """Keep the register current; what waits is the other's now, who gets it from the broker again."""
        self._subscriber.leave()
        self._waiting.clear()
        self._directory.refresh()
        time.sleep(RETRY_POLL_S)

    def _handle(self, incoming: Incoming) -> bool:
        """Commit one message and acknowledge it; False when the database must be tried again."""
        connection = self._database.connection()
        if connection is None:
            return False
        began_s = time.monotonic()
        one = MicroBatch()
        self._assembler.add(one, incoming)
        try:
            for row in one.singles.signals:
                try:
                    # In a pipeline BEGIN, COMMIT and all whose answer nobody reads cost no round trip: beside
                    # a busy database each of those waits for two processes to get their turn.
                    with connection.pipeline(), connection.transaction():
                        store_signal(connection, row)
                except psycopg.DataError as error:
                    detail = f"the database refuses it: {error.diag.message_primary}"
                    refused = WireError(DeadReason.REFUSED_BY_DATABASE, detail)
                    one.singles.dead.append(dead_letter(incoming.topic, incoming.payload, refused, row.entry))
            store_dead_letters(connection, one.singles.dead)
        except psycopg.OperationalError as error:
            self._database.failed(error)
            return False
        self._subscriber.acknowledge(incoming)
        self._metrics.took(1)
        self._metrics.died(one.singles.dead)
        took_s, at_us = time.monotonic() - began_s, time.time_ns() // 1000
        for row in one.singles.signals:
            self._metrics.signal_committed(row.time_us, took_s=took_s, at_us=at_us)
        for row in one.singles.signals:
            self._send_receipt(incoming, row)
            self._heard[row.entry.device_id] = incoming.received_us
        return True

    def _send_receipt(self, incoming: Incoming, row: SignalRow) -> None:
        """Tell the outbox that asked for it (MQTT 5 response topic) that the signal is committed."""
        if incoming.response_topic is None or row.signal.signal_id is None:
            return
        try:
            topic = wire.parse_topic(incoming.response_topic)
        except WireError:
            return
        if topic.leaf is Leaf.RECEIPT and topic.site == row.entry.site_code:
            receipt = wire.encode(Receipt(signals=(row.signal.signal_id,)))
            self._subscriber.publish(str(topic), receipt, incoming.correlation)

    def _touch_devices(self) -> None:
        """Note signs of life, unless a batch of readings holds the row: then they are noted there.

        Once a second, only while no alarm waits, and without waiting for the disk: the device's next message
        tells what is lost with this process.
        """
        connection = self._database.connection()
        if connection is None:
            return
        self._touch_due_s = time.monotonic() + TOUCH_EVERY_S
        heard, self._heard = self._heard, {}
        try:
            with connection.pipeline(), connection.transaction():
                connection.execute("SET LOCAL synchronous_commit = off")
                for device_id, received_us in sorted(heard.items()):
                    params = {"device_id": device_id, "seen_at": time_of(received_us)}
                    connection.execute(_sql["touch_device"], params)
        except psycopg.OperationalError as error:
            self._database.failed(error)
