from collections import Counter

import numpy as np
import pytest

from protocol import wire
from protocol.model import Activity, ActivityEvent, AlarmSignal, DeviceKind, SignalKind, SignalState
from simulator import events, incidents
from simulator.clock import MINUTE_MS
from simulator.errors import IncidentNotPossibleError
from simulator.plan import County
from simulator.story import Story
from tests.simulator.conftest import DAY

NOW_MS = 1_795_000_000_000


@pytest.mark.parametrize("kind", incidents.SPEAKERS)
def test_each_incident_can_be_made_to_happen(kind: SignalKind) -> None:
    at_hand = [(f"d-{device_kind}", device_kind) for device_kind in DeviceKind]
    name, rows = incidents.happening_now(kind, at_hand, NOW_MS)
    said = [message for _, _, message in events.messages(rows)]
    assert name == f"d-{incidents.SPEAKERS[kind][0]}"
    alarm = said[-1]
    assert isinstance(alarm, AlarmSignal)
    assert (alarm.kind, alarm.state, alarm.ts_ms) == (kind, SignalState.RAISED, NOW_MS)
    assert alarm.signal_id
    for message in said:
        assert wire.decode(wire.leaf_of(message), wire.encode(message)) == message


def test_a_mattress_sees_them_leave_before_it_alarms() -> None:
    at_hand = [("m", DeviceKind.SMART_MATTRESS)]
    _, rows = incidents.happening_now(SignalKind.BED_EXIT, at_hand, NOW_MS)
    first, second = (message for _, _, message in events.messages(rows))
    assert first == Activity(ts_ms=NOW_MS - 1000, event=ActivityEvent.OUT_OF_BED)
    assert isinstance(second, AlarmSignal)


def test_what_no_device_can_say_is_refused_with_what_they_can() -> None:
    at_hand = [("button", DeviceKind.SOS_BUTTON), ("mattress", DeviceKind.SMART_MATTRESS)]
    with pytest.raises(IncidentNotPossibleError, match=r"can say fall;.*sos.*bed_exit"):
        incidents.happening_now(SignalKind.FALL, at_hand, NOW_MS)
    with pytest.raises(IncidentNotPossibleError, match="none at all"):
        incidents.happening_now(SignalKind.FALL, [], NOW_MS)


def test_incidents_are_few_and_of_many_kinds(county: County) -> None:
    """At twice life's rate a county of this size has a few dozen a day, and all kinds in some weeks."""
    story = Story(county, incident_rate=2)
    counted: Counter[SignalKind] = Counter()
    days = 14
    for day in range(DAY, DAY + days):
        rows = story.day(day)
        for said in events.messages(rows[events.is_said(rows, events.Said.ALARM)]):
            assert isinstance(said.message, AlarmSignal)
            if said.message.state is SignalState.RAISED:
                counted[said.message.kind] += 1
    per_person_day = counted.total() / days / len(county.subjects)
    assert 0.05 < per_person_day < 0.4
    assert set(counted) >= set(incidents.SPEAKERS) - {SignalKind.WEAK_BREATHING, SignalKind.GAS}
    assert counted[SignalKind.SOS] > counted[SignalKind.FALL]


def test_who_has_fallen_does_not_stir_till_found(county: County) -> None:
    """No sensor of their own home sees a person between their fall and its end."""
    story = Story(county, incident_rate=3)
    falls = 0
    for day in range(DAY, DAY + 10):
        rows = story.day(day)
        fallen = rows[events.is_alarm(rows, SignalKind.FALL)]
        for raised_ms, device in zip(fallen["ts_ms"], fallen["device"], strict=True):
            site = county.devices[int(device)].site
            if county.sites[site].sort != "household":
                continue
            own = [one.index for one in county.devices if one.site == site]
            motion = rows[events.is_activity(rows, ActivityEvent.MOTION) & np.isin(rows["device"], own)]
            ends = fallen["ts_ms"][(fallen["device"] == device) & (fallen["ts_ms"] > raised_ms)]
            if ends.size:
                after = motion["ts_ms"] >= raised_ms + MINUTE_MS
                before = motion["ts_ms"] < ends[0] - MINUTE_MS
                assert not (after & before).any()
                falls += 1
    assert falls > 3
