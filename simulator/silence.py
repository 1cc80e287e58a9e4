"""Devices that go silent: a plug pulled out, a battery that died without a word, a lost radio link."""

from dataclasses import dataclass

import numpy as np

from simulator.chance import generator
from simulator.clock import DAY_MS, HOUR_MS, day_start_ms
from simulator.labels import Label, LabelKind

_WINDOW_DAYS = 10
_LONGEST_H = 96
_MAINS_PER_DAY, _BATTERY_PER_DAY = 0.004, 0.0008


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A span of time in which a device says nothing."""

    device: int
    begin_ms: int
    end_ms: int

    def label(self, site: int) -> Label:
        """What it is called afterwards."""
        return Label(
            kind=LabelKind.SILENT, site=site, device=self.device, begin_ms=self.begin_ms, end_ms=self.end_ms
        )


def silences(seed: int, has_battery: np.ndarray, begin_ms: int, end_ms: int, rate: float) -> list[Silence]:
    """The silences that touch the span; `has_battery` tells it of each device of the county."""
    window_ms = _WINDOW_DAYS * DAY_MS
    first = (begin_ms - _LONGEST_H * HOUR_MS - day_start_ms(0)) // window_ms
    last = (end_ms - day_start_ms(0)) // window_ms
    return [
        one
        for window in range(first, last + 1)
        for one in _in_window(seed, has_battery, window, rate)
        if one.begin_ms < end_ms and one.end_ms > begin_ms
    ]


def _in_window(seed: int, has_battery: np.ndarray, window: int, rate: float) -> list[Silence]:
    rng = generator(seed, "silence", window)
    start_ms = day_start_ms(window * _WINDOW_DAYS)
    found = []
    for battery, per_day in ((False, _MAINS_PER_DAY), (True, _BATTERY_PER_DAY)):
        devices = np.flatnonzero(has_battery == battery)
        if not devices.size:
            continue
        count = int(rng.poisson(devices.size * per_day * _WINDOW_DAYS * rate))
        for device in rng.choice(devices, count).tolist():
            begin_ms = start_ms + int(rng.random() * _WINDOW_DAYS * DAY_MS)
            hours = rng.uniform(8, _LONGEST_H) if battery else np.clip(rng.gamma(1.2, 2.5), 0.2, 24)
            end_ms = begin_ms + int(hours * HOUR_MS)
            found.append(Silence(device=device, begin_ms=begin_ms, end_ms=end_ms))
    return found
