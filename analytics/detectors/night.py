"""What goes wrong at night: out of bed and not back, out of the door, breathing too weakly, never turned.

Four detectors, one for each kind of alarm. Each needs a device that is heard: a silent mattress says nothing
about the person on it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from alarms.kinds import AlarmKind
from alarms.model import AlarmPriority
from analytics import wording
from analytics.columns import datetimes
from analytics.detectors import Assessment, Finding, Subject, SubjectKind
from analytics.evidence import chart, contribution, evidence
from analytics.history import History
from analytics.settings import AnalyticsSettings
from care.model import SiteKind
from care.policy import Policy
from protocol.calendar import HOME_TIME
from protocol.model import ActivityEvent, DeviceKind

OF_A_BED = (ActivityEvent.IN_BED, ActivityEvent.TURNED)
NOT_INSIDE = (
    ActivityEvent.DOOR_OPEN,
    ActivityEvent.DOOR_CLOSED,
    ActivityEvent.ABSENCE,
    ActivityEvent.OUT_OF_BED,
)
"""After these events a person may be outside."""
SHARE_MIN = 0.8
"""More than this share of a window's readings must be so, as with all vital signs."""
STEPPED_OUT_S = 60
"""A sensor that speaks within this time of the door saw somebody on the way to it."""


class BedExit:
    """Alarms of kind `bed_exit`: out of bed at night, and not back."""

    name = "bed_exit"
    kind = AlarmKind.BED_EXIT

    def __init__(self, settings: AnalyticsSettings) -> None:
        self._settings = settings

    def score(self, history: History) -> Assessment:
        """People who left the bed this night and have not come back. People who lie in bed are fine."""
        policy, now = history.policy, history.now
        beds = _with_residents(history, history.beds).merge(_mattresses(history), on="resident_id")
        in_bed = beds[beds["in_bed"]]
        fine = _fine(in_bed["resident_id"], in_bed["in_bed_at"])
        begins_at = _night_since(now, policy)
        if begins_at is None:
            return Assessment(detector=self.name, kind=self.kind, fine=fine)
        away = beds[~beds["in_bed"] & (beds["in_bed_at"] >= begins_at) & beds["heard"]].copy()
        away["away_s"] = (pd.Timestamp(now) - away["in_bed_at"]).dt.total_seconds()
        away["limit_s"] = policy.bed_exit_s * history.tolerance(self.name, away["resident_id"])
        away = away[away["away_s"] >= away["limit_s"]].merge(
            _last_inside(history), on="resident_id", how="left"
        )
        unseen = ~(away["inside_at"] > away["in_bed_at"] + pd.Timedelta(seconds=STEPPED_OUT_S))
        away["high"] = unseen & (away["away_s"] >= away["limit_s"] * self._settings.bed_exit_high_factor)
        away["unseen"] = unseen
        findings = tuple(self._finding(now, row) for row in away.to_dict("records"))
        return Assessment(detector=self.name, kind=self.kind, findings=findings, fine=fine)

    def _finding(self, now: datetime, row: Mapping[Any, Any]) -> Finding:
        since: datetime = row["in_bed_at"].to_pydatetime()
        span, limit = wording.span(row["away_s"]), wording.span(row["limit_s"])
        at = wording.clock(since, now)
        seen_zh, seen_en = (
            ("离床后没有看到任何活动。", "Nothing has been seen since.")
            if row["unseen"]
            else ("离床后室内有活动。", "There has been movement since.")
        )
        made = evidence(
            wording.sentence(
                f"夜间 {at} 离床，已 {span.zh_cn}未回（一般不超过 {limit.zh_cn}）。{seen_zh}请去看看。",
                f"Out of bed at {at} and not back for {span.en} (expected within {limit.en}). {seen_en} "
                "Please look.",
            ),
            since,
            now,
            seen={"away_s": round(row["away_s"])},
            expected={"away_s": round(row["limit_s"])},
            chart=chart("activity", since - timedelta(hours=6), now),
        )
        return _of_resident(
            row, self.kind, AlarmPriority.HIGH if row["high"] else AlarmPriority.MEDIUM, since, made
        )


