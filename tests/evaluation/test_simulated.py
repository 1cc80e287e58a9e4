"""Scoring a simulated county: which alarms are true, what was found in time, what was said for nothing."""

from dataclasses import replace
from pathlib import Path

import pytest

from alarms.kinds import AlarmKind
from alarms.model import AlarmPriority
from evaluation import report, simulated
from evaluation.simulated import Lived, SeenAlarm
from protocol.model import DeviceKind
from simulator.clock import DAY_MS, HOUR_MS, MINUTE_MS
from simulator.county import county_of
from simulator.labels import Label, LabelKind
from simulator.plan import County, SiteSort

BEGIN_MS = 1_790_000_000_000
AT_MS = BEGIN_MS + 20 * DAY_MS
DAYS = 40
PERSONS = 60
COUNTY = county_of(5, PERSONS)


def watched(county: County) -> int:
    """Somebody in a home who wears a band."""
    home = next(site for site in county.sites if site.sort is SiteSort.CARE_HOME)
    bands = county.devices_at(home.index, DeviceKind.WRISTBAND)
    return next(band.subject for band in bands if band.subject is not None)


PERSON = watched(COUNTY)
SITE = COUNTY.subjects[PERSON].site
NEIGHBOUR = next(one.index for one in COUNTY.subjects_of(SITE) if one.index != PERSON)


def label(kind: LabelKind, begin_ms: int = AT_MS, *, hours: float = 2, subject: int | None = PERSON) -> Label:
    return Label(
        kind=kind,
        site=SITE,
        subject=subject,
        begin_ms=begin_ms,
        end_ms=begin_ms + round(hours * HOUR_MS),
        peak_ms=begin_ms + 36 * HOUR_MS,
        severity=0.6,
    )


def alarm(
    kind: AlarmKind,
    known_ms: int,
    *,
    priority: AlarmPriority = AlarmPriority.MEDIUM,
    detector: str | None = "baseline",
    subject: int | None = PERSON,
    repeat: bool = False,
    cases: tuple[int, ...] = (),
) -> SeenAlarm:
    return SeenAlarm(1, kind, priority, detector, repeat, known_ms, SITE, subject, None, cases)


def lived(labels: tuple[Label, ...], alarms: tuple[SeenAlarm, ...]) -> Lived:
    return Lived(
        county=COUNTY, begin_ms=BEGIN_MS, end_ms=BEGIN_MS + DAYS * DAY_MS, labels=labels, alarms=alarms
    )


def figures(found: simulated.Found) -> dict[str, float]:
    return {result.name: result.value.value for result in simulated.results(found)}


@pytest.mark.parametrize(
    ("kind", "after_ms", "subject", "true"),
    [
        (AlarmKind.FALL, MINUTE_MS, PERSON, True),
        (AlarmKind.FALL, -10 * MINUTE_MS, PERSON, False),
        (AlarmKind.FALL, 5 * HOUR_MS, PERSON, False),
        (AlarmKind.FALL, MINUTE_MS, NEIGHBOUR, False),
        (AlarmKind.OUTBREAK, MINUTE_MS, None, False),
        (AlarmKind.DEVICE_OFFLINE, MINUTE_MS, PERSON, False),
    ],
    ids=["in time", "before", "long after", "somebody else", "another thing", "about a device"],
)
def test_what_makes_an_alarm_true(kind: AlarmKind, after_ms: int, subject: int | None, true: bool) -> None:
    said = alarm(kind, AT_MS + after_ms, subject=subject)
    assert simulated.is_true(said, lived((label(LabelKind.LONG_LIE),), (said,))) == true


def test_a_long_lie_counts_when_it_is_known_in_three_minutes() -> None:
    lie = label(LabelKind.LONG_LIE)
    for minutes, share in ((1, 1.0), (5, 0.0)):
        said = alarm(AlarmKind.FALL, AT_MS + minutes * MINUTE_MS, priority=AlarmPriority.HIGH, detector=None)
        found = simulated.score([lived((lie,), (said,))])
        assert figures(found)["falls with a long lie, found within 3 min"] == share
        assert (found.events[0].by, found.events[0].delay_ms) == ("device", minutes * MINUTE_MS)
        assert not found.false


def test_a_repeat_finds_but_is_no_alarm_of_its_own() -> None:
    earlier, fall = label(LabelKind.FALL, hours=0.2), label(LabelKind.LONG_LIE, AT_MS + HOUR_MS)
    first = alarm(AlarmKind.FALL, AT_MS, detector=None)
    again = alarm(AlarmKind.FALL, AT_MS + HOUR_MS, detector=None, repeat=True)
    found = simulated.score([lived((earlier, fall), (first, again))])
    assert [event.found_ms for event in found.events] == [AT_MS, AT_MS + HOUR_MS]
    assert found.alarm_count == 1


