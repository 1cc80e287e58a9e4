"""What the devices of one sender say, by clocks that jump, and the ledger of it."""

import random
import time
from collections import defaultdict
from collections.abc import Sequence

from benchmarks.faults.ledger import Record
from benchmarks.faults.town import Wearer
from protocol.abilities import ABILITIES
from protocol.model import Activity, AlarmSignal, DeviceKind, DeviceStatus, Message, VitalSigns
from protocol.signs import SIGNS

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
JUMPS_MS: Sequence[int] = (0, -HOUR_MS, -DAY_MS, -8 * DAY_MS, -40 * DAY_MS, 4 * 60_000)
"""Clocks that are wrong, but within what is believed."""
ABSURD_MS: Sequence[int | None] = (0, 4_102_444_800_000, None)
"""Clocks that are not: 1970, 2100, none."""

EVENTS = sorted(ABILITIES[DeviceKind.WRISTBAND].events)
"""What a wristband may say; other events are refused of it."""


class Speech:
    """The devices of one sender. Each vital sign, status and alarm differs from all others of its device."""

    def __init__(self, wearers: Sequence[Wearer], generator: random.Random) -> None:
        self._wearers = wearers
        self._generator = generator
        self._serial = 0
        self._used_ms: dict[str, set[int]] = defaultdict(set)
        self._offset_ms: int | None = 0
        self._absurd_ms: int | None = None
        self.said: list[Record] = []
        """Everything, each once. Appended to by the sender's thread only."""
        self.alarms: list[tuple[Record, Wearer]] = []
        """The alarm signals among it, and whom they are about."""

    @property
    def devices(self) -> set[str]:
        """The names of those who speak."""
        return {wearer.device for wearer in self._wearers}

    def jump(self, dice: float) -> None:
        """The clocks of all devices jump; `dice` in [0, 1) says where to."""
        choices = len(JUMPS_MS) + len(ABSURD_MS)
        chosen = int(dice * choices)
        if chosen < len(JUMPS_MS):
            self._offset_ms = JUMPS_MS[chosen]
        else:
            self._offset_ms = None
            self._absurd_ms = ABSURD_MS[chosen - len(JUMPS_MS)]

    def say(self, count: int) -> list[tuple[str, Message]]:
        """So many messages by device: vital signs mostly, some activity and status."""
        return [self._one() for _ in range(count)]

    def vitals(self) -> tuple[str, Message]:
        """One set of vital signs."""
        wearer = self._generator.choice(self._wearers)
        return wearer.device, self._vitals(wearer, self._clock_ms(wearer.device))

    def alarm(self) -> tuple[str, AlarmSignal]:
        """One alarm signal, with an id of its own and a clock that is believed."""
        wearer = self._generator.choice(self._wearers)
        offset_ms = self._offset_ms if self._offset_ms is not None else 0
        ts_ms = self._unused_ms(wearer.device, offset_ms)
        kind = self._generator.choice(wearer.alarm_kinds)
        signal_id = f"s{self._next_serial()}"
        record = Record(
            "alarm_signal", wearer.device, ts_ms * 1000, (f"{signal_id}@{ts_ms * 1000}", str(kind))
        )
        self.alarms.append((record, wearer))
        return wearer.device, AlarmSignal(ts_ms=ts_ms, kind=kind, signal_id=signal_id)

    def _one(self) -> tuple[str, Message]:
        wearer = self._generator.choice(self._wearers)
        ts_ms = self._clock_ms(wearer.device)
        sort = self._generator.random()
        if sort < 0.8:
            return wearer.device, self._vitals(wearer, ts_ms)
        if sort < 0.95:
            event = self._generator.choice(EVENTS)
            self._note("activity", wearer.device, ts_ms, (wearer.resident_id, str(event)))
            return wearer.device, Activity(ts_ms=ts_ms, event=event)
        status = DeviceStatus(
            ts_ms=ts_ms,
            online=True,
            battery=self._generator.randint(1, 100),
            rssi=self._generator.randint(-90, -40),
            fw=f"f{self._next_serial()}",
        )
        values = (status.online, status.battery, status.rssi, status.fw)
        self._note("device_status", wearer.device, ts_ms, values)
        return wearer.device, status

    def _vitals(self, wearer: Wearer, ts_ms: int | None) -> VitalSigns:
        serial = self._next_serial()
        draw = self._generator
        vitals = VitalSigns(
            ts_ms=ts_ms,
            # These three together are the serial number, so that no two are ever the same.
            hr=float(20 + serial % 250),
            rr=float(2 + serial // 250 % 78),
            spo2=float(40 + serial // 19_500 % 60),
            temp=draw.randint(350, 400) / 10 if draw.random() < 0.8 else None,
            sbp=float(draw.randint(90, 180)) if draw.random() < 0.5 else None,
            dbp=float(draw.randint(50, 100)) if draw.random() < 0.5 else None,
            glucose=draw.randint(40, 150) / 10 if draw.random() < 0.2 else None,
            weight=draw.randint(400, 900) / 10 if draw.random() < 0.1 else None,
        )
        signs = (getattr(vitals, sign) for sign in SIGNS)
        self._note("vitals", wearer.device, ts_ms, (wearer.resident_id, *signs))
        return vitals

    def _note(self, table: str, device: str, ts_ms: int | None, values: tuple[object, ...]) -> None:
        believed = self._offset_ms is not None and ts_ms is not None
        time_us = ts_ms * 1000 if believed and ts_ms is not None else None
        self.said.append(Record(table, device, time_us, values))  # type: ignore[arg-type]

    def _clock_ms(self, device: str) -> int | None:
        if self._offset_ms is None:
            return self._absurd_ms
        return self._unused_ms(device, self._offset_ms)

    def _unused_ms(self, device: str, offset_ms: int) -> int:
        """By the clock of the device; it never says two things at one instant."""
        used = self._used_ms[device]
        ts_ms = time.time_ns() // 1_000_000 + offset_ms
        while ts_ms in used:
            ts_ms += 1
        used.add(ts_ms)
        return ts_ms

    def _next_serial(self) -> int:
        self._serial += 1
        return self._serial
