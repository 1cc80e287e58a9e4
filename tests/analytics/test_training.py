"""What is learnt at night: the same as by day, whatever the parts; stored, read back, and put to the test."""

import dataclasses
import hashlib
import math
from datetime import timedelta
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.ensemble import IsolationForest

from alarms.incident import Report, report
from alarms.kinds import AlarmKind, AlarmSource
from analytics import baselines, behaviour, comparison, features, learnt, training, versions
from analytics.baselines import HistoryBaselines, VitalBaseline
from analytics.comparison import Tally, Verdict
from analytics.detectors import routine
from analytics.detectors.routine import ALL_HABITS
from analytics.history import PERSISTENT_SIGNS, History
from analytics.learnt import RareHabits, RestlessHomes, SilenceRhythm, VitalUsual
from analytics.models import isolation, restlessness, storage
from analytics.models.storage import ModelFormatError
from analytics.settings import AnalyticsSettings
from analytics.training import Candidate, Rivals
from database.connections import Connection
from identity.model import Actor
from tests.analytics.conftest import NOW, World
from tests.analytics.county import MIDNIGHT, LivedCounty

BEGIN = MIDNIGHT - timedelta(days=14)


@pytest.fixture
def county(world: World) -> LivedCounty:
    return LivedCounty(world)


def learn(
    connection: Connection, settings: AnalyticsSettings, rivals: Rivals | None = None
) -> dict[str, Candidate]:
    found = training.train(History(connection, MIDNIGHT), settings, rivals or Rivals())
    return {candidate.name: candidate for candidate in found}


def rivals_of(found: dict[str, Candidate]) -> Rivals:
    models = {name: candidate.model for name, candidate in found.items()}
    return Rivals(**models)  # type: ignore[arg-type]


def assert_same_baseline(one: VitalBaseline, other: VitalBaseline) -> None:
    np.testing.assert_array_equal(one.residents, other.residents)
    for field in ("usual", "spread", "days"):
        ours, theirs = getattr(one, field), getattr(other, field)
        assert set(ours) == set(theirs)
        for key in ours:
            np.testing.assert_array_equal(ours[key], theirs[key], err_msg=f"{field} {key}")


def test_the_night_learns_what_the_day_would(
    county: LivedCounty, service: Connection, settings: AnalyticsSettings
) -> None:
    report(
        county.world.connection,
        Report(
            site_id=county.world.household.id,
            kind=AlarmKind.VITALS,
            happened_at=NOW - timedelta(days=9),
            actor=Actor("early_warning"),
            source=AlarmSource.DETECTOR,
            resident_id=county.residents[0],
            detector="early_warning",
        ),
    )
    by_day, history = HistoryBaselines(settings), History(service, NOW)
    (part,) = history.slices()
    found = learn(service, settings)
    usual, rhythm = found["vitals"].model, found["rhythm"].model
    assert isinstance(usual, VitalUsual)
    assert isinstance(rhythm, SilenceRhythm)
    baseline = by_day.vitals(history, part)
    assert np.isfinite(baseline.spread["hr", baselines.WINDOWS_H[0]]).all()
    assert_same_baseline(usual.of(baseline.residents), baseline)
    assert len(by_day.rhythm(history))
    pd.testing.assert_frame_equal(rhythm.table(), by_day.rhythm(history))


def test_rare_days_are_those_that_the_detector_would_find_by_itself(
    county: LivedCounty, service: Connection, settings: AnalyticsSettings
) -> None:
    history = History(service, MIDNIGHT)
    (part,) = history.slices()
    end = routine.last_evening(MIDNIGHT)
    begin = end - timedelta(days=routine.DAYS)
    counts = routine.daily(
        history.habits(part, begin, end),
        history.bed_days(part, begin, end),
        baselines.residents_in(history, part),
        routine.day_number(end),
    )
    past = routine.DAYS - routine.RECENT_DAYS
    days = routine.lived_days(routine.deviations(counts, past)[:, :past])
    habits = learn(service, settings)["routine"].model
    assert isinstance(habits, RareHabits)
    assert habits.days.day_count == len(days) > routine.FOREST_DAYS_MIN
    twin = IsolationForest(n_estimators=isolation.TREES, random_state=isolation.SEED).fit(days)
    np.testing.assert_allclose(habits.days.score(days), twin.score_samples(days), rtol=1e-9)
    assert habits.days.are_rare(days).mean() == pytest.approx(settings.routine_rare_share, abs=1 / len(days))


