"""A person's day: where they are in each minute from 18:00 to 18:00.

Sleep with its trips to the toilet, three meals, the midday nap, blocks of free time, trips out, the day
centre. Illness and lost abilities bend the day; chance makes no two days alike.
"""

from collections.abc import Iterable, Iterator
from enum import IntEnum
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from simulator.clock import DAY_MINUTES, minute_at
from simulator.person import Ability, SelfCare, Traits


class Place(IntEnum):
    """Where a person is; also where in a home a device is fixed."""

    BED = 0
    BEDROOM = 1
    BATHROOM = 2
    KITCHEN = 3
    LIVING_ROOM = 4
    """The main room of a household; the common rooms of a care home."""
    DAY_CENTRE = 5
    OUT = 6


_PLACES = tuple(Place)
AT_HOME = (Place.BED, Place.BEDROOM, Place.BATHROOM, Place.KITCHEN, Place.LIVING_ROOM)


def among(places: Iterable[Place]) -> np.ndarray:
    """For each place, whether it is one of `places`: `among(AT_HOME)[day]` is quicker than `np.isin`."""
    chosen = np.zeros(len(Place), bool)
    chosen[list(places)] = True
    return chosen


class Stay(NamedTuple):
    """An unbroken stay in one place: minutes of the day, `end` excluded."""

    place: Place
    begin: int
    end: int


class Unwellness(NamedTuple):
    """What illness changes in a day."""

    night_toileting: float = 0
    bed_rest: float = 0


_BREAKFAST, _LUNCH, _DINNER = minute_at(6, 50), minute_at(11, 20), minute_at(17, 5)
_MEAL_MIN = 28
_MEAL_SPREAD_MIN = (7, 13)
"""How much the hour of a meal differs from day to day: in a home, and where people cook for themselves."""
_NAP = minute_at(12, 20)
_CENTRE_FROM, _CENTRE_TO = minute_at(8, 40), minute_at(15, 20)
_LONGEST_OUTING_MIN = 150
_POTTERS_SHARE = 0.22
"""Share of free time that a person with a kitchen spends there."""
_BLOCKS = 12
"""Blocks of free time that are drawn at once."""
_ABOUT = among((Place.BEDROOM, Place.KITCHEN, Place.LIVING_ROOM))


def places(
    traits: Traits,
    rng: np.random.Generator,
    *,
    weekday: int,
    cooks: bool,
    unwellness: Unwellness = Unwellness(),  # noqa: B008  (immutable)
) -> np.ndarray:
    """The place in each of the 1,440 minutes of one day.

    `weekday` is that of the daylight part; `cooks`: prepares the meals at home (a household).
    """
    day = np.full(DAY_MINUTES, Place.LIVING_ROOM, np.uint8)
    habits = traits.habits
    bedtime = int(_within(habits.bedtime_min + rng.normal(0, 15), 75, 285))
    wake = int(_within(habits.wake_min + rng.normal(0, 15), minute_at(4, 10), minute_at(7, 30)))
    if traits.self_care is SelfCare.TOTAL_LOSS:
        _fill_day_of_dependent_person(day, rng, bedtime, wake)
        return day
    attends = weekday in habits.centre_days and unwellness.bed_rest < 0.15
    _fill_free_time(day, traits, rng, unwellness, (0, bedtime - 12), cooks=cooks, evening=True)
    _fill_free_time(day, traits, rng, unwellness, (wake + 12, DAY_MINUTES), cooks=cooks, evening=False)
    day[bedtime - 12 : bedtime - 6] = Place.BATHROOM
    day[bedtime - 6 : bedtime] = Place.BEDROOM
    _fill_night(day, traits, rng, unwellness, bedtime, wake)
    day[wake : wake + 4] = Place.BEDROOM
    day[wake + 4 : wake + 12] = Place.BATHROOM
    later = int(habits.meals_later_min) if cooks else 0
    if rng.random() < habits.naps:
        nap = _NAP + later + int(rng.normal(0, 12))
        day[nap : nap + int(_within(rng.normal(65, 22), 20, 120))] = Place.BED
    _fill_meals(day, rng, cooks_long=habits.cooks_long if cooks else 0, wake=wake, later=later)
    if attends:
        begin, end = _CENTRE_FROM + rng.integers(-15, 16), _CENTRE_TO + rng.integers(-30, 31)
        day[begin:end] = Place.DAY_CENTRE
        day[begin - 12 : begin] = day[end : end + 12] = Place.OUT
    _add_bathroom_visits(day, rng, habits.toilet_by_day, bedtime, wake)
    # Home and up when the next day begins, so that the days can be joined.
    day[-8:] = Place.LIVING_ROOM
    return day


def stays(day: np.ndarray) -> Iterator[Stay]:
    """The stays that make up `day`, in order."""
    edges = np.flatnonzero(day[1:] != day[:-1]) + 1
    bounds = [0, *edges.tolist(), day.size]
    for begin, end in pairwise(bounds):
        yield Stay(_PLACES[day[begin]], begin, end)


