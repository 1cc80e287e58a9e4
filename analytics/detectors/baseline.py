"""Signs that are no longer usual for this person: early infection, and slow trends.

Each hour is compared with the person's own median of that local hour, and the mean of the last hours with
how much such means spread in their own last weeks. So a normal pulse of 48 is no alarm, and 68 may be one.

Early infection: temperature, pulse and respiration up and oxygen down, added up over the last three hours;
at least two of them must have moved, or the temperature alone by a whole degree. Trend: one sign that has
been off for three days. What begins slowly is not learnt as normal: the baseline ends two days before.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np

from alarms.kinds import AlarmKind
from alarms.model import AlarmPriority
from analytics import features, wording
from analytics.baselines import Baselines, VitalBaseline, count_min
from analytics.detectors import Assessment, Finding, Subject, SubjectKind
from analytics.evidence import chart, contribution, evidence
from analytics.history import PERSISTENT_SIGNS, History, Residents
from analytics.news2 import Flags, Floats
from analytics.settings import AnalyticsSettings
from protocol.calendar import HOME_TIME

STEP_H, TREND_H = 3, 72
CALM_H = 6
"""For so many hours the signs must be well below the limit before an alarm's cause is gone."""
LOOK_DAYS = 5
"""Local days that are read: enough for a trend window and the hours before it."""
RECENT_H = 24
"""How far back the begin of a finding is looked for."""
ILL_WHEN = {"temp": 1.0, "hr": 1.0, "rr": 1.0, "spo2": -1.0}
"""Which way each sign moves in an infection."""
STEP_EFFECT_MIN = {"temp": 0.2, "hr": 3.0, "rr": 1.0, "spo2": 1.0}
"""Smaller shifts, in the units of the signs, are no change, however exact the device."""
TREND_EFFECT_MIN = {"hr": 8.0, "rr": 3.0, "spo2": 2.0, "temp": 0.5, "sbp": 15.0, "weight": 2.0}
"""Heart failure shows in 2 kg within three days; the others are half a band of NEWS2."""
CLIP = 8.0
MOVED = 1.0
"""From so many personal deviations on, a sign counts as moved."""
FEVER_ALONE_CEL = 1.0


class Scored(NamedTuple):
    """Of n residents at each of t hours.

    `off`: for each sign (n, t) how far the mean of the last STEP_H hours is from usual, in its unit;
    `deviations`: the same in personal standard deviations, towards illness, at least 0; `score`, `ill`.
    """

    off: dict[str, Floats]
    deviations: dict[str, Floats]
    score: Floats
    measured: Floats
    moved: Flags


def score_steps(off: dict[str, Floats], spread: Mapping[str, Floats]) -> Scored:
    """Combine the signs of `ILL_WHEN`: `off` (n, t) in units, `spread` (n,) personal deviations."""
    deviations = {
        sign: np.clip(np.nan_to_num(direction * off[sign] / spread[sign][:, None]), 0, CLIP)
        for sign, direction in ILL_WHEN.items()
    }
    measured = np.sum([~np.isnan(off[sign] / spread[sign][:, None]) for sign in ILL_WHEN], axis=0)
    total = np.sum(list(deviations.values()), axis=0)
    moved = np.sum([deviation >= MOVED for deviation in deviations.values()], axis=0) >= 2
    effect = np.any(
        [np.nan_to_num(ILL_WHEN[sign] * off[sign]) >= STEP_EFFECT_MIN[sign] for sign in ILL_WHEN], axis=0
    )
    fever = (np.nan_to_num(off["temp"]) >= FEVER_ALONE_CEL) & (deviations["temp"] >= 2 * MOVED)
    # Independent deviations add up like this: n signs of 1 are as unlikely as one of √n.
    score = total / np.sqrt(np.maximum(measured, 1))
    return Scored(off, deviations, score, measured, (moved & effect) | fever)


