"""The only codec: what goes out comes back, and any bytes at all give a value or one typed error."""

import json
import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import wire
from protocol.errors import DeadReason, WireError
from protocol.model import (
    Activity,
    ActivityEvent,
    AlarmSignal,
    DeviceStatus,
    Message,
    SignalKind,
    SignalState,
    VitalSigns,
    from_epoch_ms,
    to_epoch_ms,
)
from protocol.signs import SIGNS
from protocol.wire import BatchItem, Command, CommandKind, Leaf, Receipt, Topic

times = st.none() | st.integers(-62_135_596_800_000, 253_402_300_799_999)
identifiers = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\x7f"), min_size=1, max_size=64
)
labels = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Cf", "Zl", "Zp"), exclude_characters="\x7f"),
    min_size=1,
    max_size=64,
)
names = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,62}", fullmatch=True)
signs = st.fixed_dictionaries(
    {}, optional={key: st.floats(sign.low, sign.high) for key, sign in SIGNS.items()}
).filter(bool)
vitals = st.builds(lambda ts_ms, given: VitalSigns(ts_ms=ts_ms, **given), times, signs)
activities = st.builds(Activity, ts_ms=times, event=st.sampled_from(ActivityEvent))
signals = st.builds(
    AlarmSignal,
    ts_ms=times,
    kind=st.sampled_from(SignalKind),
    state=st.sampled_from(SignalState),
    signal_id=st.none() | identifiers,
)
statuses = st.builds(
    DeviceStatus,
    ts_ms=times,
    online=st.booleans(),
    battery=st.none() | st.integers(0, 100),
    rssi=st.none() | st.integers(-200, 50),
    fw=st.none() | labels,
)
messages: st.SearchStrategy[Message] = st.one_of(vitals, activities, signals, statuses)


@given(messages)
def test_a_message_comes_back_as_it_went(message: Message) -> None:
    assert wire.decode(wire.leaf_of(message), wire.encode(message)) == message


@given(identifiers, st.lists(st.tuples(names, messages), max_size=20))
def test_a_batch_comes_back_as_it_went(batch_id: str, items: list[tuple[str, Message]]) -> None:
    batch = wire.decode_batch(wire.encode_batch(batch_id, items))
    assert batch.batch_id == batch_id
    assert not batch.rejected
    assert [item.device for item in batch.items] == [device for device, _ in items]
    assert [single_of(item) for item in batch.items] == [wire.encode(message) for _, message in items]


def single_of(item: BatchItem) -> bytes:
    """The item as the payload of a single message."""
    fields = json.loads(wire.encode(item))
    leaf = Leaf(fields.pop("leaf"))
    del fields["device"]
    return wire.encode(wire.decode(leaf, json.dumps(fields).encode()))


@given(
    st.sampled_from(Leaf),
    st.binary(max_size=300)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["ts", "hr", "alarm", "id"]), inner),
    ).map(lambda value: json.dumps(value).encode()),
)
def test_any_bytes_give_a_value_or_the_one_error(leaf: Leaf, payload: bytes) -> None:
    for decode in (lambda: wire.decode(leaf, payload), lambda: wire.decode_batch(payload)):
        try:
            assert decode() is not None
        except WireError as error:
            assert error.reason in DeadReason
            assert error.detail
    for decode_other in (wire.decode_receipt, wire.decode_command):
        try:
            decode_other(payload)
        except WireError as error:
            assert error.reason in DeadReason


@pytest.mark.parametrize(
    ("leaf", "payload", "reason", "says"),
    [
        (Leaf.VITALS, b"", DeadReason.MALFORMED, "truncated"),
        (Leaf.VITALS, b'{"hr":301}', DeadReason.OUT_OF_LIMITS, "hr"),
        (Leaf.VITALS, b'{"temp":12}', DeadReason.OUT_OF_LIMITS, "temp"),
        (Leaf.VITALS, b'{"hr":"72"}', DeadReason.INVALID, "hr"),
        (Leaf.VITALS, b'{"hr":1e400}', DeadReason.INVALID, ""),
        (Leaf.VITALS, b'{"pulse":72}', DeadReason.NO_SIGNS, "hr, rr, spo2"),
        (Leaf.STATUS, b'{"battery":50}', DeadReason.INVALID, "online"),
        (Leaf.STATUS, b'{"online":true,"fw":"a\\u0000"}', DeadReason.INVALID, "fw"),
        (Leaf.ALARM, b'{"alarm":"sos","state":"maybe"}', DeadReason.INVALID, "state"),
        (Leaf.ALARM, b"[" * 5_000, DeadReason.INVALID, ""),
        (Leaf.ACTIVITY, b" " * 20_000, DeadReason.TOO_LARGE, "20,000 bytes"),
        (Leaf.COMMAND, b"{}", DeadReason.UNKNOWN_TOPIC, "command"),
    ],
)
def test_the_error_says_what_is_wrong(leaf: Leaf, payload: bytes, reason: DeadReason, says: str) -> None:
    with pytest.raises(WireError) as refusal:
        wire.decode(leaf, payload)
    assert refusal.value.reason is reason
    assert says in refusal.value.detail


