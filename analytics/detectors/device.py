"""Devices that speak, but wrongly: stuck, drifting, implausible, with a wrong clock, or pressed by nobody.

Three detectors: faults of the last hours, drift against the person's other devices over weeks, and
batteries that will soon be low. Silence is not here: see `offline`.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from alarms.kinds import KINDS, AlarmKind
from analytics import wording
from analytics.detectors import Assessment, Finding, Subject, SubjectKind
from analytics.evidence import chart, contribution, evidence
from analytics.history import DEVICE_SIGNS, History
from analytics.settings import AnalyticsSettings
from analytics.wording import Words
from protocol.errors import DeadReason

FLAT_COUNT_MIN = {"hr": 30, "spo2": 100, "temp": 100}
"""Fewer readings may be equal by chance."""
CLOCK_COUNT_MIN = 6
CLOCK_SHARE_NOW, CLOCK_SHARE_BEFORE = 0.5, 0.1
"""A clock is wrong when so many times of the last day had to be replaced, and hardly any before: what never
had a clock is not blamed for that."""
CLOCK_WINDOW = timedelta(days=7)
DAY = timedelta(days=1)
DRIFT = {"hr": 12.0, "spo2": 4.0, "temp": 1.0}
"""Devices of one person differ by less than this, in the units of the signs, unless one of them drifts."""
DRIFT_DAYS = 7
DRIFT_HOURS_MIN = 24
BATTERY_WINDOW_DAYS = 28
BATTERY_DAYS_MIN = 7
BATTERY_EMPTY_PERCENT = 5
"""So little left, some buttons press themselves."""
CHARGED_PERCENT = 20
"""A level that rises by so much was charged or replaced: what was before says nothing."""


class DeviceFault:
    """Alarms of kind `fault`, from what devices said in the last hours."""

    name = "device_fault"
    kind = AlarmKind.FAULT

    def __init__(self, settings: AnalyticsSettings) -> None:
        self._settings = settings

    def score(self, history: History) -> Assessment:
        """Devices with a fault, each with its gravest. All others in use are fine."""
        begin = history.hour - timedelta(seconds=self._settings.flat_other_s)
        hours = _device_hours(history, begin)
        faults: dict[int, tuple[datetime, dict[str, Any]]] = {}
        # The gravest first: a device has one finding.
        for device_id, since, made in (
            *self._self_firing(history),
            *self._implausible(history),
            *self._flat(history, hours),
            *self._wrong_clock(history),
        ):
            faults.setdefault(device_id, (since, made))
        return _assessment(self.name, self.kind, history, faults)

    def _flat(self, history: History, hours: pd.DataFrame) -> Iterable[tuple[int, datetime, dict[str, Any]]]:
        for sign in DEVICE_SIGNS:
            window_s = self._settings.flat_hr_s if sign == "hr" else self._settings.flat_other_s
            begin = history.hour - timedelta(seconds=window_s)
            recent = hours[(hours["hour"] >= pd.Timestamp(begin)) & (hours[f"{sign}_count"] > 0)]
            table = recent.groupby("device_id").agg(
                hours=("hour", "nunique"),
                count=(f"{sign}_count", "sum"),
                low=(f"{sign}_min", "min"),
                high=(f"{sign}_max", "max"),
            )
            # Spread over the window: a burst of equal readings in one hour is no proof.
            enough = (table["count"] >= FLAT_COUNT_MIN[sign]) & (table["hours"] >= window_s / 3600 / 2)
            stuck = table[enough & (table["low"] == table["high"])].reset_index()
            for row in stuck.to_dict("records"):
                words, span = wording.SIGNS[sign], wording.span(window_s)
                value = f"{row['low']:.{words.decimals}f}"
                problem = Words(
                    f"{span.zh_cn}内 {row['count']} 次{words.zh_cn}读数都是 {value}，传感器可能卡死",
                    f"{row['count']} readings of {words.en} in {span.en} were all {value}: it may be stuck",
                )
                part = contribution({"sign": sign}, row["low"], None, None, 1)
                seen = {sign: row["low"], "readings": row["count"]}
                drawn = chart("device", begin, history.now, sign=sign)
                made = _made(history, row["device_id"], "flat", problem, begin, seen, [part], drawn)
                yield int(row["device_id"]), begin, made

    def _implausible(self, history: History) -> Iterable[tuple[int, datetime, dict[str, Any]]]:
        refused = history.refusals(DAY, [DeadReason.OUT_OF_LIMITS])
        begin = history.now - DAY
        for row in refused[refused["refused"] >= self._settings.refusals_max].to_dict("records"):
            problem = Words(
                f"24小时内有 {row['refused']} 条读数超出物理极限，已拒收",
                f"{row['refused']} readings in 24 h were beyond physical limits and were refused",
            )
            seen = {"refused": row["refused"]}
            yield (
                int(row["device_id"]),
                begin,
                _made(history, row["device_id"], "implausible", problem, begin, seen),
            )

    def _wrong_clock(self, history: History) -> Iterable[tuple[int, datetime, dict[str, Any]]]:
        clocks = history.clocks(DAY, CLOCK_WINDOW)
        now_share = clocks["recent_wrong"] / clocks["recent"].clip(lower=1)
        before_share = clocks["before_wrong"] / clocks["before"].clip(lower=1)
        wrong = (
            (clocks["recent"] >= CLOCK_COUNT_MIN)
            & (clocks["before"] >= CLOCK_COUNT_MIN)
            & (now_share > CLOCK_SHARE_NOW)
            & (before_share < CLOCK_SHARE_BEFORE)
        )
        begin = history.now - DAY
        for row in clocks[wrong].to_dict("records"):
            problem = Words(
                f"24小时内 {row['recent']} 条消息中有 {row['recent_wrong']} 条时间不可信，时钟可能错了",
                f"{row['recent_wrong']} of {row['recent']} messages in 24 h had an impossible time: "
                "its clock may be wrong",
            )
            seen = {"times_replaced": row["recent_wrong"], "messages": row["recent"]}
            yield (
                int(row["device_id"]),
                begin,
                _made(history, row["device_id"], "clock", problem, begin, seen),
            )

    def _self_firing(self, history: History) -> Iterable[tuple[int, datetime, dict[str, Any]]]:
        presses = history.presses(DAY)
        flat_battery = presses["battery"].fillna(100) <= BATTERY_EMPTY_PERCENT
        often = presses["presses"] >= self._settings.presses_max
        # Then a few presses are enough.
        for row in presses[often | (flat_battery & (presses["presses"] >= 3))].to_dict("records"):
            since: datetime = row["first_at"].to_pydatetime()
            battery_zh, battery_en = (
                ("", "")
                if pd.isna(row["battery"])
                else (f"，电量 {row['battery']:.0f}%", f", battery {row['battery']:.0f}%")
            )
            problem = Words(
                f"24小时内触发 {row['presses']} 次{battery_zh}，可能自行误触发；每次报警仍须应答",
                f"it fired {row['presses']} times in 24 h{battery_en}: perhaps by itself. "
                "Go on answering each alarm",
            )
            seen = {"presses": row["presses"], "cancelled": row["cancelled"], "battery": row["battery"]}
            yield (
                int(row["device_id"]),
                since,
                _made(history, row["device_id"], "self_firing", problem, since, seen),
            )


class DeviceDrift:
    """Alarms of kind `fault`, of devices that have moved away from the person's other devices."""

    name = "device_drift"
    kind = AlarmKind.FAULT

    def __init__(self, settings: AnalyticsSettings) -> None:
        self._settings = settings

    def score(self, history: History) -> Assessment:
        """When devices of one person disagree, the one that has changed. All others are fine."""
        begin = history.hour - timedelta(days=2 * DRIFT_DAYS)
        split = pd.Timestamp(history.hour - timedelta(days=DRIFT_DAYS))
        hours = _device_hours(history, begin)
        faults: dict[int, tuple[datetime, dict[str, Any]]] = {}
        for sign in DEVICE_SIGNS:
            for row in _drifted(hours, sign, split).to_dict("records"):
                since: datetime = split.to_pydatetime()
                words = wording.SIGNS[sign]
                off = f"{row['off']:+.{words.decimals}f}"
                problem = Words(
                    f"近 {DRIFT_DAYS} 天{words.zh_cn}与本人其他设备相差 {off} {words.unit_zh_cn}，可能漂移",
                    f"over {DRIFT_DAYS} days its {words.en} was {off} {words.unit_en} off the person's other "
                    "devices: it may have drifted",
                )
                other = row["mean"] - row["off"]
                limit = DRIFT[sign]
                part = contribution({"sign": sign}, row["mean"], other - limit, other + limit, 1)
                drawn = chart("device", since, history.now, sign=sign, low=other - limit, high=other + limit)
                seen = {sign: row["mean"], "hours": row["hours"]}
                made = _made(history, row["device_id"], "drift", problem, since, seen, [part], drawn)
                faults.setdefault(int(row["device_id"]), (since, made))
        return _assessment(self.name, self.kind, history, faults)


