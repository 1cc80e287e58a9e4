"""What a device can say: the vocabulary that every room shares.

Values are frozen and keyword-only; they hold the time that the device itself gave. Nothing in here can
name a resident, so that a stolen gateway gives nobody away. Physical limits are those of the measuring
devices' own ranges with some room: a value outside them is a fault of the device, never a sick person.
"""

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct, field

from protocol.signs import SIGNS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class DeviceKind(StrEnum):
    """Kinds of device found in the homes (the event classes follow IEEE 11073-10471)."""

    SOS_BUTTON = "sos_button"
    PULL_CORD = "pull_cord"
    FALL_RADAR = "fall_radar"
    SMART_MATTRESS = "smart_mattress"
    MOTION = "motion"
    DOOR_CONTACT = "door_contact"
    SMOKE = "smoke"
    GAS = "gas"
    WATER_LEAK = "water_leak"
    WRISTBAND = "wristband"
    BP_CUFF = "bp_cuff"
    GLUCOMETER = "glucometer"
    THERMOMETER = "thermometer"
    HEALTH_KIOSK = "health_kiosk"
    PATROL_TAG = "patrol_tag"
    SIREN = "siren"
    GATEWAY = "gateway"


class PowerSource(StrEnum):
    """What a device runs on; decides after how long a silence counts as offline."""

    MAINS = "mains"
    BATTERY = "battery"


MAINS_POWERED = frozenset(
    {
        DeviceKind.FALL_RADAR,
        DeviceKind.SMART_MATTRESS,
        DeviceKind.GAS,
        DeviceKind.HEALTH_KIOSK,
        DeviceKind.SIREN,
        DeviceKind.GATEWAY,
    }
)


def usual_power(kind: DeviceKind) -> PowerSource:
    """The power source that devices of this kind usually have."""
    return PowerSource.MAINS if kind in MAINS_POWERED else PowerSource.BATTERY


class SignalKind(StrEnum):
    """What a device can raise an alarm about. The centre finds more: `alarms.kinds.AlarmKind`."""

    SOS = "sos"
    FALL = "fall"
    SMOKE = "smoke"
    GAS = "gas"
    WATER = "water"
    BED_EXIT = "bed_exit"
    WANDERING = "wandering"
    WEAK_BREATHING = "weak_breathing"
    TAMPER = "tamper"
    LOW_BATTERY = "low_battery"
    FAULT = "fault"


CANNOT_WAIT = frozenset({SignalKind.SOS, SignalKind.FALL, SignalKind.SMOKE, SignalKind.GAS, SignalKind.WATER})
"""What a gateway tells of at once, even of a device that nobody has adopted yet."""


EARLY = "early-"
"""With this begins the id of a signal that a gateway tells before its device is adopted."""
EARLY_ID = re.compile(rf"{EARLY}.{{1,8}}-\d+-[0-9a-f]{{8}}\Z")
"""All of it: the boot of the gateway, milliseconds since, a digest of the key; of one press alone."""


class SignalState(StrEnum):
    """Whether the condition behind an alarm begins or has ended."""

    RAISED = "raised"
    CLEARED = "cleared"
    CANCELLED = "cancelled"


class ActivityEvent(StrEnum):
    """Something a person did, as a sensor sees it."""

    MOTION = "motion"
    PRESENCE = "presence"
    ABSENCE = "absence"
    IN_BED = "in_bed"
    OUT_OF_BED = "out_of_bed"
    TURNED = "turned"
    DOOR_OPEN = "door_open"
    DOOR_CLOSED = "door_closed"
    MEAL = "meal"
    CHECK_IN = "check_in"
    ROUND = "round"


NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}\Z"

Name = Annotated[str, Meta(pattern=NAME_PATTERN)]
"""A site's or a device's name: one level of a topic, safe in every place it is shown."""

EpochMs = Annotated[int, Meta(ge=-62_135_596_800_000, le=253_402_300_799_999)]
"""Milliseconds since 1970-01-01 UTC, in the years that `datetime` knows (1 to 9999)."""

Identifier = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
"""An id that a device makes up: short, and without control characters."""

_UNSEEN = r"\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
UNSEEN = re.compile(f"[{_UNSEEN}]")
"""Characters that are not seen, or that turn the writing around and let a text look like another."""
_SHOWN = rf"^[^{_UNSEEN}]*\Z"

Label = Annotated[str, Meta(min_length=1, max_length=64, pattern=_SHOWN)]
"""A version, a maker, a product: short, and shown to people as the device says it."""


DeviceKey = Annotated[str, Meta(min_length=1, max_length=160, pattern=_SHOWN)]
"""What a gateway calls a device before it has a name here: dialect, colon, the device's own address."""


def _limits(sign: str) -> Meta:
    return Meta(ge=SIGNS[sign].low, le=SIGNS[sign].high)


class _Timed(Struct, frozen=True, kw_only=True, gc=False):
    """What carries the device's own time, `ts_ms`; None where the device has no clock.

    Messages hold nothing that could form a cycle, so the garbage collector need not look at them (gc=False).
    """

    ts_ms: EpochMs | None = field(name="ts", default=None)

    @property
    def time(self) -> datetime | None:
        """The device's time, aware, in UTC; None where the device has no clock."""
        return None if self.ts_ms is None else from_epoch_ms(self.ts_ms)


