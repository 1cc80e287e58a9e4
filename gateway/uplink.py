"""The uplink: from the outbox to the centre. Alarms first, then what is fresh, the backlog behind them.

An alarm goes at once and singly. What was said since the connection was made goes in batches every second.
What had gathered before goes, oldest first, as fast as `gateway.pace` allows. All of it is sent again,
unchanged, until the centre's receipt.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from gateway.clock import Clock
from gateway.errors import OutboxError
from gateway.link import Incoming, Link, Manner, Will
from gateway.outbox import KeptAlarm, Outbox, SealedBatch
from gateway.pace import SIZE_MAX, Pace
from protocol import wire
from protocol.broker import BrokerAddress
from protocol.errors import WireError
from protocol.model import AlarmSignal, DeviceProposal, DeviceStatus, GatewayConfig
from protocol.watchdog import Loop, Watchdog
from protocol.wire import Command, Leaf, Topic

log = logging.getLogger(__name__)

TURN_S_MAX = 0.25
FRESH_EVERY_S = 1.0
FRESH_IN_FLIGHT_MAX = 4
BACKLOG_IN_FLIGHT_MAX = 2
ALARMS_IN_FLIGHT_MAX = 8
"""The broker takes 20 messages at once; the three together stay below."""
ALARMS_SEEN_MAX = 400
ALARM_RESEND_S = (3.0, 600.0)
BATCH_RESEND_S = (15.0, 600.0)
"""First and longest wait for a receipt; each wait is twice the one before."""
ALARM_ORDER_ATTEMPTS = 3
"""An alarm waits for an earlier one of the same device, but not after so many vain attempts of that."""
PARK_ATTEMPTS = 3
"""A batch that had no receipt after so many, while what was sent later had, is set aside …"""
SUSPICIOUS_ATTEMPTS = 6
"""A batch under way when so many connections ended may be why; after twice as many it is set aside …"""
PARKED_RESEND_S = 600.0
"""… and sent again only now and then, so that it stops nobody."""
PROBE_EVERY_S = 20.0
"""While receipts are overdue, the centre is asked so often whether it is there at all."""
TIME_WAIT_S_MAX = 10.0
"""So long after connecting the backlog waits to be told the time."""
ALARM_TIME_WAIT_S_MAX = 1.0
"""So long an alarm with no believable time waits for it."""
RETRY_DISK_S = 1.0
UNKEPT_MAX = 200
UNKEPT = b"unkept"
"""What stands in the place of an alarm's number where the disk has given it none."""


@dataclass
class _Flight:
    """Something sent and not receipted."""

    first_s: float
    sent_s: float
    attempts: int = 1
    fresh: bool = False
    interrupted: bool = False
    """The connection ended since it was sent."""
    vain: int = 0
    """Attempts that had no receipt although the centre was there."""

    def due(self, now_s: float, waits_s: tuple[float, float]) -> bool:
        first_s, longest_s = waits_s
        return now_s - self.sent_s >= min(longest_s, first_s * 2.0 ** min(self.attempts - 1, 16))


class Unkept(NamedTuple):
    """An alarm that the disk did not take: sent from memory all the same."""

    number: int
    device: str
    signal: AlarmSignal


@dataclass(frozen=True, kw_only=True)
class Ears:
    """Who is told what comes from the centre; called in the uplink's thread."""

    confirmed: Callable[[Sequence[int]], None] = lambda _numbers: None
    config: Callable[[GatewayConfig], None] = lambda _config: None
    command: Callable[[str, Command], None] = lambda _device, _command: None


