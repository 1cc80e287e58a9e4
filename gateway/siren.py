"""Local first: what sounds in the house while the centre does not answer. A pure state machine.

Every alarm of a kind that cannot wait begins WAITING for the centre's confirmation. Without one it is
SOUNDING until somebody answers, at the centre or at the device, and SPENT when it has sounded long enough:
a siren that nobody hears must not drive the house mad, and the alarm itself still waits in the outbox.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec
from msgspec import Struct

from protocol.model import AlarmSignal, SignalKind, SignalState

URGENT = frozenset({SignalKind.SOS, SignalKind.FALL, SignalKind.SMOKE, SignalKind.GAS})
"""What is sounded in the house."""
CONFIRM_S_MAX = 5.0
"""So long the centre has to confirm an alarm."""
SOUND_S_MAX = 600.0
"""So long one alarm is sounded at most."""
REPEAT_S = 30.0
"""A siren that missed its order, or stops by itself, is told again."""
CRIES_MAX = 200
"""Alarms that are followed at once; the oldest give way."""


class Phase(StrEnum):
    """Where an alarm stands that the centre has not confirmed."""

    WAITING = "waiting"
    SOUNDING = "sounding"
    SPENT = "spent"


class Cry(Struct):
    """An alarm that the centre has not confirmed; its phase began at `since_s` of the caller's clock."""

    number: int
    device: str
    kind: SignalKind
    phase: Phase
    since_s: float


class Siren:
    """Decides when to sound. `now_s` is any clock that only runs forward."""

    def __init__(self, confirm_s_max: float = CONFIRM_S_MAX) -> None:
        self._confirm_s_max = confirm_s_max
        self._cries: dict[int, Cry] = {}
        self._newest = 0
        """The newest alarm that was heard here: what the outbox has beyond it, a crash kept from us."""
        self._told_s: float | None = None
        """When the sirens were last told to sound; None: they are silent, as far as we know."""

    @property
    def sounding(self) -> bool:
        """Whether the house should hear it now."""
        return any(cry.phase is Phase.SOUNDING for cry in self._cries.values())

    def heard(self, number: int, device: str, signal: AlarmSignal, now_s: float) -> bool:
        """A device said `signal`, which the outbox keeps as `number`; whether anything changed."""
        self._newest = max(self._newest, number)
        if signal.state is not SignalState.RAISED:
            return self._end(
                cry for cry in self._cries.values() if cry.device == device and cry.kind is signal.kind
            )
        if signal.kind not in URGENT or number in self._cries:
            return False
        while len(self._cries) >= CRIES_MAX:
            del self._cries[min(self._cries)]
        self._cries[number] = Cry(number, device, signal.kind, Phase.WAITING, now_s)
        return True

    def confirmed(self, number: int) -> bool:
        """The centre has the alarm; whether anything changed."""
        return self._end([self._cries[number]] if number in self._cries else [])

    def cancelled(self, device: str | None = None) -> bool:
        """Somebody answered: for one device, or (None) for all; whether anything changed."""
        return self._end(cry for cry in self._cries.values() if device in (None, cry.device))

    def order(self, now_s: float) -> bool | None:
        """What to tell the sirens now: True sound, False be silent, None nothing. To be asked often."""
        for cry in self._cries.values():
            if cry.phase is Phase.WAITING and now_s - cry.since_s >= self._confirm_s_max:
                cry.phase, cry.since_s = Phase.SOUNDING, now_s
            elif cry.phase is Phase.SOUNDING and now_s - cry.since_s >= SOUND_S_MAX:
                cry.phase, cry.since_s = Phase.SPENT, now_s
        if self.sounding:
            if self._told_s is not None and now_s - self._told_s < REPEAT_S:
                return None
            self._told_s = now_s
            return True
        if self._told_s is None:
            return None
        self._told_s = None
        return False

    def due_s(self, now_s: float) -> float:
        """How long until `order` may have something new to say, in seconds."""
        dues = [
            cry.since_s + (self._confirm_s_max if cry.phase is Phase.WAITING else SOUND_S_MAX) - now_s
            for cry in self._cries.values()
            if cry.phase is not Phase.SPENT
        ]
        return max(0.0, min(dues, default=REPEAT_S))

    def remembered(self) -> bytes:
        """The state, for `recall` after a restart."""
        return msgspec.json.encode((self._newest, self._told_s is not None, list(self._cries.values())))

    def recall(self, remembered: bytes, now_s: float) -> None:
        """Go on after a restart: what waited waits anew; what sounded sounds, and will be silenced."""
        self._newest, told, cries = msgspec.json.decode(remembered, type=tuple[int, bool, list[Cry]])
        for cry in cries:
            cry.since_s = now_s
        self._cries = {cry.number: cry for cry in cries}
        self._told_s = now_s - REPEAT_S if told else None

    def reconcile(self, kept: Sequence[tuple[int, str, AlarmSignal]], now_s: float) -> None:
        """After `recall`: what the outbox still keeps (number, device, signal; in order) is what counts."""
        numbers = {number for number, _, _ in kept}
        self._end([cry for cry in self._cries.values() if cry.number not in numbers])
        for number, device, signal in kept:
            if number > self._newest:
                self.heard(number, device, signal, now_s)

    def unheard(self) -> None:
        """The last order may not have arrived: a siren that should sound is told again at once."""
        if self._told_s is not None:
            self._told_s = float("-inf")

    def _end(self, cries: Iterable[Cry]) -> bool:
        ended = [cry.number for cry in cries]
        for number in ended:
            del self._cries[number]
        return bool(ended)
