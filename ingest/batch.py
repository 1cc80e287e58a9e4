"""From messages to rows: what one transaction will store. Pure; nothing in here waits or touches a server."""

import time
from collections.abc import Sequence
from typing import NamedTuple

from gateway import wire
from gateway.errors import DeadReason, WireError
from gateway.model import Activity, AlarmSignal, DeviceStatus, Message, VitalSigns
from gateway.wire import BatchItem, Leaf, Topic, VitalsItem
from ingest.clock import ClockRule
from ingest.directory import Directory, Entry
from ingest.subscriber import Incoming

DEAD_PAYLOAD_BYTES_MAX = 16 * 1024
"""How much of a dead letter's payload is kept."""


class VitalsRow(NamedTuple):
    """A row of readings.vitals; time in microseconds since 1970 UTC."""

    time_us: int
    device_id: int
    resident_id: int | None
    clock_replaced: bool
    hr: float | None
    rr: float | None
    spo2: float | None
    temp: float | None
    sbp: float | None
    dbp: float | None
    glucose: float | None
    weight: float | None


# A row is made for each reading: past the generated __new__ this takes a third of the time.
_new_row = tuple.__new__


class ActivityRow(NamedTuple):
    """A row of readings.activity; time in microseconds since 1970 UTC."""

    time_us: int
    device_id: int
    resident_id: int | None
    room_id: int | None
    clock_replaced: bool
    event: str


class StatusRow(NamedTuple):
    """A row of readings.device_status; time in microseconds since 1970 UTC."""

    time_us: int
    device_id: int
    clock_replaced: bool
    online: bool
    battery: int | None
    rssi: int | None
    fw: str | None


class SignalRow(NamedTuple):
    """An alarm signal and whom it is about; time in microseconds since 1970 UTC.

    `signal_id` is the same for each delivery of one signal, and differs between two presses even of a
    button that always sends the same id, or has no clock: when in doubt it counts as a new one.
    """

    time_us: int
    entry: Entry
    clock_replaced: bool
    signal: AlarmSignal

    @property
    def signal_id(self) -> str:
        """The key of this signal among those of its device."""
        return f"{self.signal.signal_id or self.signal.kind}@{self.time_us}"


class DeadLetter(NamedTuple):
    """A message that cannot be stored, and why."""

    topic: str
    payload: bytes
    payload_bytes: int
    reason: DeadReason
    detail: str
    site_id: int | None = None
    device_id: int | None = None


def dead_letter(topic: str, payload: bytes, error: WireError, entry: Entry | None = None) -> DeadLetter:
    """The dead letter for a payload that cannot be stored because of `error`."""
    return DeadLetter(
        topic[:1000].replace("\0", "�"),
        payload[:DEAD_PAYLOAD_BYTES_MAX],
        len(payload),
        error.reason,
        error.detail.replace("\0", "�"),
        entry.site_id if entry else None,
        entry.device_id if entry else None,
    )


class Rows:
    """Rows for each table, in the order of arrival; and when each device was last heard.

    A device that speaks to us itself is heard when its message arrives, whatever its clock says. What a
    gateway passes on may be old: there the device's own time counts.
    """

    __slots__ = ("activity", "dead", "heard", "signals", "status", "vitals")

    def __init__(self) -> None:
        self.vitals: list[VitalsRow] = []
        self.activity: list[ActivityRow] = []
        self.status: list[StatusRow] = []
        self.signals: list[SignalRow] = []
        self.dead: list[DeadLetter] = []
        self.heard: dict[int, int] = {}

    def extend(self, other: "Rows") -> None:
        """Add all rows of `other`."""
        self.vitals += other.vitals
        self.activity += other.activity
        self.status += other.status
        self.signals += other.signals
        self.dead += other.dead
        for device_id, heard_us in other.heard.items():
            self.heard[device_id] = max(heard_us, self.heard.get(device_id, 0))

    def __len__(self) -> int:
        return self.stored_count() + len(self.dead)

    def stored_count(self) -> int:
        """Rows that are not dead letters."""
        return len(self.vitals) + len(self.activity) + len(self.status) + len(self.signals)


class GatewayBatch(NamedTuple):
    """A gateway's batch: stored as one, once, and receipted under its id."""

    gateway: Entry
    batch_id: str
    rows: Rows

    @property
    def receipt_topic(self) -> str:
        """Where its outbox waits for the receipt."""
        return str(Topic(self.gateway.site_code, self.gateway.name, Leaf.RECEIPT))


class MicroBatch:
    """Messages that will be committed, and then acknowledged, together."""

    def __init__(self) -> None:
        self.deliveries: list[Incoming] = []
        self.singles = Rows()
        self.gateway_batches: list[GatewayBatch] = []
        self.row_count = 0
        self.payload_bytes = 0
        self.opened_s = time.monotonic()

    def __len__(self) -> int:
        return len(self.deliveries)

    def all_rows(self) -> Rows:
        """The rows of single messages and of every gateway's batch."""
        if not self.gateway_batches:
            return self.singles
        rows = Rows()
        rows.extend(self.singles)
        for batch in self.gateway_batches:
            rows.extend(batch.rows)
        return rows


