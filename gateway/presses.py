"""One press is one call for help, in however many messages it comes."""

from typing import NamedTuple

from gateway.clock import Stamp
from protocol.model import AlarmSignal, Message, SignalKind, SignalState

PRESS_MS = 3_000
"""Calls for help of one device within so long are one press: told by two properties, on two topics, or by a
hub that says everything twice. Who presses again is heard again."""
DEVICES_MAX = 10_000


class _Press(NamedTuple):
    boot_ms: int
    ts_ms: int | None
    signal_id: str | None


class Presses:
    """Remembers the last press of each device, in memory: after a restart one may be told twice."""

    def __init__(self) -> None:
        self._last: dict[str, _Press] = {}

    def is_again(self, key: str, message: Message, stamp: Stamp) -> bool:
        """Whether the message is the press of the device `key` heard just now; else it is remembered.

        Two with ids of their own, or told of moments further apart, are two, however close they come.
        """
        if not isinstance(message, AlarmSignal) or message.kind is not SignalKind.SOS:
            return False
        if message.state is not SignalState.RAISED:
            self._last.pop(key, None)  # what comes after the end is a press of its own
            return False
        press = _Press(stamp.boot_ms, message.ts_ms, message.signal_id)
        before = self._last.pop(key, None)
        again = before is not None and _is_same(before, press)
        while len(self._last) >= DEVICES_MAX:
            del self._last[next(iter(self._last))]
        self._last[key] = before if again and before is not None else press
        return again


def _is_same(one: _Press, other: _Press) -> bool:
    if one.signal_id is not None or other.signal_id is not None:
        return False  # whoever numbers his presses is taken at his word; the centre knows equal numbers
    if one.ts_ms is not None and other.ts_ms is not None and abs(other.ts_ms - one.ts_ms) >= PRESS_MS:
        return False
    return other.boot_ms - one.boot_ms < PRESS_MS
