"""A small county lives a day in a real database, through the production code."""

from datetime import UTC, datetime

import pytest

from alarms.kinds import AlarmKind
from analytics.history import History
from database.connections import connect
from evaluation import replay
from evaluation.replay import Order
from protocol import wire
from protocol.errors import WireError
from protocol.model import AlarmSignal, Message, SignalState
from simulator import events
from simulator.clock import DAY_MS, day_of
from simulator.county import county_of
from simulator.events import Said
from simulator.story import Story
from tests.servers import Database

ORDER = Order(seed=8, residents=20, days=2, step_min=120, rate=10, begins_none_after_s=0)
"""Of two days there is time for one."""


@pytest.mark.slow
def test_all_that_is_received_is_stored_and_each_signal_is_an_alarm_in_its_time(database: Database) -> None:
    days: list[tuple[int, int]] = []
    lived = replay.live(
        ORDER, database.owner_url, database.service_url, lambda done, of: days.append((done, of))
    )
    assert days == [(1, 2)]
    assert lived.end_ms - lived.begin_ms == DAY_MS
    assert lived.failures == 0

    story = Story(county_of(ORDER.seed, ORDER.residents), incident_rate=ORDER.rate, ordeal_rate=ORDER.rate)
    told = story.tell(day_of(lived.begin_ms), opening=True)
    assert lived.labels == told.labels
    came = told.events[told.events["ts_ms"] + told.events["delay_ms"] < lived.end_ms]
    with connect(database.owner_url, autocommit=True) as connection:

        def count(query: str) -> int:
            (row,) = connection.execute(query.encode()).fetchall()
            return int(row["n"])

        vitals = events.messages(came[events.is_said(came, Said.VITALS)])
        distinct = {(device, message.ts_ms) for _, device, message in vitals if _is_plausible(message)}
        assert count("SELECT count(*) AS n FROM readings.vitals") == len(distinct) > 100
        activity = came[events.is_said(came, Said.ACTIVITY)]
        keys = (activity[column].tolist() for column in ("device", "ts_ms", "code"))
        assert count("SELECT count(*) AS n FROM readings.activity") == len(set(zip(*keys, strict=True))) > 100
        assert count("SELECT count(*) AS n FROM readings.vitals_hourly") > 20
        end_s = lived.end_ms // 1000
        after = f"SELECT count(*) AS n FROM care.alarm_event WHERE at > to_timestamp({end_s})"
        assert count(after) == 0, "no step is taken after the last round"

        first_round = datetime.fromtimestamp(lived.begin_ms / 1000, UTC)
        devices = History(connection, first_round).devices
        assert len(devices) == len(lived.county.devices), "each is known, and missed, from the first round on"

    said = [message for _, _, message in events.messages(came[events.is_said(came, Said.ALARM)])]
    raised = [one for one in said if isinstance(one, AlarmSignal) and one.state is SignalState.RAISED]
    heard = [alarm for alarm in lived.alarms if alarm.detector is None]
    assert sorted(AlarmKind(one.kind) for one in raised) == sorted(alarm.kind for alarm in heard)
    assert raised
    assert all(lived.begin_ms <= alarm.known_ms <= lived.end_ms for alarm in lived.alarms)


def _is_plausible(message: Message) -> bool:
    """A new firmware that says Fahrenheit ends in the dead letters."""
    try:
        wire.decode(wire.leaf_of(message), wire.encode(message))
    except WireError:
        return False
    return True
