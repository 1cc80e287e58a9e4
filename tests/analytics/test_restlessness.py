"""Days on which somebody walks about much more than others do, from planted motion."""

from datetime import datetime, timedelta

import pytest

from alarms.model import AlarmPriority
from analytics import features
from analytics.detectors import Assessment, Subject, SubjectKind
from analytics.detectors.restlessness import ROOMS_MIN, Restlessness, learn_from, past_habits
from analytics.history import History
from analytics.settings import AnalyticsSettings
from database.connections import Connection
from tests.analytics.conftest import NOW, World
from tests.analytics.walkers import Walker, calm_homes

MIDNIGHT = features.midnight(NOW)
EVENING = MIDNIGHT + timedelta(hours=22)


def score(service: Connection, settings: AnalyticsSettings, now: datetime = NOW) -> Assessment:
    return Restlessness(settings).score(History(service, now))


def subject(walker: Walker) -> Subject:
    return Subject(SubjectKind.RESIDENT, walker.resident_id)


def test_pacing_is_found_before_the_day_is_over(
    world: World, service: Connection, settings: AnalyticsSettings
) -> None:
    calm_homes(world, NOW)
    restless = Walker(world, "restless").walk(MIDNIGHT + timedelta(hours=7), 40, 3)
    restless.walk(MIDNIGHT + timedelta(hours=10, minutes=1), 60, 2)
    (finding,) = score(service, settings).findings
    assert (finding.subject, finding.site_id) == (subject(restless), restless.site.id)
    assert finding.priority is AlarmPriority.LOW
    assert finding.since == MIDNIGHT
    evidence = finding.evidence
    assert evidence.seen["moves"] == 101  # one more between the two walks
    assert evidence.seen["busiest_quarter"] == 101
    assert evidence.expected["moves"] == pytest.approx(40, abs=4)
    assert {part.habit for part in evidence.contributions} == {"moves", "busiest_quarter"}
    assert "走动 101 次" in evidence.sentence["zh_CN"]
    assert "6–12" in evidence.sentence["zh_CN"]
    assert "101 times" in evidence.sentence["en"]


def test_nobody_is_calm_before_the_evening(
    world: World, service: Connection, settings: AnalyticsSettings
) -> None:
    calm, busy = calm_homes(world, NOW)[:2]
    calm.walk(MIDNIGHT + timedelta(hours=7), 30, 14)
    busy.walk(MIDNIGHT + timedelta(hours=7), 46, 14)
    assert score(service, settings).fine == {}
    evening = score(service, settings, EVENING)
    assert evening.findings == ()
    assert evening.fine == {subject(calm): MIDNIGHT}


def test_a_person_s_own_tolerance_counts(
    world: World, service: Connection, settings: AnalyticsSettings
) -> None:
    calm_homes(world, NOW)
    restless = Walker(world, "restless").walk(MIDNIGHT + timedelta(hours=7), 60, 14)
    assert [one.subject for one in score(service, settings, EVENING).findings] == [subject(restless)]
    world.setting(restless.resident_id, "restlessness", tolerance=2)
    assert score(service, settings, EVENING).findings == ()


@pytest.mark.parametrize("rooms", [ROOMS_MIN - 1, ROOMS_MIN])
def test_pacing_needs_rooms_to_be_seen(
    world: World, service: Connection, settings: AnalyticsSettings, rooms: int
) -> None:
    calm_homes(world, NOW)
    Walker(world, "restless", rooms=rooms).walk(MIDNIGHT + timedelta(hours=7), 120, 6)
    assert len(score(service, settings).findings) == int(rooms >= ROOMS_MIN)


def test_of_two_people_in_one_household_nobody_knows_who_walked(
    world: World, service: Connection, settings: AnalyticsSettings
) -> None:
    calm_homes(world, NOW)
    restless = Walker(world, "restless").walk(MIDNIGHT + timedelta(hours=7), 120, 6)
    world.resident(restless.site)
    assert score(service, settings).findings == ()


def test_with_few_days_nothing_is_said(
    world: World, service: Connection, settings: AnalyticsSettings
) -> None:
    calm_homes(world, NOW, homes=5, days=20)
    Walker(world, "restless").walk(MIDNIGHT + timedelta(hours=7), 120, 6)
    assessment = score(service, settings, EVENING)
    assert (assessment.findings, dict(assessment.fine)) == ((), {})


def test_what_days_are_like_is_learnt_from_some_people_spread_over_all(
    world: World, service: Connection, settings: AnalyticsSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    homes = calm_homes(world, NOW, homes=9, days=2)
    monkeypatch.setattr("analytics.detectors.restlessness.COHORT_PEOPLE_MAX", 4)
    habits = past_habits(History(service, NOW), MIDNIGHT - timedelta(days=2), MIDNIGHT)
    people = habits.index.unique("person").tolist()
    assert people == [homes[number].resident_id for number in (2, 5, 8)]
    assert len(habits) == 2 * len(people)
    assert learn_from(habits, settings) is None