@given(st.sets(st.integers(0, 9), max_size=9))
def test_bad_items_cost_their_neighbours_nothing(bad: set[int]) -> None:
    items = [
        '{"leaf":"vitals","device":"w-1","hr":999}'
        if n in bad
        else f'{{"leaf":"vitals","device":"w-1","ts":{n},"hr":70}}'
        for n in range(10)
    ]
    batch = wire.decode_batch(f'{{"id":"b","items":[{",".join(items)}]}}'.encode())
    assert [item.ts_ms for item in batch.items] == [n for n in range(10) if n not in bad]
    assert [part.error.reason for part in batch.rejected] == [DeadReason.OUT_OF_LIMITS] * len(bad)


@given(names, names, st.sampled_from(Leaf))
def test_topics_come_back(site: str, device: str, leaf: Leaf) -> None:
    topic = Topic(site, device, leaf)
    assert wire.parse_topic(str(topic)) == topic


@pytest.mark.parametrize(
    "topic",
    ["", "anshou/v1", "anshou/v2/a/b/vitals", "anshou/v1/a/b/c/vitals", "anshou/v1/A/b/vitals",
     "anshou/v1/a/b/dance", "anshou/v1//b/vitals", "anshou/v1/a/+/vitals", "anshou/v1/a/b\n/vitals"],
)  # fmt: skip
def test_foreign_topics_are_refused(topic: str) -> None:
    with pytest.raises(WireError, match="unknown_topic"):
        wire.parse_topic(topic)


def test_receipts_and_commands_come_back() -> None:
    receipt = Receipt(batches=("a", "b"), signals=("c",))
    assert wire.decode_receipt(wire.encode(receipt)) == receipt
    command = Command(command=CommandKind.SIREN, alarm_id=7)
    assert wire.decode_command(wire.encode(command)) == command


@given(times.filter(lambda ts_ms: ts_ms is not None))
def test_times_are_aware_and_exact_to_the_millisecond(ts_ms: int) -> None:
    time = from_epoch_ms(ts_ms)
    assert time.utcoffset() is not None
    assert to_epoch_ms(time) == ts_ms


@given(good=st.integers(0, 8_000), bad=st.integers(0, 8_000))
@settings(max_examples=10)
def test_of_a_batch_so_much_is_read_and_the_rest_is_told(good: int, bad: int) -> None:
    item = b'{"leaf":"activity","device":"m","event":"motion"}'
    payload = b'{"id":"x","items":[' + b",".join([b"0"] * bad + [item] * good) + b"]}"
    batch = wire.decode_batch(payload)
    read = min(good + bad, wire.BATCH_ITEMS_MAX)
    assert len(batch.items) == max(0, read - bad)
    assert len(batch.rejected) <= wire.BATCH_REJECTS_MAX + 1
    more = [
        re.search(r"so ([\d,]+) more items|the ([\d,]+) after", rejected.error.detail)
        for rejected in batch.rejected
    ]
    told = sum(int((found[1] or found[2]).replace(",", "")) for found in more if found)
    beyond = sum(bool(found and found[2]) for found in more)
    assert len(batch.items) + len(batch.rejected) - beyond + told == good + bad


@pytest.mark.parametrize("odd", ["\u202e", "\u2028", "\u200f", "\u2066", "\ufeff", "\x85"])
def test_what_is_shown_turns_no_writing_around(odd: str) -> None:
    status = msgspec.json.encode({"online": True, "fw": f"1{odd}0"})
    proposal = msgspec.json.encode({"key": "z:1", "vendor": f"a{odd}b"})
    with pytest.raises(WireError, match="invalid"):
        wire.decode(Leaf.STATUS, status)
    with pytest.raises(WireError, match="invalid"):
        wire.decode_proposal(proposal)
