"""What is true and what is said agree: labels, spells, outbreaks, long lies and faults."""

import numpy as np
import pytest

from protocol.model import ActivityEvent, AlarmSignal, DeviceKind, DeviceStatus, SignalKind
from simulator import events, incidents
from simulator.clock import DAY_MS, day_of, day_start_ms
from simulator.contagion import outbreaks_on
from simulator.events import Events, Said
from simulator.faults import FAILINGS, LONGEST_DAYS, Fault, faults_on
from simulator.illness import IllnessKind, dying_by
from simulator.labels import Label, LabelKind
from simulator.person import Condition
from simulator.plan import County
from simulator.routine import Place
from simulator.story import Story, Told
from simulator.visits import Visit
from tests.simulator.conftest import DAY

DAYS = 5


@pytest.fixture(scope="module")
def hard_times(county: County) -> Story:
    return Story(county, incident_rate=1, ordeal_rate=25)


@pytest.fixture(scope="module")
def told(hard_times: Story) -> list[Told]:
    return [hard_times.tell(DAY + ahead, opening=ahead == 0) for ahead in range(DAYS)]


@pytest.fixture(scope="module")
def labels(told: list[Told]) -> list[Label]:
    return [label for day in told for label in day.labels]


def of(labels: list[Label], kind: LabelKind) -> list[Label]:
    return [label for label in labels if label.kind is kind]


def during(told: list[Told], begin_ms: int, end_ms: int) -> Events:
    rows = np.concatenate([day.events for day in told])
    inside: Events = rows[(rows["ts_ms"] >= begin_ms) & (rows["ts_ms"] < end_ms)]
    return inside


def test_the_same_day_is_told_in_the_same_bytes(hard_times: Story, county: County, told: list[Told]) -> None:
    again = Story(county, incident_rate=1, ordeal_rate=25).tell(DAY + 2)
    assert again.events.tobytes() == told[2].events.tobytes()
    assert again.labels == told[2].labels


def test_each_label_stands_once_on_the_day_it_begins(labels: list[Label], told: list[Told]) -> None:
    assert len({label.label_id for label in labels}) == len(labels)
    for ahead, day in enumerate(told):
        for label in day.labels:
            assert label.begin_ms < day_start_ms(DAY + ahead + 1)
            assert ahead == 0 or label.begin_ms >= day_start_ms(DAY + ahead)
            assert label.end_ms >= label.begin_ms


def test_much_happens_in_hard_times(labels: list[Label]) -> None:
    rare = {
        LabelKind.OUTBREAK,
        LabelKind.DYING,
        LabelKind.HEART_DECOMPENSATION,
        LabelKind.URINARY_INFECTION,
        LabelKind.ROUNDS_NEGLECTED,
        LabelKind.WEAK_BREATHING,
        LabelKind.LOW_BATTERY,
        LabelKind.DEHYDRATION,
        LabelKind.WANDERING,
        LabelKind.FALL,
        *(LabelKind(kind) for kind in ("smoke", "gas", "water", "tamper", "fault")),
    }
    assert set(LabelKind) - {label.kind for label in labels} <= rare


def test_whoever_lies_on_the_floor_moves_no_sensor(
    county: County, told: list[Told], labels: list[Label]
) -> None:
    lies = [label for label in of(labels, LabelKind.LONG_LIE) if label.begin_ms > day_start_ms(DAY)]
    assert lies
    for lie in lies:
        assert lie.subject is not None
        rows = during(told, lie.begin_ms + 60_000, lie.end_ms - 60_000)
        own = [device.index for device in county.reach[lie.subject] if device.subject == lie.subject]
        by_own = rows[np.isin(rows["device"], own)]
        assert not events.is_activity(by_own, ActivityEvent.IN_BED).any()
        if county.sites[lie.site].sort == "household":
            around = [device.index for device in county.reach[lie.subject]]
            assert not events.is_activity(rows[np.isin(rows["device"], around)], ActivityEvent.MOTION).any()
        raised = [
            one.message
            for one in events.messages(during(told, lie.begin_ms, lie.begin_ms + 1))
            if isinstance(one.message, AlarmSignal) and one.device == lie.device
        ]
        assert [signal.kind for signal in raised] == ([SignalKind.FALL] if lie.told else [])
    assert any(lie.told for lie in lies)