def _drifted(hours: pd.DataFrame, sign: str, split: pd.Timestamp) -> pd.DataFrame:
    """device_id, off, mean, hours: of each person's disagreeing devices the one that moved most."""
    known = hours.loc[hours[sign].notna(), ["resident_id", "hour", "device_id", sign]]
    together = known.groupby(["resident_id", "hour"])[sign].agg(["sum", "size"]).reset_index()
    both = known.merge(together[together["size"] > 1], on=["resident_id", "hour"])
    both["off"] = both[sign] - (both["sum"] - both[sign]) / (both["size"] - 1)
    keys = ["resident_id", "device_id"]
    recent = (
        both[both["hour"] >= split]
        .groupby(keys)
        .agg(off=("off", "median"), mean=(sign, "median"), hours=("hour", "nunique"))
    )
    far = recent[(recent["off"].abs() > DRIFT[sign]) & (recent["hours"] >= DRIFT_HOURS_MIN)].reset_index()
    own_before = known[known["hour"] < split].groupby(keys)[sign].median().rename("before")
    far = far.merge(own_before, on=keys, how="left")
    # A device without a past is taken for the one that has changed: its others agreed before it came.
    far["moved"] = (far["mean"] - far["before"]).abs().fillna(np.inf)
    ordered = far.sort_values(["resident_id", "moved", "device_id"], kind="stable")
    return ordered.drop_duplicates("resident_id", keep="last")


