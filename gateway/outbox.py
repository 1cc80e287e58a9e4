"""The outbox: whatever was heard is kept here, on disk, until the centre's receipt.

Each commit is on the disk when it returns (see `gateway.durable`), so that power may fail at any write.
Forgetting what is receipted needs no such care: what comes back by that is sent again, under the same id.
The methods may be called from any thread.
"""

import logging
import secrets
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from gateway import eviction
from gateway.clock import Clock, Stamp
from gateway.durable import PAGE_BYTES, DurableFile, opened
from protocol import wire
from protocol.model import AlarmSignal, DeviceProposal, GatewayConfig, Message
from protocol.wire import Leaf

log = logging.getLogger(__name__)

SCHEMA = Path(__file__).with_name("outbox.sql").read_text(encoding="utf-8")
BYTES_MAX = 512 * 1024 * 1024
AGE_DAYS_MAX = 14
HEADROOM = 0.97
"""When this share of the size is used, the oldest readings make room …"""
ROOM_SHARE = 200
"""… and each time one part in so many of the size is freed."""
DEVICES_MAX = 4_000
BATCH_BYTES_MAX = 200_000
"""Payload of one batch."""
ITEM_BYTES = 100
"""What an item needs beside its own payload: the device's name, its leaf."""
DAY_MS = 86_400_000
BEGINS = "SELECT id, begins_ms FROM boot"
"""When each boot began, where that is known."""


class Entry(NamedTuple):
    """Something to be kept. `name` is None while nobody has adopted the device."""

    key: str
    name: str | None
    message: Message
    stamp: Stamp


class SealedBatch(NamedTuple):
    """A batch under its id, for ever with this content."""

    batch_id: str
    payload: bytes
    message_count: int


class KeptAlarm(NamedTuple):
    """An alarm that the centre has not confirmed. `seq` tells it from every other of this outbox."""

    seq: int
    device: str
    signal: AlarmSignal
    settled: bool
    """Whether its time is final. If not, `settle` it before it is sent."""


class Totals(NamedTuple):
    """How full the outbox is, and what was lost since it was made.

    Attributes:
        queued: Messages and alarms that wait for their receipt.
        waiting: Messages of devices that nobody has adopted.
        dropped: What had to make room or grew too old.
        broken: Times that the file was damaged, moved aside and begun anew.
    """

    queued: int
    waiting: int
    dropped: int
    broken: int


