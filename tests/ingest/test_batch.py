"""From messages to rows: the path that is written out for speed equals the obvious one."""

from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from ingest import pgcopy
from ingest.batch import Assembler, MicroBatch
from ingest.clock import ClockRule
from ingest.directory import Assignment, Directory, Entry, lasting_of
from ingest.rows import Rows
from ingest.store import prepare
from ingest.subscriber import Incoming
from protocol import wire
from protocol.errors import DeadReason, WireError
from protocol.model import DeviceKind, Message, VitalSigns
from tests.protocol.test_wire import messages, vitals

NOW_US = 1_772_000_000_000_000
NOW_MS = NOW_US // 1000
SITE = "home-1"

near = st.integers(NOW_MS - 100_000, NOW_MS + 100_000)
plain_vitals = st.builds(
    lambda signs, ts_ms: VitalSigns(ts_ms=ts_ms, **signs.signs()), vitals, near | st.none() | st.just(0)
)
assignments = st.lists(
    st.builds(
        Assignment,
        from_us=st.integers(NOW_US - 200_000_000, NOW_US + 50_000_000),
        to_us=st.none() | st.integers(NOW_US - 100_000_000, NOW_US + 200_000_000),
        resident_id=st.none() | st.integers(1, 5),
        room_id=st.none() | st.integers(1, 5),
    ),
    max_size=2,
)
registers = st.lists(st.tuples(assignments, st.sampled_from([SITE, "home-2"])), min_size=4, max_size=4)


class Register:
    """A directory that is given; `find` as in the real one."""

    def __init__(self, given: list[tuple[list[Assignment], str]]) -> None:
        self.entries = {
            f"d-{n}": Entry(n, f"d-{n}", DeviceKind.WRISTBAND, 1, site, tuple(assigned))
            for n, (assigned, site) in enumerate(given)
        }
        self.entries["gw"] = Entry(99, "gw", DeviceKind.GATEWAY, 1, SITE, ())
        self.lasting = lasting_of(self.entries)

    def find(self, site: str, device: str) -> Entry:
        entry = self.entries.get(device)
        if entry is None:
            raise WireError(DeadReason.UNKNOWN_DEVICE, device)
        if entry.site_code != site:
            raise WireError(DeadReason.WRONG_SITE, device)
        return entry


def naive_rows(register: Register, payload: bytes) -> Rows:
    """The slow twin: every item by itself."""
    clock = ClockRule(future_s_max=60, past_s_max=90)
    assembler = Assembler(cast("Directory", register), clock)
    rows = Rows()
    for item in wire.decode_batch(payload).items:
        try:
            entry = register.find(SITE, item.device)
        except WireError:
            continue
        assembler.add_message(rows, entry, item, NOW_US, live=False)
    rows.heard[99] = NOW_US
    return rows


def sorted_rows(rows: list[Any]) -> list[str]:
    # A clock that stands in counts in the order of arrival, which the two ways do not share.
    return sorted(str(row._replace(time_us=0) if row.clock_replaced else row) for row in rows)


@given(
    register=registers.map(Register),
    items=st.lists(
        st.tuples(st.sampled_from(["d-0", "d-1", "d-2", "d-3", "nobody"]), plain_vitals | messages),
        max_size=30,
    ),
)
def test_a_batch_gives_the_rows_of_its_items(register: Register, items: list[tuple[str, Message]]) -> None:
    payload = wire.encode_batch("b", items)
    clock = ClockRule(future_s_max=60, past_s_max=90)
    batch = MicroBatch()
    incoming = Incoming(f"{wire.ROOT}/{SITE}/gw/batch", payload, NOW_US, 1, 1, False, None)
    Assembler(cast("Directory", register), clock).add(batch, incoming)
    rows, naive = batch.gateway_batches[0].rows, naive_rows(register, payload)
    assert batch.row_count == len(rows)
    if batch.all_rows().vitals_count():
        parts = [pgcopy.columns_of(rows.vitals)] if rows.vitals else []
        parts += [pgcopy.columns_of_blocks(rows.blocks)] if rows.blocks else []
        prepared = prepare(batch)
        rows.unfold()
        unfolded = pgcopy.by_device([pgcopy.columns_of(rows.vitals)])
        assert [c.tobytes() for c in pgcopy.by_device(parts)] == [c.tobytes() for c in unfolded]
        assert prepared.vitals == pgcopy.pack_vitals(unfolded)
        assert prepared.heard == rows.heard
    assert sorted_rows(rows.vitals) == sorted_rows(naive.vitals)
    assert sorted_rows(rows.activity) == sorted_rows(naive.activity)
    assert sorted_rows(rows.status) == sorted_rows(naive.status)
    assert sorted_rows(rows.signals) == sorted_rows(naive.signals)
    exact = {device for device, at in naive.heard.items() if at < NOW_US - 10_000}
    assert set(rows.heard) == set(naive.heard)
    assert all(rows.heard[device] == naive.heard[device] for device in exact)
