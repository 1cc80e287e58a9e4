"""Early warning: NEWS2 over the last minutes. One bad sample is an artefact until most of the window agrees.

Every sample of the window is scored with what was known at its time. More than 80 % emergencies (7 or more)
ask for high priority, more than 80 % abnormal (5 or more, or 3 points for a single sign) for medium. A
reading that somebody took on purpose, alone in its window, counts as it stands.

One sign with 3 points calls somebody when it is measured. It holds for hours and goes on adding to the total,
but it does not call again by itself: the caregiver would be called twice for one reading.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from alarms.evidence import Evidence
from alarms.kinds import AlarmKind
from alarms.model import AlarmPriority
from analytics import artefacts, news2, wording
from analytics.carry import Samples, carry
from analytics.detectors import Assessment, Finding, Subject, SubjectKind
from analytics.evidence import chart, contribution, evidence
from analytics.history import History
from analytics.news2 import (
    CONSCIOUSNESS,
    OXYGEN_POINTS,
    SIGNS,
    SINGLE_RED,
    URGENT_SCORE,
    Flags,
    Ints,
    Scores,
)
from analytics.settings import AnalyticsSettings

NORMAL_RANGE: Mapping[str, tuple[float | None, float | None]] = {
    "rr": (12, 20),
    "spo2": (96, None),
    "sbp": (111, 219),
    "hr": (51, 90),
    "temp": (36.1, 38.0),
}
"""Where NEWS2 gives no points (SpO2 on scale 1), as numbers for a chart."""
SPO2_RANGE_SCALE_2 = (88.0, 92.0)
RED_WINDOWS_MAX = 2
"""For so many windows after it was measured, a single sign with 3 points is abnormal by itself."""


class EarlyWarning:
    """Alarms of kind `vitals`."""

    name = "early_warning"
    kind = AlarmKind.VITALS

    def __init__(self, settings: AnalyticsSettings) -> None:
        self._settings = settings
        self._age_s_max = {sign: float(getattr(settings, f"{sign}_age_s_max")) for sign in SIGNS}

    def score(self, history: History) -> Assessment:
        """Residents whose last minutes are abnormal, and those whose last minutes are not."""
        settings = self._settings
        residents = history.residents.set_index("resident_id")
        vitals = history.vitals(
            timedelta(seconds=settings.vitals_window_s),
            timedelta(seconds=settings.vitals_lookback_s),
            settings.vitals_samples_min,
        )
        vitals = artefacts.reject(vitals[vitals["resident_id"].isin(residents.index)])
        samples = carry(vitals, history.latest_signs, self._age_s_max)
        of_resident = residents.loc[samples.resident]
        scores = news2.score(
            samples.signs,
            of_resident["spo2_scale"].to_numpy(np.int64),
            of_resident["on_oxygen"].to_numpy(np.bool_),
        )
        table = self._by_resident(samples, scores, _epoch_us(history.now))
        findings = tuple(
            self._finding(history, row, samples, scores)
            for row in table[table["abnormal"]].join(residents).to_dict("records")
        )
        normal = table[table["normal"]]
        fine = {
            Subject(SubjectKind.RESIDENT, resident_id): _time(first_us)
            for resident_id, first_us in zip(normal.index.tolist(), normal["first_us"].tolist(), strict=True)
        }
        return Assessment(detector=self.name, kind=self.kind, findings=findings, fine=fine)

    def _by_resident(self, samples: Samples, scores: Scores, now_us: int) -> pd.DataFrame:
        """One row for each resident who can be judged; index resident_id."""
        settings = self._settings
        abnormal = scores.urgent | (scores.red & self._newly_measured(samples)).any(axis=1)
        recent = samples.time_us > now_us - settings.vitals_window_s * 1_000_000
        within = scores.scored & (recent | (_rank_from_end(samples.resident) < settings.vitals_samples_min))
        at = np.flatnonzero(within)
        rows = pd.DataFrame(
            {
                "resident_id": samples.resident[at],
                "at": at,
                "time_us": samples.time_us[at],
                "recent": recent[at],
                "spot": samples.spot[at],
                "urgent": abnormal[at],
                "off": scores.abnormal[at],
                "emergency": scores.emergency[at],
                "abnormal_at": np.where(abnormal[at], at, -1),
                "abnormal_us": np.where(abnormal[at], samples.time_us[at], np.iinfo(np.int64).max),
            }
        )
        table = rows.groupby("resident_id").agg(
            samples=("at", "size"),
            recent=("recent", "any"),
            deliberate=("spot", "all"),
            urgent=("urgent", "sum"),
            off=("off", "sum"),
            emergency=("emergency", "sum"),
            last_abnormal=("abnormal_at", "max"),
            since_us=("abnormal_us", "min"),
            first_us=("time_us", "min"),
        )
        enough = (table["samples"] >= settings.vitals_samples_min) | table["deliberate"]
        table = table[table["recent"] & enough]
        abnormal_share = table["urgent"] / table["samples"]
        return table.assign(
            high=table["emergency"] / table["samples"] > settings.vitals_abnormal_share,
            abnormal=abnormal_share > settings.vitals_abnormal_share,
            # A sign that does not call again is still no reason to end an alarm that nobody has answered.
            normal=table["off"] / table["samples"] <= settings.vitals_normal_share,
        )

    def _newly_measured(self, samples: Samples) -> Flags:
        """(n, 5) whether each of SIGNS was measured just before its sample."""
        age_s_max = RED_WINDOWS_MAX * self._settings.vitals_window_s
        return np.column_stack([samples.age_s[sign] <= age_s_max for sign in SIGNS])

    def _finding(self, history: History, row: Mapping[Any, Any], samples: Samples, scores: Scores) -> Finding:
        at = int(row["last_abnormal"])
        since = _time(row["since_us"])
        measured = [index for index, _ in enumerate(SIGNS) if not scores.missing[at, index]]
        on_oxygen = bool(row["on_oxygen"])
        scored: dict[str, Any] = {
            "score": int(scores.total[at]),
            "points": {SIGNS[index]: int(scores.points[at, index]) for index in measured},
            "values": {SIGNS[index]: _shown(SIGNS[index], samples, at) for index in measured},
            "age_s": {SIGNS[index]: round(float(samples.age_s[SIGNS[index]][at])) for index in measured},
            "missing": [sign for index, sign in enumerate(SIGNS) if scores.missing[at, index]]
            + [CONSCIOUSNESS],
            "oxygen_points": OXYGEN_POINTS if on_oxygen else 0,
            "spo2_scale": int(row["spo2_scale"]),
            "samples": int(row["samples"]),
            "samples_abnormal": int(row["urgent"]),
            "window_begins_at": _time(row["first_us"]).isoformat(),
            "scored_at": _time(samples.time_us[at]).isoformat(),
        }
        made = _evidence(scored, since, history.now)
        return Finding(
            subject=Subject(SubjectKind.RESIDENT, int(samples.resident[at])),
            site_id=int(row["site_id"]),
            kind=self.kind,
            priority=AlarmPriority.HIGH if row["high"] else AlarmPriority.MEDIUM,
            since=since,
            evidence=made,
            severity=float(scored["score"]),
        )


def _evidence(scored: Mapping[str, Any], since: datetime, now: datetime) -> Evidence:
    """The score in the shape that pages draw from, with its own numbers beside."""
    scale_2 = scored["spo2_scale"] == 2
    normal = {**NORMAL_RANGE, **({"spo2": SPO2_RANGE_SCALE_2} if scale_2 else {})}
    parts = [
        contribution({"sign": sign}, scored["values"][sign], *normal[sign], points)
        for sign, points in scored["points"].items()
    ]
    worst = max(scored["points"], key=scored["points"].__getitem__)
    low, high = normal[worst]
    return evidence(
        _sentence(scored, since, now),
        datetime.fromisoformat(scored["window_begins_at"]),
        now,
        seen={**scored["values"], **({"score": scored["score"]} if _expected_score(scored["score"]) else {})},
        expected={
            **_expected_score(scored["score"]),
            **{sign: wording.NORMAL[sign] for sign in scored["values"]},
        },
        contributions=parts,
        chart=chart("vitals", since - timedelta(hours=6), now, sign=worst, low=low, high=high),
        **scored,
    )


def _expected_score(score: int) -> dict[str, str]:
    """What the total should be; nothing where it is as expected, and one sign alone is the reason."""
    return {"score": f"0–{URGENT_SCORE - 1}"} if score >= URGENT_SCORE else {}


def _why(evidence: Mapping[str, Any]) -> wording.Words:
    """By what the measurements are urgent: their total, or single signs."""
    if (score := evidence["score"]) >= URGENT_SCORE:
        return wording.Words(
            f"预警评分（NEWS2）{score} 分（正常 0–{URGENT_SCORE - 1} 分）",
            f"early warning score (NEWS2) {score} (normal 0–{URGENT_SCORE - 1})",
        )
    red = [wording.sign(sign) for sign, points in evidence["points"].items() if points >= SINGLE_RED]
    return wording.Words(
        f"{'、'.join(one.zh_cn for one in red)}单项 {SINGLE_RED} 分（NEWS2），须尽快处理",
        f"{SINGLE_RED} points for {' and '.join(one.en for one in red)} alone (NEWS2), which is urgent",
    )


def _sentence(evidence: Mapping[str, Any], since: datetime, now: datetime) -> wording.Sentence:
    seen_zh, seen_en = [], []
    for sign, points in sorted(evidence["points"].items(), key=lambda item: -item[1]):
        if points == 0:
            continue
        words, value = wording.SIGNS[sign], evidence["values"][sign]
        scale_2 = sign == "spo2" and evidence["spo2_scale"] == 2
        normal = wording.SPO2_TARGET_SCALE_2 if scale_2 else wording.NORMAL[sign]
        seen_zh.append(f"{words.zh_cn} {value:.{words.decimals}f} {words.unit_zh_cn}（正常 {normal}）")
        seen_en.append(f"{words.en} {value:.{words.decimals}f} {words.unit_en} (normal {normal})")
    if evidence["oxygen_points"]:
        seen_zh.append("正在吸氧")
        seen_en.append("on oxygen")
    missing = [wording.sign(sign) for sign in evidence["missing"]]
    missing_zh = "、".join(words.zh_cn for words in missing)
    missing_en = ", ".join(words.en for words in missing)
    count, abnormal, why = evidence["samples"], evidence["samples_abnormal"], _why(evidence)
    at = wording.clock(since, now)
    return wording.sentence(
        f"{at} 起 {count} 次测量中 {abnormal} 次异常：{why.zh_cn}；"
        f"{'，'.join(seen_zh)}。未测：{missing_zh}。",
        f"Since {at}, {abnormal} of {count} measurements abnormal: {why.en}; "
        f"{', '.join(seen_en)}. Not measured: {missing_en}.",
    )


def _rank_from_end(resident: Ints) -> Ints:
    """For each sample how many of the same resident come after it; samples are by resident, then time."""
    if not len(resident):
        return resident
    last = np.flatnonzero(np.r_[resident[1:] != resident[:-1], True])
    return np.repeat(last, np.diff(np.r_[-1, last])) - np.arange(len(resident))


def _shown(sign: str, samples: Samples, at: int) -> float:
    return round(float(samples.signs[sign][at]), wording.SIGNS[sign].decimals)


def _epoch_us(time: datetime) -> int:
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _time(epoch_us: Any) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(epoch_us))
