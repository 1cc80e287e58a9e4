"""What the judge makes of assessments: pure, on frames of standing alarms."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from alarms.evidence import Evidence
from alarms.kinds import AlarmKind
from alarms.model import AlarmPriority, AlarmState
from analytics.detectors import Assessment, Finding, Subject, SubjectKind
from analytics.judge import Amend, Handling, Over, Raise, decide

NOW = datetime(2025, 3, 3, 6, 0, tzinfo=UTC)
MOTHER = Subject(SubjectKind.RESIDENT, 7)
HANDLING = Handling(silence_s=1800, persistence_s=60, clear_after_s=120)


def finding(
    priority: AlarmPriority = AlarmPriority.MEDIUM, subject: Subject = MOTHER, since_s: float = 600
) -> Finding:
    return Finding(
        subject=subject,
        site_id=1,
        kind=AlarmKind.VITALS,
        priority=priority,
        since=NOW - timedelta(seconds=since_s),
        evidence=Evidence(),
    )


def seen(*findings: Finding, fine_since_s: float | None = None) -> Assessment:
    fine = {} if fine_since_s is None else {MOTHER: NOW - timedelta(seconds=fine_since_s)}
    return Assessment(detector="early_warning", kind=AlarmKind.VITALS, findings=findings, fine=fine)


def alarm(
    state: AlarmState,
    priority: AlarmPriority = AlarmPriority.MEDIUM,
    *,
    resolved_s: float | None = None,
    ended_s: float | None = None,
    detector: str | None = "early_warning",
    subject: str = "resident:7",
    over_s: float | None = None,
    grade: str | None = None,
    severity: float | None = None,
) -> dict[str, Any]:
    def ago(age_s: float | None) -> datetime | None:
        return None if age_s is None else NOW - timedelta(seconds=age_s)

    return {
        "id": 5,
        "site_id": 1,
        "subject": subject,
        "kind": "vitals",
        "priority": str(priority),
        "state": str(state),
        "detector": detector,
        "resolved_at": ago(resolved_s),
        "ended_at": ago(ended_s),
        "condition_ended_at": ago(over_s),
        "grade": grade,
        "severity": severity,
    }


def standing(*rows: dict[str, Any]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=list(alarm(AlarmState.OPEN)))
    for column in ("resolved_at", "ended_at", "condition_ended_at"):
        frame[column] = pd.to_datetime(frame[column], utc=True)
    return frame


def raises(assessment: Assessment, *rows: dict[str, Any]) -> bool:
    proposals = decide(assessment, standing(*rows), HANDLING, NOW)
    return any(isinstance(proposal, Raise) for proposal in proposals)


def ends(assessment: Assessment, *rows: dict[str, Any]) -> bool:
    proposals = decide(assessment, standing(*rows), HANDLING, NOW)
    return any(isinstance(proposal, Over) for proposal in proposals)


def test_a_finding_becomes_an_alarm() -> None:
    assert decide(seen(finding()), standing(), HANDLING, NOW) == (
        Raise(detector="early_warning", finding=finding()),
    )


@pytest.mark.parametrize(("since_s", "expected"), [(59, False), (60, True)])
def test_it_must_have_held_for_a_while(since_s: float, expected: bool) -> None:
    assert raises(seen(finding(since_s=since_s))) == expected


@pytest.mark.parametrize("state", [AlarmState.OPEN, AlarmState.ACKNOWLEDGED, AlarmState.ARRIVED])
def test_an_active_alarm_is_not_repeated_but_may_get_worse(state: AlarmState) -> None:
    assert not raises(seen(finding(AlarmPriority.MEDIUM)), alarm(state))
    assert not raises(seen(finding(AlarmPriority.LOW)), alarm(state))
    assert raises(seen(finding(AlarmPriority.HIGH)), alarm(state))


@pytest.mark.parametrize(("ended_s", "expected"), [(1799, False), (1800, True)])
def test_silence_after_an_alarm_ended(ended_s: float, expected: bool) -> None:
    for state in (AlarmState.CLOSED, AlarmState.CANCELLED, AlarmState.CLEARED):
        assert raises(seen(finding()), alarm(state, ended_s=ended_s)) == expected


def test_silence_counts_from_the_resolution_and_yields_to_what_is_worse() -> None:
    resolved = alarm(AlarmState.RESOLVED, resolved_s=60)
    assert not raises(seen(finding()), resolved)
    assert raises(seen(finding(AlarmPriority.HIGH)), resolved)
    paperwork = alarm(AlarmState.CLOSED, resolved_s=1800, ended_s=5)
    assert raises(seen(finding()), paperwork)


def test_of_several_ended_alarms_each_can_keep_it_silent() -> None:
    old_high = alarm(AlarmState.CLOSED, AlarmPriority.HIGH, ended_s=7200)
    new_low = alarm(AlarmState.CLEARED, AlarmPriority.LOW, ended_s=60)
    assert raises(seen(finding()), old_high, new_low)
    assert not raises(seen(finding()), alarm(AlarmState.CLOSED, AlarmPriority.HIGH, ended_s=60), new_low)


def test_alarms_of_others_do_not_matter() -> None:
    assert raises(seen(finding()), alarm(AlarmState.OPEN, subject="resident:8"))
    assert raises(seen(finding()), alarm(AlarmState.OPEN) | {"kind": "fall"})
    assert raises(seen(finding()), alarm(AlarmState.CLEARED, ended_s=60) | {"kind": "fall"})


@pytest.mark.parametrize(
    ("row", "fine_since_s", "expected"),
    [
        (alarm(AlarmState.OPEN), 120, True),
        (alarm(AlarmState.OPEN), 119, False),
        (alarm(AlarmState.ACKNOWLEDGED), 120, True),
        (alarm(AlarmState.ARRIVED), 120, True),
        (alarm(AlarmState.OPEN, AlarmPriority.HIGH), 120, True),
        (alarm(AlarmState.OPEN, AlarmPriority.HIGH, over_s=60), 120, False),
        (alarm(AlarmState.OPEN, AlarmPriority.HIGH, detector="another"), 120, False),
        (alarm(AlarmState.OPEN, detector=None), 120, False),
        (alarm(AlarmState.OPEN, detector="another"), 120, False),
        (alarm(AlarmState.OPEN), None, False),
        (alarm(AlarmState.CLEARED, ended_s=5), 120, False),
    ],
)
def test_an_alarm_is_told_once_that_its_cause_is_over(
    row: dict[str, Any], fine_since_s: float | None, expected: bool
) -> None:
    assert ends(seen(fine_since_s=fine_since_s), row) == expected


def test_of_its_end_is_told_since_when() -> None:
    assert decide(seen(fine_since_s=130), standing(alarm(AlarmState.OPEN)), HANDLING, NOW) == (
        Over(detector="early_warning", alarm_id=5, fine_since=NOW - timedelta(seconds=130)),
    )


def test_what_was_over_and_comes_back_is_raised_again_after_the_silence() -> None:
    assert not raises(seen(finding()), alarm(AlarmState.ARRIVED, over_s=1799))
    assert raises(seen(finding()), alarm(AlarmState.ARRIVED, over_s=1800))


def test_a_grade_adds_to_the_alarm_of_another_and_opens_none() -> None:
    graded = dataclasses.replace(finding(), grade="likely")
    assert decide(seen(graded), standing(), HANDLING, NOW) == ()
    assert decide(seen(graded), standing(alarm(AlarmState.OPEN, grade="likely")), HANDLING, NOW) == ()
    for before in (None, "certain"):
        row = alarm(AlarmState.OPEN, detector=None, grade=before)
        assert decide(seen(graded), standing(row), HANDLING, NOW) == (
            Amend(detector="early_warning", alarm_id=5, finding=graded),
        )


def personal(**chosen: Any) -> pd.DataFrame:
    usual: dict[str, Any] = {
        "resident_id": 7,
        "detector": "early_warning",
        "is_on": True,
        "off_until": None,
        "tolerance": 1.0,
        "active_from_h": None,
        "active_to_h": None,
    }
    frame = pd.DataFrame([{**usual, **chosen}])
    frame["off_until"] = pd.to_datetime(frame["off_until"], utc=True)
    return frame


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, True),
        ({"is_on": False}, False),
        ({"is_on": False, "resident_id": 8}, True),
        ({"is_on": False, "detector": "another"}, True),
        ({"off_until": NOW + timedelta(seconds=1)}, False),
        ({"off_until": NOW}, True),
        ({"active_from_h": 14, "active_to_h": 15}, True),  # it is 14:00 where the homes are
        ({"active_from_h": 8, "active_to_h": 14}, False),
        ({"active_from_h": 22, "active_to_h": 15}, True),
        ({"active_from_h": 22, "active_to_h": 6}, False),
        ({"active_from_h": 5, "active_to_h": 5}, True),
        ({"active_from_h": float("nan"), "active_to_h": float("nan")}, True),  # beside somebody who has hours
    ],
)
def test_what_carers_have_set_for_a_person(chosen: dict[str, Any], expected: bool) -> None:
    proposals = decide(seen(finding()), standing(), HANDLING, NOW, personal(**chosen))
    assert bool(proposals) == expected


@pytest.mark.parametrize(
    ("looked", "minutes_ago", "priority", "expected"),
    [
        (1, 31, AlarmPriority.MEDIUM, True),
        (2, 31, AlarmPriority.MEDIUM, False),
        (2, 61, AlarmPriority.MEDIUM, True),
        (4, 239, AlarmPriority.MEDIUM, False),
        (4, 241, AlarmPriority.MEDIUM, True),
        (9, 359, AlarmPriority.MEDIUM, False),
        (9, 361, AlarmPriority.MEDIUM, True),
        (9, 1, AlarmPriority.HIGH, True),
    ],
)
def test_who_has_looked_again_and_again_is_called_less_often_unless_it_is_worse(
    looked: int, minutes_ago: int, priority: AlarmPriority, expected: bool
) -> None:
    handling = Handling(silence_s=1800, repeated_silence_s_max=6 * 3600)
    earlier = [
        alarm(AlarmState.CLOSED, resolved_s=(minutes_ago + 90 * number) * 60, ended_s=0)
        for number in range(looked)
    ]
    assert bool(decide(seen(finding(priority)), standing(*earlier), handling, NOW)) == expected


@pytest.mark.parametrize(("severity", "expected"), [(None, False), (3, False), (4, False), (5, True)])
def test_two_points_more_are_worse_and_never_held_back(severity: float | None, expected: bool) -> None:
    handling = Handling(silence_s=1800, repeated_silence_s_max=6 * 3600)
    earlier = [alarm(AlarmState.CLOSED, resolved_s=600 * number, ended_s=0, severity=3) for number in (1, 9)]
    found = dataclasses.replace(finding(), severity=severity)
    assert bool(decide(seen(found), standing(*earlier), handling, NOW)) == expected
    unknown = [alarm(AlarmState.CLOSED, resolved_s=600, ended_s=0)]
    assert decide(seen(found), standing(*unknown), handling, NOW) == ()


def test_three_days_are_remembered_where_silence_grows() -> None:
    assert Handling(silence_s=1800).remembered_s == 1800
    assert Handling(silence_s=1800, repeated_silence_s_max=3600).remembered_s == 72 * 3600


def test_nobody_has_looked_at_what_ended_by_itself() -> None:
    handling = Handling(silence_s=1800, repeated_silence_s_max=6 * 3600)
    earlier = [alarm(AlarmState.CLEARED, ended_s=1860 + 60 * number) for number in range(5)]
    assert decide(seen(finding()), standing(*earlier), handling, NOW)


def test_emergencies_are_never_called_less_often() -> None:
    handling = Handling(silence_s=1800, repeated_silence_s_max=6 * 3600)
    earlier = [
        alarm(AlarmState.CLOSED, AlarmPriority.HIGH, resolved_s=1860 + 60 * number, ended_s=0)
        for number in range(5)
    ]
    assert decide(seen(finding(AlarmPriority.HIGH)), standing(*earlier), handling, NOW)