class Battery:
    """Alarms of kind `low_battery`, some days before the device itself would say so."""

    name = "battery"
    kind = AlarmKind.LOW_BATTERY

    def __init__(self, settings: AnalyticsSettings) -> None:
        self._settings = settings

    def score(self, history: History) -> Assessment:
        """Batteries that will be low within days. All other devices are fine."""
        levels = history.batteries(timedelta(days=BATTERY_WINDOW_DAYS))
        low_percent = history.policy.battery_low_percent
        table = days_left(levels, low_percent)
        low = table[table["days_left"] <= self._settings.battery_days]
        devices = history.devices.set_index("device_id")
        faults: dict[int, tuple[datetime, dict[str, Any]]] = {}
        for row in low.join(devices[["kind", "name"]], how="inner").reset_index().to_dict("records"):
            begin = history.now - timedelta(days=BATTERY_WINDOW_DAYS)
            days = max(int(row["days_left"]), 0)
            device = wording.device(row["kind"], row["name"])
            made = evidence(
                wording.sentence(
                    f"{device.zh_cn}电量 {row['battery']:.0f}%，按近期耗电约 {days} 天后不足，"
                    "请准备更换电池。",
                    f"The battery of the {device.en} is at {row['battery']:.0f}% and will be low in about "
                    f"{days} days. Have a new one ready.",
                ),
                begin,
                history.now,
                seen={"battery": row["battery"], "percent_a_day": -row["slope"], "days_left": days},
                expected={"days_left": self._settings.battery_days},
                chart=chart("device", begin, history.now, sign="battery", low=low_percent, high=100),
                device=row["name"],
            )
            faults[int(row["device_id"])] = (row["day"].to_pydatetime(), made)
        return _assessment(self.name, self.kind, history, faults)


