"""The note that ingest leaves with every transaction: which hours of which devices it touched.

State and rollups are derived from the rows themselves by `ingest.settle`, at its own pace. The note is
committed together with the rows, so that whatever dies, nothing derived stays stale unnoticed.
"""

from typing import Literal, NamedTuple

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg.adapt import Dumper
from psycopg.pq import Format

from database.connections import Connection
from database.queries import queries

_sql = queries("ingest", "sql/settle.sql")

Source = Literal["vitals", "activity"]
"""The hypertables from which state and rollups are derived."""

NOTE_EPOCH_US = 946_684_800_000_000
"""Seconds in a note count from 2000-01-01 UTC, in four bytes: until 2068."""
_SECOND_US = 1_000_000
_HOUR_S = 3_600
NOTE_SECONDS_MAX = 2**31 - 1 - _HOUR_S
_INT4_OID = 23
_INT4_ARRAY_OID = 1007


class Touched(NamedTuple):
    """For each device and UTC hour the earliest second, from 2000-01-01 UTC; by device, then time."""

    device_ids: NDArray[np.int32]
    from_s: NDArray[np.int32]


def touched(device_id: NDArray[np.int32], time_us: NDArray[np.int64]) -> Touched:
    """What rows of these devices at these times (microseconds since 1970 UTC) touch.

    Raises:
        ValueError: a time before 2000 or after 2068, which no clock rule lets through.
    """
    second = (time_us - NOTE_EPOCH_US) // _SECOND_US
    if len(second) and not (second.min() >= 0 and second.max() <= NOTE_SECONDS_MAX):
        raise ValueError("a reading's time is not between 2000 and 2068")
    # One number for device and second: sorting these is much faster than sorting rows.
    moments = np.sort((device_id.astype(np.int64) << 32) | second)
    device = moments >> 32
    second = moments & 0xFFFF_FFFF
    hour = second // _HOUR_S
    first = np.ones(len(moments), dtype=np.bool_)
    first[1:] = (device[1:] != device[:-1]) | (hour[1:] != hour[:-1])
    return Touched(device[first].astype(np.int32), second[first].astype(np.int32))


def note(connection: Connection, source: Source, what: Touched) -> None:
    """Leave the note, in the transaction that stores the rows. The caller commits."""
    if len(what.device_ids):
        params = {
            "source": source,
            "device_ids": Int4Array(what.device_ids),
            "from_s": Int4Array(what.from_s),
        }
        connection.execute(_sql["note"], params)


class Int4Array:
    """An integer[] made straight from numpy: a list of 5,000 costs the driver more than the whole note."""

    __slots__ = ("packed",)

    def __init__(self, values: NDArray[np.int32]) -> None:
        elements = np.empty(len(values), dtype=[("length", ">i4"), ("value", ">i4")])
        elements["length"] = 4
        elements["value"] = values
        # Dimensions, "has nulls", type of element; then of the one dimension its size and lower bound.
        header = np.array([1, 0, _INT4_OID, len(values), 1], dtype=">i4")
        self.packed = header.tobytes() + elements.tobytes()


class _Int4ArrayDumper(Dumper):
    format = Format.BINARY
    oid = _INT4_ARRAY_OID

    def dump(self, obj: Int4Array) -> bytes:
        return obj.packed


psycopg.adapters.register_dumper(Int4Array, _Int4ArrayDumper)