class Wandering:
    """Alarms of kind `wandering`: a door at night, and nobody inside since."""

    name = "wandering"
    kind = AlarmKind.WANDERING

    def __init__(self, settings: AnalyticsSettings) -> None:
        self._settings = settings

    def score(self, history: History) -> Assessment:
        """People who went through a door at night and were not seen inside since. People who were are fine.

        In a home staff open doors at night as well. There it counts only for people who are not in their bed.
        """
        policy, now = history.policy, history.now
        signs = history.life_signs
        doors = signs[(signs["device_kind"] == str(DeviceKind.DOOR_CONTACT)) & signs["time"].notna()]
        through = doors.groupby("resident_id")["time"].max().rename("door_at").reset_index()
        people = _with_residents(history, through).merge(_last_inside(history), on="resident_id", how="left")
        stepped_out = people["door_at"] + pd.Timedelta(seconds=STEPPED_OUT_S)
        inside = people["inside_at"] > stepped_out
        fine = _fine(people.loc[inside, "resident_id"], people.loc[inside, "inside_at"])
        begins_at = _night_since(now, policy)
        if begins_at is None:
            return Assessment(detector=self.name, kind=self.kind, fine=fine)
        bed = history.beds.set_index("resident_id")["in_bed"].reindex(people["resident_id"])
        in_home = (people["site_kind"] == str(SiteKind.CARE_HOME)).to_numpy()
        may_be_out = np.where(in_home, bed.eq(False), ~bed.eq(True))
        gone_s = (pd.Timestamp(now) - people["door_at"]).dt.total_seconds()
        limit_s = policy.wandering_s * history.tolerance(self.name, people["resident_id"])
        gone = ~inside & may_be_out & (people["door_at"] >= begins_at) & (gone_s >= limit_s)
        high = gone_s >= limit_s * self._settings.wandering_high_factor
        found = people.assign(gone_s=gone_s, high=high & ~in_home)[gone]
        findings = tuple(self._finding(history, row) for row in found.to_dict("records"))
        return Assessment(detector=self.name, kind=self.kind, findings=findings, fine=fine)

    def _finding(self, history: History, row: Mapping[Any, Any]) -> Finding:
        now = history.now
        since: datetime = row["door_at"].to_pydatetime()
        span, at = wording.span(row["gone_s"]), wording.clock(since, now)
        made = evidence(
            wording.sentence(
                f"夜间 {at} 门被打开，此后 {span.zh_cn}室内没有任何活动，人可能已外出。请马上联系或寻找。",
                f"A door was used at {at} in the night, and nothing has been seen inside for {span.en}: "
                "may have gone out. Call or search now.",
            ),
            since,
            now,
            seen={"door_at": since.isoformat(), "unseen_s": round(row["gone_s"])},
            expected={"unseen_s": history.policy.wandering_s},
            chart=chart("activity", since - timedelta(hours=6), now),
        )
        return _of_resident(
            row, self.kind, AlarmPriority.HIGH if row["high"] else AlarmPriority.MEDIUM, since, made
        )


class WeakBreathing:
    """Alarms of kind `weak_breathing`: nearly all readings of some minutes far too slow."""

    name = "weak_breathing"
    kind = AlarmKind.WEAK_BREATHING

    def __init__(self, settings: AnalyticsSettings) -> None:
        self._settings = settings

    def score(self, history: History) -> Assessment:
        """People who breathe too slowly for minutes on end. People who do not are fine."""
        settings, now = self._settings, history.now
        vitals = history.vitals(
            timedelta(seconds=settings.vitals_window_s),
            timedelta(seconds=settings.vitals_lookback_s),
            settings.vitals_samples_min,
        )
        begin = pd.Timestamp(now - timedelta(seconds=settings.weak_breathing_window_s))
        recent = vitals[vitals["rr"].notna() & (vitals["time"] > begin)]
        # A wider tolerance means that fewer breaths are still accepted.
        limit = settings.weak_breathing_rr / history.tolerance(self.name, recent["resident_id"])
        table = (
            recent.assign(weak=recent["rr"] <= limit)
            .groupby("resident_id")
            .agg(
                samples=("rr", "size"),
                weak=("weak", "sum"),
                rr=("rr", "median"),
                first_at=("time", "min"),
            )
            .reset_index()
        )
        table = _with_residents(history, table[table["samples"] >= settings.weak_breathing_samples_min])
        share = table["weak"] / table["samples"]
        well = table[share <= 1 - SHARE_MIN]
        return Assessment(
            detector=self.name,
            kind=self.kind,
            findings=tuple(self._finding(now, row) for row in table[share > SHARE_MIN].to_dict("records")),
            fine=_fine(well["resident_id"], well["first_at"]),
        )

    def _finding(self, now: datetime, row: Mapping[Any, Any]) -> Finding:
        since: datetime = row["first_at"].to_pydatetime()
        at, rr = wording.clock(since, now), float(row["rr"])
        made = evidence(
            wording.sentence(
                f"{at} 起 {row['samples']} 次呼吸测量中 {row['weak']} 次过慢，"
                f"中位 {rr:.0f} 次/分（正常 12–20）。请马上去看。",
                f"Since {at}, {row['weak']} of {row['samples']} readings of respiration far too slow, median "
                f"{rr:.0f}/min (normal 12–20). Look now.",
            ),
            since,
            now,
            seen={"rr": rr, "samples_weak": int(row["weak"]), "samples": int(row["samples"])},
            expected={"rr": "12–20"},
            contributions=[contribution({"sign": "rr"}, rr, 12, 20, 1)],
            chart=chart("vitals", since - timedelta(hours=2), now, sign="rr", low=12, high=20),
        )
        return _of_resident(row, self.kind, AlarmPriority.HIGH, since, made)


