"""Blood pressure and pulse that somebody measured, and that are too high or too low.

The latest reading of each sign in a day counts, when an instrument took it that people use on purpose; what
bands and mattresses feel all day is the matter of the early warning. `analytics.models.limits` judges each
reading, as it does those of TIHM in the evaluation.

One high pressure is often the cuff, the stairs or the fright of being measured: it is told with low priority,
and the sentence asks to measure again. Hypertension of grade 3, seen twice in a day, is no longer chance. A
value with 3 points in NEWS2 is urgent alone, whoever tells of it: its priority is medium, so it sounds and
escalates. What to do is said for what was found, and for whoever lies in bed as for whoever walks.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from alarms.kinds import AlarmKind
from alarms.model import AlarmPriority
from analytics import news2, wording
from analytics.columns import datetimes
from analytics.detectors import Assessment, Finding, Subject, SubjectKind
from analytics.detectors.early_warning import RED_WINDOWS_MAX
from analytics.evidence import chart, contribution, evidence
from analytics.history import SPOT_SIGNS, History
from analytics.models.limits import GRADE_3, Limits, grade_3
from analytics.news2 import Flags
from analytics.settings import AnalyticsSettings

WINDOW = timedelta(days=1)
"""What was measured before says little of now."""
GRADE_3_COUNT = 2
"""So many measurements of the window at grade 3 confirm each other: one alone is often the cuff."""
CHART_SPAN = timedelta(days=14)
PRESSURE = ("sbp", "dbp")


class OutOfLimits:
    """Alarms of kind `out_of_limits`."""

    name = "limits"
    kind = AlarmKind.OUT_OF_LIMITS

    def __init__(self, settings: AnalyticsSettings) -> None:
        self._limits = limits_of(settings)
        self._called_within = timedelta(seconds=RED_WINDOWS_MAX * settings.vitals_window_s)

    def score(self, history: History) -> Assessment:
        """People whose latest pressure or pulse is at or beyond a limit. They are fine when all are inside.

        Who had no pressure measured is not fine: a pulse alone says nothing of a pressure that was too high.
        """
        residents = history.residents.set_index("resident_id")
        readings = by_sign(history.spot_readings(WINDOW))
        readings = readings[readings["resident_id"].isin(residents.index)]
        readings = readings.assign(tolerance=history.tolerance(self.name, readings["resident_id"]))
        latest = judged(readings, self._limits)
        latest = latest.assign(red=_red(latest))
        told = set(latest.loc[latest["out"], "resident_id"]) - self._left_to_early_warning(history, latest)
        findings = tuple(
            self._finding(history, residents["site_id"], own)
            for _, own in latest[latest["resident_id"].isin(told)].groupby("resident_id")
        )
        people = latest.groupby("resident_id").agg(out=("out", "any"), at=("time", "max"))
        measured = people.index.isin(latest.loc[latest["sign"].isin(PRESSURE), "resident_id"])
        well = people[~people["out"] & measured]
        fine = {
            Subject(SubjectKind.RESIDENT, resident_id): at
            for resident_id, at in zip(well.index.tolist(), datetimes(well["at"]), strict=True)
        }
        return Assessment(detector=self.name, kind=self.kind, findings=findings, fine=fine)

    def _left_to_early_warning(self, history: History, latest: pd.DataFrame) -> frozenset[int]:
        """Residents with a latest reading so bad that the early warning calls for it, or has called.

        What it did not call for in time is told here: it came late, or a band on the wrist spoke against it,
        or somebody has switched the early warning off.
        """
        red = latest[latest["red"]]
        subjects = [str(Subject(SubjectKind.RESIDENT, one)) for one in red["resident_id"].tolist()]
        until = _called_until(history).reindex(subjects).set_axis(red.index)
        left = (red["time"] > history.now - self._called_within) | (until >= red["time"])
        return frozenset(red.loc[left, "resident_id"].tolist())

    def _finding(self, history: History, site_of: "pd.Series[int]", own: pd.DataFrame) -> Finding:
        """`own`: the latest readings of one resident, at least one beyond a limit."""
        resident_id = int(own["resident_id"].iloc[0])
        out = own[own["out"]]
        worst = out.sort_values(["red", "confirmed", "strength"]).iloc[-1]
        since: datetime = out["time"].min().to_pydatetime()
        rows = own.to_dict("records")
        urgent = bool((out["confirmed"] | out["red"]).any())
        made = evidence(
            _sentence(out, history.now),
            since,
            history.now,
            seen={row["sign"]: row["value"] for row in rows},
            expected={row["sign"]: f"{row['low']:g}–{row['high']:g}" for row in rows},
            contributions=[
                contribution({"sign": row["sign"]}, row["value"], row["low"], row["high"], row["strength"])
                for row in rows
                if row["out"]
            ],
            chart=chart(
                "vitals",
                history.now - CHART_SPAN,
                history.now,
                sign=worst["sign"],
                low=worst["low"],
                high=worst["high"],
            ),
            measured={row["sign"]: row["time"].isoformat() for row in rows},
            grade_3_count=int(own["grade_3_count"].iloc[0]),
        )
        return Finding(
            subject=Subject(SubjectKind.RESIDENT, resident_id),
            site_id=int(site_of[resident_id]),
            kind=self.kind,
            priority=AlarmPriority.MEDIUM if urgent else AlarmPriority.LOW,
            since=since,
            evidence=made,
        )


def limits_of(settings: AnalyticsSettings) -> Limits:
    """What the county has chosen."""
    return Limits(
        sbp=(settings.limits_sbp_mmhg_low, settings.limits_sbp_mmhg_high),
        dbp=(settings.limits_dbp_mmhg_low, settings.limits_dbp_mmhg_high),
        hr=(settings.limits_hr_bpm_low, settings.limits_hr_bpm_high),
    )


def by_sign(spot: pd.DataFrame) -> pd.DataFrame:
    """resident_id, time, sign, value of `History.spot_readings`: one row a value; by resident, then time."""
    rows = spot.melt(["resident_id", "time"], SPOT_SIGNS, var_name="sign", value_name="value")
    rows = rows.dropna(subset="value")
    return rows.sort_values(["resident_id", "time"], kind="stable", ignore_index=True)


def judged(readings: pd.DataFrame, limits: Limits) -> pd.DataFrame:
    """The latest reading of each resident and sign.

    Args:
        readings: resident_id, time, sign, value, tolerance, of a day; by time for each resident.
        limits: for a tolerance of 1.

    Returns:
        `readings` of which there is no later one, with `low` and `high`: the person's own limits; `out`:
        whether it is at or beyond one; `strength`: how far it is from their middle, 1 at a limit;
        `grade_3_count`: in how many measurements of the resident a pressure was out and at grade 3;
        `confirmed`: whether this reading is one of them and they are GRADE_3_COUNT or more.
    """
    low, high = limits.bands(readings)
    rows = readings.assign(
        low=low,
        high=high,
        out=limits.passed(readings),
        strength=np.abs(readings["value"] - (low + high) / 2) / ((high - low) / 2),
    )
    # A limit that was widened with a doctor also widens what counts as grave.
    grave = rows["out"] & grade_3(rows)
    # Both numbers of one measurement are one measurement.
    count = rows[grave].groupby("resident_id")["time"].nunique()
    rows["grade_3_count"] = rows["resident_id"].map(count).fillna(0).astype(np.int64)
    rows["confirmed"] = grave & (rows["grade_3_count"] >= GRADE_3_COUNT)
    return rows.groupby(["resident_id", "sign"]).tail(1)


def _red(latest: pd.DataFrame) -> Flags:
    """(n,) which readings have 3 points in NEWS2, and so call by themselves."""
    signs = {sign: latest["value"].where(latest["sign"] == sign).to_numpy(np.float64) for sign in news2.SIGNS}
    # Oxygen is not among these signs, so its scale does not matter.
    scale, on_oxygen = np.ones(len(latest), np.int64), np.zeros(len(latest), np.bool_)
    return np.asarray(news2.score(signs, scale, on_oxygen).red.any(axis=1))


def _called_until(history: History) -> "pd.Series[Any]":
    """By subject: until when an alarm of vital signs called somebody (now, or when it was dealt with)."""
    alarms = history.standing_alarms([AlarmKind.VITALS], WINDOW.total_seconds())
    until = alarms["resolved_at"].fillna(alarms["ended_at"]).fillna(pd.Timestamp(history.now))
    return until.groupby(alarms["subject"]).max()


def _sentence(out: pd.DataFrame, now: datetime) -> wording.Sentence:
    """`out`: as in `_finding`, only what is beyond a limit."""
    measured_zh, measured_en = [], []
    for _, rows in out.groupby("time"):
        at = wording.clock(rows["time"].iloc[0].to_pydatetime(), now)
        told = [_told(row) for row in rows.to_dict("records")]
        measured_zh.append(f"{at} 测得{'，'.join(one.zh_cn for one in told)}")
        measured_en.append(f"{at}: {', '.join(one.en for one in told)}")
    seen_zh, seen_en = "；".join(measured_zh), "; ".join(measured_en)
    if out["red"].any():
        points_zh = "、".join(wording.SPOT_SIGNS[sign].zh_cn for sign in out.loc[out["red"], "sign"])
        points_en = " and ".join(wording.SPOT_SIGNS[sign].en for sign in out.loc[out["red"], "sign"])
        todo = _urgent_advice(out[out["red"]])
        return wording.sentence(
            f"{seen_zh}。{points_zh}单项 3 分（NEWS2），须尽快处理。{todo.zh_cn}",
            f"Measured at {seen_en}. 3 points for {points_en} alone (NEWS2): urgent. {todo.en}",
        )
    if not out["confirmed"].any():
        todo = _advice(out)
        return wording.sentence(f"{seen_zh}。{todo.zh_cn}", f"Measured at {seen_en}. {todo.en}")
    count, highest = int(out["grade_3_count"].iloc[0]), "/".join(f"{value:g}" for value in GRADE_3.values())
    return wording.sentence(
        f"{seen_zh}。24 小时内已有 {count} 次血压很高（达到 {highest}）。请让老人安静休息五分钟后复测，"
        "仍然如此请马上联系医生；如有胸痛、气喘、说话不清或手脚无力，请立即拨打 120。",
        f"Measured at {seen_en}. Very high {count} times within 24 h (from {highest} up). Let them rest "
        "for five minutes and measure again; if it stays so, call the doctor now. With chest pain, "
        "shortness of breath, slurred speech or weak limbs call an ambulance at once.",
    )


def _urgent_advice(red: pd.DataFrame) -> wording.Words:
    """What to do about values with 3 points: go at once, look for what goes with each, measure again."""
    ask = [_ASK[row["sign"], row["value"] >= row["high"]] for row in red.to_dict("records")]
    return wording.Words(
        f"请马上去看，叫得醒吗；{'；'.join(one.zh_cn for one in ask)}。立即复测，仍然如此请马上联系医生；"
        "叫不醒、胸痛或喘不上气，立即拨打 120。",
        f"Go and look at once: do they wake? {' '.join(one.en for one in ask)} Measure again at once; if it "
        "stays so, call the doctor now. Cannot be woken, chest pain or short of breath: call an ambulance.",
    )


_ASK: Mapping[tuple[str, bool], wording.Words] = {
    ("sbp", False): wording.Words(
        "让老人平躺，看有无出冷汗、头晕、出血或腹泻",
        "Lay them flat; look for cold sweat, dizziness, bleeding or diarrhoea.",
    ),
    ("sbp", True): wording.Words(
        "让老人半躺安静下来，看有无头痛、说话不清、手脚无力",
        "Let them lie half upright and calm; look for headache, slurred speech or weak limbs.",
    ),
    ("hr", False): wording.Words(
        "数一分钟脉搏核对，看有无头晕、眼前发黑，近日是否换过药",
        "Count the pulse for a minute; ask for dizziness, blackouts and new drugs.",
    ),
    ("hr", True): wording.Words(
        "数一分钟脉搏核对，看有无心慌、胸闷、发热",
        "Count the pulse for a minute; ask for palpitations, a tight chest and fever.",
    ),
}
"""What to look for where a sign has 3 points, by the sign and whether it is too high."""


def _advice(out: pd.DataFrame) -> wording.Words:
    """What to do about values that are off, but not urgent."""
    low = out["value"] <= out["low"]
    if low[out["sign"].isin(PRESSURE)].any():
        return wording.Words(
            "请让老人躺着或坐稳，慢慢起身以防跌倒；休息五分钟后复测，仍然如此请告诉医生。",
            "Let them lie or sit safely, and rise slowly so that they do not fall. Measure again after five "
            "minutes; if it stays so, tell the doctor.",
        )
    if low.any():
        return wording.Words(
            "请问问有无头晕、乏力；安静休息五分钟后复测，仍然如此请告诉医生。",
            "Ask for dizziness and weakness. Let them rest for five minutes and measure again; "
            "if it stays so, tell the doctor.",
        )
    return wording.Words(
        "请让老人安静休息五分钟后复测；仍然如此请告诉医生。",
        "Let them rest for five minutes and measure again; if it stays so, tell the doctor.",
    )


def _told(row: Mapping[Any, Any]) -> wording.Words:
    words = wording.SPOT_SIGNS[row["sign"]]
    shown, low, high = f"{row['value']:.{words.decimals}f}", f"{row['low']:g}", f"{row['high']:g}"
    limit_zh, limit_en = (
        (f"达到 {high} 即提醒", f"told from {high} up")
        if row["value"] >= row["high"]
        else (f"降到 {low} 即提醒", f"told from {low} down")
    )
    return wording.Words(
        f"{words.zh_cn} {shown} {words.unit_zh_cn}（{limit_zh}）",
        f"{words.en} {shown} {words.unit_en} ({limit_en})",
    )
