"""The database at the end of a run, against the senders' ledgers and against itself."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.faults.ledger import EXAMPLES_MAX, Record, Tally, compare
from benchmarks.faults.speech import Speech
from database.connections import Connection
from protocol.signs import SIGNS

STORED = {
    "vitals": f"SELECT device.name, time, clock_replaced, resident_id, {', '.join(SIGNS)}"
    " FROM readings.vitals JOIN care.device ON device.id = device_id",
    "activity": "SELECT device.name, time, clock_replaced, resident_id, event"
    " FROM readings.activity JOIN care.device ON device.id = device_id",
    "device_status": "SELECT device.name, time, clock_replaced, online, battery, rssi, fw"
    " FROM readings.device_status JOIN care.device ON device.id = device_id",
    "alarm_signal": "SELECT device.name, time, clock_replaced, signal_id, alarm_signal.kind"
    " FROM care.alarm_signal JOIN care.device ON device.id = device_id",
}
BROKER_FORGETS_S = 5.0 + 1.5
"""The broker's `autosave_interval`, and what it may be late with it."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What came of a run.

    Attributes:
        gateways: Everything sent through gateways, against their ledgers.
        direct: The same for devices that speak for themselves.
        wrong_alarms: Alarms that are not open exactly once with the right count, in words.
        dead_letters: Messages that could not be stored; nothing that was said should be one.
        wrong_states: Residents whose latest state is not what raw data gives.
        wrong_hours: Rows of hourly rollups that are not what raw data gives.
    """

    gateways: Tally
    direct: Tally
    direct_alarms: Tally
    wrong_alarms: Sequence[str]
    dead_letters: int
    wrong_states: int
    wrong_hours: int

    def examples(self) -> list[str]:
        """Some of what is wrong, in words."""
        return [*self.gateways.examples, *self.wrong_alarms[:EXAMPLES_MAX]]

    @property
    def faultless(self) -> bool:
        """Whether all that is promised was kept. Direct devices are promised less."""
        wrong = (*self.wrong_alarms, self.dead_letters, self.wrong_states, self.wrong_hours)
        return self.gateways.exact and not self.direct.altered and not any(wrong)


def unexplained(
    missing: Sequence[Record], acknowledged_s: Mapping[Record, float], broker_killed_s: Sequence[float]
) -> list[str]:
    """Of what is missing, in words, that which was not the broker's to lose when it was killed.

    A kill may cost what the broker took over since it last saved its queues, and had not yet delivered.
    """
    return [
        f"{record}, taken over by the broker at {acknowledged_s.get(record)}"
        for record in missing
        if record not in acknowledged_s
        or not any(0 <= killed_s - acknowledged_s[record] <= BROKER_FORGETS_S for killed_s in broker_killed_s)
    ]


def oldest_lost_s(
    missing: Sequence[Record], acknowledged_s: Mapping[Record, float], broker_killed_s: Sequence[float]
) -> float:
    """How long before the kill that took it the broker had taken over the oldest of what it lost."""
    ages_s = (
        min((killed_s - at_s for killed_s in broker_killed_s if killed_s >= at_s), default=0.0)
        for record in missing
        if (at_s := acknowledged_s.get(record)) is not None
    )
    return max(ages_s, default=0.0)


def judge(connection: Connection, gateways: Sequence[Speech], direct: Sequence[Speech]) -> Verdict:
    """Compare everything."""
    of_direct = {device for speech in direct for device in speech.devices}
    stored = list(_stored(connection))
    stored_direct = [record for record in stored if record.device in of_direct]
    return Verdict(
        gateways=compare(
            [*_said(gateways), *_alarms(gateways)],
            [record for record in stored if record.device not in of_direct],
        ),
        direct=compare(_said(direct), [row for row in stored_direct if row.table != "alarm_signal"]),
        direct_alarms=compare(_alarms(direct), [row for row in stored_direct if row.table == "alarm_signal"]),
        wrong_alarms=_wrong_alarms(connection, gateways),
        dead_letters=_count(connection, "SELECT count(*) AS count FROM readings.dead_letter"),
        wrong_states=_count(connection, WRONG_STATES),
        wrong_hours=_count(connection, WRONG_HOURS),
    )


def _said(speeches: Sequence[Speech]) -> list[Record]:
    return [record for speech in speeches for record in speech.said]


def _alarms(speeches: Sequence[Speech]) -> list[Record]:
    return [record for speech in speeches for record, _ in speech.alarms]


def _stored(connection: Connection) -> Iterator[Record]:
    for table, query in STORED.items():
        for row in connection.execute(query).fetchall():
            device, time, replaced, *values = row.values()
            time_us = None if replaced else round(time.timestamp() * 1_000_000)
            yield Record(table, device, time_us, tuple(values))


def _wrong_alarms(connection: Connection, speeches: Sequence[Speech]) -> list[str]:
    """Each resident and kind have one alarm, open, that counts every signal; so does its timeline."""
    raised = Counter(
        (wearer.resident_id, str(record.values[1])) for speech in speeches for record, wearer in speech.alarms
    )
    rows = connection.execute(
        """
        SELECT resident_id, kind, state::text, signal_count,
            (SELECT count(*) FROM care.alarm_event
             WHERE alarm_id = alarm.id AND step IN ('raised', 'repeated')) AS event_count,
            (SELECT count(*) FROM care.alarm_signal WHERE alarm_id = alarm.id) AS linked_count
        FROM care.alarm
        """
    ).fetchall()
    found: dict[tuple[int, str], list[tuple[str, int, int, int]]] = {}
    for row in rows:
        seen = (row["state"], row["signal_count"], row["event_count"], row["linked_count"])
        found.setdefault((row["resident_id"], row["kind"]), []).append(seen)
    return [
        f"{kind} of resident {resident_id}: {count} signals, but stored as {found.get((resident_id, kind))}"
        for (resident_id, kind), count in raised.items()
        if found.get((resident_id, kind)) != [("open", count, count, count)]
    ]


def _count(connection: Connection, query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None, "a count has one row"
    return int(row["count"])


def _wrong_states() -> str:
    """Residents of whom the latest of any sign is not the newest row that carries it."""
    parts = [
        f"""
        SELECT coalesce(raw.resident_id, state.resident_id) AS resident_id FROM (
            SELECT DISTINCT ON (resident_id) resident_id, {sign}, time FROM readings.vitals
            WHERE {sign} IS NOT NULL AND resident_id IS NOT NULL ORDER BY resident_id, time DESC
        ) AS raw FULL JOIN (
            SELECT resident_id, {sign}, {sign}_at FROM readings.resident_state WHERE {sign}_at IS NOT NULL
        ) AS state USING (resident_id)
        WHERE (raw.{sign}, raw.time) IS DISTINCT FROM (state.{sign}, state.{sign}_at)
        """
        for sign in SIGNS
    ] + [
        """
        SELECT coalesce(raw.resident_id, state.resident_id) FROM (
            SELECT resident_id, max(time) AS time FROM readings.activity
            WHERE resident_id IS NOT NULL GROUP BY resident_id
        ) AS raw FULL JOIN (
            SELECT resident_id, activity_at FROM readings.resident_state WHERE activity_at IS NOT NULL
        ) AS state USING (resident_id)
        WHERE raw.time IS DISTINCT FROM state.activity_at
        """
    ]
    return f"SELECT count(DISTINCT resident_id) AS count FROM ({' UNION ALL '.join(parts)}) AS wrong"


WRONG_STATES = _wrong_states()


def _wrong_hours() -> str:
    """Hours that differ, are missing or too many, recomputed here from raw data."""
    sums = ", ".join(f"count({s})::int, sum({s}::float8), min({s}), max({s})" for s in SIGNS)
    kept = ", ".join(f"{s}_count, {s}_sum, {s}_min, {s}_max" for s in SIGNS)
    return f"""
        WITH raw AS (
            SELECT date_trunc('hour', time, 'UTC'), device_id, resident_id, count(*)::int, {sums}
            FROM readings.vitals GROUP BY 1, 2, 3
        ), kept AS (
            SELECT hour, device_id, resident_id, row_count, {kept} FROM readings.vitals_hourly
        ), raw_activity AS (
            SELECT date_trunc('hour', time, 'UTC'), device_id, resident_id, room_id, event, count(*)::int,
                min(time), max(time)
            FROM readings.activity GROUP BY 1, 2, 3, 4, 5
        ), kept_activity AS (
            SELECT hour, device_id, resident_id, room_id, event, event_count, first_at, last_at
            FROM readings.activity_hourly
        )
        SELECT
            (SELECT count(*) FROM ((TABLE raw EXCEPT ALL TABLE kept)
                UNION ALL (TABLE kept EXCEPT ALL TABLE raw)) AS wrong)
            + (SELECT count(*) FROM ((TABLE raw_activity EXCEPT ALL TABLE kept_activity)
                UNION ALL (TABLE kept_activity EXCEPT ALL TABLE raw_activity)) AS wrong) AS count
    """


WRONG_HOURS = _wrong_hours()
