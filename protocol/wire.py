"""The wire: MQTT 5 topics and JSON payloads to model values and back. The only codec.

Topics are `anshou/v1/{site}/{device}/{leaf}`. Any bytes at all give a value or one `WireError`.
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple, TypeVar

import msgspec
from msgspec import Struct, field

from protocol.errors import DeadReason, WireError
from protocol.model import (
    NAME_PATTERN,
    Activity,
    AlarmSignal,
    DeviceProposal,
    DeviceStatus,
    EpochMs,
    GatewayConfig,
    Identifier,
    Message,
    UnheardReport,
    VitalSigns,
)
from protocol.signs import SIGNS

T = TypeVar("T")

ROOT = "anshou/v1"
PAYLOAD_BYTES_MAX = 16 * 1024
"""Longest payload of a single message, in bytes."""
BATCH_BYTES_MAX = 1024 * 1024
"""Longest payload of a batch, in bytes."""

BATCH_ITEMS_MAX = 5_000
"""Items of a batch that are read; an outbox puts a thousand at most into one."""
BATCH_REJECTS_MAX = 100
"""Items of a batch that are rejected singly; the last of them stands for all that follow."""

TOPICS_KEPT = 32_768
"""Topics whose parts are remembered: devices say the same few over and over."""

_NAME = re.compile(NAME_PATTERN)


class Leaf(StrEnum):
    """The last level of a topic: what sort of message it carries."""

    VITALS = "vitals"
    ACTIVITY = "activity"
    ALARM = "alarm"
    STATUS = "status"
    BATCH = "batch"
    RECEIPT = "receipt"
    COMMAND = "command"
    PROPOSAL = "proposal"
    CONFIG = "config"
    UNHEARD = "unheard"


_LEAF_NAMES = frozenset(str(leaf) for leaf in Leaf)


class Topic(NamedTuple):
    """A topic in its parts."""

    site: str
    device: str
    leaf: Leaf

    def __str__(self) -> str:
        return f"{ROOT}/{self.site}/{self.device}/{self.leaf}"


@lru_cache(maxsize=TOPICS_KEPT)
def parse_topic(topic: str) -> Topic:
    """The parts of `topic`; WireError (unknown_topic) when it is not one of ours."""
    levels = topic.split("/")
    if len(levels) == 5 and f"{levels[0]}/{levels[1]}" == ROOT:
        site, device, leaf = levels[2:]
        if _NAME.match(site) and _NAME.match(device) and leaf in _LEAF_NAMES:
            return Topic(site, device, Leaf(leaf))
    raise WireError(
        DeadReason.UNKNOWN_TOPIC,
        f"topic is not {ROOT}/SITE/DEVICE/(vitals|activity|alarm|status|batch)",
    )


class VitalsItem(
    VitalSigns, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="leaf", tag="vitals"
):
    """Vital signs inside a batch, with the name of the device that said them."""

    device: str


class ActivityItem(
    Activity, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="leaf", tag="activity"
):
    """An activity inside a batch, with the name of the device that said it."""

    device: str


class AlarmItem(
    AlarmSignal, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="leaf", tag="alarm"
):
    """An alarm signal inside a batch, with the name of the device that said it."""

    device: str


class StatusItem(
    DeviceStatus, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="leaf", tag="status"
):
    """A status inside a batch, with the name of the device that said it."""

    device: str


BatchItem = VitalsItem | ActivityItem | AlarmItem | StatusItem


class RejectedItem(NamedTuple):
    """A part of a batch that could not be read: its own bytes and what is wrong with them."""

    payload: bytes
    error: WireError


class Batch(NamedTuple):
    """What a gateway's outbox sends: many messages under one id.

    `rejected` are the items that could not be read, so that one bad item costs no neighbour. They are bounded
    (`BATCH_ITEMS_MAX`, `BATCH_REJECTS_MAX`), and tell how many more there were.
    """

    batch_id: str
    items: Sequence[BatchItem]
    rejected: Sequence[RejectedItem] = ()
    clock_suspect: bool = False
    """The gateway knows that its clock was not right when it stamped these."""


class Receipt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the centre has committed and an outbox may forget; and the centre's time."""

    batches: tuple[str, ...] = ()
    signals: tuple[str, ...] = ()
    ts_ms: EpochMs | None = field(name="ts", default=None)


