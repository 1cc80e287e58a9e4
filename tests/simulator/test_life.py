"""Would you believe these people? Rhythms, signs and illness of simulated persons."""

import numpy as np
import pytest

from protocol.model import ActivityEvent, DeviceKind
from simulator import events
from simulator.chance import generator
from simulator.clock import HOUR_MS, day_start_ms, minute_at
from simulator.events import Events, Said
from simulator.illness import LONGEST_COURSE_DAYS, PATTERNS, Course, IllnessKind, courses_on
from simulator.person import Condition, SelfCare, Traits, draw_traits
from simulator.plan import County, SiteSort
from simulator.routine import Place, Unwellness, places, stays
from simulator.story import Story
from simulator.vitals import minutes_of, signs_of, strain_on, unwellness_on
from tests.simulator.conftest import DAY, SEED

# RCP NEWS2 (2017), scale 1: upper bounds of each band, and its score.
BANDS = {
    "hr": ((40, 3), (50, 1), (90, 0), (110, 1), (130, 2), (400, 3)),
    "rr": ((8, 3), (11, 1), (20, 0), (24, 2), (100, 3)),
    "spo2": ((91, 3), (93, 2), (95, 1), (100, 0)),
    "temp": ((35.0, 3), (36.0, 1), (38.0, 0), (39.0, 1), (50, 2)),
}


def score(sign: str, values: np.ndarray) -> np.ndarray:
    bounds, points = zip(*BANDS[sign], strict=True)
    return np.array(points)[np.searchsorted(np.array(bounds) + 1e-3, values)]


@pytest.fixture(scope="module")
def three_days(quiet_story: Story) -> Events:
    return np.concatenate([quiet_story.day(DAY + ahead) for ahead in range(3)])


