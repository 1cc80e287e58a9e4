"""The outbox: what is kept stays, as it was said, whatever dies; what overflows is counted."""

import itertools
import os
import random
import secrets
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway import eviction
from gateway.clock import BUILT_MS, Clock
from gateway.durable import PAGE_BYTES
from gateway.errors import OutboxError
from gateway.eviction import WAITING_OF_ONE_MAX
from gateway.outbox import DAY_MS, Entry, Outbox
from protocol import wire
from protocol.model import (
    Adoption,
    AlarmSignal,
    DeviceKind,
    DeviceProposal,
    DeviceStatus,
    GatewayConfig,
    Message,
    SignalKind,
    VitalSigns,
)
from tests.gateway import outbox_writer

KILLS = int(os.environ.get("ANSHOU_TEST_KILLS", "60"))
"""Also how often power fails. Every run strikes elsewhere; docs/gateway.md tells of a long one."""
START_MS = BUILT_MS + 10 * DAY_MS


class FakeTime:
    """A box's two clocks, set by hand."""

    def __init__(self, wall_ms: int = START_MS, boot_ms: int = 1_000, *, synchronised: bool = True) -> None:
        self.wall_ms = wall_ms
        self.boot_ms = boot_ms
        self.synchronised = synchronised

    def clock(self, boot_id: str = "boot-1") -> Clock:
        return Clock(
            wall_ms=lambda: self.wall_ms,
            boot_ms=lambda: self.boot_ms,
            boot_id=boot_id,
            synchronised=lambda: self.synchronised,
        )

    def pass_ms(self, by_ms: int) -> None:
        self.wall_ms += by_ms
        self.boot_ms += by_ms


@pytest.fixture
def fake_time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def clock(fake_time: FakeTime) -> Clock:
    return fake_time.clock()


@pytest.fixture
def outbox(tmp_path: Path, clock: Clock) -> Outbox:
    return Outbox(tmp_path, clock)


def heart(number: int, ts_ms: int | None = START_MS) -> VitalSigns:
    return VitalSigns(ts_ms=None if ts_ms is None else ts_ms + number, hr=60 + number % 100)


def sos(number: int, ts_ms: int | None = START_MS) -> AlarmSignal:
    return AlarmSignal(kind=SignalKind.SOS, ts_ms=ts_ms, signal_id=f"press-{number}")


def keep(
    outbox: Outbox, clock: Clock, *messages: Message, key: str = "z:1", name: str | None = "band"
) -> list[int]:
    return outbox.keep([Entry(key, name, message, clock.now()) for message in messages])


def drained(outbox: Outbox) -> list[tuple[str, int | None, bool]]:
    """Everything in batches, forgotten as it goes: device, time, whether that is suspect."""
    said = []
    while batch := outbox.seal(100):
        decoded = wire.decode_batch(batch.payload)
        said += [(item.device, item.ts_ms, decoded.clock_suspect) for item in decoded.items]
        outbox.forget(batches=[batch.batch_id])
    return said


def test_a_batch_keeps_its_content_under_its_id_until_its_receipt(
    outbox: Outbox, clock: Clock, tmp_path: Path
) -> None:
    keep(outbox, clock, *[heart(n) for n in range(30)])
    first, second = outbox.seal(20), outbox.seal(20)
    assert first is not None
    assert second is not None
    keep(outbox, clock, heart(31))
    outbox.close()
    again = Outbox(tmp_path, clock)
    assert again.sealed() == [first, second]
    again.forget(batches=[first.batch_id, "never heard of"])
    assert again.sealed() == [second]
    assert again.totals().queued == 11


def test_what_has_its_own_time_is_never_touched(outbox: Outbox, clock: Clock, fake_time: FakeTime) -> None:
    keep(outbox, clock, heart(0, ts_ms=5), heart(0, ts_ms=START_MS * 2))
    fake_time.wall_ms = 0
    keep(outbox, clock, heart(0, ts_ms=7))
    assert [ts_ms for _, ts_ms, _ in drained(outbox)] == [5, START_MS * 2, 7]


def test_what_has_none_is_stamped_when_it_is_heard(outbox: Outbox, clock: Clock, fake_time: FakeTime) -> None:
    keep(outbox, clock, heart(0, ts_ms=None))
    fake_time.pass_ms(60_000)
    assert drained(outbox) == [("band", START_MS, False)]