class Turning:
    """Alarms of kind `no_turning`: somebody who cannot turn was not turned."""

    name = "turning"
    kind = AlarmKind.NO_TURNING

    def __init__(self, settings: AnalyticsSettings) -> None:
        self._settings = settings

    def score(self, history: History) -> Assessment:
        """People who cannot turn themselves and lay unmoved for too long. Those who were turned are fine."""
        policy, now = history.policy, history.now
        signs = history.life_signs
        of_beds = signs[(signs["device_kind"] == str(DeviceKind.SMART_MATTRESS)) & signs["time"].notna()]
        last = of_beds.sort_values("time", kind="stable").drop_duplicates("resident_id", keep="last")
        people = _with_residents(history, last.drop(columns=["since"]))
        people = people[people["cannot_turn"]].merge(_mattresses(history), on="resident_id")
        people["still_s"] = (pd.Timestamp(now) - people["time"]).dt.total_seconds()
        people["limit_s"] = policy.no_turning_s * history.tolerance(self.name, people["resident_id"])
        lying = people["event"].isin([str(event) for event in OF_A_BED])
        found = people[lying & people["heard"] & (people["still_s"] >= people["limit_s"])]
        fine = people[~lying | (people["still_s"] < people["limit_s"])]
        return Assessment(
            detector=self.name,
            kind=self.kind,
            findings=tuple(self._finding(now, row) for row in found.to_dict("records")),
            fine=_fine(fine["resident_id"], fine["time"]),
        )

    def _finding(self, now: datetime, row: Mapping[Any, Any]) -> Finding:
        since: datetime = row["time"].to_pydatetime()
        span, limit, at = (
            wording.span(row["still_s"]),
            wording.span(row["limit_s"]),
            wording.clock(since, now),
        )
        long = row["still_s"] >= row["limit_s"] * self._settings.no_turning_medium_factor
        made = evidence(
            wording.sentence(
                f"自 {at} 起 {span.zh_cn}没有翻身（应不超过 {limit.zh_cn}），有压疮风险，请协助翻身。",
                f"Not turned since {at} ({span.en}; at most {limit.en}): pressure sores! Please turn.",
            ),
            since,
            now,
            seen={"still_s": round(row["still_s"])},
            expected={"still_s": round(row["limit_s"])},
            chart=chart("activity", since - timedelta(hours=12), now),
        )
        return _of_resident(row, self.kind, AlarmPriority.MEDIUM if long else AlarmPriority.LOW, since, made)


def _night_since(now: datetime, policy: Policy) -> datetime | None:
    """When the night that still lasts began; None by day."""
    begins_h, ends_h = policy.night_from_h, policy.night_to_h
    local = now.astimezone(HOME_TIME)
    begin = local.replace(hour=begins_h, minute=0, second=0, microsecond=0)
    if begin > local:
        begin -= timedelta(days=1)
    return begin if local < begin + timedelta(hours=(ends_h - begins_h) % 24) else None


def _with_residents(history: History, frame: pd.DataFrame) -> pd.DataFrame:
    """`frame` with where each resident lives; without those who live nowhere now."""
    return frame.merge(history.residents, on="resident_id")


def _mattresses(history: History) -> pd.DataFrame:
    """resident_id, heard: who has a mattress, and whether it has spoken of late. It runs on mains."""
    signs = history.life_signs
    beds = signs.loc[signs["device_kind"] == str(DeviceKind.SMART_MATTRESS), ["resident_id", "device_id"]]
    devices = history.devices[["device_id", "seen_at", "ever_seen"]]
    known = beds.merge(devices, on="device_id")
    silence_s = (pd.Timestamp(history.now) - known["seen_at"]).dt.total_seconds()
    known["heard"] = known["ever_seen"].astype(bool) & (silence_s <= history.policy.device_silence_mains_s)
    return known.groupby("resident_id")["heard"].any().reset_index()


def _last_inside(history: History) -> pd.DataFrame:
    """resident_id, inside_at: when a sensor last saw the person in their rooms."""
    signs = history.life_signs
    inside = signs[signs["time"].notna() & ~signs["event"].isin([str(event) for event in NOT_INSIDE])]
    return inside.groupby("resident_id")["time"].max().rename("inside_at").reset_index()


def _fine(residents: "pd.Series[int]", since: "pd.Series[Any]") -> dict[Subject, datetime]:
    return {
        Subject(SubjectKind.RESIDENT, resident_id): at
        for resident_id, at in zip(residents.tolist(), datetimes(since), strict=True)
    }


def _of_resident(
    row: Mapping[Any, Any], kind: AlarmKind, priority: AlarmPriority, since: datetime, made: Mapping[str, Any]
) -> Finding:
    return Finding(
        subject=Subject(SubjectKind.RESIDENT, int(row["resident_id"])),
        site_id=int(row["site_id"]),
        kind=kind,
        priority=priority,
        since=since,
        evidence=made,
    )