def hours_of(rows: Events) -> np.ndarray:
    hours: np.ndarray = (rows["ts_ms"] // HOUR_MS + 8) % 24
    return hours


def own_days(traits: Traits, count: int) -> np.ndarray:
    """The places of many days of one person at home, a row each."""
    return np.array(
        [places(traits, generator(1, "test", day), weekday=day % 7, cooks=True) for day in range(count)]
    )


def test_nights_are_quiet_and_days_are_not(county: County, three_days: Events) -> None:
    homes = {site.index for site in county.sites if site.sort is SiteSort.HOUSEHOLD}
    in_household = np.array([device.site in homes for device in county.devices])
    motion = three_days[
        events.is_activity(three_days, ActivityEvent.MOTION) & in_household[three_days["device"]]
    ]
    per_hour = np.bincount(hours_of(motion), minlength=24) / motion.size
    assert per_hour[[23, 0, 1, 2, 3, 4]].sum() < 0.10
    assert per_hour[[7, 8, 9, 10, 17]].min() > 0.03
    assert per_hour[13] < per_hour[11]  # the midday nap
    assert 80 < motion.size / 3 / len(homes) < 450


def test_temperature_follows_the_hour(three_days: Events) -> None:
    rows = three_days[events.is_said(three_days, Said.VITALS)]
    temp, hours = events.sign(rows, "temp"), hours_of(rows)
    by_hour = np.array([np.nanmean(temp[hours == hour]) for hour in range(24)])
    assert 3 <= by_hour.argmin() <= 6
    assert 15 <= by_hour.argmax() <= 18
    assert 0.3 < by_hour.max() - by_hour.min() < 0.8


def test_the_healthy_look_healthy(county: County, three_days: Events) -> None:
    """NEWS2 of a wristband's or mattress's reading is 0 or 1 nearly always."""
    healthy = [
        subject.index
        for subject in county.subjects
        if not any(courses_on(SEED, subject.index, subject.traits, DAY + ahead) for ahead in range(3))
        and not subject.traits.conditions & {Condition.COPD, Condition.HEART_FAILURE}
    ]
    assert len(healthy) > 100
    own = [device.index for device in county.devices if device.subject in set(healthy)]
    rows = three_days[events.is_said(three_days, Said.VITALS) & np.isin(three_days["device"], own)]
    total = np.zeros(rows.size)
    for sign in BANDS:
        values = events.sign(rows, sign)
        total += np.where(np.isnan(values), 0, score(sign, np.nan_to_num(values, nan=1.0)))
    assert np.mean(total <= 1) > 0.998
    assert np.mean(total == 0) > 0.95


def test_an_infection_alarms_and_passes() -> None:
    traits = draw_traits(SEED, 3, in_care_home=False)
    onset_ms = day_start_ms(DAY)
    course = Course(kind=IllnessKind.RESPIRATORY_INFECTION, onset_ms=onset_ms, severity=1.0)
    peaks = []
    for ahead in (-1, 0, 2, 12):
        times_ms = minutes_of(DAY + ahead)
        spent = np.full(1440, Place.BED, np.uint8)
        signs = signs_of(traits, generator(1, "ill", 2 + ahead), spent, strain_on([course], times_ms))
        total = sum(score(sign, np.round(signs[sign], 1 if sign == "temp" else 0)) for sign in BANDS)
        peaks.append(float(np.median(total)))
    assert peaks[0] <= 1
    assert peaks[0] <= peaks[1] <= peaks[2]
    assert peaks[2] >= 5
    assert peaks[3] <= 1


def test_urinary_infection_brings_them_out_of_bed_at_night() -> None:
    traits = draw_traits(SEED, 3, in_care_home=False)
    course = Course(kind=IllnessKind.URINARY_INFECTION, onset_ms=day_start_ms(DAY - 2), severity=1.0)
    unwell = unwellness_on([course], DAY)
    assert unwell.night_toileting > 2

    def trips(unwellness: Unwellness) -> int:
        return sum(
            stay.place is Place.BATHROOM and minute_at(22) < stay.begin < minute_at(4)
            for day in range(60)
            for stay in stays(
                places(traits, generator(1, "trips", day), weekday=2, cooks=True, unwellness=unwellness)
            )
        )

    assert trips(unwell) > 1.5 * trips(Unwellness())


@pytest.mark.parametrize("kind", IllnessKind)
def test_no_course_is_longer_than_the_window_that_looks_for_it(kind: IllnessKind) -> None:
    course = Course(kind=kind, onset_ms=0, severity=1.0)
    assert course.end_ms / HOUR_MS / 24 <= LONGEST_COURSE_DAYS
    assert course.burden(np.array([0, course.end_ms])).tolist() == [0, 0]
    assert set(PATTERNS) == set(IllnessKind)


def test_people_fall_ill_about_as_often_as_told() -> None:
    persons = [draw_traits(SEED, number, in_care_home=True) for number in range(150)]
    ill_days = sum(
        bool(courses_on(SEED, number, traits, DAY + ahead))
        for number, traits in enumerate(persons)
        for ahead in range(0, 360, 12)
    )
    assert 0.005 < ill_days / (150 * 30) < 0.10


def test_levels_of_self_care_differ_as_they_should() -> None:
    at_home = [draw_traits(SEED, number, in_care_home=False).self_care for number in range(400)]
    in_homes = [draw_traits(SEED, number, in_care_home=True).self_care for number in range(400)]
    assert at_home.count(SelfCare.ABLE) > in_homes.count(SelfCare.ABLE)
    assert at_home.count(SelfCare.TOTAL_LOSS) < in_homes.count(SelfCare.TOTAL_LOSS)


def test_day_is_a_day() -> None:
    """Most of the night in bed, home at the seams, in bed seven to eleven hours with the nap."""
    able = next(
        traits
        for number in range(50)
        if (traits := draw_traits(SEED, number, in_care_home=False)).self_care is SelfCare.ABLE
    )
    days = own_days(able, 40)
    assert (days[:, -1] == Place.LIVING_ROOM).all()
    assert (days[:, minute_at(0) : minute_at(3)] == Place.BED).mean() > 0.95
    assert 7 * 60 < (days == Place.BED).sum(axis=1).mean() < 11.5 * 60
    assert (days[:, minute_at(10, 0) : minute_at(11, 0)] == Place.KITCHEN).any(axis=1).mean() > 0.5
    assert all(
        stay.end - stay.begin <= 4 * 60 for day in days for stay in stays(day) if stay.place is Place.OUT
    )


def test_households_are_seldom_still_for_long(county: County, three_days: Events) -> None:
    """No false alarm of inactivity from a person who is well: hardly a gap above ten hours."""
    activity = three_days[events.is_said(three_days, Said.ACTIVITY)]
    longest_h = []
    for subject in county.subjects:
        if county.sites[subject.site].sort is SiteSort.HOUSEHOLD:
            own = [device.index for device in county.reach[subject.index]]
            times_ms = activity["ts_ms"][np.isin(activity["device"], own)]
            longest_h.append(np.diff(times_ms).max() / HOUR_MS)
    assert np.mean(np.array(longest_h) > 10) < 0.03


def test_instruments_are_used_at_plausible_hours(county: County, three_days: Events) -> None:
    cuffs = [device.index for device in county.devices if device.kind is DeviceKind.BP_CUFF]
    rows = three_days[events.is_said(three_days, Said.VITALS) & np.isin(three_days["device"], cuffs)]
    assert rows.size > len(cuffs)
    assert set(hours_of(rows).tolist()) <= {7, 16}
    assert (events.sign(rows, "sbp") > events.sign(rows, "dbp") + 15).all()