class Uplink:
    """Delivers `outbox` for the gateway `name` of `site`; `run` in a thread of its own."""

    def __init__(
        self,
        outbox: Outbox,
        clock: Clock,
        address: Callable[[], BrokerAddress],
        *,
        site: str,
        name: str,
        ears: Ears,
        status: Callable[[], DeviceStatus],
        status_every_s: float = 300.0,
        backlog_per_s_max: float = 2_000.0,
        keepalive_s: int = 20,
        loop: Loop | None = None,
    ) -> None:
        self._loop = loop or Watchdog().loop("uplink")
        self._outbox = outbox
        self._clock = clock
        self._site = site
        self._name = name
        self._ears = ears
        self._status = status
        self._status_every_s = status_every_s
        self._receipts = self._topic(Leaf.RECEIPT)
        self._link = Link(
            address,
            Manner(
                name="centre",
                client_id=name,
                filters=[
                    self._receipts,
                    self._topic(Leaf.CONFIG),
                    str(Topic(site, "+", Leaf.COMMAND)),
                ],
                persistent=False,
                keepalive_s=keepalive_s,
            ),
            will=Will(self._topic(Leaf.STATUS), wire.encode(DeviceStatus(online=False))),
            on_message=self._on_message,
            on_connected=self._on_connected,
            on_published=self._on_published,
        )
        self._pace = Pace(backlog_per_s_max)
        self._batches: dict[str, _Flight] = {}
        self._parked: dict[str, _Flight] = {}
        self._alarms: dict[int, _Flight] = {}
        self._unkept: dict[str, Unkept] = {}
        self._unkept_sent_s = float("-inf")
        self._receipted_batches: list[str] = []
        self._receipted_alarms: list[int] = []
        self._proposals: dict[int, DeviceProposal] = {}
        self._todo: deque[Callable[[], None]] = deque()
        """What the disk has to do with what came; done in order, and again when the disk fails."""
        self._probe: tuple[str, float] | None = None
        self._probe_s = float("-inf")
        self._answered_s = float("-inf")
        """When the last batch that had a receipt was first sent: proof that the centre is there."""
        self._connected_s = 0.0
        self._time_known = False
        self._backlog_up_to = 0
        self._fresh_due_s = 0.0
        self._alarms_due_s = 0.0
        self._status_due_s = 0.0
        self._stopping = False

    @property
    def connected(self) -> bool:
        """Whether the centre's broker is there."""
        return self._link.connected

    @property
    def trouble(self) -> str | None:
        """Why it is not, in words."""
        return self._link.trouble

    @property
    def failures(self) -> int:
        """Attempts to reach it that were in vain, in a row."""
        return self._link.failures

    def alarm_waits(self) -> None:
        """An alarm is in the outbox: send it now. From any thread."""
        self._alarms_due_s = 0.0
        self._link.hurry()
        self._link.wake()

    def cry(self, number: int, device: str, signal: AlarmSignal) -> None:
        """Send an alarm that the disk does not take, from memory, until its receipt. From any thread.

        `number` is what is told as confirmed then.
        """
        assert signal.signal_id is not None, "without one there is no receipt"
        if len(self._unkept) < UNKEPT_MAX:
            self._unkept.setdefault(signal.signal_id, Unkept(number, device, signal))
            self._unkept_sent_s = float("-inf")
        self.alarm_waits()

    def stop(self) -> None:
        """Return from `run` soon. From any thread, or a signal handler."""
        self._stopping = True
        self._link.wake()

    def run(self) -> None:
        """Deliver until `stop`. What the disk refuses is tried again."""
        try:
            while not self._stopping:
                self._loop.beat()
                self._link.turn(self._wait_s())
                try:
                    self._settle()
                    if self._link.connected:
                        self._deliver(time.monotonic())
                except OutboxError as error:
                    log.error("%s", error)
                    self._link.turn(RETRY_DISK_S)
            if self._link.connected:
                offline = msgspec.structs.replace(self._status(), online=False)
                self._link.publish(self._topic(Leaf.STATUS), wire.encode(offline), retain=True)
        finally:
            self._loop.rest()
            self._link.close()

    # What is sent.

    def _deliver(self, now_s: float) -> None:
        self._send_alarms(now_s)
        self._send_unkept(now_s)
        if now_s >= self._status_due_s or self._probe_is_due(now_s):
            self._send_status(now_s)
        self._send_proposals()
        self._resend_batches(now_s)
        if self._time_known or self._clock.sure or now_s - self._connected_s > TIME_WAIT_S_MAX:
            self._send_fresh(now_s)
            self._send_backlog(now_s)

    def _send_alarms(self, now_s: float) -> None:
        if now_s < self._alarms_due_s:
            return
        self._alarms_due_s = now_s + 1.0
        kept = self._outbox.alarms(ALARMS_SEEN_MAX)
        due = [alarm for alarm in self._in_order(kept) if self._alarm_is_due(alarm, now_s)]
        room = ALARMS_IN_FLIGHT_MAX - sum(
            0 < flight.attempts < ALARM_ORDER_ATTEMPTS for flight in self._alarms.values()
        )
        first = [alarm for alarm in due if alarm.seq not in self._alarms][: max(0, room)]
        if unsettled := [alarm for alarm in first if not alarm.settled]:
            self._outbox.settle(unsettled)
        for alarm in (*first, *(alarm for alarm in due if alarm.seq in self._alarms)):
            self._publish_alarm(alarm, now_s)

    def _in_order(self, kept: Sequence[KeptAlarm]) -> list[KeptAlarm]:
        """What does not overtake an earlier alarm of the same device; one that is vain holds up nobody."""
        held: set[str] = set()
        ready = []
        for alarm in kept:
            flight = self._alarms.get(alarm.seq)
            if alarm.device not in held:
                ready.append(alarm)
            if flight is None or flight.attempts < ALARM_ORDER_ATTEMPTS:
                held.add(alarm.device)
        return ready

    def _alarm_is_due(self, alarm: KeptAlarm, now_s: float) -> bool:
        flight = self._alarms.get(alarm.seq)
        if flight is not None:
            return flight.due(now_s, ALARM_RESEND_S)
        # One without a believable time waits a moment for the centre to tell it.
        waited_s = now_s - self._connected_s
        return alarm.signal.ts_ms is not None or self._time_known or waited_s >= ALARM_TIME_WAIT_S_MAX

    def _publish_alarm(self, alarm: KeptAlarm, now_s: float) -> None:
        signal = self._identified(alarm)
        self._link.publish(
            str(Topic(self._site, alarm.device, Leaf.ALARM)),
            wire.encode(signal),
            response_topic=self._receipts,
            correlation=f"{self._outbox.outbox_id}-{alarm.seq}".encode(),
        )
        flight = self._alarms.get(alarm.seq)
        if flight is None:
            self._alarms[alarm.seq] = _Flight(now_s, now_s)
        else:
            flight.sent_s, flight.attempts = now_s, flight.attempts + 1

    def _identified(self, alarm: KeptAlarm) -> AlarmSignal:
        """The signal with an id: its own, or ours where the device gives none."""
        if alarm.signal.signal_id is not None:
            return alarm.signal
        return msgspec.structs.replace(alarm.signal, signal_id=f"{self._outbox.outbox_id}-{alarm.seq}")

    def _send_unkept(self, now_s: float) -> None:
        if not self._unkept or now_s - self._unkept_sent_s < ALARM_RESEND_S[0]:
            return
        self._unkept_sent_s = now_s
        for unkept in list(self._unkept.values()):
            topic = str(Topic(self._site, unkept.device, Leaf.ALARM))
            self._link.publish(
                topic,
                wire.encode(unkept.signal),
                response_topic=self._receipts,
                correlation=f"{self._outbox.outbox_id}-".encode() + UNKEPT,
            )

    def _send_status(self, now_s: float) -> None:
        """How we are, for whoever looks; and in a batch, whose receipt tells that the centre is there."""
        self._status_due_s = now_s + self._status_every_s
        self._probe_s = now_s
        status = self._status()
        self._link.publish(self._topic(Leaf.STATUS), wire.encode(status), retain=True)
        probe_id = f"{self._outbox.outbox_id}-probe-{time.monotonic_ns():x}"
        self._probe = (probe_id, now_s)
        self._link.publish(self._topic(Leaf.BATCH), wire.encode_batch(probe_id, [(self._name, status)]))

    def _probe_is_due(self, now_s: float) -> bool:
        overdue = any(now_s - flight.sent_s > BATCH_RESEND_S[0] / 2 for flight in self._batches.values())
        return overdue and now_s - self._probe_s >= PROBE_EVERY_S

    def _send_proposals(self) -> None:
        if self._proposals:
            return  # those are under way
        for proposal in self._outbox.proposals()[:ALARMS_IN_FLIGHT_MAX]:
            mid = self._link.publish(self._topic(Leaf.PROPOSAL), wire.encode(proposal))
            if mid is not None:
                self._proposals[mid] = proposal

    def _resend_batches(self, now_s: float) -> None:
        self._set_poison_aside()
        due = {id_: flight for id_, flight in self._batches.items() if self._batch_is_due(flight, now_s)}
        due |= {
            id_: flight for id_, flight in self._parked.items() if now_s - flight.sent_s >= PARKED_RESEND_S
        }
        if not due:
            return
        for batch in self._outbox.sealed():
            flight = due.get(batch.batch_id)
            if flight is None:
                continue
            if not flight.interrupted and flight.attempts:
                self._pace.lost()
                # In vain only if the centre took what was sent later: else it is the centre that is away.
                flight.vain += self._answered_s > flight.sent_s
            flight.interrupted = False
            flight.sent_s, flight.attempts = now_s, flight.attempts + 1
            self._link.publish(self._topic(Leaf.BATCH), batch.payload)

    def _batch_is_due(self, flight: _Flight, now_s: float) -> bool:
        """At once after an interruption; but not a batch that may itself be what ends each connection."""
        at_once = flight.interrupted and flight.attempts < SUSPICIOUS_ATTEMPTS
        return at_once or flight.due(now_s, BATCH_RESEND_S)

    def _set_poison_aside(self) -> None:
        for batch_id, flight in list(self._batches.items()):
            breaks = flight.attempts >= 2 * SUSPICIOUS_ATTEMPTS and self._answered_s > flight.first_s
            if flight.vain >= PARK_ATTEMPTS or breaks:
                log.error("batch %s has no receipt after %d attempts; set aside", batch_id, flight.attempts)
                self._parked[batch_id] = self._batches.pop(batch_id)

    def _send_fresh(self, now_s: float) -> None:
        while now_s >= self._fresh_due_s:
            under_way = sum(flight.fresh for flight in self._batches.values())
            if under_way >= FRESH_IN_FLIGHT_MAX:
                return
            batch = self._outbox.seal(SIZE_MAX, above=self._backlog_up_to)
            if batch is None or batch.message_count < SIZE_MAX:
                self._fresh_due_s = now_s + FRESH_EVERY_S
            if batch is not None:
                self._send_batch(batch, now_s, fresh=True)

    def _send_backlog(self, now_s: float) -> None:
        while self._backlog_up_to:
            under_way = sum(not flight.fresh for flight in self._batches.values())
            count = self._pace.allowed(now_s)
            if under_way >= BACKLOG_IN_FLIGHT_MAX or not count:
                return
            batch = self._outbox.seal(count, up_to=self._backlog_up_to)
            if batch is None:
                self._backlog_up_to = 0  # all that follows is fresh
                log.info("the backlog is sent")
                return
            self._pace.sent(batch.message_count)
            self._send_batch(batch, now_s, fresh=False)

    def _send_batch(self, batch: SealedBatch, now_s: float, *, fresh: bool) -> None:
        flight = _Flight(now_s, now_s, fresh=fresh)
        self._batches[batch.batch_id] = flight
        self._link.publish(self._topic(Leaf.BATCH), batch.payload)

    # What comes back.

    def _on_connected(self) -> None:
        now_s = time.monotonic()
        self._connected_s = now_s
        self._time_known = False
        self._proposals.clear()
        self._probe = None
        self._status_due_s = self._alarms_due_s = self._fresh_due_s = 0.0
        self._pace.lost()
        for flight in self._alarms.values():
            flight.sent_s = float("-inf")
        for batch in self._batches.values():
            batch.interrupted = True
        self._todo.append(self._look_at_backlog)

    def _look_at_backlog(self) -> None:
        for batch in self._outbox.sealed():
            if batch.batch_id not in self._batches and batch.batch_id not in self._parked:
                self._batches[batch.batch_id] = _Flight(self._connected_s, float("-inf"), attempts=0)
        self._backlog_up_to = self._outbox.newest_seq

    def _on_published(self, mid: int) -> None:
        proposal = self._proposals.pop(mid, None)
        if proposal is not None:
            self._todo.append(lambda: self._outbox.proposed([proposal]))

    def _on_message(self, message: Incoming) -> None:
        self._link.acknowledge(message)
        try:
            topic = wire.parse_topic(message.topic)
            if topic.leaf is Leaf.RECEIPT:
                self._on_receipt(message)
            elif topic.leaf is Leaf.CONFIG:
                self._ears.config(wire.decode_config(message.payload))
            elif topic.leaf is Leaf.COMMAND and not message.retained:
                self._ears.command(topic.device, wire.decode_command(message.payload))
        except WireError as error:
            log.error("the centre said on %s what cannot be understood: %s", message.topic, error)

    def _on_receipt(self, message: Incoming) -> None:
        receipt = wire.decode_receipt(message.payload)
        now_s = time.monotonic()
        for batch_id in receipt.batches:
            if self._probe is not None and batch_id == self._probe[0]:
                self._learn_time(receipt.ts_ms, now_s - self._probe[1])
                self._answered_s = max(self._answered_s, self._probe[1])
                self._probe = None
                continue
            flight = self._batches.pop(batch_id, None) or self._parked.pop(batch_id, None)
            if flight is not None:
                self._answered_s = max(self._answered_s, flight.first_s)
                if not flight.fresh and flight.attempts == 1:
                    self._pace.receipted(now_s - flight.sent_s)
            self._receipted_batches.append(batch_id)
        for signal_id in receipt.signals:
            self._on_signal_receipt(signal_id, message.correlation)

    def _on_signal_receipt(self, signal_id: str, correlation: bytes | None) -> None:
        """Which alarm it is, our own number tells: a device may use one id for several signals.

        Without it, it is no answer to us: nobody but the centre has seen what our outbox is called.
        """
        prefix = f"{self._outbox.outbox_id}-".encode()
        if correlation is None or not correlation.startswith(prefix):
            return
        number = correlation.removeprefix(prefix)
        if number == UNKEPT:
            unkept = self._unkept.pop(signal_id, None)
            if unkept is not None:
                self._ears.confirmed([unkept.number])
        elif number.isdigit() and int(number) in self._alarms:
            self._receipted_alarms.append(int(number))

    def _learn_time(self, centre_ms: int | None, took_s: float) -> None:
        self._time_known = True
        if centre_ms is None:
            return
        begins_ms = self._clock.learn(centre_ms, round(took_s * 1000))
        if begins_ms is not None:
            self._todo.append(lambda: self._outbox.learn_time(begins_ms))

    def _settle(self) -> None:
        """Do what is to be done, and forget what was receipted, as one."""
        while self._todo:
            self._todo[0]()
            self._todo.popleft()
        batches, self._receipted_batches = self._receipted_batches, []
        alarms, self._receipted_alarms = self._receipted_alarms, []
        if not (batches or alarms):
            return
        try:
            self._outbox.forget(batches=batches, alarms=alarms)
        except OutboxError:
            self._receipted_batches += batches
            self._receipted_alarms += alarms
            raise
        for seq in alarms:
            self._alarms.pop(seq, None)
        if alarms:
            self._alarms_due_s = 0.0
            self._ears.confirmed(alarms)

    def _wait_s(self) -> float:
        return 0.02 if self._backlog_up_to and self._link.connected else TURN_S_MAX

    def _topic(self, leaf: Leaf) -> str:
        return str(Topic(self._site, self._name, leaf))
