"""One elder as the simulator knows them: a number with traits, never a name.

Shares and effects are plausible for elders of 60 and above in rural care; they are inventions with
sensible sizes, not measurements.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from simulator.chance import generator
from simulator.clock import minute_at


class Sex(StrEnum):
    """Sex, as the care record spells it."""

    FEMALE = "female"
    MALE = "male"


class Ability(StrEnum):
    """The six abilities that decide the level of self-care."""

    EAT = "eat"
    DRESS = "dress"
    GET_IN_AND_OUT_OF_BED = "get_in_and_out_of_bed"
    TOILET = "toilet"
    WALK_INDOORS = "walk_indoors"
    BATHE = "bathe"


LOST_IN_THIS_ORDER = (
    Ability.BATHE,
    Ability.DRESS,
    Ability.WALK_INDOORS,
    Ability.TOILET,
    Ability.GET_IN_AND_OUT_OF_BED,
    Ability.EAT,
)
"""The order in which ageing usually takes the abilities."""


class SelfCare(StrEnum):
    """Level of self-care: no ability lost, one to three, four or more."""

    ABLE = "able"
    PARTIAL_LOSS = "partial_loss"
    TOTAL_LOSS = "total_loss"


class Condition(StrEnum):
    """Chronic conditions that show in vital signs or habits."""

    HYPERTENSION = "hypertension"
    DIABETES = "diabetes"
    COPD = "copd"
    HYPERCAPNIA = "hypercapnia"
    HEART_FAILURE = "heart_failure"
    ATRIAL_FIBRILLATION = "atrial_fibrillation"
    DEMENTIA = "dementia"


class Medication(StrEnum):
    """Lasting medication that shows in vital signs or habits."""

    ANTIHYPERTENSIVE = "antihypertensive"
    BETA_BLOCKER = "beta_blocker"
    DIURETIC = "diuretic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """Vital signs of this person awake, at rest and well, in the units of `protocol.signs.SIGNS`."""

    hr: float
    rr: float
    spo2: float
    temp: float
    sbp: float
    dbp: float
    glucose: float
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """When this person sleeps (minutes of the simulated day) and how much they do."""

    bedtime_min: float
    wake_min: float
    night_toileting: float
    """Times out of bed for the toilet in a usual night."""
    mobility: float
    """Share of waking minutes in which they stir enough for a sensor to see, 0 to 1."""
    goes_out: float
    """Chance that a block of free time is spent out of doors."""
    centre_days: tuple[int, ...]
    """Weekdays (Monday is 0) of day-centre attendance."""
    adherence: float
    """Chance that a measurement that is due is taken."""
    meals_later_min: float
    """How much later than usual in the county they eat, if they cook themselves."""
    naps: float
    """Chance of a nap on a given day."""
    guests_per_week: float
    """How often family or neighbours look in."""
    sits_in_bedroom: float
    """Share of free time at home that they spend there rather than in the main or common rooms."""
    cooks_long: float
    """How long they are in the kitchen for a meal, as a multiple of what is usual."""
    toilet_by_day: float
    """Times in the bathroom on a usual day, beside rising and going to bed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What makes a person differ from the next."""

    age: int
    sex: Sex
    lost: frozenset[Ability]
    conditions: frozenset[Condition]
    medications: frozenset[Medication]
    baseline: Baseline
    habits: Habits

    @property
    def self_care(self) -> SelfCare:
        """The level that follows from the abilities lost."""
        if not self.lost:
            return SelfCare.ABLE
        return SelfCare.PARTIAL_LOSS if len(self.lost) <= 3 else SelfCare.TOTAL_LOSS


_SHARES = {
    Condition.HYPERTENSION: 0.52,
    Condition.DIABETES: 0.17,
    Condition.COPD: 0.11,
    Condition.HEART_FAILURE: 0.08,
    Condition.ATRIAL_FIBRILLATION: 0.06,
    Condition.DEMENTIA: 0.10,
}
_LOST_COUNTS = {
    # Chances of 0 to 6 abilities lost. Who has lost many lives in a home, with few exceptions.
    True: (0.42, 0.13, 0.12, 0.09, 0.09, 0.08, 0.07),
    False: (0.72, 0.15, 0.08, 0.04, 0.01, 0.0, 0.0),
}


def draw_traits(seed: int, subject: int, *, in_care_home: bool, near_centre: bool = False) -> Traits:
    """The traits of person number `subject`; `near_centre`: lives where a day centre can be walked to."""
    rng = generator(seed, "traits", subject)
    age = int(np.clip(rng.normal(79 if in_care_home else 74, 7), 61, 99))
    sex = Sex.MALE if rng.random() < 0.62 else Sex.FEMALE
    lost = _draw_lost(rng, in_care_home=in_care_home)
    conditions = {which for which, share in _SHARES.items() if rng.random() < share}
    if len(lost) >= 2 and rng.random() < 0.25:
        conditions.add(Condition.DEMENTIA)
    if Condition.COPD in conditions and rng.random() < 0.3:
        conditions.add(Condition.HYPERCAPNIA)
    medications = _draw_medications(rng, conditions)
    return Traits(
        age=age,
        sex=sex,
        lost=lost,
        conditions=frozenset(conditions),
        medications=medications,
        baseline=_draw_baseline(rng, age, sex, conditions, medications),
        habits=_draw_habits(rng, age, lost, conditions, medications, near_centre=near_centre),
    )


def _draw_lost(rng: np.random.Generator, *, in_care_home: bool) -> frozenset[Ability]:
    count = int(rng.choice(7, p=_LOST_COUNTS[in_care_home]))
    # A person's own order differs from the usual one by a place or two.
    places = np.arange(6) + rng.normal(0, 0.8, 6)
    return frozenset(LOST_IN_THIS_ORDER[place] for place in np.argsort(places)[:count])


def _draw_medications(rng: np.random.Generator, conditions: set[Condition]) -> frozenset[Medication]:
    medications = set()
    if Condition.HYPERTENSION in conditions and rng.random() < 0.8:
        medications.add(Medication.ANTIHYPERTENSIVE)
    if conditions & {Condition.ATRIAL_FIBRILLATION, Condition.HEART_FAILURE} and rng.random() < 0.7:
        medications.add(Medication.BETA_BLOCKER)
    if Condition.HEART_FAILURE in conditions and rng.random() < 0.8:
        medications.add(Medication.DIURETIC)
    return frozenset(medications)


def _draw_baseline(
    rng: np.random.Generator,
    age: int,
    sex: Sex,
    conditions: set[Condition],
    medications: frozenset[Medication],
) -> Baseline:
    hr, rr = rng.normal(67.5, 7.5), rng.normal(15.8, 0.8)
    spo2, temp = rng.normal(97.6, 0.4), rng.normal(36.64, 0.13)
    sbp = rng.normal(124, 11) + 0.3 * (age - 75)  # arteries stiffen
    if sex is Sex.FEMALE:
        hr += 2.5
    glucose = rng.normal(5.4, 0.35)
    if Condition.HYPERTENSION in conditions:
        sbp += 16 if Medication.ANTIHYPERTENSIVE not in medications else 8
    if Condition.DIABETES in conditions:
        glucose += rng.uniform(1.2, 3.4)
    if Condition.COPD in conditions:
        rr, spo2 = rr + 1.2, spo2 - (6.8 if Condition.HYPERCAPNIA in conditions else 2.0)
    if Condition.HEART_FAILURE in conditions:
        hr, rr, spo2 = hr + 4, rr + 0.9, spo2 - 0.6
    if Condition.ATRIAL_FIBRILLATION in conditions:
        hr += 7
    if Medication.BETA_BLOCKER in medications:
        hr -= 7
    sbp = float(np.clip(sbp, 104, 166))
    return Baseline(
        hr=float(np.clip(hr, 56, 80)),
        rr=float(np.clip(rr, 14.5, 18)),
        spo2=float(np.clip(spo2, 88.5, 98.4)),
        temp=float(np.clip(temp, 36.45, 36.9)),
        sbp=sbp,
        dbp=float(np.clip(0.5 * sbp + rng.normal(11, 4), 60, 96)),
        glucose=float(glucose),
        weight=float(np.clip(rng.normal(62 if sex is Sex.MALE else 55, 8), 38, 95)),
    )


def _draw_habits(
    rng: np.random.Generator,
    age: int,
    lost: frozenset[Ability],
    conditions: set[Condition],
    medications: frozenset[Medication],
    *,
    near_centre: bool,
) -> Habits:
    toileting = rng.gamma(6, 0.22) + 0.02 * (age - 65)
    toileting += 0.8 * (Medication.DIURETIC in medications) + 0.5 * (Condition.DEMENTIA in conditions)
    weakness = len(lost) / 6
    attends = near_centre and len(lost) <= 2 and rng.random() < 0.7
    days = rng.permutation(5)[: rng.integers(2, 6)] if attends else ()
    return Habits(
        bedtime_min=float(minute_at(20, 50) + rng.normal(0, 50)),
        wake_min=float(minute_at(6) + rng.normal(0, 45)),
        night_toileting=float(np.clip(toileting, 0.5, 3.5)),
        mobility=float(np.clip(rng.normal(0.4, 0.1) * (1 - 0.6 * weakness), 0.1, 0.68)),
        goes_out=float(np.clip(rng.normal(0.3, 0.1) * (1 - 1.4 * weakness), 0, 0.5)),
        centre_days=tuple(sorted(int(day) for day in days)),
        adherence=float(rng.uniform(0.75, 0.98)),
        meals_later_min=float(np.clip(rng.normal(0, 28), -55, 60)),
        naps=float(rng.beta(2.0, 1.4)),
        guests_per_week=float(np.clip(rng.gamma(1.3, 0.6), 0, 4)),
        sits_in_bedroom=float(np.clip(rng.beta(2, 6.5), 0.04, 0.7)),
        cooks_long=float(np.clip(rng.normal(1, 0.35), 0.35, 1.9)),
        toilet_by_day=float(np.clip(rng.gamma(6, 1.5), 3, 18)),
    )