def days_left(levels: pd.DataFrame, low_percent: int) -> pd.DataFrame:
    """Index device_id: battery (last level), slope (percent a day), days_left, day (of the last level).

    A straight line through the daily levels since the last time that the level rose; only where that is
    BATTERY_DAYS_MIN days or more, and falling.

    Args:
        levels: as `History.batteries`.
        low_percent: a battery of at most so much is low.
    """
    ordered = levels.sort_values(["device_id", "day"], kind="stable")
    rise = ordered.groupby("device_id")["battery"].diff() >= CHARGED_PERCENT
    cycle = rise.groupby(ordered["device_id"]).cumsum()
    last_cycle = cycle.groupby(ordered["device_id"]).transform("max")
    # Rechargeable ones rise every few days and never get here.
    current = ordered[cycle == last_cycle]
    x = (current["day"] - current.groupby("device_id")["day"].transform("min")).dt.total_seconds() / 86_400
    y = current["battery"].astype(float)
    by_device = current["device_id"]
    sums = (
        pd.DataFrame({"n": 1.0, "x": x, "y": y, "xx": x * x, "xy": x * y}).groupby(by_device.to_numpy()).sum()
    )
    width = sums["n"] * sums["xx"] - sums["x"] ** 2
    slope = (sums["n"] * sums["xy"] - sums["x"] * sums["y"]) / width.where(width > 0)
    last = current.drop_duplicates("device_id", keep="last").set_index("device_id")
    table = last.assign(slope=slope, span=x.groupby(by_device.to_numpy()).max())
    table = table[(table["span"] >= BATTERY_DAYS_MIN) & (table["slope"] < 0)]
    return table.assign(days_left=(table["battery"] - low_percent) / -table["slope"])


def _device_hours(history: History, begin: datetime) -> pd.DataFrame:
    """The hours of all devices in use, read in slices."""
    parts = [history.device_hours(part, begin, history.hour) for part in history.slices()]
    frame = pd.concat(parts, ignore_index=True) if parts else _no_hours()
    return frame[frame["device_id"].isin(history.devices["device_id"])]


def _no_hours() -> pd.DataFrame:
    names = [f"{sign}{suffix}" for sign in DEVICE_SIGNS for suffix in ("_count", "", "_min", "_max")]
    frame = pd.DataFrame({name: pd.Series(dtype=float) for name in names})
    ids = {"device_id": pd.Series(dtype="int64"), "resident_id": pd.Series(dtype="int64")}
    return frame.assign(hour=pd.Series(dtype="datetime64[us, UTC]"), **ids)


def _made(
    history: History,
    device_id: int,
    fault: str,
    problem: Words,
    begin: datetime,
    seen: Mapping[str, Any],
    parts: list[dict[str, Any]] | None = None,
    drawn: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    devices = history.devices
    row = devices[devices["device_id"] == device_id]
    name = "" if row.empty else str(row["name"].iloc[0])
    device = Words("设备", "device") if row.empty else wording.device(str(row["kind"].iloc[0]), name)
    return evidence(
        wording.sentence(
            f"{device.zh_cn}：{problem.zh_cn}。请检查或更换。",
            f"The {device.en}: {problem.en}. Check or replace it.",
        ),
        begin,
        history.now,
        seen=seen,
        expected={},
        contributions=parts or (),
        chart=drawn,
        fault=fault,
        device=name,
    )


def _assessment(
    name: str, kind: AlarmKind, history: History, faults: Mapping[int, tuple[datetime, dict[str, Any]]]
) -> Assessment:
    devices = history.devices
    site_of = dict(zip(devices["device_id"].tolist(), devices["site_id"].tolist(), strict=True))
    findings = tuple(
        Finding(
            subject=Subject(SubjectKind.DEVICE, device_id),
            site_id=site_of[device_id],
            kind=kind,
            priority=KINDS[kind].priority,
            since=since,
            evidence=made,
        )
        for device_id, (since, made) in sorted(faults.items())
        if device_id in site_of
    )
    fine = {
        Subject(SubjectKind.DEVICE, device_id): history.now
        for device_id in site_of
        if device_id not in faults
    }
    return Assessment(detector=name, kind=kind, findings=findings, fine=fine)
