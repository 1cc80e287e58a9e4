"""The edge: what is said on the LAN broker, through the interpreter, into the outbox; and the house's siren.

A message is acknowledged to the LAN broker once it is on our disk. Everything here happens in one thread,
so that what the siren knows and what the outbox keeps cannot part; the uplink has a thread of its own.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from gateway import interpreter
from gateway.clock import Clock
from gateway.dialects import Dialect, Order
from gateway.dialects.unheard import Unheard
from gateway.errors import OutboxError
from gateway.interpreter import RECENT_MAX, Interpreter, Taken
from gateway.link import Incoming, Link, Manner, Will
from gateway.outbox import Entry, Outbox
from gateway.siren import CONFIRM_S_MAX, CRIES_MAX, Siren
from protocol import wire
from protocol.broker import BrokerAddress
from protocol.model import AlarmSignal, DeviceKind, DeviceStatus, GatewayConfig, SignalKind
from protocol.watchdog import Loop, Watchdog
from protocol.wire import ROOT, Command, CommandKind, Leaf, Topic

log = logging.getLogger(__name__)

HEALTH_EVERY_S = 10.0
LOG_EVERY_S = 86_400.0
EXPIRE_EVERY_S = 60.0
RETRY_DISK_S = 1.0
TURN_S_MAX = 1.0
INBOX_MAX = 1_000
UNHEARD_SHOWN_MAX = 20
"""Devices whose unheard fields the health on the LAN broker shows."""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How the gateway is, for whoever installs it; retained on the LAN broker."""

    ts: int | None
    uplink: str
    clock: str
    queued: int
    waiting: int
    dropped: int
    broken: int
    heard: int
    ignored: dict[str, int]
    unheard: dict[str, dict[str, Unheard]]
    """By device and field what nobody understood, with the last example; without secrets."""
    siren: bool
    disk: str


