"""How intake is, for people: works, late, or not working, and why."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from database.connections import Connection
from database.queries import queries
from database.record import Record

_sql = queries("dashboard.devices", "intake.sql")

SILENT_S_MAX = 30.0
"""Every process tells how it is every ten seconds; one that has not for so long has most likely ended."""
LATE_S_MIN = 30.0
"""When half of the readings take longer than this from the device to the database, pages show the past."""


class Process(StrEnum):
    """The processes of intake."""

    READINGS = "readings"
    ALARMS = "alarms"
    SETTLE = "settle"
    GATEWAYS = "gateways"


class Trouble(StrEnum):
    """What can be wrong with a process, the gravest first."""

    SILENT = "silent"
    DISCONNECTED = "disconnected"
    LATE = "late"


class Part(Record, frozen=True, kw_only=True):
    """One part of intake. It works while one of its processes does; `silent_s` None: none is known."""

    process: Process
    silent_s: float | None
    connected: bool
    lag_p50_s: float | None
    lag_p99_s: float | None

    @property
    def trouble(self) -> Trouble | None:
        """What is wrong with it."""
        if self.silent_s is None or self.silent_s > SILENT_S_MAX:
            return Trouble.SILENT
        if not self.connected:
            return Trouble.DISCONNECTED
        late = self.process is Process.READINGS and (self.lag_p50_s or 0) > LATE_S_MIN
        return Trouble.LATE if late else None


class Worker(Part, frozen=True, kw_only=True):
    """One process, for those who keep it running. Counts since it started."""

    silent_s: float
    worker: str
    at: datetime
    started_at: datetime
    received: int
    stored: int
    repeated_batches: int
    careful_stores: int
    dead: int
    received_per_s: float
    pending: int
    broker_dropped: int | None


class Intake(NamedTuple):
    """All of intake; `workers` only for the county."""

    parts: Sequence[Part]
    workers: Sequence[Worker]

    @property
    def lag_s(self) -> float | None:
        """How long half of the readings take at most from the device into the database."""
        return next((part.lag_p50_s for part in self.parts if part.process is Process.READINGS), None)

    @property
    def dropped(self) -> int:
        """Messages that the broker has dropped since it started."""
        return max((worker.broker_dropped or 0 for worker in self.workers), default=0)


def intake(connection: Connection) -> Intake:
    """How intake is now; alarms come first. On a connection inside `scope_of`."""
    parts = [Part.from_row(row) for row in connection.execute(_sql["intake"])]
    workers = [Worker.from_row(row) for row in connection.execute(_sql["ingest_health"])]
    return Intake(parts, workers)