def test_a_stamp_of_1970_is_put_right_when_the_centre_tells_the_time(tmp_path: Path) -> None:
    box = FakeTime(wall_ms=5_000, synchronised=False)
    clock = box.clock()
    outbox = Outbox(tmp_path, clock)
    keep(outbox, clock, heart(0, ts_ms=None))
    box.pass_ms(3_600_000)
    begins_ms = clock.learn(START_MS, took_ms=0)
    assert begins_ms is not None
    outbox.learn_time(begins_ms)
    assert clock.off_ms == 5_000 + 3_600_000 - START_MS
    keep(outbox, clock, heart(0, ts_ms=None))
    assert drained(outbox) == [("band", START_MS - 3_600_000, False), ("band", START_MS, False)]


def test_a_restart_of_the_process_forgets_no_time_and_one_of_the_box_does(tmp_path: Path) -> None:
    box = FakeTime(wall_ms=5_000, synchronised=False)
    clock = box.clock("first boot")
    outbox = Outbox(tmp_path, clock)
    keep(outbox, clock, heart(0, ts_ms=None))
    outbox.close()
    clock = box.clock("first boot")
    outbox = Outbox(tmp_path, clock)
    outbox.learn_time(clock.learn(START_MS, took_ms=0) or 0)
    outbox.close()
    rebooted = FakeTime(wall_ms=START_MS - DAY_MS, synchronised=False)
    clock = rebooted.clock("second boot")
    outbox = Outbox(tmp_path, clock)
    assert not clock.sure
    assert clock.now().ms is None, "before what has passed already, the clock cannot be right"
    keep(outbox, clock, heart(0, ts_ms=None))
    rebooted.wall_ms = START_MS + DAY_MS
    keep(outbox, clock, heart(0, ts_ms=None))
    assert drained(outbox) == [
        ("band", START_MS, False),
        ("band", None, True),
        ("band", START_MS + DAY_MS, True),
    ]


def test_an_alarm_says_the_same_each_time_although_the_clock_was_put_right(tmp_path: Path) -> None:
    box = FakeTime(wall_ms=START_MS, synchronised=False)
    clock = box.clock()
    outbox = Outbox(tmp_path, clock)
    keep(outbox, clock, sos(1, ts_ms=None))
    (first,) = outbox.alarms(10)
    assert not first.settled
    outbox.settle([first])
    outbox.learn_time(clock.learn(START_MS + DAY_MS, took_ms=0) or 0)
    (second,) = outbox.alarms(10)
    assert second.signal == first.signal
    assert second.settled


def test_devices_nobody_adopted_wait_and_go_out_with_their_own_time(outbox: Outbox, clock: Clock) -> None:
    keep(outbox, clock, heart(1), sos(1), key="z:new", name=None)
    keep(outbox, clock, heart(2), key="z:bad", name=None)
    outbox.keep([], proposals=[DeviceProposal(key="z:new"), DeviceProposal(key="z:bad")])
    assert outbox.seal(10) is None
    assert outbox.alarms(10) == []
    assert outbox.totals().waiting == 3
    outbox.configure(
        GatewayConfig(devices={"z:new": Adoption(name="band", kind=DeviceKind.WRISTBAND)}, refused=("z:bad",))
    )
    assert [alarm.signal for alarm in outbox.alarms(10)] == [sos(1)]
    assert drained(outbox) == [("band", START_MS + 1, False)]
    assert outbox.totals()[:2] == (1, 0)
    assert outbox.proposals() == []