class Edge:
    """Listens on the LAN broker at `lan()`; `run` in the thread that owns it.

    Args:
        outbox: Where everything is kept.
        clock: Tells when what has no time of its own was heard.
        lan: Address of the LAN broker.
        site, name: Of this gateway.
        dialects: What is spoken there.
        alarm_kept: Called when an alarm is in the outbox.
        cry: Called with an alarm that the disk does not take.
        uplink_state: How the way to the centre is, in words.
        loop: Tells the watchdog of each turn.
    """

    def __init__(
        self,
        outbox: Outbox,
        clock: Clock,
        lan: Callable[[], BrokerAddress],
        *,
        site: str,
        name: str,
        dialects: Sequence[Dialect],
        confirm_s_max: float = CONFIRM_S_MAX,
        alarm_kept: Callable[[], None] = lambda: None,
        cry: Callable[[int, str, AlarmSignal], None] = lambda _number, _device, _signal: None,
        uplink_state: Callable[[], str] = lambda: "unknown",
        loop: Loop | None = None,
    ) -> None:
        self._loop = loop or Watchdog().loop("house")
        self._outbox = outbox
        self._clock = clock
        self._site = site
        self._name = name
        self._alarm_kept = alarm_kept
        self._cry = cry
        self._uplink_state = uplink_state
        self._config_is_kept = True
        self._interpreter = Interpreter(outbox, clock, dialects, outbox.config())
        self._siren = Siren(confirm_s_max)
        self._recall_siren()
        self._received: list[Incoming] = []
        self._pending: Taken | None = None
        self._inbox: deque[Callable[[], bool]] = deque(maxlen=INBOX_MAX)
        self._cried_count = 0
        self._disk = "sound"
        self._retry_s = self._config_retry_s = 0.0
        self._health_due_s = self._log_due_s = self._expire_due_s = 0.0
        self._broken = outbox.totals().broken
        self._stopping = False
        offline = wire.encode(DeviceStatus(online=False))
        self._link = Link(
            lan,
            Manner(
                name="LAN broker",
                client_id=f"anshou-edge-{name}",
                filters=sorted(self._interpreter.topics),
                persistent=True,
                receive_max=RECENT_MAX,
                backoff_s_max=5.0,
                connect_s_max=2.0,
            ),
            will=Will(str(Topic(site, name, Leaf.STATUS)), offline),
            on_message=self._receive,
            on_connected=self._on_connected,
        )

    def _recall_siren(self) -> None:
        now_s = time.monotonic()
        remembered = self._outbox.state("siren")
        if remembered is not None:
            self._siren.recall(remembered, now_s)
        kept = self._outbox.alarms(CRIES_MAX)
        self._siren.reconcile([(alarm.seq, alarm.device, alarm.signal) for alarm in kept], now_s)

    # From other threads.

    def confirmed(self, numbers: Sequence[int]) -> None:
        """The centre has these alarms."""
        self._tell(lambda: self._confirm(numbers))

    def configured(self, config: GatewayConfig) -> None:
        """The centre says which devices are adopted."""
        self._tell(lambda: self._configure(config))

    def commanded(self, device: str, command: Command) -> None:
        """The centre orders something of a device here, or of this gateway."""
        self._tell(lambda: self._obey(device, command))

    def stop(self) -> None:
        """Return from `run` soon. Safe in a signal handler."""
        self._stopping = True
        self._link.wake()

    def _confirm(self, numbers: Sequence[int]) -> bool:
        changed = [self._siren.confirmed(number) for number in numbers]
        return any(changed)

    def _tell(self, work: Callable[[], bool]) -> None:
        self._inbox.append(work)
        self._link.wake()

    # In our own thread.

    @property
    def connected(self) -> bool:
        """Whether the LAN broker is there, and lets us hear the house."""
        return self._link.connected and self._link.listening

    def status(self) -> DeviceStatus:
        """How this gateway is, for the centre. From any thread."""
        totals = self._outbox.totals()
        return DeviceStatus(
            ts_ms=self._clock.now().ms,
            online=True,
            queued=totals.queued + totals.waiting,
            dropped=totals.dropped,
            clock_off_ms=self._clock.off_ms,
        )

    def run(self) -> None:
        """Listen until `stop`. What is not on the disk is not acknowledged, so nothing is lost by the end."""
        try:
            while not self._stopping:
                self._loop.beat()
                self._link.turn(min(TURN_S_MAX, self._siren.due_s(time.monotonic())))
                self._work(time.monotonic())
        finally:
            self._loop.rest()
            topic = str(Topic(self._site, self._name, Leaf.STATUS))
            self._link.publish(topic, wire.encode(DeviceStatus(online=False)), retain=True)
            self._link.close()

    def _work(self, now_s: float) -> None:
        changed = False
        while self._inbox:
            changed |= self._inbox.popleft()()
        self._take_in(now_s)
        order = self._siren.order(now_s)
        if order is not None:
            self._order_sirens(order)
            changed = True
        try:
            if changed:
                self._outbox.keep([], state={"siren": self._siren.remembered()})
            if now_s >= self._expire_due_s:
                self._expire_due_s = now_s + EXPIRE_EVERY_S
                self._outbox.expire()
                self._tell_if_broken()
            if now_s >= self._health_due_s and self._link.connected:
                self._health_due_s = now_s + HEALTH_EVERY_S
                self._tell_health()
            if now_s >= self._log_due_s:
                self._log_due_s = now_s + LOG_EVERY_S
                log.info(
                    "so far: %s",
                    msgspec.json.encode(msgspec.structs.replace(self.health(), unheard={})).decode(),
                )
        except OutboxError as error:
            self._trouble(error)

    def _take_in(self, now_s: float) -> None:
        """To the disk with what it has not taken yet, when it is time, and with what is new."""
        if not self._config_is_kept and now_s >= self._config_retry_s:
            self._keep_config(now_s)
        if self._pending is not None and now_s >= self._retry_s:
            self._keep(self._pending, now_s)
        if not self._received:
            return
        received, self._received[:] = list(self._received), []
        taken = self._pending or Taken([], {}, {}, [], {}, [])
        self._interpreter.understand(received, taken)
        if self._pending is None:
            self._keep(taken, now_s)
        else:
            self._cry_out(taken, now_s)

    # LAN to outbox.

    def _receive(self, incoming: Incoming) -> None:
        """Take what the broker sends; the disk's troubles bound what came at QoS 1, this bounds the rest."""
        count_max = interpreter.UNACKNOWLEDGED_MAX + interpreter.UNACKNOWLEDGED_ALARMS_MAX
        if incoming.mid or len(self._received) < count_max:
            self._received.append(incoming)
        else:
            self._interpreter.overflowed += 1

    def _keep(self, taken: Taken, now_s: float) -> None:
        """To the disk, then acknowledged; when the disk fails, again a second later."""
        recent = self._interpreter.remembering(taken.received)
        state = {"recent": msgspec.json.encode(list(recent))}
        try:
            numbers = self._outbox.keep(
                taken.entries,
                proposals=taken.proposals.values(),
                learnt=taken.learnt,
                state=state,
                dropped=self._interpreter.overflowed,
            )
        except OutboxError as error:
            self._trouble(error)
            self._cry_out(taken, now_s)
            self._pending, self._retry_s = taken, now_s + RETRY_DISK_S
            return
        self._pending, self._disk, self._interpreter.overflowed = None, "sound", 0
        self._interpreter.remember(recent)
        if taken.learnt:
            self._interpreter.learn(taken.learnt)
            self._link.listen(self._interpreter.topics)
        for incoming in taken.received:
            self._link.acknowledge(incoming)
        for answer in taken.answers:
            self._link.publish(answer.topic, answer.payload)
        changed = self._confirm(list(taken.cried.values()))
        for entry, number in zip(taken.entries, numbers, strict=True):
            if number and entry.name is not None and isinstance(entry.message, AlarmSignal):
                changed |= self._siren.heard(number, entry.name, entry.message, now_s)
        if any(numbers):
            self._alarm_kept()
        if changed:
            self._inbox.append(lambda: True)  # the siren's state is kept at the end of the turn

    def _cry_out(self, taken: Taken, now_s: float) -> None:
        """What cannot wait for the disk goes to the centre from memory, under the id that it will keep."""
        for place, entry in enumerate(taken.entries):
            message = entry.message
            if entry.name is None or not isinstance(message, AlarmSignal):
                continue
            named = msgspec.structs.replace(
                message,
                ts_ms=message.ts_ms if message.ts_ms is not None else entry.stamp.ms,
                signal_id=message.signal_id
                or f"unkept-{self._clock.boot_id[:8]}-{entry.stamp.boot_ms}-{place}",
            )
            taken.entries[place] = entry._replace(message=named)
            if place not in taken.cried:
                self._cried_count += 1
                taken.cried[place] = -self._cried_count  # no number of the outbox
                self._siren.heard(-self._cried_count, entry.name, named, now_s)
                self._cry(-self._cried_count, entry.name, named)

    def _trouble(self, error: OutboxError) -> None:
        if self._disk != str(error):
            log.error("%s", error)
        self._disk = str(error)

    # From the centre.

    def _configure(self, config: GatewayConfig) -> bool:
        if config == self._interpreter.config:
            return False
        self._interpreter.config, self._config_is_kept, self._config_retry_s = config, False, 0.0
        log.info("%d devices are adopted, %d refused", len(config.devices), len(config.refused))
        if self._pending is not None:
            entries = self._pending.entries
            entries[:] = [
                entry if entry.name else entry._replace(name=self._interpreter.name_of(entry.key))
                for entry in entries
            ]
            self._cry_out(self._pending, time.monotonic())
        return False

    def _keep_config(self, now_s: float) -> None:
        """What the centre said last, to the disk; when the disk fails, again a second later."""
        try:
            self._outbox.configure(self._interpreter.config)
        except OutboxError as error:
            self._trouble(error)
            self._config_retry_s = now_s + RETRY_DISK_S
            return
        self._config_is_kept = True
        self._alarm_kept()  # one that waited for its device's adoption may go now

    def _obey(self, device: str, command: Command) -> bool:
        log.info("the centre says: %s, %s", device, command.command)
        if command.command is CommandKind.CANCEL:
            changed = self._siren.cancelled(None if device == self._name else device)
            self._order_sirens(False, only=None if device == self._name else device)
            return changed
        if command.command is CommandKind.SIREN:
            self._order_sirens(True, only=None if device == self._name else device)
        return False

    # The siren.

    def _order_sirens(self, on: bool, only: str | None = None) -> None:
        """Tell all sirens, or the one device, and whoever listens to this gateway's own command topic."""
        log.warning("the siren is told to %s", "sound" if on else "be silent")
        command = Command(command=CommandKind.SIREN if on else CommandKind.CANCEL)
        orders: list[Order] = []
        if only is None:
            orders.append(Order(str(Topic(self._site, self._name, Leaf.COMMAND)), wire.encode(command)))
        named = False
        for key, adoption in self._interpreter.config.devices.items():
            if adoption.name != only and (only is not None or adoption.kind is not DeviceKind.SIREN):
                continue
            named = True
            orders.append(Order(str(Topic(self._site, adoption.name, Leaf.COMMAND)), wire.encode(command)))
            dialect = self._interpreter.dialects.get(key.partition(":")[0])
            if dialect is not None:
                order = dialect.order_siren(key, adoption.kind, on, self._interpreter.known[dialect.name])
                if order is not None and order.topic != orders[-1].topic:
                    orders.append(order)
        if only is not None and not named:
            orders.append(Order(str(Topic(self._site, only, Leaf.COMMAND)), wire.encode(command)))
        for order in orders:
            self._link.publish(order.topic, order.payload)

    # How we are.

    def health(self) -> Health:
        """How the gateway is, for whoever installs it."""
        totals = self._outbox.totals()
        off_ms = self._clock.off_ms
        clock = "sure" if self._clock.sure else "unsure"
        return Health(
            ts=self._clock.now().ms,
            uplink=self._uplink_state(),
            clock=clock if not off_ms else f"{clock}, the box is {off_ms / 1000:+.1f} s off",
            queued=totals.queued,
            waiting=totals.waiting,
            dropped=totals.dropped,
            broken=totals.broken,
            heard=self._interpreter.heard_count,
            ignored=dict(self._interpreter.ignored),
            unheard=self._interpreter.unheard(UNHEARD_SHOWN_MAX),
            siren=self._siren.sounding,
            disk=self._disk,
        )

    def _tell_health(self) -> None:
        self._link.publish(
            str(Topic(self._site, self._name, Leaf.STATUS)), wire.encode(self.status()), retain=True
        )
        topic = f"{ROOT}/{self._site}/{self._name}/health"
        self._link.publish(topic, msgspec.json.encode(self.health()), retain=True)

    def _tell_if_broken(self) -> None:
        """The outbox had to begin anew: an alarm of our own, so that somebody looks at the box."""
        broken = self._outbox.totals().broken
        if broken > self._broken:
            self._broken = broken
            signal = AlarmSignal(kind=SignalKind.FAULT, signal_id=f"outbox-{self._outbox.outbox_id}")
            self._outbox.keep([Entry(f"gateway:{self._name}", self._name, signal, self._clock.now())])
            self._alarm_kept()

    def _on_connected(self) -> None:
        self._health_due_s = 0.0
        self._siren.unheard()