def test_an_infection_is_early_or_late_by_its_height() -> None:
    ill = label(LabelKind.RESPIRATORY_INFECTION, hours=204)
    names = ("the middle of their height", "their height begins")
    for hours, early in ((11, (1.0, 1.0)), (35, (1.0, 0.0)), (37, (0.0, 0.0))):
        said = alarm(AlarmKind.HEALTH_CHANGE, AT_MS + hours * HOUR_MS)
        found = figures(simulated.score([lived((ill,), (said,))]))
        assert tuple(found[f"infections found 24 h before {name}"] for name in names) == early


def test_who_is_named_in_an_outbreak_is_found() -> None:
    ill = label(LabelKind.RESPIRATORY_INFECTION, hours=204)
    said = alarm(AlarmKind.OUTBREAK, AT_MS + HOUR_MS, subject=None, cases=(PERSON,), detector="outbreak")
    (event,) = simulated.score([lived((ill,), (said,))]).events
    assert event.by == "outbreak"
    others = replace(ill, subject=NEIGHBOUR)
    (event,) = simulated.score([lived((others,), (said,))]).events
    assert event.by is None


def test_false_alarms_per_person_day() -> None:
    alarms = (
        alarm(AlarmKind.HEALTH_CHANGE, AT_MS),
        alarm(AlarmKind.VITALS, AT_MS, priority=AlarmPriority.HIGH, detector="early_warning"),
        alarm(AlarmKind.VITALS, AT_MS, priority=AlarmPriority.LOW),
        alarm(AlarmKind.VITALS, BEGIN_MS + 13 * DAY_MS),
    )
    found = simulated.score([lived((), alarms)])
    rate = 2 / (PERSONS * (DAYS - simulated.LEARNING_DAYS))
    assert figures(found)["false alarms of medium or high priority per person-day"] == pytest.approx(rate)
    assert simulated.false_by_finder(found) == {
        ("health_change", "medium", "baseline"): 1,
        ("vitals", "high", "early_warning"): 1,
    }


def test_limits_are_true_of_the_ill_but_find_nobody() -> None:
    ill = label(LabelKind.URINARY_INFECTION, hours=130)
    said = alarm(AlarmKind.OUT_OF_LIMITS, AT_MS + HOUR_MS, detector="limits")
    found = simulated.score([lived((ill,), (said,))])
    assert (found.false, [event.by for event in found.events]) == ((), [None])
    assert len(simulated.score([lived((), (said,))]).false) == 1


def test_what_is_still_open_at_the_end_is_not_scored() -> None:
    end_ms = BEGIN_MS + DAYS * DAY_MS
    ill = label(LabelKind.RESPIRATORY_INFECTION, end_ms - 59 * HOUR_MS, hours=204)
    assert simulated.score([lived((ill,), ())]).events == ()
    ill = label(LabelKind.RESPIRATORY_INFECTION, end_ms - 61 * HOUR_MS, hours=204)
    assert len(simulated.score([lived((ill,), ())]).events) == 1
    dead = label(LabelKind.DEAD, end_ms - 71 * HOUR_MS, hours=5_000)
    assert simulated.score([lived((dead,), ())]).events == ()
    dead = label(LabelKind.DEAD, end_ms - 73 * HOUR_MS, hours=5_000)
    assert len(simulated.score([lived((dead,), ())]).events) == 1


def test_counties_that_came_differently_far_are_scored_for_equally_long() -> None:
    lie, late = label(LabelKind.LONG_LIE), label(LabelKind.LONG_LIE, BEGIN_MS + 25 * DAY_MS)
    said = tuple(alarm(AlarmKind.FALL, one.begin_ms + MINUTE_MS, detector=None) for one in (lie, late))
    far, near = lived((lie, late), said), replace(lived((), ()), end_ms=BEGIN_MS + 22 * DAY_MS)
    both = simulated.together([far, near])
    assert [one.end_ms for one in both] == [near.end_ms] * 2
    assert (both[0].labels, both[0].alarms) == ((lie,), said[:1])
    assert simulated.score(both).days == 22 - simulated.LEARNING_DAYS


def test_a_county_must_have_lived_long_enough() -> None:
    with pytest.raises(ValueError, match="longer than 40 days"):
        simulated.score([lived((), ())], learning_days=40)


def test_the_report_says_it_all(tmp_path: Path) -> None:
    labels = (label(LabelKind.LONG_LIE), label(LabelKind.URINARY_INFECTION, AT_MS + DAY_MS, hours=130))
    alarms = (alarm(AlarmKind.FALL, AT_MS + MINUTE_MS, detector=None), alarm(AlarmKind.WANDERING, AT_MS))
    found = simulated.score([lived(labels, alarms)])
    how = {"seeds": "5", "residents": PERSONS, "days": DAYS, "days_asked": DAYS, "step_min": 15}
    written = report.write_simulated(found, simulated.results(found), how, tmp_path)
    text = written.read_text("utf-8")
    assert "| long lie | 1 | 1.000 | 1 min | device 1 |" in text
    assert "| urinary infection | 1 | 0.000 | – |  |" in text
    assert "| wandering | medium | baseline | 1 |" in text
    assert (tmp_path / "simulated-infections.png").read_bytes().startswith(b"\x89PNG")
