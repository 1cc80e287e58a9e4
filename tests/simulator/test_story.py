"""The same seed tells the same story, whatever was told before, and all of it is fit for the wire."""

import subprocess
import sys

import numpy as np
import pytest

from protocol import wire
from protocol.model import ActivityEvent, AlarmSignal, DeviceKind, SignalState
from simulator import events
from simulator.clock import DAY_MS, HOUR_MS, MINUTE_MS, day_of, day_start_ms
from simulator.county import plan_county
from simulator.events import Said
from simulator.plan import County, SiteSort
from simulator.story import Story
from tests.simulator.conftest import DAY, SEED


def test_same_seed_same_county() -> None:
    small = {"care_homes": 2, "day_centres": 1, "households": 5}
    assert plan_county(3, **small) == plan_county(3, **small)
    assert plan_county(3, **small) != plan_county(4, **small)


def test_same_seed_same_bytes_whatever_was_told_before(county: County, story: Story) -> None:
    told = story.day(DAY)
    again = Story(county)
    again.day(DAY + 9)
    assert again.day(DAY).tobytes() == told.tobytes()
    assert story.day(DAY + 1).tobytes() != told.tobytes()


@pytest.mark.integration
def test_another_process_tells_the_same_messages() -> None:
    """Neither hash randomisation nor the order of sets may leak into the story."""
    program = (
        "import hashlib\n"
        "from protocol import wire\n"
        "from simulator import events\n"
        "from simulator.county import plan_county\n"
        "from simulator.story import Story\n"
        f"county = plan_county({SEED}, care_homes=1, day_centres=1, households=10)\n"
        "digest = hashlib.sha256()\n"
        f"for said in events.messages(Story(county).day({DAY})):\n"
        "    digest.update(county.devices[said.device].name.encode() + wire.encode(said.message))\n"
        "print(digest.hexdigest())\n"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1
    assert len(digests.pop()) == 65


def test_spans_of_time_join_without_gap_or_repeat(story: Story) -> None:
    begin_ms = day_start_ms(DAY) + 5 * HOUR_MS
    middle_ms, end_ms = begin_ms + DAY_MS, begin_ms + DAY_MS + 7 * HOUR_MS
    whole = story.between(begin_ms, end_ms)
    halves = [story.between(begin_ms, middle_ms), story.between(middle_ms, end_ms)]
    assert np.concatenate(halves).tobytes() == whole.tobytes()


@pytest.mark.parametrize("day", [DAY, DAY + 1, DAY + 100])
def test_a_day_is_in_order_and_keeps_to_itself(story: Story, day: int) -> None:
    rows = story.day(day)
    assert (np.diff(rows["ts_ms"]) >= 0).all()
    assert day_of(int(rows["ts_ms"][0])) == day_of(int(rows["ts_ms"][-1])) == day


def test_every_message_survives_the_wire(county: County, story: Story) -> None:
    rows = story.day(DAY)
    told = 0
    for said in events.messages(rows):
        leaf = wire.leaf_of(said.message)
        assert wire.decode(leaf, wire.encode(said.message)) == said.message
        assert said.message.ts_ms == said.ts_ms
        wire.parse_topic(str(wire.Topic(county.site_of(said.device), county.devices[said.device].name, leaf)))
        told += 1
    assert told == rows.size > 50_000


def test_device_names_are_unique(county: County) -> None:
    names = [device.name for device in county.devices]
    assert len(set(names)) == len(names)


def test_the_county_has_the_promised_size() -> None:
    county = plan_county()
    sorts = [site.sort for site in county.sites]
    assert [sorts.count(sort) for sort in SiteSort] == [12, 2, 200]
    homes = [site.index for site in county.sites if site.sort is SiteSort.CARE_HOME]
    residents = [sum(subject.site == home for subject in county.subjects) for home in homes]
    assert min(residents) >= 20
    assert max(residents) <= 60
    assert {device.kind for device in county.devices} == set(DeviceKind)
    assert {site.operator for site in county.sites if site.sort is SiteSort.CARE_HOME} == {0, 1, 2}


def test_nobody_is_without_a_device_that_shows_how_they_are(county: County) -> None:
    for subject in county.subjects:
        kinds = {device.kind for device in county.reach[subject.index]}
        assert kinds & {DeviceKind.SMART_MATTRESS, DeviceKind.WRISTBAND, DeviceKind.MOTION}


def test_without_incidents_no_alarm_is_raised_but_bed_exits(quiet_story: Story) -> None:
    kinds = {
        said.message.kind
        for said in events.messages(quiet_story.day(DAY))
        if isinstance(said.message, AlarmSignal)
    }
    assert kinds <= {"bed_exit"}


def test_an_alarm_is_taken_back_under_the_id_it_was_raised_with(story: Story) -> None:
    raised: set[tuple[int, str | None]] = set()
    ended = 0
    for day in range(DAY, DAY + 6):
        for said in events.messages(story.day(day)):
            if not isinstance(said.message, AlarmSignal) or said.message.kind == "low_battery":
                continue
            key = said.device, said.message.signal_id
            if said.message.state is SignalState.RAISED:
                assert key not in raised
                raised.add(key)
            else:
                # The raising of it is silent if the device was, never unknown.
                ended += key in raised
    assert ended > 20


def test_silence_silences(county: County) -> None:
    often = Story(county, incident_rate=20).day(DAY)
    never = Story(county, incident_rate=0).day(DAY)
    statuses = [np.count_nonzero(events.is_said(rows, Said.STATUS)) for rows in (often, never)]
    assert statuses[0] < statuses[1]


def test_mains_devices_speak_well_before_they_count_as_offline(county: County, quiet_story: Story) -> None:
    rows = quiet_story.day(DAY)
    status = rows[events.is_said(rows, Said.STATUS)]
    kiosk = next(device.index for device in county.devices if device.kind is DeviceKind.HEALTH_KIOSK)
    assert np.diff(status["ts_ms"][status["device"] == kiosk]).max() < 10 * MINUTE_MS
    sos = next(device.index for device in county.devices if device.kind is DeviceKind.SOS_BUTTON)
    assert np.diff(status["ts_ms"][status["device"] == sos]).max() < 25 * HOUR_MS


def test_rounds_are_made_by_day_and_by_night(county: County, quiet_story: Story) -> None:
    rows = quiet_story.day(DAY)
    hours = (rows["ts_ms"][events.is_activity(rows, ActivityEvent.ROUND)] // HOUR_MS + 8) % 24
    assert np.count_nonzero(hours < 6) > 0
    assert np.count_nonzero(hours >= 6) > 0
