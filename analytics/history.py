"""What the database knows at one time, as data frames: the only input of detectors.

Each frame is one query for the whole county, over a window that is bounded; those that several detectors need
are kept for the rest of the round. Identifiers are int64 columns, times datetime64[us, UTC] with NaT,
measurements float64 with NaN. `History` only reads; `record_pulse` writes the one thing that analytics must
remember.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple

import pandas as pd
from psycopg import postgres, sql
from psycopg.rows import tuple_row

from alarms.kinds import AlarmKind
from analytics import columns
from analytics.columns import INTEGER, REAL, TIME
from analytics.news2 import SIGNS
from care.policy import Policy, effective
from database.connections import Connection
from database.queries import queries
from protocol.model import ActivityEvent, DeviceKind

_sql = queries("analytics", "sql/history.sql")

SPOT_INSTRUMENTS = frozenset(
    {DeviceKind.BP_CUFF, DeviceKind.GLUCOMETER, DeviceKind.THERMOMETER, DeviceKind.HEALTH_KIOSK}
)
"""Devices with which somebody measures on purpose."""

NOT_OF_THE_PERSON = frozenset({ActivityEvent.ROUND})
"""Events that tell of staff, not of residents."""

LIFE_SIGNS_S = 72 * 3_600
"""How far back the last activity is looked for. A longer silence counts as one of this length."""
ALARMS_S = 24 * 3_600
"""How long an ended alarm still counts: the longest silence period."""
PULSES_S = 31 * 86_400
"""How long pulses are kept: a little more than the longest limit of a silent device can be."""
HEARD_S = 120
"""A device whose last word is no older was heard now; more than a minute, for clocks a little slow."""

PERSISTENT_SIGNS = ("hr", "rr", "spo2", "temp", "sbp", "weight")
"""Signs that have a personal baseline, in the order of the columns of `vitals_hours`."""
SPOT_SIGNS = ("sbp", "dbp", "hr")
"""Signs that `spot_readings` has, in the order of its columns."""
DEVICE_SIGNS = ("hr", "spo2", "temp")
"""Signs that several devices of one person can tell, in the order of `device_hours`."""
HABITS = (
    "night_out_of_bed",
    "night_bathroom",
    "day_bathroom",
    "day_bedroom",
    "kitchen",
    "living_room",
    "doors",
    "turns",
    "day_bed",
    "meals",
    "active_hours",
)
"""Habits of a day, in the order of the columns of `habits`; `in_bed` of `bed_days` comes beside them."""
LEAVING = frozenset(
    {ActivityEvent.OUT_OF_BED, ActivityEvent.ABSENCE, ActivityEvent.DOOR_OPEN, ActivityEvent.DOOR_CLOSED}
)
"""Events after which somebody may be where no sensor is."""
MOTION_SENSORS = frozenset({DeviceKind.MOTION, DeviceKind.FALL_RADAR, DeviceKind.DOOR_CONTACT})
MOVING = frozenset({ActivityEvent.MOTION, ActivityEvent.PRESENCE, ActivityEvent.DOOR_OPEN})
"""Events of these sensors that tell where somebody is."""
SLICE_COUNT = 2_000
"""Residents whose long history is read at once: bounds memory and the time of one statement."""
DAY = timedelta(days=1)

_BOOL_OID = postgres.types["bool"].oid


class Residents(NamedTuple):
    """A slice of the county: residents by id, both ends included."""

    first_id: int
    last_id: int


class History:
    """The county as known at `now`, an aware time: nothing later is in any frame."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        if now.tzinfo is None:
            raise ValueError(f"{now!r} has no time zone; times are aware")
        self.now = now
        self._connection = connection
        self._vitals: dict[tuple[timedelta, timedelta, int], pd.DataFrame] = {}

    @property
    def connection(self) -> Connection:
        """Where it reads: for what is stored beside the readings, such as versions of models."""
        return self._connection

    @cached_property
    def policy(self) -> Policy:
        """What the county has decided, as it holds now: the same for the whole round."""
        return effective(self._connection)

    @cached_property
    def residents(self) -> pd.DataFrame:
        """resident_id, site_id, site_kind, spo2_scale, on_oxygen, category, cannot_turn.

        Everybody who lives somewhere now.
        """
        return self._rows("residents")

    @cached_property
    def devices(self) -> pd.DataFrame:
        """device_id, site_id, name, kind, power, retired, seen_at, ever_seen, silent_after_s, room_id, room.

        `seen_at` is the time of its last word, or when it was added; `ever_seen` tells which. After a silence
        of `silent_after_s` it is offline.
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
        question = (window, lookback, before_count)
        if question not in self._vitals:
            frame = columns.fetch(self._connection, _sql_body("vitals"), params, shape)
            self._vitals[question] = frame.sort_values(["resident_id", "time"], ignore_index=True)
        return self._vitals[question]

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

    def spot_readings(self, window: timedelta) -> pd.DataFrame:
        """resident_id, time, SPOT_SIGNS: what somebody measured on purpose in the last `window`.

        By resident, then time.
        """
        params = {
            "begin": self.now - window,
            "now": self.now,
            "on_demand": _values(SPOT_INSTRUMENTS),
        }
        shape = {"resident_id": INTEGER, "time": TIME, **dict.fromkeys(SPOT_SIGNS, REAL)}
        frame = columns.fetch(self._connection, _sql_body("spot_readings"), params, shape)
        # By value as well: two instruments may speak at the same time, and each round must see the same.
        return frame.sort_values(["resident_id", "time", *SPOT_SIGNS], ignore_index=True)

    @cached_property
    def visits(self) -> pd.DataFrame:
        """resident_id, visited_at: when staff last came because of an alarm, in `LIFE_SIGNS_S`."""
        params = {"begin": self.now - timedelta(seconds=LIFE_SIGNS_S)}
        return self._rows("visits", params, times=("visited_at",))

    @cached_property
    def beds(self) -> pd.DataFrame:
        """resident_id, in_bed, in_bed_at: who has a bed that knows, and whether they lie in it."""
        return self._rows("beds", times=("in_bed_at",))

    @cached_property
    def pulses(self) -> pd.DataFrame:
        """at, heard: minutes in which analytics ran, and how many devices were heard in each."""
        params = {"begin": self.now - timedelta(seconds=PULSES_S), "now": self.now}
        shape = {"at": TIME, "heard": INTEGER}
        # Some forty-five thousand of them after a month.
        return columns.fetch(self._connection, _sql_body("pulses"), params, shape)

    @cached_property
    def site_outages(self) -> pd.DataFrame:
        """site_id, began_at, ended_at: the last time that each site was silent as a whole, by its alarm."""
        params = {"begin": self.now - timedelta(seconds=PULSES_S)}
        return self._rows("site_outages", params, times=("began_at", "ended_at"))

    def standing_alarms(self, kinds: Collection[AlarmKind], ended_within_s: float = ALARMS_S) -> pd.DataFrame:
        """id, site_id, subject, kind, priority, state, detector, resolved_at, ended_at and more.

        Also condition_ended_at, and grade from the evidence.
        Alarms of these kinds that have not ended, or did in the last `ended_within_s`. Never kept: always as
        the database has them now.
        """
        params = {"kinds": _values(kinds), "ended_after": self.now - timedelta(seconds=ended_within_s)}
        return self._rows("standing_alarms", params, times=("resolved_at", "ended_at", "condition_ended_at"))

    @property
    def hour(self) -> datetime:
        """Begin of the hour that still runs: rollups of hours before it are whole."""
        return self.now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)

    def slices(self, count_max: int = SLICE_COUNT) -> Iterator[Residents]:
        """The county in parts of at most `count_max` residents; questions about weeks are asked of each."""
        ids = self.residents["resident_id"].tolist()
        for begin in range(0, len(ids), count_max):
            part = ids[begin : begin + count_max]
            yield Residents(part[0], part[-1])

    def vitals_hours(self, part: Residents, begin: datetime, end: datetime) -> pd.DataFrame:
        """hour, resident_id, and the mean of each of PERSISTENT_SIGNS: whole hours in [begin, end)."""
        shape = {"hour": TIME, "resident_id": INTEGER, **dict.fromkeys(PERSISTENT_SIGNS, REAL)}
        return self._columns("vitals_hours", shape, part, begin, end)

    def activity_hours(self, part: Residents, begin: datetime, end: datetime) -> pd.DataFrame:
        """hour, first_at, last_at, bathroom_at, leaving_at, in_bed_at, resident_id, in whole hours.

        What sensors saw of each resident: first and last time, and the last time in a bathroom, of an event
        of `LEAVING` and of lying down; NaT where there was none in that hour.
        """
        times = ("hour", "first_at", "last_at", "bathroom_at", "leaving_at", "in_bed_at")
        shape = {**dict.fromkeys(times, TIME), "resident_id": INTEGER}
        more = {"leaving": _values(LEAVING), "not_of_the_person": _values(NOT_OF_THE_PERSON)}
        return self._columns("activity_hours", shape, part, begin, end, more)

    def habits(self, part: Residents, begin: datetime, end: datetime) -> pd.DataFrame:
        """day, resident_id, HABITS: how often each was seen by day from 18:00 to 18:00, local time.

        `day` counts from 2000-01-01 and is the one on which the 24 hours end.
        """
        shape = {"day": INTEGER, "resident_id": INTEGER, **dict.fromkeys(HABITS, REAL)}
        more = {"not_of_the_person": _values(NOT_OF_THE_PERSON)}
        return self._columns("habits", shape, part, begin, end, more)

    def room_events(
        self, part: Residents, begin: datetime, end: datetime, rooms_min: int, people_max: int = 2**31 - 1
    ) -> pd.DataFrame:
        """resident_id, time, place: what moved where in [begin, end), of at most `people_max` in `part`.

        Only of residents who live alone in a household where at least `rooms_min` rooms are watched; `place`
        is a number for each room and for each room's door. In no order.
        """
        shape = {"time": TIME, "resident_id": INTEGER, "place": INTEGER}
        params = {
            "now": self.now,
            "begin": begin,
            "end": end,
            **part._asdict(),
            "rooms_min": rooms_min,
            "people_max": people_max,
            "sensors": _values(MOTION_SENSORS),
            "moving": _values(MOVING),
        }
        return columns.fetch(self._connection, _sql_body("room_events"), params, shape)

    def bed_days(self, part: Residents, begin: datetime, end: datetime) -> pd.DataFrame:
        """day, resident_id, in_bed: a measure of the time in bed by the same days."""
        shape = {"day": INTEGER, "resident_id": INTEGER, "in_bed": REAL}
        return self._columns("bed_days", shape, part, begin, end)

    def device_hours(self, part: Residents, begin: datetime, end: datetime) -> pd.DataFrame:
        """hour, device_id, resident_id, and of each of DEVICE_SIGNS `hr_count`, `hr`, `hr_min`, `hr_max`."""
        counts = {f"{sign}_count": INTEGER for sign in DEVICE_SIGNS}
        signs = {f"{sign}{suffix}": REAL for sign in DEVICE_SIGNS for suffix in ("", "_min", "_max")}
        shape = {"hour": TIME, "device_id": INTEGER, "resident_id": INTEGER, **counts, **signs}
        return self._columns("device_hours", shape, part, begin, end)

    def last_signs(self, part: Residents, begin: datetime) -> pd.DataFrame:
        """resident_id, site_id, category, since, active_at, measured_at: last signs of life since `begin`."""
        params = {**part._asdict(), "begin": begin, "not_of_the_person": _values(NOT_OF_THE_PERSON)}
        return self._rows("last_signs", params, times=("since", "active_at", "measured_at"))

    def anomalies(self, kinds: Collection[AlarmKind], begin: datetime) -> pd.DataFrame:
        """resident_id, begins_at, ends_at: times after `begin` that no baseline should learn from."""
        params = {"kinds": _values(kinds), "begin": begin}
        return self._rows("anomalies", params, times=("begins_at", "ends_at"))

    def falls(self, window: timedelta) -> pd.DataFrame:
        """alarm_id, site_id, subject, device_id, raised_at, resident_id, device_kind, room_id.

        Active alarms of falls that devices have raised in the last `window`.
        """
        params = {"begin": self.now - window}
        return self._rows("falls", params, times=("raised_at",))

    def after_falls(self, falls: pd.DataFrame) -> pd.DataFrame:
        """alarm_id, time, event, room_id: what the sensors around each of `falls` saw since."""
        params = {
            "alarm_ids": falls["alarm_id"].tolist(),
            "resident_ids": _integers(falls["resident_id"]),
            "room_ids": _integers(falls["room_id"]),
            "raised_at": columns.datetimes(falls["raised_at"]),
            "not_of_the_person": _values(NOT_OF_THE_PERSON),
        }
        return self._rows("after_falls", params, times=("time",))

    def refusals(self, window: timedelta, reasons: Collection[str]) -> pd.DataFrame:
        """device_id, refused: messages refused in the last `window` for one of these reasons."""
        return self._rows("refusals", {"begin": self.now - window, "reasons": _values(reasons)})

    def clocks(self, recent: timedelta, window: timedelta) -> pd.DataFrame:
        """device_id, recent, recent_wrong, before, before_wrong: statuses, and those with a replaced time."""
        return self._rows("clocks", {"begin": self.now - window, "recent": self.now - recent})

    def batteries(self, window: timedelta) -> pd.DataFrame:
        """day, device_id, battery: the lowest level of each battery by local day, in percent."""
        return self._rows("batteries", {"begin": self.now - window}, times=("day",))

    def presses(self, window: timedelta) -> pd.DataFrame:
        """device_id, presses, first_at, last_at, cancelled, battery: of each button in the last `window`."""
        return self._rows("presses", {"begin": self.now - window}, times=("first_at", "last_at"))

    @cached_property
    def detector_settings(self) -> pd.DataFrame:
        """resident_id, detector, is_on, off_until, tolerance, active_from_h, active_to_h: what carers set."""
        return self._rows("detector_settings", times=("off_until",))

    def tolerance(self, detector: str, residents: "pd.Series[int]") -> "pd.Series[float]":
        """By how much the thresholds of `detector` are wider for each of `residents`; usually 1."""
        settings = self.detector_settings
        of_detector = settings[settings["detector"] == detector].set_index("resident_id")["tolerance"]
        return residents.map(of_detector).astype(float).fillna(1.0)

    def runs(self) -> Mapping[str, datetime]:
        """When each slow detector last ran. Never kept."""
        frame = self._rows("runs", times=("at",))
        return dict(zip(frame["detector"].tolist(), columns.datetimes(frame["at"]), strict=True))

    def _columns(
        self,
        query: str,
        shape: Mapping[str, str],
        part: Residents,
        begin: datetime,
        end: datetime,
        more: Mapping[str, Any] | None = None,
    ) -> pd.DataFrame:
        params = {
            "now": self.now,
            "begin": begin,
            "end": min(end, self.hour),
            **part._asdict(),
            **(more or {}),
        }
        return columns.fetch(self._connection, _sql_body(query), params, shape)

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


def record_run(connection: Connection, detector: str, now: datetime) -> None:
    """Remember that a slow detector ran. Harmless when repeated."""
    connection.execute(_sql["record_run"], {"detector": detector, "now": now})


def _integers(column: "pd.Series[Any]") -> list[int | None]:
    return [None if pd.isna(value) else int(value) for value in column]


def _sql_body(query: str) -> sql.SQL:
    """A named query without its closing semicolon, so that it can stand inside another."""
    return sql.SQL(_sql[query].as_string().rstrip().removesuffix(";"))


def _values(words: Collection[Any]) -> list[str]:
    return sorted(str(word) for word in words)