class CommandKind(StrEnum):
    """What a device or gateway can be told to do."""

    SIREN = "siren"
    CANCEL = "cancel"


class Command(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An order to a device or gateway."""

    command: CommandKind
    alarm_id: int | None = field(name="alarm", default=None)


class _BatchOnWire(Struct, frozen=True, omit_defaults=True):
    id: Identifier
    items: list[BatchItem]
    clock_suspect: bool = False


class _RawBatchOnWire(Struct, frozen=True):
    id: Identifier
    items: list[msgspec.Raw]
    clock_suspect: bool = False


_ITEM_OF: dict[type[Message], type[BatchItem]] = {
    VitalSigns: VitalsItem,
    Activity: ActivityItem,
    AlarmSignal: AlarmItem,
    DeviceStatus: StatusItem,
}
_DECODERS: dict[Leaf, msgspec.json.Decoder[Message]] = {
    Leaf.VITALS: msgspec.json.Decoder(VitalSigns),
    Leaf.ACTIVITY: msgspec.json.Decoder(Activity),
    Leaf.ALARM: msgspec.json.Decoder(AlarmSignal),
    Leaf.STATUS: msgspec.json.Decoder(DeviceStatus),
}
_LEAVES: dict[type[Message], Leaf] = {
    VitalSigns: Leaf.VITALS,
    Activity: Leaf.ACTIVITY,
    AlarmSignal: Leaf.ALARM,
    DeviceStatus: Leaf.STATUS,
}
_LEAVES |= {_ITEM_OF[message]: leaf for message, leaf in list(_LEAVES.items())}
_batch_decoder = msgspec.json.Decoder(_BatchOnWire)
_raw_batch_decoder = msgspec.json.Decoder(_RawBatchOnWire)
_item_decoder: msgspec.json.Decoder[BatchItem] = msgspec.json.Decoder(BatchItem)
_fields_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_receipt_decoder = msgspec.json.Decoder(Receipt)
_command_decoder = msgspec.json.Decoder(Command)
_proposal_decoder = msgspec.json.Decoder(DeviceProposal)
_unheard_decoder = msgspec.json.Decoder(UnheardReport)
_config_decoder = msgspec.json.Decoder(GatewayConfig)
_encoder = msgspec.json.Encoder()


def leaf_of(message: Message) -> Leaf:
    """The leaf of the topic on which `message` is published."""
    return _LEAVES[type(message)]


def encode(message: Message | Receipt | Command | DeviceProposal | GatewayConfig | UnheardReport) -> bytes:
    """The payload of a single message."""
    return _encoder.encode(message)


def encode_batch(
    batch_id: str, messages: Sequence[tuple[str, Message]], *, clock_suspect: bool = False
) -> bytes:
    """The payload of a batch of (device name, message)."""
    items = [
        _ITEM_OF[type(message)](device=device, **msgspec.structs.asdict(message))
        for device, message in messages
    ]
    return _encoder.encode(_BatchOnWire(batch_id, items, clock_suspect))


def decode(leaf: Leaf, payload: bytes) -> Message:
    """The message in `payload`, published on a topic ending in `leaf`; WireError for all else."""
    decoder = _DECODERS.get(leaf)
    if decoder is None:
        raise WireError(DeadReason.UNKNOWN_TOPIC, f"a {leaf} is not a message from a device")
    _check_length(payload, PAYLOAD_BYTES_MAX)
    message = _decoded_or_without_key(decoder, payload)
    if isinstance(message, VitalSigns):
        _require_sign(message)
    return message


def decode_batch(payload: bytes) -> Batch:
    """The batch in `payload`; WireError when not even its id and its list of items can be read."""
    _check_length(payload, BATCH_BYTES_MAX)
    try:
        batch = _decoded(_batch_decoder, payload)
        for item in batch.items:
            if type(item) is VitalsItem and item.hr is None:
                _require_sign(item)
    except WireError:
        return _decode_batch_item_by_item(payload)
    items, rejected = batch.items, []
    if len(items) > BATCH_ITEMS_MAX:
        rejected.append(_beyond(len(items), encode(items[BATCH_ITEMS_MAX])))
        items = items[:BATCH_ITEMS_MAX]
    return Batch(batch.id, items, rejected, batch.clock_suspect)


def decode_receipt(payload: bytes) -> Receipt:
    """The receipt in `payload`, or WireError."""
    _check_length(payload, BATCH_BYTES_MAX)
    return _decoded(_receipt_decoder, payload)


def decode_command(payload: bytes) -> Command:
    """The command in `payload`, or WireError."""
    _check_length(payload, PAYLOAD_BYTES_MAX)
    return _decoded(_command_decoder, payload)


def decode_proposal(payload: bytes) -> DeviceProposal:
    """The proposal in `payload`, or WireError."""
    _check_length(payload, PAYLOAD_BYTES_MAX)
    return _decoded(_proposal_decoder, payload)


def decode_unheard(payload: bytes) -> UnheardReport:
    """The report of what was not understood in `payload`, or WireError."""
    _check_length(payload, BATCH_BYTES_MAX)
    return _decoded(_unheard_decoder, payload)


def decode_config(payload: bytes) -> GatewayConfig:
    """The configuration in `payload`, or WireError."""
    _check_length(payload, BATCH_BYTES_MAX)
    return _decoded(_config_decoder, payload)


def _decode_batch_item_by_item(payload: bytes) -> Batch:
    raw_batch = _decoded(_raw_batch_decoder, payload)
    items: list[BatchItem] = []
    rejected: list[RejectedItem] = []
    for raw in raw_batch.items[:BATCH_ITEMS_MAX]:
        try:
            item = _decoded_or_without_key(_item_decoder, raw)
            if isinstance(item, VitalSigns):
                _require_sign(item)
            items.append(item)
        except WireError as error:
            rejected.append(RejectedItem(bytes(raw), error))
    if len(rejected) > BATCH_REJECTS_MAX:
        more = len(rejected) - BATCH_REJECTS_MAX
        sample, why = rejected[BATCH_REJECTS_MAX - 1]
        last = RejectedItem(sample, WireError(why.reason, f"{why.detail}; so {more:,} more items"))
        rejected[BATCH_REJECTS_MAX - 1 :] = [last]
    if len(raw_batch.items) > BATCH_ITEMS_MAX:
        rejected.append(_beyond(len(raw_batch.items), bytes(raw_batch.items[BATCH_ITEMS_MAX])))
    return Batch(raw_batch.id, items, rejected, raw_batch.clock_suspect)


def _beyond(count: int, first: bytes) -> RejectedItem:
    """What stands for the items of a batch that are too many."""
    detail = (
        f"{count:,} items in a batch; the {count - BATCH_ITEMS_MAX:,} after {BATCH_ITEMS_MAX:,} are not read"
    )
    return RejectedItem(first, WireError(DeadReason.TOO_LARGE, detail))


def _decoded(decoder: msgspec.json.Decoder[T], payload: bytes | msgspec.Raw) -> T:
    try:
        return decoder.decode(payload)
    except msgspec.ValidationError as error:
        detail = str(error)
        out_of_limits = detail.startswith(_LIMIT_ERRORS)
        reason = DeadReason.OUT_OF_LIMITS if out_of_limits else DeadReason.INVALID
        raise WireError(reason, detail) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(DeadReason.MALFORMED, str(error)) from error


def _decoded_or_without_key(decoder: msgspec.json.Decoder[T], payload: bytes | msgspec.Raw) -> T:
    """The value; a `key` that is not ours, but a field of the device's own by that name, is left out."""
    try:
        return _decoded(decoder, payload)
    except WireError as error:
        if not error.detail.endswith(_AT_KEY):
            raise
    fields = _decoded(_fields_decoder, payload)
    return _decoded(decoder, _encoder.encode({name: raw for name, raw in fields.items() if name != "key"}))


_AT_KEY = "at `$.key`"
_LIMIT_ERRORS = (
    "Expected `float` >=",
    "Expected `float` <=",
    "Expected `int` >=",
    "Expected `int` <=",
)


def _check_length(payload: bytes, bytes_max: int) -> None:
    if len(payload) > bytes_max:
        detail = f"payload of {len(payload):,} bytes; at most {bytes_max:,} are allowed"
        raise WireError(DeadReason.TOO_LARGE, detail)


def _require_sign(vitals: VitalSigns) -> None:
    if vitals.is_empty():
        known = ", ".join(SIGNS)
        raise WireError(DeadReason.NO_SIGNS, f"none of the known vital signs is there ({known})")
