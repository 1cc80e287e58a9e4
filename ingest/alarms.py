"""The process of the alarm path: one message, one transaction, on connections of its own.

Who says far too much is heard no less, but waits behind everybody else (`ingest.floods`).

It shares nothing with the readings: neither process, nor session at the broker, nor connection, nor a row
that a batch of readings could hold locked. Where two are started, one works and the other stands by.
"""

import logging
import sys
import time
from datetime import UTC, datetime
from secrets import token_hex

import psycopg
from prometheus_client import CollectorRegistry

from database.connections import Connection
from database.leases import Duty, DutyLock, Post
from database.queries import queries
from ingest.batch import Assembler, MicroBatch
from ingest.clock import ClockRule, time_of
from ingest.database import ANSWER_S_MAX, Database
from ingest.directory import Directory, Entry
from ingest.floods import Budgets, Flood, Floods, Kept, Turns
from ingest.metrics import Metrics
from ingest.rows import DeadLetter, SignalRow, dead_letter
from ingest.settings import Settings
from ingest.signals import count_excess, report_flood, store_signal, tell_excess
from ingest.store import store_dead_letters
from ingest.subscriber import Incoming, Session, Subscriber
from protocol import wire
from protocol.broker import BrokerAddress
from protocol.errors import DeadReason, WireError
from protocol.watchdog import Watchdog
from protocol.wire import ROOT, Leaf, Receipt

_sql = queries("ingest", "sql/signals.sql")

log = logging.getLogger(__name__)

