"""A resident's past as rollups tell it: a year by day, ninety days by hour, with a week of silence."""

import math
from datetime import UTC, datetime, timedelta

from database.connections import Connection

SIGNS = ("hr", "rr", "spo2", "temp", "sbp", "dbp", "glucose", "weight")
USUAL = {"hr": 72, "rr": 16, "spo2": 96, "temp": 36.6, "sbp": 128, "dbp": 76, "glucose": 6.1, "weight": 58}
SWING = {"hr": 9, "rr": 3, "spo2": 1.5, "temp": 0.4, "sbp": 14, "dbp": 8, "glucose": 1.4, "weight": 1}
BY_HAND = {"temp": 8, "sbp": 12, "dbp": 12, "glucose": 24, "weight": 24 * 7}
"""Every so many hours."""
SILENT_DAYS = range(30, 37)
"""So many days ago nothing was heard."""


def fill_past(
    connection: Connection, resident_id: int, device_id: int, *, now: datetime | None = None
) -> None:
    """Hours, days and activity of a resident up to `now`, each value a function of its time."""
    now = now or datetime.now(UTC)
    hour = now.replace(minute=0, second=0, microsecond=0)
    hours = [hour - timedelta(hours=back) for back in range(90 * 24) if back // 24 not in SILENT_DAYS]
    rows = [(at, *_rolled(at)) for at in reversed(hours)]
    _insert(connection, "vitals_hourly", "hour, device_id, resident_id", rows, (device_id, resident_id))
    today = (now + timedelta(hours=8)).date()
    days = [today - timedelta(days=back) for back in range(365) if back not in SILENT_DAYS]
    midday = [datetime(day.year, day.month, day.day, tzinfo=UTC) for day in days]
    rows = [(day, *_rolled(at, every_hour=False)) for day, at in zip(days, midday, strict=True)]
    _insert(connection, "vitals_daily", "day, resident_id", list(reversed(rows)), (resident_id,))
    _copy(
        connection,
        "activity_hourly (hour, first_at, last_at, device_id, resident_id, event_count, event)",
        [(at, at, at, device_id, resident_id, 2 + at.hour % 5, "motion") for at in hours],
    )


def _rolled(at: datetime, *, every_hour: bool = True) -> list[object]:
    number = int(at.timestamp() // 3600)
    cells: list[object] = []
    for sign in SIGNS:
        if every_hour and number % BY_HAND.get(sign, 1):
            cells += [None, 0, None, None]
            continue
        turn = math.sin(number / 24 * 2 * math.pi) + 0.4 * math.sin(number / 24 / 17 * 2 * math.pi)
        mean, spread = USUAL[sign] + SWING[sign] * turn / 2, 0 if sign in BY_HAND else SWING[sign] / 2
        high = min(100, mean + spread) if sign == "spo2" else mean + spread
        cells += [round(mean, 2) * 4, 4, round(mean - spread, 2), round(high, 2)]
    return cells


def _insert(
    connection: Connection, table: str, keys: str, rows: list[tuple[object, ...]], ids: tuple[int, ...]
) -> None:
    columns = [f"{sign}_{what}" for sign in SIGNS for what in ("sum", "count", "min", "max")]
    names = f"{keys}, row_count, {', '.join(columns)}"
    _copy(connection, f"{table} ({names})", [(at, *ids, 60, *cells) for at, *cells in rows])


def _copy(connection: Connection, into: str, rows: list[tuple[object, ...]]) -> None:
    with connection.cursor() as cursor, cursor.copy(f"COPY readings.{into} FROM STDIN".encode()) as copy:
        for row in rows:
            copy.write_row(row)
