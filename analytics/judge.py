"""Decides from assessments what becomes of alarms. Pure: the alarms themselves are its only memory.

Detectors say what they see. The judge decides when that is worth somebody's attention:
persistence: a finding must have held for a while;
silence: what ended a short while ago is not raised again unless it is worse. Each time that somebody has
looked, and it got neither better nor worse, the silence doubles;
no repeats: an active alarm is touched only to raise its priority;
hysteresis: an alarm is cleared when its detector calls the subject fine, never because a finding is absent;
personal settings: silence and active hours that carers have set for a person.
An alarm that only people may end is told that its cause is over. If the cause comes back after the silence,
the alarm is raised again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from alarms.detector_settings import Values
from alarms.model import AlarmPriority, AlarmState
from analytics.detectors import Assessment, Finding, Subject, SubjectKind

REPEATS_S = 72 * 3_600
"""How far back it counts how often somebody has looked at the same."""
WORSE_POINTS = 2
"""NEWS2 is worse when it has so many points more, also within the same priority."""
_RANK = {priority: rank for rank, priority in enumerate(AlarmPriority)}


@dataclass(frozen=True, kw_only=True)
class Handling:
    """How a kind of finding becomes an alarm.

    Attributes:
        silence_s: For how long after the end of an alarm the same is not raised again, unless it is worse.
        repeated_silence_s_max: With each alarm of the last REPEATS_S that somebody resolved the silence
            doubles, up to this; never for high priority. 0: it stays the same.
        persistence_s: How long a finding must have held before it is raised.
        clear_after_s: How long its subject must have been fine before an alarm is cleared.
    """

    silence_s: float
    repeated_silence_s_max: float = 0
    persistence_s: float = 0
    clear_after_s: float = 0

    @property
    def remembered_s(self) -> float:
        """How long ago an alarm may have ended that still counts."""
        return max(self.silence_s, REPEATS_S if self.repeated_silence_s_max else 0)


@dataclass(frozen=True, kw_only=True)
class Raise:
    """Open an alarm for this finding, or raise the priority of the active one."""

    detector: str
    finding: Finding


@dataclass(frozen=True, kw_only=True)
class Over:
    """The cause of this alarm is gone: it ends, or is told so where only people may end it."""

    detector: str
    alarm_id: int
    fine_since: datetime


@dataclass(frozen=True, kw_only=True)
class Amend:
    """Add what this finding knows to an alarm that somebody else has raised."""

    detector: str
    alarm_id: int
    finding: Finding


Decision = Raise | Over | Amend


def decide(
    assessment: Assessment,
    alarms: pd.DataFrame,
    handling: Handling,
    now: datetime,
    settings: pd.DataFrame | None = None,
) -> tuple[Decision, ...]:
    """What should be done about `assessment`.

    Deciding again after it was done gives nothing.

    Args:
        assessment: what a detector saw.
        alarms: as `History.standing_alarms`.
        handling: how this kind of finding becomes an alarm.
        now: the time of the assessment.
        settings: what carers have set, as `History.detector_settings`; None: nothing.
    """
    active, ended = _by_subject(alarms[alarms["kind"] == str(assessment.kind)])
    quiet = _quiet(assessment.detector, settings, now)
    decisions: list[Decision] = []
    for finding in assessment.findings:
        subject = str(finding.subject)
        alarm = active.get(subject)
        if finding.grade is not None:
            if alarm is not None and alarm["grade"] != finding.grade:
                decisions.append(
                    Amend(detector=assessment.detector, alarm_id=int(alarm["id"]), finding=finding)
                )
        elif finding.subject not in quiet and _worth_raising(
            finding, alarm, ended.get(subject, []), handling, now
        ):
            decisions.append(Raise(detector=assessment.detector, finding=finding))
    for well, since in assessment.fine.items():
        alarm = active.get(str(well))
        if (
            alarm is not None
            and alarm["detector"] == assessment.detector
            and now - since >= timedelta(seconds=handling.clear_after_s)
            and pd.isna(alarm["condition_ended_at"])
        ):
            decisions.append(Over(detector=assessment.detector, alarm_id=int(alarm["id"]), fine_since=since))
    return tuple(decisions)


def _by_subject(
    alarms: pd.DataFrame,
) -> tuple[dict[str, Mapping[str, Any]], dict[str, list[Mapping[str, Any]]]]:
    """The active alarm of each subject, and those that were dealt with lately."""
    active: dict[str, Mapping[str, Any]] = {}
    ended: dict[str, list[Mapping[str, Any]]] = {}
    for row in alarms.to_dict("records"):
        alarm = {str(key): value for key, value in row.items()}
        if AlarmState(alarm["state"]).is_active:
            active[alarm["subject"]] = alarm
        else:
            ended.setdefault(alarm["subject"], []).append(alarm)
    return active, ended


def _quiet(detector: str, settings: pd.DataFrame | None, now: datetime) -> frozenset[Subject]:
    """Residents for whom this detector raises nothing now."""
    if settings is None:
        return frozenset()
    return frozenset(
        Subject(SubjectKind.RESIDENT, int(row["resident_id"]))
        for row in settings[settings["detector"] == detector].to_dict("records")
        if _values(row).is_quiet(now)
    )


def _values(row: Mapping[Any, Any]) -> Values:
    """What stands in a row of `History.detector_settings`, where what is not set is a NaN."""
    off_until, from_h, to_h = (
        None if pd.isna(row[name]) else row[name] for name in ("off_until", "active_from_h", "active_to_h")
    )
    return Values(
        is_on=bool(row["is_on"]),
        off_until=off_until,
        active_from_h=None if from_h is None else int(from_h),
        active_to_h=None if to_h is None else int(to_h),
    )


def _worth_raising(
    finding: Finding,
    active: Mapping[str, Any] | None,
    ended: list[Mapping[str, Any]],
    handling: Handling,
    now: datetime,
) -> bool:
    if active is not None:
        over_at = active["condition_ended_at"]
        back = not pd.isna(over_at) and now - over_at >= timedelta(seconds=handling.silence_s)
        return back or _RANK[finding.priority] > _RANK[AlarmPriority(active["priority"])]
    if now - finding.since < timedelta(seconds=handling.persistence_s):
        return False
    quiet_after = now - timedelta(seconds=_silence_s(finding, ended, handling))
    return not any(_over_at(alarm) > quiet_after and not _is_worse(finding, alarm) for alarm in ended)


def _is_worse(finding: Finding, alarm: Mapping[str, Any]) -> bool:
    """Whether it is worse now than it was when that alarm was told."""
    if _RANK[finding.priority] != _RANK[AlarmPriority(alarm["priority"])]:
        return _RANK[finding.priority] > _RANK[AlarmPriority(alarm["priority"])]
    known = finding.severity is not None and not pd.isna(alarm["severity"])
    return known and finding.severity >= alarm["severity"] + WORSE_POINTS


def _silence_s(finding: Finding, ended: list[Mapping[str, Any]], handling: Handling) -> float:
    """Longer each time that somebody has looked at the same: nobody is called every half hour (ISA-18.2)."""
    looked = sum(not pd.isna(alarm["resolved_at"]) for alarm in ended)
    if finding.priority is AlarmPriority.HIGH or not looked:
        return handling.silence_s
    return max(
        handling.silence_s, min(handling.silence_s * 2.0 ** (looked - 1), handling.repeated_silence_s_max)
    )


def _over_at(alarm: Mapping[str, Any]) -> datetime:
    """When it was dealt with: resolved by somebody, or ended."""
    at = alarm["resolved_at"] if not pd.isna(alarm["resolved_at"]) else alarm["ended_at"]
    assert isinstance(at, datetime), "an alarm that is not active was resolved or has ended"
    return at