def test_what_waits_for_adoption_is_bounded_and_counted(outbox: Outbox, clock: Clock) -> None:
    keep(outbox, clock, sos(0), key="z:loud", name=None)
    for _ in range(11):
        keep(outbox, clock, *[heart(n) for n in range(WAITING_OF_ONE_MAX // 10)], key="z:loud", name=None)
    keep(outbox, clock, heart(1), key="z:quiet", name=None)
    totals = outbox.totals()
    assert totals.waiting == WAITING_OF_ONE_MAX + 1
    assert totals.dropped == WAITING_OF_ONE_MAX // 10 + 1
    outbox.configure(GatewayConfig(devices={"z:loud": Adoption(name="loud", kind=DeviceKind.SOS_BUTTON)}))
    assert len(outbox.alarms(10)) == 1, "the readings went first"


def test_what_waits_is_bounded_over_all_devices_too(
    outbox: Outbox, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eviction, "WAITING_OF_ONE_MAX", 8)
    monkeypatch.setattr(eviction, "WAITING_MAX", 20)
    keep(outbox, clock, sos(0), key="z:a", name=None)
    for key, count in (("z:a", 6), ("z:b", 7), ("z:c", 6)):
        keep(outbox, clock, *[heart(n) for n in range(count)], key=key, name=None)
    assert outbox.totals()[1:3] == (20, 0), "as much as there may be"
    keep(outbox, clock, *[heart(n) for n in range(10)], key="z:d", name=None)
    assert outbox.totals()[1:3] == (20, 10), "two beyond what one may have, eight beyond what all may have"
    kinds = ("a", "b", "c", "d")
    adopted = {f"z:{name}": Adoption(name=name, kind=DeviceKind.WRISTBAND) for name in kinds}
    outbox.configure(GatewayConfig(devices=adopted))
    assert len(outbox.alarms(10)) == 1, "the readings went first"
    left = [device for device, _, _ in drained(outbox)]
    assert [left.count(name) for name in kinds] == [0, 5, 6, 8], "the oldest, whoever said them"


def test_overflow_drops_the_oldest_readings_counts_them_and_never_an_alarm(
    tmp_path: Path, clock: Clock
) -> None:
    bytes_max = 2 * 1024 * 1024
    outbox = Outbox(tmp_path, clock, bytes_max=bytes_max)
    keep(outbox, clock, sos(0), DeviceStatus(ts_ms=START_MS - 1, online=True, battery=50))
    count = 0
    for _ in range(100):
        keep(outbox, clock, *[heart(count + n) for n in range(500)])
        count += 500
    totals = outbox.totals()
    assert totals.dropped > 0
    assert totals.dropped + totals.queued == count + 2
    assert (tmp_path / "outbox.sqlite").stat().st_size <= bytes_max
    assert len(outbox.alarms(10)) == 1
    left = [ts_ms for _, ts_ms, _ in drained(outbox)]
    assert left[0] == START_MS - 1, "a status stays longer than readings"
    assert left[1:] == list(range(START_MS + count - len(left) + 1, START_MS + count)), "the newest are there"


def test_fourteen_days_of_twenty_devices_fit(tmp_path: Path, clock: Clock) -> None:
    """A reading of four signs every 10 s from each of 20 devices, by the measured size of a message."""
    outbox = Outbox(tmp_path, clock)
    for begin in range(0, 50_000, 1_000):
        keep(
            outbox,
            clock,
            *[
                VitalSigns(ts_ms=START_MS + n, hr=60 + n % 40, rr=16, spo2=97, temp=36.5)
                for n in range(begin, begin + 1_000)
            ],
        )
    outbox.close()
    bytes_each = (tmp_path / "outbox.sqlite").stat().st_size / 50_000
    wanted = 14 * 86_400 / 10 * 20
    print(f"{bytes_each:.0f} bytes a message; 512 MB hold {512 * 1024**2 / bytes_each:,.0f} of {wanted:,.0f}")
    assert bytes_each * wanted < 512 * 1024 * 1024


def test_readings_older_than_it_keeps_go_and_alarms_stay(
    outbox: Outbox, clock: Clock, fake_time: FakeTime
) -> None:
    keep(outbox, clock, heart(1), heart(2), sos(1))
    outbox.seal(1)
    fake_time.pass_ms(13 * DAY_MS)
    outbox.expire()
    assert outbox.totals().dropped == 0
    keep(outbox, clock, heart(3, ts_ms=clock.now().ms))
    fake_time.pass_ms(2 * DAY_MS)
    outbox.expire()
    assert outbox.totals()[:3] == (2, 0, 2)
    assert len(outbox.alarms(10)) == 1
    assert len(drained(outbox)) == 1


def test_a_full_disk_is_told_and_costs_nothing_that_was_kept(tmp_path: Path, clock: Clock) -> None:
    outbox = Outbox(tmp_path, clock, bytes_max=1024 * 1024)
    alarms = 0
    with pytest.raises(OutboxError):
        for _ in range(100):
            alarms += len(keep(outbox, clock, *[sos(alarms + n) for n in range(200)]))
    assert alarms > 1_000
    assert outbox.totals().queued == alarms
    outbox.forget(alarms=[alarm.seq for alarm in outbox.alarms(500)])
    assert keep(outbox, clock, sos(alarms)), "there is room again"


@pytest.mark.parametrize("damage", ["header", "middle", "nothing but zeros", "not a database"])
def test_a_damaged_file_is_moved_aside_counted_and_begun_anew(
    tmp_path: Path, clock: Clock, damage: str
) -> None:
    outbox = Outbox(tmp_path, clock)
    keep(outbox, clock, sos(1))
    for begin in range(0, 5_000, 500):
        keep(outbox, clock, *[heart(begin + n) for n in range(500)])
    before = outbox.outbox_id
    outbox.close()
    path = tmp_path / "outbox.sqlite"
    content = bytearray(path.read_bytes())
    spoilt: dict[str, Callable[[], bytes]] = {
        "header": lambda: b"\xff" * 100 + bytes(content[100:]),
        "middle": lambda: bytes(content[: 20 * PAGE_BYTES]) + os.urandom(len(content) - 20 * PAGE_BYTES),
        "nothing but zeros": lambda: bytes(len(content)),
        "not a database": lambda: b"hello",
    }
    path.write_bytes(spoilt[damage]())
    outbox = Outbox(tmp_path, clock)
    for begin in range(0, 5_000, 500):  # sooner or later it meets the damage
        keep(outbox, clock, *[heart(begin + n) for n in range(500)])
        outbox.seal(500)
    totals = outbox.totals()
    assert totals.broken == 1
    assert outbox.outbox_id != before, "its ids are not those of the lost one"
    assert (tmp_path / "outbox-damaged.sqlite").exists()
    if damage == "middle":
        assert [alarm.signal for alarm in outbox.alarms(10)] == [sos(1)], "what could be read was saved"
    keep(outbox, clock, heart(1))
    drained(outbox)


def _read_back(folder: Path) -> tuple[set[int], dict[str, set[int]]]:
    """The numbers that are there: as messages or alarms, and by batch; each once."""
    clock = Clock(synchronised=lambda: True)
    outbox = Outbox(folder, clock)
    batches = {
        batch.batch_id: {
            item.ts_ms - BUILT_MS for item in wire.decode_batch(batch.payload).items if item.ts_ms
        }
        for batch in outbox.sealed()
    }
    queued = outbox.totals().queued
    assert outbox.totals().broken == 0
    loose = [alarm.signal.ts_ms - BUILT_MS for alarm in outbox.alarms(10**9) if alarm.signal.ts_ms]
    outbox.close()
    with sqlite3.connect(folder / "outbox.sqlite") as connection:
        rows = connection.execute("SELECT payload FROM message").fetchall()
        loose += [(wire.decode(wire.Leaf.VITALS, payload).ts_ms or 0) - BUILT_MS for (payload,) in rows]
    connection.close()
    everything = [*loose, *(number for batch in batches.values() for number in batch)]
    assert len(everything) == len(set(everything)) == queued, "nothing is there twice, and the count is right"
    return set(everything), batches


def _told_until_killed(folder: Path, first: int, seed: int, after_s: float) -> list[list[str]]:
    """The lines of a writer, a process of its own that is killed so long after it has opened the outbox.

    Forked rather than started anew: most of a start is imports, and there are many.
    """
    reader, told = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            os.dup2(told, 1)
            sys.stdout = os.fdopen(1, "w")
            outbox_writer.main(folder, first, seed)
        finally:
            os._exit(1)
    os.close(told)
    with os.fdopen(reader) as lines:
        opened = lines.readline()
        time.sleep(after_s)
        os.kill(child, signal.SIGKILL)
        rest = lines.read().splitlines(keepends=True)
    _, status = os.waitpid(child, 0)
    assert opened == "open\n"
    assert os.WTERMSIG(status) == signal.SIGKILL, "it ended by our hand"
    return [line.split() for line in rest if line.endswith("\n")]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_kill_9_at_any_moment_loses_nothing_that_was_said_to_be_kept(tmp_path: Path) -> None:
    seed = int(os.environ.get("ANSHOU_TEST_SEED", secrets.randbelow(2**32)))
    print(f"seed {seed}")
    chance = random.Random(seed)
    first = 0
    owed: set[int] = set()
    content: dict[str, set[int]] = {}
    for kill in range(KILLS):
        told = _told_until_killed(tmp_path, first, seed + kill, chance.expovariate(1 / 0.02))
        maybe_gone: set[int] = set()
        for verb, *arguments in told:
            if verb == "kept":
                begin, end = map(int, arguments)
                owed |= set(range(begin, end + 1))
        there, batches = _read_back(tmp_path)
        forgetting = {arguments[0] for verb, *arguments in told if verb == "forgetting"}
        sealed = {arguments[0] for verb, *arguments in told if verb == "sealed"} | set(content)
        for batch_id in sealed - forgetting:
            assert batch_id in batches, "a batch that nobody forgot is there"
        for batch_id in content.keys() & batches.keys():
            assert batches[batch_id] == content[batch_id], "under its id is what was there"
        if forgetting:
            # What a forgotten batch held was read back once if it is older, else only its writer knew it.
            maybe_gone = owed - there
            assert all(number % 10 != 9 for number in maybe_gone), "alarms are in no batch"
            for batch_id in forgetting & content.keys():
                maybe_gone -= content[batch_id]
            assert len(maybe_gone) <= 50 * len(forgetting - content.keys())
        else:
            assert owed <= there, f"lost after kill {kill}: {sorted(owed - there)[:10]}"
        owed = there
        content = batches
        first = max(owed, default=first) + 100
    assert first > KILLS


def _images(folder: Path, chance: random.Random) -> tuple[list[tuple[bytes, bytes]], list[int]]:
    """The database and its log after each commit, as the disk must have them, and what was kept by then."""
    clock = Clock(synchronised=lambda: True)
    outbox = Outbox(folder, clock)
    images, kept = [], []
    number = 0
    for _ in range(60):
        count = chance.randint(1, 400)
        entries = [Entry("k", "band", outbox_writer.message(number + n), clock.now()) for n in range(count)]
        outbox.keep(entries)
        number += count
        images.append(((folder / "outbox.sqlite").read_bytes(), (folder / "outbox.sqlite-wal").read_bytes()))
        kept.append(number)
    outbox.close()
    return images, kept


def _after_power_cut(
    before: tuple[bytes, bytes], after: tuple[bytes, bytes], chance: random.Random
) -> tuple[bytes, bytes]:
    """What a disk may hold when power fails between two commits, if it keeps its promise at fsync.

    The log: what was synced before, then any part of what came after it, its end torn or garbage. The file:
    pages are written to it from a synced log only, so if any was, the log is whole; any may be there.
    """
    (file_before, log_before), (file_after, log_after) = before, after
    if file_before != file_after and log_after[:32] == log_before[:32]:
        pages = max(len(file_before), len(file_after)) // PAGE_BYTES
        mixed = bytearray()
        for page in range(pages):
            where = slice(page * PAGE_BYTES, (page + 1) * PAGE_BYTES)
            old, new = file_before[where], file_after[where]
            mixed += (new if chance.random() < 0.5 else old) or bytes(PAGE_BYTES)
        return bytes(mixed), log_after
    # Written over or onto: the header of a log that was begun anew is the first to change.
    shared = next(
        (n for n, (old, new) in enumerate(zip(log_before, log_after, strict=False)) if old != new),
        min(len(log_before), len(log_after)),
    )
    torn = chance.randint(shared, len(log_after))
    rest = log_before[torn:] or chance.choice([b"", os.urandom(100), bytes(5_000)])
    return (file_after if log_after[:32] != log_before[:32] else file_before), log_after[:torn] + rest


@pytest.mark.slow
def test_power_may_fail_at_any_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated from images of file and log; it shows nothing about disks that lie about fsync."""
    seed = int(os.environ.get("ANSHOU_TEST_SEED", secrets.randbelow(2**32)))
    print(f"seed {seed}")
    chance = random.Random(seed)
    monkeypatch.setattr("gateway.durable.WAL_PAGES", 60)
    images, kept = _images(tmp_path / "live", chance)
    checkpoints = sum(before[0] != after[0] for before, after in itertools.pairwise(images))
    assert checkpoints, "the log was emptied into the file now and then"
    for cut in range(KILLS):
        at = chance.randrange(len(images) - 1)
        folder = tmp_path / "cut"
        folder.mkdir()
        file, log = _after_power_cut(images[at], images[at + 1], chance)
        (folder / "outbox.sqlite").write_bytes(file)
        (folder / "outbox.sqlite-wal").write_bytes(log)
        there, _ = _read_back(folder)
        assert there >= set(range(kept[at])), f"cut {cut} after commit {at}"
        assert there in (set(range(kept[at])), set(range(kept[at + 1]))), "a commit is whole or not there"
        shutil.rmtree(folder)
