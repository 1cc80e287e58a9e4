"""Decides from assessments what becomes of alarms. Pure: all it knows of the past are the alarms themselves.

Detectors say what they see; here it is decided when that is worth somebody's attention:
persistence: a finding must have held for a while; silence: what ended a short while ago is not raised again
unless it is worse; no repeats: an active alarm is only touched to raise its priority; hysteresis: an alarm is
cleared when its detector calls the subject fine, never just because a finding is absent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from analytics.detectors import Assessment, Finding, Subject
from care.alarms import legal_steps
from care.model import AlarmPriority, AlarmState, AlarmStep

ACTIVE = frozenset({AlarmState.OPEN, AlarmState.ACKNOWLEDGED, AlarmState.ARRIVED})
"""States in which a new signal joins the alarm instead of opening another (care.alarm, alarm_one_active)."""

_RANK = {priority: rank for rank, priority in enumerate(AlarmPriority)}


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How a kind of finding becomes an alarm.

    Attributes:
        silence_s: For how long after the end of an alarm the same is not raised again, unless it is worse.
        persistence_s: How long a finding must have held before it is raised.
        clear_after_s: How long its subject must have been fine before an alarm is cleared.
    """

    silence_s: float
    persistence_s: float = 0
    clear_after_s: float = 0


@dataclass(frozen=True, kw_only=True)
class Raise:
    """Open an alarm for this finding, or raise the priority of the active one."""

    detector: str
    finding: Finding


@dataclass(frozen=True, kw_only=True)
class Clear:
    """End this alarm: its cause is gone."""

    detector: str
    alarm_id: int
    fine_since: datetime


Proposal = Raise | Clear


def decide(
    assessment: Assessment, alarms: pd.DataFrame, policy: Policy, now: datetime
) -> tuple[Proposal, ...]:
    """What should be done about `assessment`, given `alarms` as `History.standing_alarms`.

    Deciding again after it was done gives nothing.
    """
    of_kind = alarms[alarms["kind"] == str(assessment.kind)]
    active: dict[str, Mapping[str, Any]] = {}
    ended: dict[str, list[Mapping[str, Any]]] = {}
    for row in of_kind.to_dict("records"):
        if AlarmState(row["state"]) in ACTIVE:
            active[row["subject"]] = {str(key): value for key, value in row.items()}
        else:
            ended.setdefault(row["subject"], []).append({str(key): value for key, value in row.items()})
    raised = [
        Raise(detector=assessment.detector, finding=finding)
        for finding in assessment.findings
        if _worth_raising(
            finding, active.get(str(finding.subject)), ended.get(str(finding.subject), []), policy, now
        )
    ]
    cleared = [
        Clear(detector=assessment.detector, alarm_id=int(alarm["id"]), fine_since=since)
        for subject, since in assessment.fine.items()
        if (alarm := active.get(str(subject))) is not None
        and _may_clear(alarm, assessment.detector, subject, since, policy, now)
    ]
    return (*raised, *cleared)


def _worth_raising(
    finding: Finding,
    active: Mapping[str, Any] | None,
    ended: list[Mapping[str, Any]],
    policy: Policy,
    now: datetime,
) -> bool:
    if active is not None:
        return _RANK[finding.priority] > _RANK[AlarmPriority(active["priority"])]
    if now - finding.since < timedelta(seconds=policy.persistence_s):
        return False
    quiet_after = now - timedelta(seconds=policy.silence_s)
    return not any(
        _over_at(alarm) > quiet_after and _RANK[finding.priority] <= _RANK[AlarmPriority(alarm["priority"])]
        for alarm in ended
    )


def _may_clear(
    alarm: Mapping[str, Any], detector: str, subject: Subject, since: datetime, policy: Policy, now: datetime
) -> bool:
    assert str(subject) == alarm["subject"]
    return (
        alarm["detector"] == detector
        and AlarmStep.CLEARED in legal_steps(AlarmState(alarm["state"]), AlarmPriority(alarm["priority"]))
        and now - since >= timedelta(seconds=policy.clear_after_s)
    )


def _over_at(alarm: Mapping[str, Any]) -> datetime:
    """When it was dealt with: resolved by somebody, or ended."""
    at = alarm["resolved_at"] if not pd.isna(alarm["resolved_at"]) else alarm["ended_at"]
    assert isinstance(at, datetime), "an alarm that is not active was resolved or has ended"
    return at
