"""Rows: what one transaction will store, in the order of the tables' columns. Pure data."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ingest.directory import Entry
from protocol.errors import DeadReason, WireError
from protocol.model import EARLY_ID, AlarmSignal
from protocol.signs import SIGNS

DEAD_PAYLOAD_BYTES_MAX = 16 * 1024
"""How much of a dead letter's payload is kept."""


Signs = tuple[float | None, ...]
"""A value for each of `protocol.signs.SIGNS`, in that order; None: not measured."""


class VitalsRow(NamedTuple):
    """A row of readings.vitals; time in microseconds since 1970 UTC."""

    time_us: int
    device_id: int
    resident_id: int | None
    clock_replaced: bool
    signs: Signs

    def flat(self) -> tuple[object, ...]:
        """As the table has it, in the order of `VITALS_COLUMNS`."""
        return (*self[:-1], *self.signs)


VITALS_COLUMNS = (*VitalsRow._fields[:-1], *SIGNS)


@dataclass(frozen=True, slots=True)
class VitalsBlock:
    """Vital signs of one gateway's batch column by column, as nearly all of a county's come.

    All columns are of one length. `signs` has a column for each sign.
    """

    ts_ms: tuple[int, ...]
    device_id: tuple[int, ...]
    resident_id: tuple[int | None, ...]
    signs: tuple[Signs, ...]

    def rows(self) -> Iterator[VitalsRow]:
        """The same, row by row: the obvious form, for where speed does not matter."""
        columns = zip(
            self.ts_ms, self.device_id, self.resident_id, zip(*self.signs, strict=True), strict=True
        )
        for ts_ms, device_id, resident_id, signs in columns:
            yield VitalsRow(ts_ms * 1000, device_id, resident_id, False, signs)


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
    queued: int | None = None
    dropped: int | None = None
    clock_off_ms: int | None = None


class SignalRow(NamedTuple):
    """An alarm signal and whom it is about; time in microseconds since 1970 UTC.

    `signal_id` is the same for each delivery of one signal, and differs between two presses even of a
    button that always sends the same id, or has no clock: when in doubt it counts as a new one. A gateway's
    id for what it tells early is one press's alone; its time may be the centre's first, the box's later.
    """

    time_us: int
    entry: Entry
    clock_replaced: bool
    signal: AlarmSignal

    @property
    def signal_id(self) -> str:
        """The key of this signal among those of its device."""
        own_id = self.signal.signal_id
        if own_id is not None and EARLY_ID.match(own_id):
            return own_id
        return f"{own_id or self.signal.kind}@{self.time_us}"


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
    gateway passes on may be old: there the device's own time counts. `heard` leaves out what `blocks` tell.
    """

    __slots__ = ("activity", "blocks", "dead", "heard", "signals", "status", "vitals")

    def __init__(self) -> None:
        self.vitals: list[VitalsRow] = []
        self.blocks: list[VitalsBlock] = []
        self.activity: list[ActivityRow] = []
        self.status: list[StatusRow] = []
        self.signals: list[SignalRow] = []
        self.dead: list[DeadLetter] = []
        self.heard: dict[int, int] = {}

    def extend(self, other: "Rows") -> None:
        """Add all rows of `other`."""
        self.vitals += other.vitals
        self.blocks += other.blocks
        self.activity += other.activity
        self.status += other.status
        self.signals += other.signals
        self.dead += other.dead
        for device_id, heard_us in other.heard.items():
            self.heard[device_id] = max(heard_us, self.heard.get(device_id, 0))

    def vitals_count(self) -> int:
        """Rows of vital signs, in whatever form."""
        return len(self.vitals) + sum(len(block.ts_ms) for block in self.blocks)

    def unfold(self) -> None:
        """Turn the blocks into rows."""
        for block in self.blocks:
            for row in block.rows():
                self.vitals.append(row)
                self.heard[row.device_id] = max(row.time_us, self.heard.get(row.device_id, 0))
        self.blocks = []

    def __len__(self) -> int:
        return self.stored_count() + len(self.dead)

    def stored_count(self) -> int:
        """Rows that are not dead letters."""
        return self.vitals_count() + len(self.activity) + len(self.status) + len(self.signals)