class VitalSigns(_Timed, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One set of vital signs in the units of `SIGNS`. On the wire at least one sign is present."""

    hr: Annotated[float, _limits("hr")] | None = None
    rr: Annotated[float, _limits("rr")] | None = None
    spo2: Annotated[float, _limits("spo2")] | None = None
    temp: Annotated[float, _limits("temp")] | None = None
    sbp: Annotated[float, _limits("sbp")] | None = None
    dbp: Annotated[float, _limits("dbp")] | None = None
    glucose: Annotated[float, _limits("glucose")] | None = None
    weight: Annotated[float, _limits("weight")] | None = None

    def is_empty(self) -> bool:
        """Whether no sign is present."""
        return (
            self.hr is None
            and self.rr is None
            and self.spo2 is None
            and self.temp is None
            and self.sbp is None
            and self.dbp is None
            and self.glucose is None
            and self.weight is None
        )

    def signs(self) -> dict[str, float]:
        """The signs that are present, by key."""
        return {key: value for key in SIGNS if (value := getattr(self, key)) is not None}


class Activity(_Timed, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One thing that a sensor saw a person do."""

    event: ActivityEvent


class AlarmSignal(_Timed, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A device's cry for help, the end of its cause, or its cancelling by the person who raised it.

    `signal_id` makes delivery idempotent: the same id from the same device is the same press of the
    button, however often it arrives.

    `key` is given by a gateway alone, in its own name: a device that nobody has adopted yet cries, and help
    must not wait for a name. The signal itself follows under the same id once the device is adopted. Of any
    other device it means nothing, and one that cannot be a key is as none: a maker may use the name.
    """

    kind: SignalKind = field(name="alarm")
    state: SignalState = SignalState.RAISED
    signal_id: Identifier | None = field(name="id", default=None)
    key: DeviceKey | None = None


class DeviceStatus(_Timed, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """How a device is: battery in percent, signal strength (RSSI) in dBm, firmware version.

    A gateway adds how its outbox is: `queued` messages wait in it, `dropped` had to make room since it was
    made; and `clock_off_ms`, by how much its clock was ahead (negative: behind) when last set right.
    """

    online: bool
    battery: Annotated[int, Meta(ge=0, le=100)] | None = None
    rssi: Annotated[int, Meta(ge=-200, le=50)] | None = None
    fw: Label | None = None
    queued: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    dropped: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    clock_off_ms: Annotated[int, Meta(ge=-(2**53), le=2**53)] | None = None


class DeviceProposal(_Timed, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A device that a gateway has heard and that nobody has adopted yet.

    `label` is what the people of the house call it, `kind` the gateway's guess, `says` the model's words that
    the device can say (such as `vitals.hr`, `activity.motion`, `alarm.sos`, `status.battery`), for a person
    to judge by.
    """

    key: DeviceKey
    label: Label | None = None
    kind: DeviceKind | None = None
    vendor: Label | None = None
    product: Label | None = None
    says: tuple[Label, ...] = ()


class Adoption(Struct, frozen=True, kw_only=True, gc=False):
    """What the centre calls a device that a gateway knows by its key."""

    name: Name
    kind: DeviceKind


ANYTHING = "*"
"""Of a lesson: whatever the value is, it means it."""


class Taught(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a person has said that a field of a device means.

    `says` is the model's word, such as `alarm.sos` or `vitals.hr`; `raised_by` the value that means it, where
    that is an alarm or an event.
    """

    says: Annotated[str, Meta(min_length=1, max_length=64)]
    raised_by: Annotated[str, Meta(max_length=64)] | None = None


class UnheardField(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A field that a gateway did not understand: how often since it started, why, and its last value."""

    count: Annotated[int, Meta(ge=0, le=2**53)]
    reason: Annotated[str, Meta(max_length=120)] = ""
    example: Annotated[str, Meta(max_length=64)] | None = None
    last_ms: EpochMs | None = None


FieldPath = Annotated[str, Meta(max_length=64)]


class UnheardReport(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a gateway did not understand, by device and field; without secrets."""

    devices: dict[DeviceKey, dict[FieldPath, UnheardField]] = field(default_factory=dict)


class GatewayConfig(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the centre tells a gateway: all devices adopted there, and those not to be proposed again."""

    devices: dict[DeviceKey, Adoption] = field(default_factory=dict)
    refused: tuple[DeviceKey, ...] = ()
    taught: dict[DeviceKey, dict[FieldPath, Taught]] = field(default_factory=dict)


Message = VitalSigns | Activity | AlarmSignal | DeviceStatus


def from_epoch_ms(ts_ms: int) -> datetime:
    """Aware UTC time of `ts_ms`; OverflowError outside the years 1 to 9999."""
    return EPOCH + timedelta(milliseconds=ts_ms)


def to_epoch_ms(time: datetime) -> int:
    """Milliseconds since 1970-01-01 of `time`, rounded down. ValueError for a naive time."""
    if time.tzinfo is None:
        raise ValueError(f"{time!r} has no time zone; times are aware")
    return (time - EPOCH) // timedelta(milliseconds=1)