@pytest.mark.parametrize("kind", [LabelKind.GHOST_RESIDENT, LabelKind.DEAD])
def test_who_is_not_there_leaves_no_trace(
    county: County, told: list[Told], labels: list[Label], kind: LabelKind
) -> None:
    gone = of(labels, kind)
    assert gone
    for label in gone:
        own = [
            one.index for one in county.devices if label.subject is not None and one.subject == label.subject
        ]
        begin_ms = max(label.begin_ms + DAY_MS, day_start_ms(DAY))
        rows = during(told, begin_ms, label.end_ms)
        said = rows[np.isin(rows["device"], own)]
        repeated = said["leaf"] != Said.STATUS
        assert not (repeated & ~events.is_alarm(said, SignalKind.SOS)
                    & ~events.is_alarm(said, SignalKind.LOW_BATTERY)).any()  # fmt: skip


def test_an_outbreak_is_people_of_one_home_falling_ill_in_turn(county: County, hard_times: Story) -> None:
    homes = [site.index for site in county.sites if site.sort == "care_home"]
    day, home = next(
        (day, home)
        for day in range(DAY, DAY + 200)
        for home in homes
        if any(day_of(one.label().begin_ms) == day for one in outbreaks_on(county, home, day, 25))
    )
    here = range(home, home + 1)
    labels = [label for ahead in range(15) for label in hard_times.tell(day + ahead, sites=here).labels]
    outbreak = next(label for label in labels if label.kind is LabelKind.OUTBREAK)
    assert outbreak.peak_ms is not None
    assert outbreak.begin_ms < outbreak.peak_ms < outbreak.end_ms
    cases = [
        label
        for label in labels
        if label.kind is LabelKind.RESPIRATORY_INFECTION
        and label.detail == "outbreak"
        and outbreak.begin_ms <= label.begin_ms < outbreak.end_ms
    ]
    assert {case.site for case in cases} == {home}
    assert len({case.subject for case in cases}) == outbreak.severity
    assert outbreak.severity > 1
    assert max(case.end_ms for case in cases) <= outbreak.end_ms


def test_dying_ends_in_death_and_nothing_follows(county: County, hard_times: Story) -> None:
    subject, course = next(
        (subject, course)
        for subject in county.subjects
        if (course := dying_by(county.seed, subject.index, subject.traits, DAY, 25)) is not None
        and day_of(course.onset_ms) >= DAY - 20
    )
    first, here = day_of(course.onset_ms), range(subject.site, subject.site + 1)
    labels = [
        label
        for ahead in range(25)
        for label in hard_times.tell(first + ahead, sites=here).labels
        if label.subject == subject.index
    ]
    dying = next(label for label in labels if label.kind is LabelKind.DYING)
    death = next(label for label in labels if label.kind is LabelKind.DEAD)
    assert death.begin_ms == dying.end_ms == course.end_ms
    assert {label.kind for label in labels if label.begin_ms > death.begin_ms} <= set()
    ill = [label for label in labels if label.peak_ms is not None]
    assert all(label.end_ms <= death.begin_ms for label in ill)


def test_who_died_long_ago_is_still_dead_until_somebody_else_has_the_place(
    county: County, hard_times: Story
) -> None:
    subject, course = next(
        (subject, course)
        for subject in county.subjects
        if (course := dying_by(county.seed, subject.index, subject.traits, DAY, 25)) is not None
        and day_of(course.end_ms) < DAY - 60
    )
    here = range(subject.site, subject.site + 1)

    def dead_on(day: int) -> list[Label]:
        told = hard_times.tell(day, sites=here, opening=True)
        return [one for one in of(list(told.labels), LabelKind.DEAD) if one.subject == subject.index]

    (label,) = dead_on(DAY)
    assert label.begin_ms == course.end_ms
    last = day_of(label.end_ms - 1)
    assert [one.begin_ms for one in dead_on(last)] == [course.end_ms]
    assert all(one.begin_ms > course.end_ms for one in dead_on(last + 1))