def _fill_night(
    day: np.ndarray,
    traits: Traits,
    rng: np.random.Generator,
    unwellness: Unwellness,
    bedtime: int,
    wake: int,
) -> None:
    day[bedtime:wake] = Place.BED
    trips = rng.poisson(traits.habits.night_toileting + unwellness.night_toileting)
    slow = 1.6 if Ability.WALK_INDOORS in traits.lost else 1.0
    times, lengths = rng.uniform(bedtime + 50, wake - 25, trips), rng.gamma(4, 0.9, trips) * slow
    for at, length in zip(times.astype(int).tolist(), lengths.tolist(), strict=True):
        minutes = int(_within(length, 2, 16))
        day[at] = Place.BEDROOM
        day[at + 1 : at + 1 + minutes] = Place.BATHROOM
        day[at + 1 + minutes] = Place.BEDROOM


def _fill_free_time(
    day: np.ndarray,
    traits: Traits,
    rng: np.random.Generator,
    unwellness: Unwellness,
    span: tuple[int, int],
    *,
    cooks: bool,
    evening: bool,
) -> None:
    """Blocks of a quarter to a whole hour in one place after another."""
    at, end = span
    out = 0.03 if evening else traits.habits.goes_out * (1 - min(1.0, unwellness.bed_rest))
    rest, bedroom = min(0.95, unwellness.bed_rest), traits.habits.sits_in_bedroom
    potters = _POTTERS_SHARE if cooks else 0.0
    while at < end:
        lengths, draws = rng.gamma(3, 12, _BLOCKS).tolist(), rng.random((_BLOCKS, 3)).tolist()
        for length, (rests, goes_out, stays_where) in zip(lengths, draws, strict=True):
            minutes = int(_within(length, 6, 90))
            if rests < rest:
                place, minutes = Place.BED, minutes * 2
            elif goes_out < out:
                place, minutes = Place.OUT, min(minutes * 2, _LONGEST_OUTING_MIN)
            elif stays_where < bedroom:
                place = Place.BEDROOM
            else:
                place = Place.KITCHEN if stays_where > 1 - potters else Place.LIVING_ROOM
            day[at : min(at + minutes, end)] = place
            at += minutes
            if at >= end:
                break


def _within(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def _fill_meals(
    day: np.ndarray, rng: np.random.Generator, *, cooks_long: float, wake: int, later: int
) -> None:
    for usual in (_BREAKFAST, _LUNCH, _DINNER):
        spread = _MEAL_SPREAD_MIN[cooks_long > 0]
        shift = min(later, 0) if usual == _DINNER else later  # supper is over when the next day begins
        begin = max(usual + shift + int(rng.normal(0, spread)), wake + 30)
        if cooks_long:
            day[begin - int(rng.integers(8, 28) * cooks_long) : begin] = Place.KITCHEN
        day[begin : begin + _MEAL_MIN] = Place.LIVING_ROOM
        if cooks_long:
            washed_up = begin + _MEAL_MIN + int(rng.integers(4, 12) * cooks_long)
            day[begin + _MEAL_MIN : washed_up] = Place.KITCHEN


def _add_bathroom_visits(
    day: np.ndarray, rng: np.random.Generator, usual: float, bedtime: int, wake: int
) -> None:
    """A visit every couple of waking hours, wherever at home the person is then."""
    awake = np.concatenate([np.arange(5, bedtime - 30), np.arange(wake + 60, DAY_MINUTES - 10)])
    visits = int(rng.poisson(usual))
    times, lengths = awake[rng.integers(0, awake.size, visits)], rng.integers(3, 8, visits)
    for at, minutes in zip(times.tolist(), lengths.tolist(), strict=True):
        if _ABOUT[day[at : at + minutes]].all():
            day[at : at + minutes] = Place.BATHROOM


def _fill_day_of_dependent_person(day: np.ndarray, rng: np.random.Generator, bedtime: int, wake: int) -> None:
    """In bed, but for the times when staff take them out in a chair or to be washed."""
    day[:] = Place.BED
    day[: int(rng.integers(10, max(11, bedtime // 2)))] = Place.BEDROOM
    day[wake + 40 : wake + 40 + int(rng.integers(8, 18))] = Place.BATHROOM
    for begin, longest in ((minute_at(9, 20), 110), (minute_at(14, 40), 100)):
        if rng.random() < 0.65:
            begin_at = begin + int(rng.integers(-15, 16))
            day[begin_at : begin_at + int(rng.integers(40, longest))] = Place.LIVING_ROOM
    for meal in (_BREAKFAST, _LUNCH, _DINNER):
        begin_at = meal + int(rng.normal(0, 8))
        day[begin_at : begin_at + _MEAL_MIN] = Place.BEDROOM
    day[-8:] = Place.BEDROOM
