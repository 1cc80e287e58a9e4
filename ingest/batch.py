"""From messages to rows: what one transaction will store. Pure; nothing in here waits or touches a server."""

import time
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

from msgspec.structs import astuple, replace

from ingest.clock import ClockRule
from ingest.directory import Directory, Entry
from ingest.letters import LetterBudget, bounded
from ingest.rows import (
    ActivityRow,
    Rows,
    SignalRow,
    Signs,
    StatusRow,
    VitalsBlock,
    VitalsRow,
    dead_letter,
)
from ingest.subscriber import Incoming
from protocol import wire
from protocol.abilities import ABILITIES, refused_word, without_refused
from protocol.errors import DeadReason, WireError
from protocol.model import Activity, AlarmSignal, DeviceKind, DeviceStatus, Message, VitalSigns
from protocol.signs import SIGNS
from protocol.wire import BatchItem, Leaf, Topic, VitalsItem

VITALS_FIELDS = VitalsItem.__struct_fields__

_signs_of: Callable[[VitalSigns], Signs] = attrgetter(*SIGNS)


class GatewayBatch(NamedTuple):
    """A gateway's batch: stored as one, once, and receipted under its id."""

    gateway: Entry
    batch_id: str
    rows: Rows
    clock_suspect: bool = False
    """The gateway knows that the times were given by a clock that was wrong."""

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

    def receipts(self) -> dict[str, tuple[str, ...]]:
        """The ids of the gateways' batches, each once, by the topic where their outbox waits for them."""
        receipts: dict[str, dict[str, None]] = {}
        for given in self.gateway_batches:
            receipts.setdefault(given.receipt_topic, {})[given.batch_id] = None
        return {topic: tuple(batch_ids) for topic, batch_ids in receipts.items()}

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
        self._letters = LetterBudget()

    def add(self, batch: MicroBatch, incoming: Incoming) -> bool:
        """Put what `incoming` says into `batch`; what cannot be stored becomes its dead letter, and False."""
        batch.deliveries.append(incoming)
        batch.singles.dead += self._letters.overdue(incoming.received_us)
        batch.payload_bytes += len(incoming.payload)
        entry: Entry | None = None
        before = len(batch.singles)
        try:
            topic = wire.parse_topic(incoming.topic)
            entry = self._directory.find(topic.site, topic.device)
            if topic.leaf is Leaf.BATCH:
                batch.row_count += self._add_gateway_batch(batch, entry, incoming)
                return True
            message = wire.decode(topic.leaf, incoming.payload)
            if not (incoming.retained and message.ts_ms is None):
                # A retained status without a time is a replay from nobody knows when.
                self.add_message(batch.singles, entry, message, incoming.received_us, live=True)
        except WireError as error:
            letter = dead_letter(incoming.topic, incoming.payload, error, entry)
            batch.singles.dead += self._letters.admit([letter], incoming.received_us)
            return False
        finally:
            batch.row_count += len(batch.singles) - before
        return True

    def _add_gateway_batch(self, batch: MicroBatch, gateway: Entry, incoming: Incoming) -> int:
        decoded = wire.decode_batch(incoming.payload)
        rows = Rows()
        block, left_over = self._block_of(gateway, decoded.items, incoming.received_us)
        if block is not None:
            rows.blocks.append(block)
        for item in left_over:
            try:
                entry = self._directory.find(gateway.site_code, item.device)
                if not entry.may_be_spoken_for_by(gateway):
                    detail = f"{gateway.name} does not speak for {entry.name}"
                    raise WireError(DeadReason.UNKNOWN_DEVICE, detail)
            except WireError as error:
                topic = f"{incoming.topic}#{item.device}"
                rows.dead.append(dead_letter(topic, wire.encode(item), error, gateway))
                continue
            self.add_message(rows, entry, item, incoming.received_us, live=False)
        rows.dead = bounded(rows.dead)
        for rejected in decoded.rejected:
            rows.dead.append(dead_letter(incoming.topic, rejected.payload, rejected.error, gateway))
        rows.dead = self._letters.admit(rows.dead, incoming.received_us)
        rows.heard[gateway.device_id] = incoming.received_us
        batch.gateway_batches.append(GatewayBatch(gateway, decoded.batch_id, rows, decoded.clock_suspect))
        return len(rows)

    def _block_of(
        self, gateway: Entry, items: Sequence[BatchItem], received_us: int
    ) -> tuple[VitalsBlock | None, Sequence[BatchItem]]:
        """The vital signs that ask no question, as one block, and the items that are left over.

        Nearly all that a county says comes this way, so it goes column by column; its slow twin is
        `add_message`. No question is asked where every device is known at the site, may be spoken for,
        watches one person or room until further notice and measures what it says, and every clock is sane.
        """
        vitals = [item for item in items if type(item) is VitalsItem]
        if not vitals:
            return None, items
        columns = dict(zip(VITALS_FIELDS, zip(*map(astuple, vitals), strict=True), strict=True))
        devices, ts_ms = columns["device"], columns["ts_ms"]
        lasting = list(map(self._directory.lasting.get, devices))
        if None in lasting or None in ts_ms:
            return None, items
        sites, device_ids, resident_ids, since_us, speakers, kinds = zip(*lasting, strict=True)
        earliest_ms, latest_ms = self._clock.window_ms(received_us)
        first_ms = min(ts_ms)
        if (
            sites.count(gateway.site_code) < len(sites)
            or not {gateway.name, None}.issuperset(speakers)
            or not earliest_ms <= first_ms <= max(ts_ms) <= latest_ms
            or max(since_us) > first_ms * 1000
            or _says_what_it_cannot(kinds, columns)
        ):
            return None, items
        signs = tuple(columns[sign] for sign in SIGNS)
        others = [item for item in items if type(item) is not VitalsItem] if len(vitals) < len(items) else ()
        return VitalsBlock(ts_ms, device_ids, resident_ids, signs), others

    def add_message(
        self, rows: Rows, entry: Entry, message: Message, received_us: int, *, live: bool
    ) -> None:
        """Add the row of one message to `rows`. Unless `live`, it may come out of a gateway's backlog.

        What a device of this kind does not say becomes a dead letter; other signs of the message are kept.
        """
        time_us, replaced = self._clock.stamp(message.ts_ms, received_us)
        device_id = entry.device_id
        if isinstance(message, AlarmSignal) and entry.kind is not DeviceKind.GATEWAY:
            message = replace(message, key=None)  # a field of its own by that name: it speaks for nobody else
        wrong = _refused(entry.kind, message)
        if wrong is not None:
            topic = str(Topic(entry.site_code, entry.name, wire.leaf_of(message)))
            error = WireError(DeadReason.NOT_OF_KIND, f"a {entry.kind} does not say {wrong}")
            rows.dead.append(dead_letter(topic, wire.encode(message), error, entry))
            if not isinstance(message, VitalSigns):
                return
            message = without_refused(entry.kind, message)
            if message.is_empty():
                return
        if isinstance(message, VitalSigns):
            resident_id = entry.assignment_at(time_us).resident_id
            rows.vitals.append(VitalsRow(time_us, device_id, resident_id, replaced, _signs_of(message)))
        elif isinstance(message, Activity):
            _, _, resident_id, room_id = entry.assignment_at(time_us)
            rows.activity.append(
                ActivityRow(time_us, device_id, resident_id, room_id, replaced, message.event)
            )
        elif isinstance(message, DeviceStatus):
            rows.status.append(
                StatusRow(
                    time_us,
                    device_id,
                    replaced,
                    message.online,
                    message.battery,
                    message.rssi,
                    message.fw,
                    message.queued,
                    message.dropped,
                    message.clock_off_ms,
                )
            )
            if not message.online:
                return  # a will, or a gateway's word about it: not the device's own voice
        else:
            rows.signals.append(SignalRow(time_us, entry, replaced, message))
        heard_us = received_us if live else time_us
        if heard_us > rows.heard.get(device_id, 0):
            rows.heard[device_id] = heard_us


def _refused(kind: DeviceKind, message: Message) -> str | None:
    """What of a message a device of this kind does not say. With a key a gateway cries for another."""
    is_for_another = isinstance(message, AlarmSignal) and message.key is not None
    return None if is_for_another else refused_word(kind, message)


def _says_what_it_cannot(kinds: Sequence[DeviceKind], columns: Mapping[str, Sequence[object]]) -> bool:
    """Whether a device among these measures what its kind does not; looks closely only where one could."""
    present = set(kinds)
    for sign in SIGNS:
        column = columns[sign]
        unable = {kind for kind in present if sign not in ABILITIES[kind].signs}
        if unable and column.count(None) < len(column):
            pairs = zip(kinds, column, strict=True)
            if any(value is not None and kind in unable for kind, value in pairs):
                return True
    return False