@pytest.mark.parametrize("portion", [1, 7])
def test_a_county_in_portions_is_the_whole_county(county: County, hard_times: Story, portion: int) -> None:
    whole = hard_times.tell(DAY + 1, opening=True)
    parts = [
        hard_times.tell(DAY + 1, sites=range(first, min(first + portion, len(county.sites))), opening=True)
        for first in range(0, len(county.sites), portion)
    ]
    assert events.in_order([part.events for part in parts]).tobytes() == whole.events.tobytes()
    assert {label for part in parts for label in part.labels} == set(whole.labels)
    assert sum(len(part.labels) for part in parts) == len(whole.labels)


def test_no_fault_is_longer_than_it_may_be_and_each_strikes_its_kinds(county: County) -> None:
    found = [fault for day in range(DAY, DAY + 60, 7) for fault in faults_on(county, day, 30)]
    assert {fault.kind for fault in found} == set(FAILINGS)
    for fault in found:
        assert fault.end_ms - fault.begin_ms <= LONGEST_DAYS * DAY_MS
        assert county.devices[fault.device].kind in FAILINGS[fault.kind].kinds


def test_faults_do_what_they_are_called(county: County, told: list[Told], labels: list[Label]) -> None:
    rows = np.concatenate([day.events for day in told])

    def struck(label: Label) -> Events:
        inside = (rows["ts_ms"] >= label.begin_ms) & (rows["ts_ms"] < label.end_ms)
        chosen: Events = rows[inside & (rows["device"] == label.device)]
        return chosen

    overlapping = {
        label.device for label in labels if sum(o.device == label.device for o in labels if o.device) > 1
    }
    single = [label for label in labels if label.device is not None and label.device not in overlapping]
    for label in of(single, LabelKind.FLAT_LINE):
        readings = struck(label)[events.is_said(struck(label), Said.VITALS)]
        for day in range(DAY, DAY + DAYS):
            of_day = readings[(readings["ts_ms"] - day_start_ms(0)) // DAY_MS == day]
            assert len(np.unique(np.nan_to_num(of_day["values"]), axis=0)) <= 1
    for label in of(single, LabelKind.BURST):
        assert (struck(label)["ts_ms"] + struck(label)["delay_ms"] == label.end_ms).all()
    for label in of(single, LabelKind.STUCK_PRESENCE):
        assert not events.is_activity(struck(label), ActivityEvent.ABSENCE).any()
    fired = of(labels, LabelKind.SELF_FIRING)
    assert fired
    assert all(county.devices[label.device or 0].kind in
               (DeviceKind.SOS_BUTTON, DeviceKind.PULL_CORD) for label in fired)  # fmt: skip
    heard = events.as_heard(rows)
    assert (np.diff(heard["ts_ms"] + heard["delay_ms"]) >= 0).all()


def test_without_ordeals_a_day_is_what_it_was(county: County, story: Story) -> None:
    rows = story.day(DAY)
    assert not rows["delay_ms"].any()
    assert not rows["clock_off_ms"].any()
    kinds = {label.kind for label in story.tell(DAY).labels}
    assert not kinds & {LabelKind.OUTBREAK, LabelKind.GHOST_RESIDENT, LabelKind(IllnessKind.DYING)}


def test_a_visitor_finds_who_has_fallen(county: County, hard_times: Story) -> None:
    """No fall goes on past the arrival of the carer, whose key turns at the door at that minute."""
    ended_by_visit = 0
    for day in range(DAY, DAY + 60):
        for subject in county.subjects:
            if county.sites[subject.site].sort != "household":
                continue
            visits = [Visit(900, 930)]
            places = np.full(1440, Place.LIVING_ROOM, np.uint8)
            for fall in incidents.long_lie(county, subject, day, places, 60, visits):
                assert fall.ends_ms is not None
                found_min = (fall.ends_ms - day_start_ms(day)) // 60_000
                began_min = (fall.raised_ms - day_start_ms(day)) // 60_000
                assert not began_min < 900 < found_min
                ended_by_visit += found_min == 900
    assert ended_by_visit > 10


def test_falls_are_told_only_by_what_could_see_them(told: list[Told], county: County) -> None:
    falls = [
        label for day in told for label in day.labels if label.kind in (LabelKind.FALL, LabelKind.LONG_LIE)
    ]
    assert {fall.told for fall in falls} == {True, False}
    for fall in falls:
        if fall.told:
            device = county.devices[fall.device if fall.device is not None else -1]
            assert device.kind is DeviceKind.WRISTBAND or device.place is Place[str(fall.detail).upper()]


def test_wandering_from_room_to_room_at_night_shows_on_motion_sensors(county: County) -> None:
    story = Story(county, incident_rate=8)
    demented = [one for one in county.subjects if Condition.DEMENTIA in one.traits.conditions]
    restless = 0
    for subject in demented[:12]:
        for day in range(DAY, DAY + 6):
            told = story.tell(day, sites=range(subject.site, subject.site + 1))
            for label in told.labels:
                if label.kind is not LabelKind.WANDERING or label.detail != "living_room":
                    continue
                assert not label.told
                reach = [one.index for one in county.reach[label.subject or 0] if one.room is not None]
                rows = told.events[np.isin(told.events["device"], reach)]
                seen = (rows["ts_ms"] >= label.begin_ms) & (rows["ts_ms"] < label.end_ms)
                assert (seen & events.is_activity(rows, ActivityEvent.MOTION)).sum() > 2
                restless += 1
    assert restless


def test_ghosts_do_not_fall_ill(labels: list[Label]) -> None:
    ghosts = of(labels, LabelKind.GHOST_RESIDENT)
    assert ghosts
    for ghost in ghosts:
        inside = [
            label
            for label in labels
            if label.subject == ghost.subject
            and label.kind is not LabelKind.GHOST_RESIDENT
            and ghost.begin_ms <= label.begin_ms < ghost.end_ms
        ]
        assert {label.kind for label in inside} <= {LabelKind.DEAD}


def test_what_is_told_is_heard(told: list[Told]) -> None:
    for day in told:
        signals = {
            (one.device, one.ts_ms)
            for one in events.messages(day.events[events.is_said(day.events, Said.ALARM)])
        }
        for label in day.labels:
            if label.told and label.begin_ms >= day.events["ts_ms"][0]:
                assert (label.device, label.begin_ms) in signals


def fault_of(county: County, kind: LabelKind) -> tuple[Fault, int]:
    """The first fault of a kind that comes alone, and the day on which it begins."""
    for day in range(DAY, DAY + 2000):
        struck = faults_on(county, day, 8)
        for fault in struck:
            alone = [other.device for other in struck].count(fault.device) == 1
            if fault.kind is kind and alone and day_of(fault.begin_ms) == day:
                return fault, day
    raise AssertionError(f"no {kind} in years")


def test_a_battery_that_decays_is_empty_and_its_device_silent(county: County) -> None:
    fault, day = fault_of(county, LabelKind.BATTERY_DECAY)
    story = Story(county, incident_rate=0, ordeal_rate=8)
    site = county.devices[fault.device].site
    days = range(day, day_of(fault.end_ms) + 1)
    rows = np.concatenate([story.tell(one, sites=range(site, site + 1)).events for one in days])
    own = rows[(rows["device"] == fault.device) & (rows["ts_ms"] >= fault.begin_ms)]
    battery = own["values"][(own["ts_ms"] < fault.end_ms) & events.is_said(own, Said.STATUS), 0]
    assert battery[0] > battery[-1] < 25
    assert (np.diff(battery) <= 0).all()
    last_ms = own["ts_ms"][own["ts_ms"] < fault.end_ms].max()
    assert fault.end_ms - last_ms > 0.3 * (fault.end_ms - fault.begin_ms)


def test_a_firmware_that_changes_a_field_says_its_number(county: County) -> None:
    fault, day = fault_of(county, LabelKind.FIELD_CHANGE)
    site = county.devices[fault.device].site
    rows = Story(county, incident_rate=0, ordeal_rate=8).tell(day, sites=range(site, site + 1)).events
    own = rows[rows["device"] == fault.device]
    changed = own["ts_ms"] >= fault.begin_ms
    versions = [one.message.fw for one in events.messages(own) if isinstance(one.message, DeviceStatus)]
    assert versions == ["2.5.0" if new else "2.4.1" for new in changed[events.is_said(own, Said.STATUS)]]
    temps = events.sign(own, "temp")[events.is_said(own, Said.VITALS) & changed]
    assert np.nanmin(temps) > 90