RECEIVE_MAX = 4_000
"""Signals in hand at once; the broker keeps the others until these are committed. Many, so that the flood of
one does not fill the way for all."""
PENDING_BYTES_MAX = 8 * 1024 * 1024
"""Payload in hand from which on nothing more is read."""
HANDLED_PER_TURN = 4
"""Signals stored before more is read: somebody's SOS may stand behind what is there."""
EXCESS_MAX = 500
"""So much of floods is gathered before it is counted …"""
EXCESS_S_MAX = 1.0
"""… and no longer than this."""
LOCK_S_MAX = 1.0
"""So long a signal waits for a row that somebody else holds before the next has its turn."""
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
        self._metrics.watch_pending(lambda: len(self._turns) + len(self._floods))
        self._metrics.watch("connected", "Whether the broker sends us its messages.", lambda: self.connected)
        application = f"anshou ingest alarms {settings.worker}"
        self._database = Database(settings.database_url, application, lock_s_max=LOCK_S_MAX)
        # Under a name of its own: who stands by reads the register beside the one that works.
        self._register = Database(settings.database_url, f"{application} directory {token_hex(3)}")
        self._directory = Directory(self._register)
        clock = ClockRule(settings.clock_future_s_max, settings.clock_past_s_max)
        self._assembler = Assembler(self._directory, clock)
        self._budgets = Budgets()
        self._turns = Turns()
        self._floods = Floods()
        self._floods_due_s = 0.0
        self._pending_bytes = 0
        self._heard: dict[int, int] = {}
        self._touch_due_s = 0.0
        self._stopping = False
        self._subscriber = Subscriber(
            BrokerAddress.parse(settings.mqtt_url),
            session=Session(f"anshou-ingest-alarms-{settings.worker}", [f"{ROOT}/+/+/{Leaf.ALARM}"]),
            receive_max=RECEIVE_MAX,
            keepalive_s=settings.keepalive_s,
            on_message=self._receive,
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
        wait_s = TURN_S_MAX
        while not self._stopping:
            self._loop.beat()
            if not self._post.held:
                self._stand_by()
                continue
            self._subscriber.paused = self._pending_bytes >= PENDING_BYTES_MAX
            self._subscriber.turn(wait_s)
            self._directory.refresh()
            is_there = self._handle_some()
            wait_s = (0.0 if is_there else RETRY_POLL_S) if self._turns else TURN_S_MAX
            self._settle_floods(time.monotonic())
            if self._heard and not self._turns and time.monotonic() >= self._touch_due_s:
                self._touch_devices()

    def _stand_by(self) -> None:
        """Keep the register current; what waits is the other's now, who gets it from the broker again."""
        self._subscriber.leave()
        self._turns.clear()
        self._floods.clear()
        self._pending_bytes = 0
        self._directory.refresh()
        time.sleep(RETRY_POLL_S)

    def _receive(self, incoming: Incoming) -> None:
        """Let it wait for its turn; or count it among the flood that its speaker makes."""
        speaker, now_s = self._speaker_of(incoming.topic), time.monotonic()
        if speaker not in self._floods and self._budgets.take(speaker, now_s):
            self._turns.put(speaker, incoming)
            self._pending_bytes += len(incoming.payload)
            return
        flood = self._floods.of(speaker, now_s)
        if speaker not in self._directory.entries:
            # Nothing is asked of the register for it: names may be made up.
            flood.add_unreadable(incoming, None)
            return
        one = MicroBatch()
        self._assembler.add(one, incoming)
        for row in one.singles.signals:
            flood.add_signal(incoming, row)
        for letter in one.singles.dead:
            flood.add_unreadable(incoming, letter)

    def _speaker_of(self, topic: str) -> str:
        """The device that is named; its site, which is no name of a device, where nobody knows it."""
        try:
            site, device, _ = wire.parse_topic(topic)
        except WireError:
            return "?"
        return device if device in self._directory.entries else f"{site}/"

    def _handle_some(self) -> bool:
        """Deal with a few that wait; False when the database must be tried again."""
        for _ in range(HANDLED_PER_TURN):
            if not self._turns:
                break
            incoming = self._turns.next()
            if not self._handle(incoming):
                return False
            self._turns.done()
            self._pending_bytes -= len(incoming.payload)
        return True

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
            # Perhaps only this one cannot be stored, for a lock: others need not wait for it.
            self._turns.postpone()
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

    def _settle_floods(self, now_s: float) -> None:
        """Count what came in excess, acknowledge it, and tell of floods that begin, last or end."""
        if len(self._floods) < EXCESS_MAX and now_s < self._floods_due_s:
            return
        self._floods_due_s = now_s + EXCESS_S_MAX
        for flood in self._floods:
            if flood.speaker in self._turns:
                continue  # what it said before comes first
            connection = self._database.connection()
            if connection is None:
                return
            try:
                self._settle(connection, flood, now_s)
            except psycopg.OperationalError as error:
                self._database.failed(error)
                self._floods.postpone(flood)
                return

    def _settle(self, connection: Connection, flood: Flood, now_s: float) -> None:
        entry = self._directory.entries.get(flood.speaker)
        ends = flood.due_ends(now_s)
        is_to_be_told = flood.is_to_be_told(now_s)
        with connection.transaction():
            for matter, kept in flood.begun.items():
                _store_last(connection, kept, flood.fresh[matter])
            for kept in ends.values():
                _store_last(connection, kept, 0)
            if entry is not None and flood.told_s is None:
                report_flood(connection, entry, datetime.now(UTC))
            if is_to_be_told:
                _tell(connection, flood, entry)
        for incoming in flood.unread:
            self._subscriber.acknowledge(incoming)
        counted = [*flood.superseded, *flood.begun.values(), *ends.values()]
        for kept in counted:
            self._subscriber.acknowledge(kept.incoming)
            self._send_receipt(kept.incoming, kept.row)
            self._heard[kept.row.entry.device_id] = kept.incoming.received_us
        self._metrics.took(len(flood.unread) + len(counted))
        if is_to_be_told:
            log.warning("%s says far too much: what is in excess is only counted", flood.speaker)
        flood.settled(ends, now_s)
        if flood.is_over(now_s):
            self._floods.end(flood)

    def _send_receipt(self, incoming: Incoming, row: SignalRow) -> None:
        """Tell the outbox that asked for it (MQTT 5 response topic) that the signal is committed.

        It says its own number with the question (correlation data), and gets it back. Only the device itself
        and who may speak for it is answered.
        """
        if incoming.response_topic is None or row.signal.signal_id is None:
            return
        try:
            topic = wire.parse_topic(incoming.response_topic)
        except WireError:
            return
        asker = self._directory.entries.get(topic.device)
        if (
            topic.leaf is Leaf.RECEIPT
            and asker is not None
            and topic.site == asker.site_code
            and row.entry.may_be_spoken_for_by(asker)
        ):
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


def _store_last(connection: Connection, kept: Kept, count: int) -> None:
    """The last of so many signals of a matter, unless the database refuses it."""
    try:
        with connection.transaction():
            count_excess(connection, kept.row, count)
    except psycopg.DataError as error:
        log.warning("%s: a signal is refused: %s", kept.row.entry.name, error.diag.message_primary)


def _tell(connection: Connection, flood: Flood, entry: Entry | None) -> None:
    """A line for all that came since the last, and one dead letter."""
    if entry is not None:
        for (kind, key), count in (flood.untold + flood.fresh).items():
            tell_excess(connection, entry, kind, key, count)
    if flood.unreadable:
        store_dead_letters(connection, [_the_rest(flood, entry)])


def _the_rest(flood: Flood, entry: Entry | None) -> DeadLetter:
    """One dead letter for all of a flood that could not be understood."""
    sample = flood.sample
    error = WireError(
        DeadReason.UNKNOWN_DEVICE if sample is None else sample.reason,
        f"{flood.unreadable:,} messages in excess, of which this stands for all"
        + ("" if sample is None else f": {sample.detail}"),
    )
    payload = b"" if sample is None else sample.payload
    return dead_letter(f"{ROOT}/{flood.speaker}", payload, error, entry)