def test_the_size_of_the_parts_changes_nothing(
    county: LivedCounty, service: Connection, settings: AnalyticsSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = learn(service, settings)
    rivals = rivals_of(whole)
    told: list[tuple[int, int]] = []
    at_once = learn(service, settings, rivals)
    monkeypatch.setattr(training, "PART_COUNT", 2)
    history = History(service, MIDNIGHT)
    in_parts = {
        one.name: one
        for one in training.train(history, settings, rivals, lambda done, of: told.append((done, of)))
    }
    assert told == [(2, 9), (4, 9), (6, 9), (8, 9), (9, 9)]
    for name in learnt.NAMES:
        assert storage.dump(in_parts[name].model) == storage.dump(whole[name].model), name
        ours, theirs = in_parts[name].verdict, at_once[name].verdict
        assert ours is not None
        assert theirs is not None
        assert ours.figures["compared"] == theirs.figures["compared"] > 0
        assert ours.figures["candidate"] == pytest.approx(theirs.figures["candidate"])


def test_nothing_is_learnt_where_nothing_is_known(
    world: World, service: Connection, settings: AnalyticsSettings
) -> None:
    assert learn(service, settings) == {}
    world.resident(world.household)
    assert learn(service, settings) == {}
    with pytest.raises(ValueError, match="no local midnight"):
        training.train(History(service, NOW), settings, Rivals())


def test_what_is_learnt_again_from_an_ordinary_life_is_no_worse(
    county: LivedCounty, service: Connection, settings: AnalyticsSettings
) -> None:
    rivals = rivals_of(learn(service, settings))
    for name, candidate in learn(service, settings, rivals).items():
        verdict = candidate.verdict
        assert verdict is not None
        assert verdict.no_worse, f"{name}: {verdict.reason}"
        assert verdict.figures["compared"] > 0


def test_signs_spoilt_for_three_weeks_make_a_worse_candidate(
    county: LivedCounty, service: Connection, settings: AnalyticsSettings
) -> None:
    rivals = rivals_of(learn(service, settings))
    county.forget_signs(45, 20)
    for number in range(len(county.residents)):
        # Sensors that hung for weeks, and were put right 20 days ago.
        county.measure(number, 45 * 24 + 14, 20 * 24 + 14, off=12.0)
    verdict = learn(service, settings, rivals)["vitals"].verdict
    assert verdict is not None
    assert not verdict.no_worse
    assert verdict.figures["candidate"] > verdict.figures["live"] + verdict.figures["margin"]
    assert verdict.reason.startswith("worse on the last 14 days")


def test_a_candidate_that_has_lost_people_is_worse(
    county: LivedCounty, service: Connection, settings: AnalyticsSettings
) -> None:
    rivals = rivals_of(learn(service, settings))
    county.world.connection.execute(
        "DELETE FROM readings.vitals_hourly WHERE resident_id = ANY (%s)", (county.residents[:3],)
    )
    verdict = learn(service, settings, rivals)["vitals"].verdict
    assert verdict == Verdict(no_worse=False, reason="knows only 18 of 27 that the live version knows")
    # Whoever has moved out is not missed.
    county.world.connection.execute(
        "UPDATE care.resident SET left_on = '2025-02-20' WHERE id = ANY (%s)", (county.residents[:3],)
    )
    verdict = learn(service, settings, rivals)["vitals"].verdict
    assert verdict is not None
    assert verdict.no_worse


def test_in_the_first_weeks_nobody_is_compared(
    world: World, service: Connection, settings: AnalyticsSettings
) -> None:
    LivedCounty(world, people=3, days=30)
    rivals = rivals_of(learn(service, settings))
    for candidate in learn(service, settings, rivals).values():
        assert candidate.verdict == Verdict(
            no_worse=True, reason="nobody is known for long enough to compare"
        )


@pytest.mark.parametrize(
    ("candidate", "live", "ratios", "no_worse"),
    [
        (1.0, 1.0, [], True),
        (1.1, 1.0, [], True),
        (1.2, 1.0, [], False),
        (0.5, 1.0, [1.0, 1.2, 9.0], True),
        (0.5, 1.0, [1.0, 1.3, 9.0], False),
    ],
    ids=["same", "within the margin", "beyond it", "limits hardly longer", "limits much longer"],
)
def test_the_margin_decides(candidate: float, live: float, ratios: list[float], no_worse: bool) -> None:
    tally = Tally(figure="x", margin=0.1001, ratios=[np.array(ratios)] if ratios else [])
    tally.add(7 * candidate, 7 * live, 7)
    assert tally.verdict().no_worse is no_worse


def test_few_people_may_have_an_alarm_more_by_chance() -> None:
    few, many = (Tally(figure="alarms", margin=0.01) for _ in range(2))
    for tally, times in ((few, 1), (many, 100)):
        tally.add(6.0 * times, 1.0 * times, 140 * times)
        tally.events = 7.0 * times
    assert few.verdict().no_worse
    assert not many.verdict().no_worse


readings = arrays.arrays(
    np.float32,
    (2, 3, 24),
    elements=st.one_of(st.just(math.nan), st.floats(50, 90, width=32)),
)


@given(readings, st.lists(st.floats(55, 80), min_size=2, max_size=2), st.floats(1, 9))
def test_the_loss_equals_its_twin(values: Any, usual: list[float], spread: float) -> None:
    window_h = baselines.WINDOWS_H[0]
    baseline = baseline_of(usual, spread)
    found = comparison.loss(values, "hr", baseline)
    for row in range(2):
        hours = values[row].reshape(-1)
        for at in range(len(hours)):
            window = [float(value) - usual[row] for value in hours[max(0, at - window_h + 1) : at + 1]]
            known = [value for value in window if not math.isnan(value)]
            if len(known) < baselines.count_min("hr", window_h):
                assert math.isnan(found[row, at])
                continue
            scale = spread / 1.4826 / math.log(2)
            off = min(abs(sum(known) / len(known)) / scale, 20.0)
            assert found[row, at] == pytest.approx(math.log(2 * scale) + off, abs=1e-4)


def baseline_of(usual: list[float], spread: float) -> VitalBaseline:
    count = len(usual)
    return VitalBaseline(
        residents=np.arange(1, count + 1),
        usual={"hr": np.repeat(np.array(usual)[:, None], 24, axis=1)},
        spread={("hr", window_h): np.full(count, spread) for window_h in baselines.WINDOWS_H},
        days={"hr": np.full(count, 28)},
    )


def test_the_loss_is_least_where_the_baseline_is_right() -> None:
    values = (70 + 4 * np.random.default_rng(2).standard_normal((40, 28, 24))).astype(np.float32)
    # The mean of three such hours spreads by 4/√3.
    right = 4 / math.sqrt(3)
    best = np.nanmean(comparison.loss(values, "hr", baseline_of([70.0] * 40, right)))
    for usual, spread in ((73.0, right), (67.0, right), (70.0, right / 2), (70.0, right * 2)):
        assert np.nanmean(comparison.loss(values, "hr", baseline_of([usual] * 40, spread))) > best + 0.1


gap = st.tuples(
    st.integers(1, 3),
    st.integers(0, 13 * 24),
    st.integers(1, 20),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
rhythms = st.dictionaries(
    st.tuples(st.integers(1, 3), st.booleans(), st.booleans(), st.booleans()),
    st.integers(1, 12),
    max_size=12,
)


@given(st.lists(gap, max_size=15), rhythms, rhythms)
def test_too_long_silences_equal_their_twin(
    silences: list[Any], own: dict[Any, int], other: dict[Any, int]
) -> None:
    settings = AnalyticsSettings(database_url="x")
    people = np.array([1, 3])
    tally = comparison.new_tally("rhythm")
    comparison.add_rhythm(
        tally, gaps_of(silences), people, table_of(own).table(), table_of(other).table(), settings
    )
    too_long, person_days = [0, 0], set()
    for resident, begin_h, length_h, bathroom, leaving, in_bed in silences:
        at = BEGIN + timedelta(hours=begin_h)
        night = at.hour >= settings.rest_from_h or at.hour < settings.rest_to_h
        key = (resident, bathroom, leaving, night)
        if resident not in people or (night and in_bed and not bathroom) or not (key in own and key in other):
            continue
        person_days.add((resident, at.date()))
        low, high = (5_400, 4 * 3600) if bathroom else (4 * 3600, 12 * 3600)
        for index, rhythm in enumerate((own, other)):
            too_long[index] += length_h * 3600 >= min(max(rhythm[key] * 3600, low), high)
    assert [tally.candidate, tally.live, tally.count] == [*too_long, len(person_days)]


def gaps_of(silences: list[Any]) -> pd.DataFrame:
    names = ["resident_id", "begin_h", "length_h", "bathroom", "leaving", "in_bed"]
    kinds = {"resident_id": "int64", "begin_h": "int64", "length_h": "int64"}
    frame = pd.DataFrame(silences, columns=names).astype({**kinds, **dict.fromkeys(names[3:], "bool")})
    begins_at = pd.Timestamp(BEGIN) + pd.to_timedelta(frame["begin_h"], unit="h")
    frame["begins_at"] = begins_at.dt.tz_convert("UTC").astype("datetime64[us, UTC]")
    return frame.assign(gap_s=frame["length_h"] * 3600.0)


def table_of(rhythm: dict[Any, int]) -> SilenceRhythm:
    keys: list[Any] = [
        np.array([key[place] for key in rhythm], kind) for place, kind in enumerate((int, bool, bool, bool))
    ]
    return SilenceRhythm(
        residents=keys[0],
        bathroom=keys[1],
        leaving=keys[2],
        night=keys[3],
        limit_s=np.array([3600.0 * limit_h for limit_h in rhythm.values()]),
        gap_count=np.full(len(rhythm), 30),
    )


@st.composite
def vital_usuals(draw: Any) -> VitalUsual:
    residents = sorted(draw(st.sets(st.integers(1, 2**31 - 1), max_size=4)))
    shape = (len(residents), len(PERSISTENT_SIGNS))
    number = st.one_of(st.just(math.nan), st.floats(-1e6, 1e6))
    return VitalUsual(
        residents=np.array(residents, np.int64),
        usual=draw(arrays.arrays(np.float64, (*shape, features.HOURS), elements=number)),
        spread=draw(arrays.arrays(np.float64, (*shape, len(baselines.WINDOWS_H)), elements=number)),
        days=draw(arrays.arrays(np.int64, shape, elements=st.integers(0, 28))),
    )


def read_back(name: str, model: Any) -> Any:
    content = storage.dump(model)
    return versions.decode(name, content, hashlib.sha256(content).digest())


def assert_same_arrays(one: Any, other: Any) -> None:
    assert type(one) is type(other)
    for field in type(one).__dataclass_fields__:
        ours, theirs = getattr(one, field), getattr(other, field)
        np.testing.assert_array_equal(ours, theirs)
        assert np.asarray(ours).dtype == np.asarray(theirs).dtype


@given(vital_usuals(), st.sets(st.integers(1, 9), max_size=5))
def test_what_is_usual_comes_back_from_bytes(model: VitalUsual, strangers: set[int]) -> None:
    again = read_back("vitals", model)
    assert_same_arrays(again, model)
    wanted = np.array(sorted({*model.residents.tolist(), *strangers}), np.int64)
    baseline = again.of(wanted)
    for row, resident in enumerate(wanted):
        known = np.flatnonzero(model.residents == resident)
        for index, sign in enumerate(PERSISTENT_SIGNS):
            usual = model.usual[known[0], index] if len(known) else np.full(24, np.nan)
            np.testing.assert_array_equal(baseline.usual[sign][row], usual)
            assert baseline.days[sign][row] == (model.days[known[0], index] if len(known) else 0)


@given(rhythms)
def test_rhythms_come_back_from_bytes(rhythm: dict[Any, int]) -> None:
    model = table_of(rhythm)
    again = read_back("rhythm", model)
    assert_same_arrays(again, model)
    assert again.table()["limit_s"].to_dict() == {key: 3600.0 * limit for key, limit in rhythm.items()}
    assert_same_arrays(SilenceRhythm.of_table(again.table()), model)


def some_habits() -> RareHabits:
    days = np.random.default_rng(4).normal(size=(300, len(ALL_HABITS)))
    return RareHabits(days=isolation.grow(days, ALL_HABITS, 0.01))


def test_forests_come_back_from_bytes_and_equal_scikit_learn() -> None:
    model, unseen = some_habits(), np.random.default_rng(5).normal(size=(50, len(ALL_HABITS)))
    again = read_back("routine", model)
    np.testing.assert_array_equal(again.days.score(unseen), model.days.score(unseen))
    assert (again.days.limit, again.days.day_count) == (model.days.limit, 300)
    twin = IsolationForest(n_estimators=isolation.TREES, random_state=isolation.SEED)
    twin.fit(np.random.default_rng(4).normal(size=(300, len(ALL_HABITS))))
    np.testing.assert_allclose(model.days.score(unseen), twin.score_samples(unseen), rtol=1e-9)


def test_restless_days_come_back_from_bytes_and_must_fit() -> None:
    model = RestlessHomes(days=restlessness.learn(some_days(4), 0.03))
    again = read_back("restlessness", model)
    assert isinstance(again, RestlessHomes)
    assert again.days.limit == model.days.limit
    np.testing.assert_array_equal(
        again.days.are_restless(some_days(5)), model.days.are_restless(some_days(5))
    )
    cohort = dataclasses.replace(model.days.cohort, scale=model.days.cohort.scale * 0)
    wrong = RestlessHomes(days=dataclasses.replace(model.days, cohort=cohort))
    with pytest.raises(ModelFormatError, match="scale"):
        read_back("restlessness", wrong)


def test_of_two_limits_the_one_that_calls_as_many_days_as_meant_is_better(
    settings: AnalyticsSettings,
) -> None:
    right = restlessness.learn(some_days(4), settings.restlessness_share)
    deaf = dataclasses.replace(right, limit=right.limit + 9)
    shrill = dataclasses.replace(right, limit=right.limit - 1)
    for worse, better, no_worse in ((shrill, right, False), (right, shrill, True), (deaf, right, False)):
        tally = comparison.new_tally("restlessness")
        comparison.add_restlessness(tally, some_days(6, 3_000), worse, better, settings)
        verdict = tally.verdict()
        assert verdict.no_worse is no_worse, verdict.reason
        assert tally.count == 3_000
    twin = np.mean(right.cohort.restlessness(some_days(6, 3_000)) > right.limit)
    assert right.are_restless(some_days(6, 3_000)).mean() == twin == pytest.approx(0.03, abs=0.01)


def some_days(seed: int, count: int = 1_000) -> pd.DataFrame:
    counts = np.random.default_rng(seed).poisson(9.0, (count, len(behaviour.HABITS)))
    return pd.DataFrame(counts, columns=list(behaviour.HABITS), dtype=np.float64)


CONTENT = storage.dump(table_of({(1, True, False, True): 3, (2, False, False, False): 5}))


@given(st.integers(0, len(CONTENT) - 1), st.integers(1, 255))
def test_a_damaged_byte_is_noticed(at: int, flipped: int) -> None:
    damaged = bytearray(CONTENT)
    damaged[at] ^= flipped
    with pytest.raises(ModelFormatError, match="damaged"):
        versions.decode("rhythm", bytes(damaged), hashlib.sha256(CONTENT).digest())
    try:
        # Even with a digest that fits there is one kind of error only, or a model in order.
        model = versions.decode("rhythm", bytes(damaged), hashlib.sha256(damaged).digest())
    except ModelFormatError:
        return
    model.check()


@pytest.mark.parametrize("cut", [0, 1, 100, len(CONTENT) - 1])
def test_bytes_that_end_too_early_are_refused(cut: int) -> None:
    with pytest.raises(ModelFormatError):
        versions.decode("rhythm", CONTENT[:cut], hashlib.sha256(CONTENT[:cut]).digest())


def test_a_model_of_another_kind_or_shape_is_refused() -> None:
    with pytest.raises(ModelFormatError, match="not a VitalUsual"):
        versions.decode("vitals", CONTENT, hashlib.sha256(CONTENT).digest())
    habits = some_habits()
    astray = habits.days.forest.left.copy()
    astray[0] = len(astray)
    wrong = RareHabits(
        days=isolation.RareDays(
            forest=type(habits.days.forest)(**{**vars(habits.days.forest), "left": astray}),
            typical_cuts=1.0,
            limit=0.0,
            day_count=1,
        )
    )
    with pytest.raises(ModelFormatError, match="left"):
        read_back("routine", wrong)


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [
        ("rhythm", "inactivity_personal_factor", 3.0),
        ("rhythm", "rest_from_h", 21),
        ("routine", "routine_rare_share", 0.01),
        ("restlessness", "restlessness_share", 0.01),
    ],
)
def test_the_recipe_names_what_decides(name: str, setting: str, value: float) -> None:
    usual = AnalyticsSettings(database_url="x")
    changed = msgspec.structs.replace(usual, **{setting: value})
    assert learnt.recipe(name, changed) != learnt.recipe(name, usual)
    moved = msgspec.structs.replace(usual, database_url="y", interval_s=5)
    assert learnt.recipe(name, moved) == learnt.recipe(name, usual)