class Baseline:
    """Alarms of kind `health_change`."""

    name = "baseline"
    kind = AlarmKind.HEALTH_CHANGE

    def __init__(self, settings: AnalyticsSettings, baselines: Baselines) -> None:
        self._settings = settings
        self._baselines = baselines

    def score(self, history: History) -> Assessment:
        """Residents whose signs have left their usual, and those whose have not."""
        findings: list[Finding] = []
        fine: dict[Subject, Any] = {}
        for part in history.slices():
            of_part = self._score_part(history, part)
            findings += of_part[0]
            fine |= of_part[1]
        return Assessment(detector=self.name, kind=self.kind, findings=tuple(findings), fine=fine)

    def _score_part(self, history: History, part: Residents) -> tuple[list[Finding], dict[Subject, Any]]:
        settings = self._settings
        baseline = self._baselines.vitals(history, part)
        off = self._off(history, part, baseline)
        steps = {sign: features.trailing_mean(off[sign], STEP_H, count_min(sign, STEP_H)) for sign in off}
        trends = {sign: features.trailing_mean(off[sign], TREND_H, count_min(sign, TREND_H)) for sign in off}
        spread = {sign: baseline.spread[sign, STEP_H] for sign in off}
        scored = score_steps({sign: steps[sign][:, -RECENT_H:] for sign in ILL_WHEN}, spread)
        residents = history.residents.set_index("resident_id").loc[baseline.residents]
        tolerance = history.tolerance(self.name, residents.index.to_series()).to_numpy()[:, None]
        ill = scored.moved & (scored.score >= settings.baseline_score * tolerance)
        held_h = features.run_length(ill)
        strongest, trending_h = self._trends(trends, baseline, tolerance)
        found = held_h >= settings.baseline_persistence_h
        trend = ~found & (trending_h >= settings.baseline_persistence_h)
        sites = residents["site_id"].to_numpy(np.int64)
        findings = [
            self._illness(history, baseline, scored, int(row), int(held_h[row]), int(sites[row]))
            for row in np.flatnonzero(found)
        ]
        findings += [
            self._trend(
                history, baseline, trends, int(row), strongest[row], int(trending_h[row]), int(sites[row])
            )
            for row in np.flatnonzero(trend)
        ]
        calm = (scored.measured[:, -1] >= 1) & (
            scored.score[:, -CALM_H:].max(axis=1) < settings.baseline_score / 2
        )
        since = history.hour - timedelta(hours=CALM_H)
        fine = {
            Subject(SubjectKind.RESIDENT, int(baseline.residents[row])): since
            for row in np.flatnonzero(calm & (trending_h == 0))
        }
        return findings, fine

    @staticmethod
    def _off(history: History, part: Residents, baseline: VitalBaseline) -> dict[str, Floats]:
        """For each sign (n, hours) how far each hour is from usual; the last is the last whole one."""
        begin = features.midnight(history.now) - timedelta(days=LOOK_DAYS - 1)
        hours = history.vitals_hours(part, begin, history.hour)
        until = round((history.hour - begin) / timedelta(hours=1))
        off = {}
        for sign in PERSISTENT_SIGNS:
            values = features.cube(hours, sign, baseline.residents, begin, LOOK_DAYS)
            flat = (values - baseline.usual[sign][:, None, :]).reshape(len(values), -1)
            off[sign] = flat[:, :until]
        return off

    def _trends(
        self, trends: Mapping[str, Floats], baseline: VitalBaseline, tolerance: Any
    ) -> tuple[list[str], Any]:
        """(n,) the sign that is off most over days, and for how many hours it has been."""
        limit = self._settings.baseline_trend_deviations * tolerance
        held, size = [], []
        for sign in PERSISTENT_SIGNS:
            recent = trends[sign][:, -RECENT_H:]
            deviations = np.nan_to_num(np.abs(recent) / baseline.spread[sign, TREND_H][:, None])
            enough = np.nan_to_num(np.abs(recent)) >= TREND_EFFECT_MIN[sign]
            held.append(features.run_length((deviations >= limit) & enough))
            size.append(deviations[:, -1])
        by_sign = np.where(np.column_stack(held) > 0, np.column_stack(size), 0)
        strongest = by_sign.argmax(axis=1)
        hours = np.column_stack(held)[np.arange(len(strongest)), strongest]
        return [PERSISTENT_SIGNS[index] for index in strongest], hours

    def _illness(
        self, history: History, baseline: VitalBaseline, scored: Scored, row: int, held_h: int, site_id: int
    ) -> Finding:
        since = history.hour - timedelta(hours=held_h)
        hour = (since.astimezone(HOME_TIME).hour + held_h - 1) % features.HOURS
        parts, seen, expected = [], {}, {}
        for sign, direction in ILL_WHEN.items():
            if np.isnan(scored.off[sign][row, -1]) or np.isnan(baseline.spread[sign, STEP_H][row]):
                continue
            usual = float(baseline.usual[sign][row, hour])
            margin = 2 * float(baseline.spread[sign, STEP_H][row])
            value = usual + float(scored.off[sign][row, -1])
            weight = float(scored.deviations[sign][row, -1])
            low, high = (None, usual + margin) if direction > 0 else (usual - margin, None)
            parts.append(contribution({"sign": sign}, value, low, high, weight))
            seen[sign], expected[sign] = value, usual
        main = max(parts, key=lambda part: part["share"])["sign"]
        words = [_moved(part, expected[part["sign"]]) for part in parts if part["share"] >= MOVED]
        at = wording.clock(since, history.now)
        sentence = wording.sentence(
            f"{at} 起明显偏离本人平时：{'，'.join(one.zh_cn for one in words)}。"
            "可能是感染早期，请测体温并查看。",
            f"Since {at} away from this person's usual: {', '.join(one.en for one in words)}. "
            "May be an early infection: measure and look.",
        )
        usual, margin = expected[main], 2 * float(baseline.spread[main, STEP_H][row])
        begin = history.hour - timedelta(days=3)
        made = evidence(
            sentence,
            since - timedelta(hours=STEP_H),
            history.now,
            seen={**seen, "score": float(scored.score[row, -1])},
            expected={**expected, "score": 0},
            contributions=parts,
            chart=chart("vitals", begin, history.now, sign=main, low=usual - margin, high=usual + margin),
            held_h=held_h,
        )
        return self._finding(row, baseline, site_id, AlarmPriority.MEDIUM, since, made)

    def _trend(
        self,
        history: History,
        baseline: VitalBaseline,
        trends: Mapping[str, Floats],
        row: int,
        sign: str,
        held_h: int,
        site_id: int,
    ) -> Finding:
        since = history.hour - timedelta(hours=held_h)
        usual = float(features.nan_median(baseline.usual[sign][row]))
        spread = 2 * float(baseline.spread[sign, TREND_H][row])
        value = usual + float(trends[sign][row, -1])
        part = contribution({"sign": sign}, value, usual - spread, usual + spread, 1.0)
        moved = _moved(part, usual)
        sentence = wording.sentence(
            f"近三天{moved.zh_cn}，与前几周相比持续变化，请留意并告知医生。",
            f"Over the last three days {moved.en}, against the weeks before. "
            "Keep an eye on it and tell the doctor.",
        )
        made = evidence(
            sentence,
            history.hour - timedelta(hours=TREND_H),
            history.now,
            seen={sign: value},
            expected={sign: usual},
            contributions=[part],
            chart=chart(
                "vitals",
                history.hour - timedelta(days=14),
                history.now,
                sign=sign,
                low=usual - spread,
                high=usual + spread,
            ),
        )
        return self._finding(row, baseline, site_id, AlarmPriority.LOW, since, made)

    def _finding(
        self,
        row: int,
        baseline: VitalBaseline,
        site_id: int,
        priority: AlarmPriority,
        since: Any,
        made: Mapping[str, Any],
    ) -> Finding:
        return Finding(
            subject=Subject(SubjectKind.RESIDENT, int(baseline.residents[row])),
            site_id=site_id,
            kind=self.kind,
            priority=priority,
            since=since,
            evidence=made,
        )


def _moved(part: Mapping[str, Any], usual: float) -> wording.Words:
    words, value = wording.PERSONAL_SIGNS[part["sign"]], part["value"]
    shown, before = f"{value:.{words.decimals}f}", f"{usual:.{words.decimals}f}"
    return wording.Words(
        f"{words.zh_cn} {shown} {words.unit_zh_cn}（平时 {before}）",
        f"{words.en} {shown} {words.unit_en} (usually {before})",
    )
