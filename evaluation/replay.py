"""Lets a simulated county live in a database: every word of a device stored, watched, answered in its time.

The code is that of production: messages are stored by `ingest.store`, signals become alarms in
`ingest.signals`, latest state and rollups come from ingest's settling, analytics goes its rounds, and staff
take the steps of `alarms.incident`. Only the clock is the simulator's: a round sees what had been received
by then, and nothing later is in the database. Left out are broker and network, which others measure.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np

from alarms.incident import Step, take
from alarms.kinds import AlarmKind
from alarms.model import AlarmPriority, AlarmState, AlarmStep
from analytics.history import record_pulse
from analytics.rounds import Rounds, detectors_of, handling_of
from analytics.settings import AnalyticsSettings
from database.connections import Connection, connect
from deploy.county import record
from deploy.county.record import Written
from evaluation.simulated import Lived, SeenAlarm
from identity.model import Actor
from ingest import store
from ingest.batch import Assembler, MicroBatch
from ingest.clock import ClockRule, time_of
from ingest.database import Database
from ingest.directory import Directory
from ingest.latest import Heard
from ingest.rollups import roll_up
from ingest.rows import SignalRow
from ingest.settings import Settings as IngestSettings
from ingest.settle import Rhythm, settle
from ingest.signals import store_signal
from ingest.subscriber import Incoming
from protocol import wire
from protocol.wire import Topic
from simulator import events
from simulator.clock import DAY_MS, HOUR_MS, MINUTE_MS, day_of, day_start_ms
from simulator.county import county_of
from simulator.events import Events
from simulator.labels import Label
from simulator.plan import County
from simulator.story import Story

Progress = Callable[[int, int], None]

_AT_ONCE = Rhythm(delay_s=0, running_hour_s=0)
_WHENEVER_DUE = datetime(9999, 1, 1, tzinfo=UTC)
_STAFF = Actor("replay")
_FAMILY_TOLD = "told by telephone"
_TOOK: Mapping[AlarmPriority, Sequence[tuple[AlarmStep, timedelta]]] = {
    priority: tuple(zip(steps, (timedelta(minutes=after) for after in minutes), strict=True))
    for priority, minutes in {
        AlarmPriority.HIGH: (2, 5, 30, 60),
        AlarmPriority.MEDIUM: (5, 20, 60, 120),
        AlarmPriority.LOW: (60, 600, 660, 720),
    }.items()
    for steps in [(AlarmStep.ACKNOWLEDGED, AlarmStep.ARRIVED, AlarmStep.RESOLVED, AlarmStep.CLOSED)]
}
"""When staff take which step, counted from when the centre knew. They do what is asked, and never judge."""
_DONE = (AlarmState.OPEN, AlarmState.ACKNOWLEDGED, AlarmState.ARRIVED, AlarmState.RESOLVED)
"""The state in which an alarm waits for each of these steps."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to live through.

    Attributes:
        seed, residents: which county, as `simulator.county.county_of`.
        days: how many; the last ends before today, for a database keeps no future.
        step_min: minutes from one round of analytics to the next (in production: one).
        rate: multiple of ordinary life's incidents, courses and faults.
        begins_none_after_s: seconds since 1970; then no further day is begun. None: all are lived through.
    """

    seed: int
    residents: int
    days: int
    step_min: int = 15
    rate: float = 1.0
    begins_none_after_s: float | None = None

    def has_time(self, now_s: float) -> bool:
        """Whether another day may begin at `now_s`."""
        return self.begins_none_after_s is None or now_s < self.begins_none_after_s


class _Hands(NamedTuple):
    """What the days go through."""

    connection: Connection
    watching: Connection
    county: County
    assembler: Assembler
    heard: Heard
    rounds: Rounds


def live(order: Order, owner_url: str, service_url: str, progress: Progress) -> Lived:
    """Live through the days of the order in an empty, migrated database; `progress(done, of)` counts days.

    Where time runs out, what was lived until then is given back; at least one day.
    """
    county = county_of(order.seed, order.residents)
    story = Story(county, incident_rate=order.rate, ordeal_rate=order.rate)
    first = day_of(int(datetime.now(UTC).timestamp() * 1000)) - order.days
    since = _time(day_start_ms(first))
    settings = AnalyticsSettings(database_url=service_url)
    ingest = IngestSettings(database_url=owner_url, mqtt_url="mqtt://nobody@127.0.0.1")
    labels: list[Label] = []
    with (
        connect(owner_url, autocommit=True, application="anshou replay") as connection,
        connect(service_url, autocommit=True, application="anshou replay analytics") as watching,
        closing(Database(owner_url, "anshou replay register")) as register,
    ):
        # Nobody will need this database after a power cut.
        connection.execute("SET synchronous_commit = off")
        watching.execute("SET synchronous_commit = off")
        with connection.transaction():
            written = record.write(connection, county, lambda *_: None, since=since)
        directory = Directory(register)
        directory.refresh()
        hands = _Hands(
            connection=connection,
            watching=watching,
            county=county,
            assembler=Assembler(directory, ClockRule(ingest.clock_future_s_max, ingest.clock_past_s_max)),
            heard=Heard(),
            rounds=Rounds(settings, detectors_of(settings), handling_of(settings)),
        )
        waiting, end = events.NOTHING, first
        for day in range(first, first + order.days):
            if end > first and not order.has_time(time.time()):
                break
            told = story.tell(day, opening=day == first)
            labels += told.labels
            waiting = _live_day(hands, events.joined([waiting, told.events]), day, order.step_min)
            end = day + 1
            progress(end - first, order.days)
        return Lived(
            county=county,
            begin_ms=day_start_ms(first),
            end_ms=day_start_ms(end),
            labels=tuple(labels),
            alarms=_alarms(connection, written),
            failures=sum(n for what, n in hands.rounds.counts.items() if what.startswith("failed:")),
        )


def _live_day(hands: _Hands, said: Events, day: int, step_min: int) -> Events:
    """What is received on the day, step by step; what is under way at its end is given back."""
    rows = events.as_heard(said)
    received_ms = rows["ts_ms"] + rows["delay_ms"]
    begin_ms = day_start_ms(day)
    done = 0
    for end_ms in range(begin_ms + step_min * MINUTE_MS, begin_ms + DAY_MS + 1, step_min * MINUTE_MS):
        until = int(np.searchsorted(received_ms, end_ms))
        _store(hands, rows[done:until])
        done = until
        if end_ms % HOUR_MS < step_min * MINUTE_MS:
            while roll_up(hands.connection, due=_WHENEVER_DUE).more:
                pass
        now = _time(end_ms)
        _answer(hands.connection, now)
        for ago_min in range(step_min - 1, 0, -1):
            record_pulse(hands.watching, now - timedelta(minutes=ago_min))
        hands.rounds.go_at(hands.watching, now, replayed=True)
    return rows[done:]


def _store(hands: _Hands, rows: Events) -> None:
    """One micro-batch, its alarms, and the latest state."""
    batch = MicroBatch()
    signals: list[tuple[datetime, SignalRow]] = []
    received_us = ((rows["ts_ms"] + rows["delay_ms"]) * 1000).tolist()
    for at_us, (_, device, message) in zip(received_us, events.messages(rows), strict=True):
        topic = Topic(hands.county.site_of(device), hands.county.devices[device].name, wire.leaf_of(message))
        hands.assembler.add(batch, Incoming(str(topic), wire.encode(message), at_us, 0, 0, False, None))
        signals += [(time_of(at_us), signal) for signal in batch.singles.signals]
        batch.singles.signals.clear()
    store.store(hands.connection, store.prepare(batch), hands.heard)
    for known_at, signal in signals:
        with hands.connection.transaction():
            store_signal(hands.connection, signal, known_at=known_at)
    while settle(hands.connection, _AT_ONCE).more:
        pass


def _answer(connection: Connection, now: datetime) -> None:
    """Staff take every step that is due."""
    waiting = connection.execute(
        "SELECT id, state::text, priority::text, opened_at FROM care.alarm WHERE ended_at IS NULL"
    ).fetchall()
    for row in waiting:
        steps = _TOOK[AlarmPriority(row["priority"])]
        for step, after in steps[_DONE.index(AlarmState(row["state"])) :]:
            if row["opened_at"] + after > now:
                break
            with connection.transaction():
                family = _FAMILY_TOLD if step is AlarmStep.CLOSED else None
                take(
                    connection,
                    row["id"],
                    Step(step=step, actor=_STAFF, family_notice=family, done_at=row["opened_at"] + after),
                )


def _alarms(connection: Connection, written: Written) -> tuple[SeenAlarm, ...]:
    """Every alarm and every repeat of one, with the simulator's numbers for whom and what it is about."""
    rows = connection.execute(
        "SELECT alarm.id, alarm.site_id, resident_id, room_id, device_id, kind, priority::text, detector,"
        " raised_at, event.at, event.step::text, evidence -> 'cases' AS cases"
        " FROM care.alarm JOIN care.alarm_event AS event ON event.alarm_id = alarm.id"
        " WHERE event.step IN ('raised', 'repeated') ORDER BY event.at, alarm.id"
    ).fetchall()
    sites, rooms, residents = (
        {id_: index for index, id_ in enumerate(ids)}
        for ids in (written.sites, written.rooms, written.residents)
    )
    return tuple(
        SeenAlarm(
            alarm_id=row["id"],
            kind=AlarmKind(row["kind"]),
            priority=AlarmPriority(row["priority"]),
            detector=row["detector"],
            repeat=row["step"] == "repeated",
            known_ms=round(row["at"].timestamp() * 1000),
            site=sites[row["site_id"]],
            subject=residents.get(row["resident_id"]),
            room=rooms.get(row["room_id"]),
            cases=tuple(residents[case["resident_id"]] for case in row["cases"] or ()),
        )
        for row in rows
    )


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
