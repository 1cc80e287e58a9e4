"""Signs that leave a person's own usual, in rollups planted hour by hour."""

from datetime import timedelta

import numpy as np
import pytest

from alarms.incident import Report, report
from alarms.kinds import AlarmKind, AlarmSource
from alarms.model import AlarmPriority
from analytics.baselines import HistoryBaselines
from analytics.detectors import Assessment, Subject, SubjectKind
from analytics.detectors.baseline import Baseline
from analytics.history import History
from analytics.settings import AnalyticsSettings
from database.connections import Connection
from identity.model import Actor
from protocol.model import DeviceKind
from tests.analytics.conftest import NOW, World

DAYS = 34
HOURS = DAYS * 24
USUAL = {"hr": 70.0, "rr": 16.0, "temp": 36.4}
NOISE = {"hr": 2.0, "rr": 0.7, "temp": 0.1}


def score(service: Connection, settings: AnalyticsSettings) -> Assessment:
    return Baseline(settings, HistoryBaselines(settings)).score(History(service, NOW))


class Person:
    """Lives in the home with a wristband; their hours are drawn with a seed and then bent."""

    def __init__(self, world: World, seed: int = 7, usual: dict[str, float] = USUAL) -> None:
        rng = np.random.default_rng(seed)
        self.world = world
        self.resident_id = world.resident(world.home)
        self.band = world.device(world.home, DeviceKind.WRISTBAND, resident_id=self.resident_id)
        local = (np.arange(HOURS) + 14) % 24
        daily = np.cos(2 * np.pi * (local - 17) / 24)
        self.signs = {
            sign: centre + NOISE[sign] * (2 * daily + rng.standard_normal(HOURS))
            for sign, centre in usual.items()
        }

    def bend(self, last_h: int, **by: float) -> "Person":
        for sign, shift in by.items():
            self.signs[sign][-last_h:] += shift
        return self

    def plant(self) -> Subject:
        self.world.hours(
            self.band, self.resident_id, {sign: series.tolist() for sign, series in self.signs.items()}
        )
        return Subject(SubjectKind.RESIDENT, self.resident_id)


def test_a_beginning_infection_is_found(
    world: World, service: Connection, settings: AnalyticsSettings
) -> None:
    subject = Person(world).bend(8, temp=0.6, hr=8, rr=2).plant()
    well = Person(world, seed=8).plant()
    assessment = score(service, settings)
    (finding,) = assessment.findings
    assert (finding.subject, finding.priority) == (subject, AlarmPriority.MEDIUM)
    assert NOW - timedelta(hours=9) < finding.since < NOW
    assert well in assessment.fine
    assert subject not in assessment.fine
    evidence = finding.evidence
    assert {part["sign"] for part in evidence["contributions"]} == {"temp", "hr", "rr"}
    assert sum(part["share"] for part in evidence["contributions"]) == pytest.approx(1, abs=0.01)
    assert evidence["seen"]["temp"] - evidence["expected"]["temp"] == pytest.approx(0.6, abs=0.25)
    assert evidence["chart"]["sign"] == evidence["contributions"][0]["sign"]
    assert "体温" in evidence["sentence"]["zh_CN"]


def test_a_persons_own_slow_pulse_is_no_alarm(
    world: World, service: Connection, settings: AnalyticsSettings
) -> None:
    subject = Person(world, usual={**USUAL, "hr": 48.0}).plant()
    assessment = score(service, settings)
    assert assessment.findings == ()
    assert subject in assessment.fine


@pytest.mark.parametrize(
    "shift",
    [{"hr": 8.0}, {"temp": 0.15, "rr": 0.5}, {"temp": -0.6, "hr": -8.0}],
    ids=["one sign alone", "too little", "the other way"],
)
def test_what_is_no_infection(
    world: World, service: Connection, settings: AnalyticsSettings, shift: dict[str, float]
) -> None:
    Person(world).bend(8, **shift).plant()
    assert score(service, settings).findings == ()


@pytest.mark.parametrize(("hours", "found"), [(1, False), (3, True)])
def test_one_hour_is_not_enough(
    world: World, service: Connection, settings: AnalyticsSettings, hours: int, found: bool
) -> None:
    Person(world).bend(hours, temp=2.0, hr=20, rr=6).plant()
    assert bool(score(service, settings).findings) == found


def test_a_pulse_that_rises_over_days_is_a_trend(
    world: World, service: Connection, settings: AnalyticsSettings
) -> None:
    subject = Person(world).bend(80, hr=14.0).plant()
    (finding,) = score(service, settings).findings
    assert (finding.subject, finding.priority) == (subject, AlarmPriority.LOW)
    assert finding.evidence["contributions"][0]["sign"] == "hr"


def test_somebody_new_is_not_judged(world: World, service: Connection, settings: AnalyticsSettings) -> None:
    person = Person(world).bend(8, temp=0.6, hr=8, rr=2)
    for series in person.signs.values():
        series[: -24 * 5] = np.nan
    person.plant()
    assessment = score(service, settings)
    assert (assessment.findings, dict(assessment.fine)) == ((), {})


def test_what_was_an_alarm_is_not_learnt_from(
    world: World, service: Connection, settings: AnalyticsSettings
) -> None:
    # Ill for half of the weeks that are learnt from, known by an alarm: today the same is still an illness.
    def ill() -> Person:
        person = Person(world).bend(8, temp=0.6, hr=8, rr=2)
        for sign, shift in (("temp", 0.6), ("hr", 8.0), ("rr", 2.0)):
            person.signs[sign][-24 * 20 : -24 * 4] += shift
        return person

    ill().plant()
    known = ill()
    subject = known.plant()
    alarm = report(
        world.connection,
        Report(
            site_id=world.home.id,
            kind=AlarmKind.HEALTH_CHANGE,
            happened_at=NOW - timedelta(days=20),
            actor=Actor("baseline"),
            source=AlarmSource.DETECTOR,
            resident_id=known.resident_id,
        ),
    ).alarm
    world.connection.execute(
        "UPDATE care.alarm SET state = 'cleared', ended_at = %s WHERE id = %s",
        (NOW - timedelta(days=4), alarm.id),
    )
    assert [finding.subject for finding in score(service, settings).findings] == [subject]


def test_a_wider_tolerance_is_less_sensitive(
    world: World, service: Connection, settings: AnalyticsSettings
) -> None:
    person = Person(world).bend(8, temp=0.25, hr=4, rr=1.2)
    person.plant()
    assert len(score(service, settings).findings) == 1
    world.setting(person.resident_id, "baseline", tolerance=4.0)
    assert score(service, settings).findings == ()