class Assembler:
    """Turns messages into rows of micro-batches, by the register and the clock rules."""

    def __init__(self, directory: Directory, clock: ClockRule) -> None:
        self._directory = directory
        self._clock = clock

    def add(self, batch: MicroBatch, incoming: Incoming) -> None:
        """Put what `incoming` says into `batch`; what cannot be stored becomes its dead letter."""
        batch.deliveries.append(incoming)
        batch.payload_bytes += len(incoming.payload)
        entry: Entry | None = None
        before = len(batch.singles)
        try:
            topic = wire.parse_topic(incoming.topic)
            entry = self._directory.find(topic.site, topic.device)
            if topic.leaf is Leaf.BATCH:
                batch.row_count += self._add_gateway_batch(batch, entry, incoming)
                return
            message = wire.decode(topic.leaf, incoming.payload)
            if not (incoming.retained and message.ts_ms is None):
                # A retained status without a time is a replay from nobody knows when.
                self.add_message(batch.singles, entry, message, incoming.received_us, live=True)
        except WireError as error:
            batch.singles.dead.append(dead_letter(incoming.topic, incoming.payload, error, entry))
        batch.row_count += len(batch.singles) - before

    def _add_gateway_batch(self, batch: MicroBatch, gateway: Entry, incoming: Incoming) -> int:
        decoded = wire.decode_batch(incoming.payload)
        rows = Rows()
        for item in self._add_plain_vitals(rows, gateway.site_code, decoded.items, incoming.received_us):
            try:
                entry = self._directory.find(gateway.site_code, item.device)
            except WireError as error:
                topic = f"{incoming.topic}#{item.device}"
                rows.dead.append(dead_letter(topic, wire.encode(item), error, gateway))
                continue
            self.add_message(rows, entry, item, incoming.received_us, live=False)
        for rejected in decoded.rejected:
            rows.dead.append(dead_letter(incoming.topic, rejected.payload, rejected.error, gateway))
        rows.heard[gateway.device_id] = incoming.received_us
        batch.gateway_batches.append(GatewayBatch(gateway, decoded.batch_id, rows))
        return len(rows)

    def _add_plain_vitals(
        self, rows: Rows, site: str, items: Sequence[BatchItem], received_us: int
    ) -> list[BatchItem]:
        """Add the rows that ask no question; the items that are left over.

        Nearly all that a county says comes this way, so it is written out; its slow twin is `add_message`.
        Plain are vital signs of a known device of the site, with a sane clock and one lasting assignment.
        """
        entries, vitals, heard = self._directory.entries, rows.vitals, rows.heard
        earliest_ms, latest_ms = self._clock.window_ms(received_us)
        left_over: list[BatchItem] = []
        for item in items:
            if type(item) is VitalsItem:
                entry = entries.get(item.device)
                ts_ms = item.ts_ms
                if (
                    entry is not None
                    and entry.site_code == site
                    and ts_ms is not None
                    and earliest_ms <= ts_ms <= latest_ms
                    and len(entry.assignments) == 1
                ):
                    from_us, to_us, resident_id, _ = entry.assignments[0]
                    time_us = ts_ms * 1000
                    if to_us is None and from_us <= time_us:
                        device_id = entry.device_id
                        row = (
                            time_us, device_id, resident_id, False, item.hr, item.rr, item.spo2, item.temp,
                            item.sbp, item.dbp, item.glucose, item.weight,
                        )  # fmt: skip
                        vitals.append(_new_row(VitalsRow, row))
                        if time_us > heard.get(device_id, 0):
                            heard[device_id] = time_us
                        continue
            left_over.append(item)
        return left_over

    def add_message(
        self, rows: Rows, entry: Entry, message: Message, received_us: int, *, live: bool
    ) -> None:
        """Add the row of one message to `rows`. Unless `live`, it may come out of a gateway's backlog."""
        time_us, replaced = self._clock.stamp(message.ts_ms, received_us)
        device_id = entry.device_id
        if isinstance(message, VitalSigns):
            row = (
                time_us,
                device_id,
                entry.assignment_at(time_us)[2],
                replaced,
                message.hr,
                message.rr,
                message.spo2,
                message.temp,
                message.sbp,
                message.dbp,
                message.glucose,
                message.weight,
            )
            rows.vitals.append(_new_row(VitalsRow, row))
        elif isinstance(message, Activity):
            _, _, resident_id, room_id = entry.assignment_at(time_us)
            rows.activity.append(
                ActivityRow(time_us, device_id, resident_id, room_id, replaced, message.event)
            )
        elif isinstance(message, DeviceStatus):
            rows.status.append(
                StatusRow(
                    time_us, device_id, replaced, message.online, message.battery, message.rssi, message.fw
                )
            )
            if not message.online:
                return  # a will, or a gateway's word about it: not the device's own voice
        else:
            rows.signals.append(SignalRow(time_us, entry, replaced, message))
        heard_us = received_us if live else time_us
        if heard_us > rows.heard.get(device_id, 0):
            rows.heard[device_id] = heard_us