class Outbox:
    """Keeps messages in `folder` until they are forgotten by `forget`.

    Raises:
        OutboxError: from every method, when the disk does not take or give it; nothing is changed then.
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        *,
        bytes_max: int = BYTES_MAX,
        age_days_max: int = AGE_DAYS_MAX,
    ) -> None:
        self._clock = clock
        self._age_ms_max = age_days_max * DAY_MS
        self._boot = 0
        self._names: dict[int, str | None] = {}
        self._ids: dict[str, int] = {}
        self.outbox_id = ""
        """Tells this file from any before or after it: a part of every id it gives."""
        self._file = DurableFile(
            folder / "outbox.sqlite",
            schema=SCHEMA,
            pages_max=max(bytes_max // PAGE_BYTES, 256),
            prepare=self._prepare,
            recall=self._recall,
        )

    # What comes in.

    def keep(
        self,
        entries: Sequence[Entry],
        *,
        proposals: Iterable[DeviceProposal] = (),
        learnt: Mapping[str, Mapping[str, Any]] | None = None,
        state: Mapping[str, bytes] | None = None,
        dropped: int = 0,
    ) -> list[int]:
        """Commit all of it to the disk as one; the numbers of the alarms among `entries`, 0 for others.

        Args:
            entries: In the order in which they were heard.
            proposals: Devices to be adopted; one that says nothing new is not sent again.
            learnt: What each dialect has learnt, by device key: laid over what `knowledge` gives, None being
                forgotten.
            state: Small things by name, see `state`.
            dropped: Messages that the caller could not keep, to be counted.
        """
        if not (entries or proposals or learnt or state or dropped):
            return []

        def work(connection: sqlite3.Connection) -> list[int]:
            added: Counter[str] = Counter()
            numbers = [self._insert(connection, entry, added) for entry in entries]
            for proposal in proposals:
                _upsert_proposal(connection, proposal)
            for dialect, known in (learnt or {}).items():
                connection.executemany(
                    "INSERT OR REPLACE INTO knowledge (dialect, key, value) VALUES (?, ?, ?)",
                    [(dialect, key, msgspec.json.encode(value)) for key, value in known.items()],
                )
                connection.executemany(
                    "DELETE FROM knowledge WHERE dialect = ? AND key = ?",
                    [(dialect, key) for key, value in known.items() if value is None],
                )
            for name, value in (state or {}).items():
                _set_state(connection, name, value)
            if added["waiting"]:
                gone = eviction.bound_waiting(connection, _counted(connection, "waiting") + added["waiting"])
                added.update(waiting=-gone, dropped=gone)
            added["dropped"] += dropped
            _count(connection, added)
            return numbers

        numbers = self._file.transaction(work)
        self._make_room()
        return numbers

    def configure(self, config: GatewayConfig) -> None:
        """Adopt and refuse as the centre says: what waited goes out with its own time, or is forgotten."""

        def work(connection: sqlite3.Connection) -> None:
            _set_state(connection, "config", wire.encode(config))
            counted: Counter[str] = Counter()
            for key, adoption in config.devices.items():
                device = self._device(connection, key, adoption.name)
                moved = connection.execute(
                    "INSERT INTO message (device, leaf, heard_ms, boot, boot_ms, payload)"
                    " SELECT device, leaf, heard_ms, boot, boot_ms, payload FROM waiting"
                    " WHERE device = ? AND leaf != 'alarm' ORDER BY seq",
                    (device,),
                ).rowcount
                moved += connection.execute(
                    "INSERT INTO alarm (device, heard_ms, boot, boot_ms, payload)"
                    " SELECT device, heard_ms, boot, boot_ms, payload FROM waiting"
                    " WHERE device = ? AND leaf = 'alarm' ORDER BY seq",
                    (device,),
                ).rowcount
                gone = connection.execute("DELETE FROM waiting WHERE device = ?", (device,)).rowcount
                counted["queued"] += moved
                counted["waiting"] -= gone
            for key in config.refused:
                gone = connection.execute(
                    "DELETE FROM waiting WHERE device = (SELECT id FROM device WHERE key = ?)", (key,)
                ).rowcount
                counted["waiting"] -= gone
            known = [(key,) for key in (*config.devices, *config.refused)]
            connection.executemany("DELETE FROM proposal WHERE key = ?", known)
            _count(connection, counted)

        self._file.transaction(work)

    # What goes out.

    @property
    def newest_seq(self) -> int:
        """The number of the newest message. Everything up to it is backlog from now on."""
        rows = self._file.read("SELECT seq FROM sqlite_sequence WHERE name = 'message'")
        return int(rows[0][0]) if rows else 0

    def seal(self, count_max: int, *, above: int = 0, up_to: int = 2**62) -> SealedBatch | None:
        """Make a batch of the oldest messages between two numbers; None when there are none.

        What is stamped with an unsure time goes in batches of its own, which say so.
        """

        def work(connection: sqlite3.Connection) -> SealedBatch | None:
            begins = dict(connection.execute(BEGINS).fetchall())
            chosen: list[tuple[int, str, Message]] = []
            size_bytes, suspect = 0, False
            for seq, device, leaf, *times, payload in connection.execute(
                "SELECT seq, device, leaf, heard_ms, boot, boot_ms, payload FROM message"
                " WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
                (above, up_to, count_max),
            ):
                message, unsure = _timed(wire.decode(Leaf(leaf), payload), times, begins)
                size_bytes += len(payload) + ITEM_BYTES
                if chosen and (unsure is not suspect or size_bytes > BATCH_BYTES_MAX):
                    break
                suspect = unsure
                chosen.append((seq, self._name(device), message))
            if not chosen:
                return None
            number = _next_number(connection)
            batch_id = f"{self.outbox_id}-{number}"
            said = [(name, message) for _, name, message in chosen]
            batch = SealedBatch(
                batch_id, wire.encode_batch(batch_id, said, clock_suspect=suspect), len(chosen)
            )
            connection.execute(
                "INSERT INTO batch (id, sealed_ms, message_count, payload) VALUES (?, ?, ?, ?)",
                (batch_id, self._clock.now().ms, batch.message_count, batch.payload),
            )
            connection.executemany("DELETE FROM message WHERE seq = ?", [(seq,) for seq, _, _ in chosen])
            return batch

        return self._file.transaction(work)

    def sealed(self) -> list[SealedBatch]:
        """All batches that wait for their receipt, the oldest first."""
        rows = self._file.read("SELECT id, payload, message_count FROM batch ORDER BY rowid")
        return [SealedBatch(*row) for row in rows]

    def alarms(self, count_max: int) -> list[KeptAlarm]:
        """The oldest alarms that the centre has not confirmed."""
        rows = self._file.read(
            "SELECT seq, device, heard_ms, boot, boot_ms, payload, sent FROM alarm ORDER BY seq LIMIT ?",
            (count_max,),
        )
        begins = dict(self._file.read(BEGINS))
        kept = []
        for seq, device, *times, payload, sent in rows:
            signal, _ = _timed(_alarm_decoder.decode(sent or payload), times, begins)
            kept.append(KeptAlarm(seq, self._name(device), signal, sent is not None or times[1] is None))
        return kept

    def settle(self, alarms: Iterable[KeptAlarm]) -> None:
        """These are about to be sent. Each later sending says the same, even if the clock was put right."""
        rows = [(wire.encode(alarm.signal), alarm.seq) for alarm in alarms]
        self._file.transaction(
            lambda connection: connection.executemany(
                "UPDATE alarm SET sent = ? WHERE seq = ? AND sent IS NULL", rows
            )
        )

    def forget(self, *, batches: Iterable[str] = (), alarms: Iterable[int] = ()) -> None:
        """The centre has committed these. Ids that are not here any more are passed over."""

        def work(connection: sqlite3.Connection) -> None:
            gone = 0
            for batch_id in batches:
                row = connection.execute(
                    "DELETE FROM batch WHERE id = ? RETURNING message_count", (batch_id,)
                ).fetchone()
                gone += 0 if row is None else row[0]
            for seq in alarms:
                gone += connection.execute("DELETE FROM alarm WHERE seq = ?", (seq,)).rowcount
            _count(connection, {"queued": -gone})

        self._file.transaction(work, durable=False)

    def proposals(self) -> list[DeviceProposal]:
        """Proposals that were not sent since the start of this process, or say something new."""
        rows = self._file.read("SELECT payload FROM proposal WHERE sent = 0 ORDER BY rowid")
        return [wire.decode_proposal(payload) for (payload,) in rows]

    def is_proposed(self, key: str) -> bool:
        """Whether the device has been proposed."""
        return bool(self._file.read("SELECT 1 FROM proposal WHERE key = ?", (key,)))

    def proposed(self, proposals: Iterable[DeviceProposal]) -> None:
        """The centre's broker has these."""
        rows = [(proposal.key, wire.encode(proposal)) for proposal in proposals]
        self._file.transaction(
            lambda connection: connection.executemany(
                "UPDATE proposal SET sent = 1 WHERE key = ? AND payload = ?", rows
            ),
            durable=False,
        )

    # What is remembered.

    def totals(self) -> Totals:
        """How full it is, and what was lost."""
        rows = dict(self._file.read("SELECT name, value FROM counter"))
        return Totals(*(rows.get(name, 0) for name in Totals._fields))

    def state(self, name: str) -> bytes | None:
        """What was last kept under this name."""
        rows = self._file.read("SELECT value FROM state WHERE name = ?", (name,))
        return bytes(rows[0][0]) if rows else None

    def knowledge(self, dialect: str) -> dict[str, Any]:
        """All that a dialect has learnt, by device key."""
        rows = self._file.read("SELECT key, value FROM knowledge WHERE dialect = ?", (dialect,))
        return {key: msgspec.json.decode(value) for key, value in rows}

    def config(self) -> GatewayConfig:
        """Which devices are adopted and refused, as the centre said last."""
        kept = self.state("config")
        return GatewayConfig() if kept is None else wire.decode_config(kept)

    def learn_time(self, begins_ms: int) -> None:
        """This boot of the box began at `begins_ms`: what was stamped in it can be put right from now on."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE boot SET begins_ms = ? WHERE id = ?", (begins_ms, self._boot))
            _set_state(connection, "floor_ms", str(self._clock.floor_ms).encode())

        self._file.transaction(work)

    def expire(self) -> None:
        """Let go of readings that are older than the outbox keeps, a bounded number at once; alarms stay."""
        stamp = self._clock.now()
        if not stamp.sure or stamp.ms is None:
            return
        before_ms = stamp.ms - self._age_ms_max

        def work(connection: sqlite3.Connection) -> None:
            gone = eviction.drop_expired(connection, before_ms)
            left = {total: -count for total, count in gone.items()}
            _count(connection, {**left, "dropped": sum(gone.values())})

        self._file.transaction(work)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    # Inside.

    def _prepare(self, connection: sqlite3.Connection, damaged: Path | None) -> None:
        """Begin this boot in a file just opened. From a `damaged` one, save what matters and can be read."""
        found = connection.execute("SELECT value FROM state WHERE name = 'outbox_id'").fetchone()
        self.outbox_id = bytes(found[0]).decode() if found else secrets.token_hex(6)
        _set_state(connection, "outbox_id", self.outbox_id.encode())
        if damaged is not None:
            counted = Counter(broken=1)
            with suppress(sqlite3.DatabaseError), opened(damaged) as old:
                counted.update(_salvaged(old, connection))
            _count(connection, counted)
            log.error("of the damaged outbox %d alarms were saved; it lies at %s", counted["queued"], damaged)
        connection.execute("INSERT OR IGNORE INTO boot (boot_id) VALUES (?)", (self._clock.boot_id,))
        self._boot, begins_ms = connection.execute(
            "SELECT id, begins_ms FROM boot WHERE boot_id = ?", (self._clock.boot_id,)
        ).fetchone()
        floor = connection.execute("SELECT value FROM state WHERE name = 'floor_ms'").fetchone()
        self._clock.resume(begins_ms, int(floor[0]) if floor else None)
        connection.execute("UPDATE proposal SET sent = 0")

    def _recall(self, connection: sqlite3.Connection) -> None:
        """Read the devices from the file: those that a failed transaction had added are not there."""
        rows = connection.execute("SELECT id, key, name FROM device").fetchall()
        self._ids = {key: number for number, key, _ in rows}
        self._names = {number: name for number, _, name in rows}

    def _insert(self, connection: sqlite3.Connection, entry: Entry, added: Counter[str]) -> int:
        device = self._device(connection, entry.key, entry.name)
        message, stamp = entry.message, entry.stamp
        boot: int | None = None
        boot_ms: int | None = None
        if message.ts_ms is None:
            if stamp.sure:
                message = msgspec.structs.replace(message, ts_ms=stamp.ms)
            else:
                boot, boot_ms = self._boot, stamp.boot_ms
        leaf, payload = wire.leaf_of(message), wire.encode(message)
        if entry.name is None:
            connection.execute(
                "INSERT INTO waiting (device, leaf, heard_ms, boot, boot_ms, payload)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (device, str(leaf), stamp.ms, boot, boot_ms, payload),
            )
            added["waiting"] += 1
            return 0
        added["queued"] += 1
        if leaf is Leaf.ALARM:
            row = connection.execute(
                "INSERT INTO alarm (device, heard_ms, boot, boot_ms, payload) VALUES (?, ?, ?, ?, ?)",
                (device, stamp.ms, boot, boot_ms, payload),
            )
            return row.lastrowid or 0
        connection.execute(
            "INSERT INTO message (device, leaf, heard_ms, boot, boot_ms, payload) VALUES (?, ?, ?, ?, ?, ?)",
            (device, str(leaf), stamp.ms, boot, boot_ms, payload),
        )
        return 0

    def _device(self, connection: sqlite3.Connection, key: str, name: str | None) -> int:
        """The device's number; a new name is taken over, an old one stays when there is no new one."""
        found = self._ids.get(key)
        if found is None:
            row = connection.execute("INSERT INTO device (key, name) VALUES (?, ?)", (key, name))
            found = self._ids[key] = row.lastrowid or 0
            self._names[found] = name
        elif name is not None and self._names[found] != name:
            connection.execute("UPDATE device SET name = ? WHERE id = ?", (name, found))
            self._names[found] = name
        return found

    def _name(self, device: int) -> str:
        name = self._names[device]
        assert name is not None, "only what has a name is among what is to be sent"
        return name

    def knows_room_for(self, key: str) -> bool:
        """Whether the device is known, or there is room for one more."""
        return key in self._ids or len(self._ids) < DEVICES_MAX

    def _make_room(self) -> None:
        """Drop the oldest readings, then the oldest statuses, while nearly all of the size is used."""
        if self._file.used_pages() < self._file.pages_max * HEADROOM:
            return
        count = max(200, self._file.pages_max * PAGE_BYTES // ROOM_SHARE // 100)

        def work(connection: sqlite3.Connection) -> int:
            gone = eviction.drop_oldest(connection, count)
            _count(connection, {"queued": -gone, "dropped": gone})
            return gone

        while self._file.used_pages() >= self._file.pages_max * HEADROOM and self._file.transaction(work):
            pass


_alarm_decoder = msgspec.json.Decoder(AlarmSignal)


def _timed(message: Any, times: Sequence[int | None], begins: Mapping[int, int | None]) -> tuple[Any, bool]:
    """The message with its time, and whether that time is unsure. A time from the device is never touched.

    `times`: when it was heard by the gateway's clock, the boot and its time, as the tables have them.
    """
    heard_ms, boot, boot_ms = times
    if message.ts_ms is not None or boot is None or boot_ms is None:
        return message, False
    begins_ms = begins.get(boot)
    if begins_ms is not None:
        return msgspec.structs.replace(message, ts_ms=begins_ms + boot_ms), False
    return msgspec.structs.replace(message, ts_ms=heard_ms), True


def _upsert_proposal(connection: sqlite3.Connection, proposal: DeviceProposal) -> None:
    connection.execute(
        "INSERT INTO proposal (key, payload) SELECT ?1, ?2 WHERE (SELECT count(*) FROM proposal) < ?3"
        " OR EXISTS (SELECT 1 FROM proposal WHERE key = ?1)"
        " ON CONFLICT (key) DO UPDATE SET payload = excluded.payload, sent = 0"
        " WHERE proposal.payload != excluded.payload",
        (proposal.key, wire.encode(proposal), DEVICES_MAX),
    )


def _set_state(connection: sqlite3.Connection, name: str, value: bytes) -> None:
    connection.execute("INSERT OR REPLACE INTO state (name, value) VALUES (?, ?)", (name, value))


def _count(connection: sqlite3.Connection, added: Mapping[str, int]) -> None:
    for name, value in added.items():
        if value:
            connection.execute(
                "INSERT INTO counter (name, value) VALUES (?, max(0, ?2))"
                " ON CONFLICT (name) DO UPDATE SET value = max(0, value + ?2)",
                (name, value),
            )


def _next_number(connection: sqlite3.Connection) -> int:
    _count(connection, {"batches": 1})
    return _counted(connection, "batches")


def _counted(connection: sqlite3.Connection, name: str) -> int:
    row = connection.execute("SELECT value FROM counter WHERE name = ?", (name,)).fetchone()
    return 0 if row is None else int(row[0])


def _salvaged(damaged: sqlite3.Connection, fresh: sqlite3.Connection) -> dict[str, int]:
    """Copy what can be read of the alarms and the small tables; the alarms saved, and the old totals."""
    for table in ("device", "boot", "knowledge", "state", "proposal"):
        with suppress(sqlite3.DatabaseError):
            for row in damaged.execute(f"SELECT * FROM {table}"):  # noqa: S608 - ours
                if table == "state" and row[0] == "outbox_id":
                    continue  # the new file gives numbers of its own, which must differ from the old ones
                marks = ", ".join("?" * len(row))
                fresh.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", row)  # noqa: S608 - ours
    saved: Counter[str] = Counter()
    with suppress(sqlite3.DatabaseError):
        for row in damaged.execute("SELECT * FROM alarm ORDER BY seq"):
            marks = ", ".join("?" * len(row))
            fresh.execute(f"INSERT OR IGNORE INTO alarm VALUES ({marks})", row)  # noqa: S608 - ours
            saved["queued"] += 1
    with suppress(sqlite3.DatabaseError):
        for name, value in damaged.execute("SELECT name, value FROM counter"):
            if name in {"dropped", "broken"}:
                saved[name] += value
    return saved
