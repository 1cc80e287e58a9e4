"""What truly happened, beside what the devices say of it: the answers against which analytics is measured."""

from dataclasses import dataclass
from enum import StrEnum


class LabelKind(StrEnum):
    """Everything that the simulator lets happen on purpose, beyond ordinary days."""

    RESPIRATORY_INFECTION = "respiratory_infection"
    URINARY_INFECTION = "urinary_infection"
    HEART_DECOMPENSATION = "heart_decompensation"
    DEHYDRATION = "dehydration"
    DYING = "dying"
    OUTBREAK = "outbreak"
    FALL = "fall"
    LONG_LIE = "long_lie"
    SOS = "sos"
    WANDERING = "wandering"
    WEAK_BREATHING = "weak_breathing"
    BED_EXIT = "bed_exit"
    SMOKE = "smoke"
    GAS = "gas"
    WATER = "water"
    TAMPER = "tamper"
    FAULT = "fault"
    DEAD = "dead"
    GHOST_RESIDENT = "ghost_resident"
    CARER_ABSENT = "carer_absent"
    ROUNDS_NEGLECTED = "rounds_neglected"
    SILENT = "silent"
    FLAT_LINE = "flat_line"
    DRIFT = "drift"
    DROP_OUT = "drop_out"
    DUPLICATES = "duplicates"
    BURST = "burst"
    CLOCK_JUMP = "clock_jump"
    STUCK_PRESENCE = "stuck_presence"
    SELF_FIRING = "self_firing"
    FIELD_CHANGE = "field_change"
    BATTERY_DECAY = "battery_decay"
    LOW_BATTERY = "low_battery"


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One thing that happened: to whom or what, from when to when.

    Attributes:
        kind: What.
        site: Index of the site.
        subject: Index of the person, if it is about one.
        device: Index of the device that is at fault, or that told of it.
        begin_ms: Milliseconds since 1970 UTC.
        end_ms: When nothing of it is left; of a fall, when they are found.
        peak_ms: When an illness reaches its height; of an outbreak, the median of its cases' heights.
        severity: Of an illness, the share of its full strain; of an outbreak, the number of its cases.
        told: Whether an alarm that a device raised at its begin is heard, however late.
        detail: One more word: of a fall or somebody wandering the place (`simulator.routine`), of an
            illness caught in an outbreak `outbreak`, of a clock that jumps by how much.
    """

    kind: LabelKind
    site: int
    begin_ms: int
    end_ms: int
    subject: int | None = None
    device: int | None = None
    peak_ms: int | None = None
    severity: float | None = None
    told: bool = False
    detail: str | None = None

    @property
    def label_id(self) -> str:
        """Its name, which no other label of its county has."""
        whom = "" if self.subject is None else f"-p{self.subject}"
        which = "" if self.device is None or self.subject is not None else f"-d{self.device}"
        return f"{self.kind}-s{self.site}{whom}{which}-{self.begin_ms:x}"
