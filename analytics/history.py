"""What the database knows at one time, as data frames: the only input of detectors.

Each frame is one query for the whole county, over a window that is bounded; those that several detectors need
are kept for the rest of the round. Identifiers are int64 columns, times datetime64[us, UTC] with NaT,
measurements float64 with NaN. `History` only reads; `record_pulse` writes the one thing that analytics must
remember.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import pandas as pd
from psycopg import postgres, sql
from psycopg.rows import tuple_row

from analytics import columns
from analytics.columns import INTEGER, REAL, TIME
from analytics.news2 import SIGNS
from care.db import Connection, queries
from gateway.model import ActivityEvent, AlarmKind, DeviceKind

_sql = queries("analytics", "sql/history.sql")

ON_DEMAND = frozenset(
    {DeviceKind.BP_CUFF, DeviceKind.GLUCOMETER, DeviceKind.THERMOMETER, DeviceKind.PATROL_TAG}
)
"""Devices that speak only when somebody uses them: their silence says little, their reading is deliberate."""
SPOT_INSTRUMENTS = (ON_DEMAND | {DeviceKind.HEALTH_KIOSK}) - {DeviceKind.PATROL_TAG}

NOT_OF_THE_PERSON = frozenset({ActivityEvent.ROUND})
"""Events that tell of staff, not of residents."""

LIFE_SIGNS_S = 72 * 3_600
"""How far back the last activity is looked for; whoever was silent for longer was silent at least so long."""
ALARMS_S = 24 * 3_600
"""How long an ended alarm still counts: the longest silence period."""
PULSES_S = 31 * 86_400
"""How long pulses are kept: a little more than the longest limit of a silent device can be."""
HEARD_S = 120
"""A device whose last word is no older was heard now; more than a minute, for clocks a little slow."""

_BOOL_OID = postgres.types["bool"].oid


class History:
    """The county as known at `now`, an aware time: nothing later is in any frame."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        if now.tzinfo is None:
            raise ValueError(f"{now!r} has no time zone; times are aware")
        self.now = now
        self._connection = connection

    @cached_property
    def residents(self) -> pd.DataFrame:
        """resident_id, site_id, site_kind, spo2_scale, on_oxygen: everybody who lives somewhere now."""
        return self._rows("residents")

    @cached_property
    def devices(self) -> pd.DataFrame:
        """device_id, site_id, name, kind, power, retired, seen_at, ever_seen, room_id, room.

        `seen_at` is the time of its last word, or when it was added; `ever_seen` tells which.
        """
        return self._rows("devices", times=("seen_at",))

    def vitals(self, window: timedelta, lookback: timedelta, before_count: int) -> pd.DataFrame:
        """resident_id, time, spot, rr, spo2, sbp, hr, temp: sets of signs in the last `window`.

        Of each device also the last `before_count` before that, from at most `lookback` ago: some speak
        seldom. By resident, then time. `spot` is 1 where somebody measured on purpose, as with a cuff.
        """
        params = {
            "begin": self.now - max(lookback, window),
            "window_begin": self.now - window,
            "now": self.now,
            "before_count": before_count,
            "on_demand": _values(SPOT_INSTRUMENTS),
        }
        shape = {"time": TIME, "resident_id": INTEGER, "spot": INTEGER, **dict.fromkeys(SIGNS, REAL)}
        frame = columns.fetch(self._connection, _sql_body("vitals"), params, shape)
        return frame.sort_values(["resident_id", "time"], ignore_index=True)

    @cached_property
    def latest_signs(self) -> pd.DataFrame:
        """resident_id and for each NEWS2 sign its latest value and its time, as `hr`, `hr_at` and so on."""
        pairs = {f"{sign}{suffix}": kind for sign in SIGNS for suffix, kind in (("", REAL), ("_at", TIME))}
        shape = {"resident_id": INTEGER, **pairs}
        return columns.fetch(self._connection, _sql_body("latest_signs"), {}, shape)

    @cached_property
    def life_signs(self) -> pd.DataFrame:
        """resident_id, device_id, device_kind, since, time, event, room_kind, room: what devices last saw.

        One row for each resident and device that shows what this resident does; `since`: it has watched this
        resident since then; `time` and `event` are missing when it saw nothing in the last `LIFE_SIGNS_S`.
        """
        params = {
            "begin": self.now - timedelta(seconds=LIFE_SIGNS_S),
            "not_of_the_person": _values(NOT_OF_THE_PERSON),
        }
        return self._rows("life_signs", params, times=("since", "time"))

    @cached_property
    def measurements(self) -> pd.DataFrame:
        """resident_id, time: when somebody last measured the resident on purpose, in `LIFE_SIGNS_S`."""
        params = {
            "begin": self.now - timedelta(seconds=LIFE_SIGNS_S),
            "on_demand": _values(SPOT_INSTRUMENTS),
        }
        return self._rows("measurements", params, times=("time",))

    @cached_property
    def beds(self) -> pd.DataFrame:
        """resident_id, in_bed, in_bed_at: who has a bed that knows, and whether they lie in it."""
        return self._rows("beds", times=("in_bed_at",))

    @cached_property
    def pulses(self) -> pd.DataFrame:
        """at, heard: minutes in which analytics ran, and how many devices were heard in each."""
        params = {"begin": self.now - timedelta(seconds=PULSES_S)}
        return self._rows("pulses", params, times=("at",))

    @cached_property
    def site_outages(self) -> pd.DataFrame:
        """site_id, began_at, ended_at: the last time that each site was silent as a whole, by its alarm."""
        params = {"begin": self.now - timedelta(seconds=PULSES_S)}
        return self._rows("site_outages", params, times=("began_at", "ended_at"))

    def standing_alarms(self, kinds: Collection[AlarmKind]) -> pd.DataFrame:
        """id, site_id, subject, kind, priority, state, detector, resolved_at, ended_at.

        Alarms of these kinds that have not ended, or did in the last `ALARMS_S`. Never kept: always as the
        database has them now.
        """
        params = {"kinds": _values(kinds), "ended_after": self.now - timedelta(seconds=ALARMS_S)}
        return self._rows("standing_alarms", params, times=("resolved_at", "ended_at"))

    def _rows(
        self, query: str, params: Mapping[str, Any] | None = None, times: Collection[str] = ()
    ) -> pd.DataFrame:
        """The result of a query that has texts or nulls; `times` names its columns of times."""
        with self._connection.cursor(row_factory=tuple_row, binary=True) as cursor:
            cursor.execute(_sql[query], {"now": self.now, **(params or {})})
            assert cursor.description is not None, "these queries return rows"
            names = [column.name for column in cursor.description]
            frame = pd.DataFrame(cursor.fetchall(), columns=names)
            booleans = [column.name for column in cursor.description if column.type_code == _BOOL_OID]
        for name in booleans:
            if not frame[name].hasnans:  # without rows the frame could not tell
                frame[name] = frame[name].astype(bool)
        for name in times:
            frame[name] = pd.to_datetime(frame[name], utc=True).astype("datetime64[us, UTC]")
        return frame


def record_pulse(connection: Connection, now: datetime) -> None:
    """Remember that analytics ran in this minute and how many devices were heard. Harmless when repeated."""
    with connection.transaction():
        connection.execute(_sql["record_pulse"], {"now": now, "heard_s": HEARD_S})
        connection.execute(_sql["forget_pulses"], {"before": now - timedelta(seconds=PULSES_S)})


def _sql_body(query: str) -> sql.SQL:
    """A named query without its closing semicolon, so that it can stand inside COPY."""
    return sql.SQL(_sql[query].as_string().rstrip().removesuffix(";"))


def _values(words: Collection[Any]) -> list[str]:
    return sorted(str(word) for word in words)
