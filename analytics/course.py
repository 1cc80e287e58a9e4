"""The course of vital signs over two days, as features: levels, extremes, trends, and how closely watched.

Pure functions on arrays of hourly values, vectorised over people; each has a slow, obvious twin in the tests.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from analytics import news2
from analytics.news2 import Floats

HOURS = 48
BLOCK_HOURS = 12
LAST_HOURS = 6
DECAY_HOURS = 12.0
"""A value counts e times less for so many hours that it lies before the end."""
MERGED = ("sbp", "dbp", "map")
"""Pressures, each measured by a cuff (`ni_…`) or in an artery (`art_…`), which counts where both are."""
MEASURED = ("hr", "rr", "spo2", "temp", *(f"{way}_{sign}" for way in ("ni", "art") for sign in MERGED))
"""What is measured, and the keys of the hourly values: each (n, HOURS), NaN where there is none."""


def levels(hourly: Mapping[str, Floats]) -> pd.DataFrame:
    """(n, k) what the values were like, whoever measured how often.

    Of each sign and of pulse pressure (also over systolic), shock index (pulse over systolic, over mean
    pressure), and pulse times respiration: `statistics`; of what was measured: mean, spread and extremes; of
    NEWS2 without consciousness and oxygen, by hour from the latest values: mean, maximum, last.
    """
    signs = merged(hourly)
    columns: dict[str, Floats] = {}
    for name, values in (signs | _derived(signs)).items():
        columns |= {f"{name}_{key}": value for key, value in statistics(values).items()}
    for name in MEASURED:
        rows = pd.DataFrame(hourly[name])
        for key in ("mean", "std", "min", "max"):
            columns[f"{name}_{key}"] = _array(getattr(rows, key)(axis=1))
    columns |= _early_warning(signs)
    return pd.DataFrame(columns)


def watch(hourly: Mapping[str, Floats], counts: Mapping[str, Floats]) -> pd.DataFrame:
    """(n, k) how closely each sign was watched: it tells what those at the bedside thought.

    Args:
        hourly: the values.
        counts: (n, HOURS) how many measurements are behind each.

    Returns:
        Of each of `MEASURED`: log(1 + measurements) in all and by block; hours with any; the first and the
        last of these (HOURS and -1 without any); the longest stretch of hours from one such hour, or the
        beginning, to the next, or the end. And the share of pressures taken in an artery, in all and in the
        last block.
    """
    columns: dict[str, Floats] = {}
    for name in MEASURED:
        seen = ~np.isnan(hourly[name])
        columns[f"n_{name}"] = np.log1p(counts[name].sum(axis=1))
        for block in range(HOURS // BLOCK_HOURS):
            part = counts[name][:, block * BLOCK_HOURS : (block + 1) * BLOCK_HOURS]
            columns[f"n_{name}_block{block}"] = np.log1p(part.sum(axis=1))
        columns[f"{name}_hours"] = seen.sum(axis=1).astype(np.float64)
        columns[f"{name}_first_hour"] = np.where(seen.any(axis=1), seen.argmax(axis=1), HOURS).astype(
            np.float64
        )
        last = np.where(seen.any(axis=1), HOURS - 1 - seen[:, ::-1].argmax(axis=1), -1)
        columns[f"{name}_last_hour"] = last.astype(np.float64)
        # The latest hour with a value before each hour, from -1; the end of the stay closes the last stretch.
        hour = np.where(seen, np.arange(HOURS), -1)
        before = np.maximum.accumulate(np.column_stack([np.full(len(hour), -1), hour]), axis=1)
        at = np.column_stack([np.where(seen, np.arange(HOURS), -1), np.full(len(hour), HOURS)])
        columns[f"{name}_longest_gap"] = np.where(at >= 0, at - before, 0).max(axis=1).astype(np.float64)
    for key, hours in (("", HOURS), ("_last_block", BLOCK_HOURS)):
        artery = counts["art_sbp"][:, -hours:].sum(axis=1)
        columns[f"art_share{key}"] = artery / (artery + counts["ni_sbp"][:, -hours:].sum(axis=1) + 1)
    return pd.DataFrame(columns)


def merged(hourly: Mapping[str, Floats]) -> dict[str, Floats]:
    """One (n, HOURS) array a sign; mean pressure from the other two where it was not measured."""
    signs = {name: hourly[name] for name in ("hr", "rr", "spo2", "temp")}
    for name in MERGED:
        signs[name] = np.where(np.isnan(hourly[f"art_{name}"]), hourly[f"ni_{name}"], hourly[f"art_{name}"])
    reckoned = (signs["sbp"] + 2 * signs["dbp"]) / 3
    signs["map"] = np.where(np.isnan(signs["map"]), reckoned, signs["map"])
    return signs


def statistics(values: Floats) -> dict[str, Floats]:
    """Statistics of each row of (n, HOURS), without its NaN; NaN where nothing is left.

    mean, std, min, max, median, low (10th percentile), high (90th), first, last; block0 … block3: means of 12
    h;
    last_hours: mean of 6 h; late_min, late_max, late_std: of the second day; change: mean of the second day
    less that of the first; slope: least squares, by hour, from 4 values on; roughness: root mean square of
    the steps between hours, the latest value standing for hours without one; recent: mean with weight e^(-age
    / 12 h).
    """
    rows = pd.DataFrame(values)
    half = HOURS // 2
    early, late = rows.iloc[:, :half], rows.iloc[:, half:]
    held = rows.ffill(axis=1)
    answer = {
        "mean": rows.mean(axis=1),
        "std": rows.std(axis=1),
        "min": rows.min(axis=1),
        "max": rows.max(axis=1),
        "median": rows.median(axis=1),
        "low": rows.quantile(0.1, axis=1),
        "high": rows.quantile(0.9, axis=1),
        "first": rows.bfill(axis=1).iloc[:, 0],
        "last": held.iloc[:, -1],
        "last_hours": rows.iloc[:, -LAST_HOURS:].mean(axis=1),
        "late_min": late.min(axis=1),
        "late_max": late.max(axis=1),
        "late_std": late.std(axis=1),
        "change": late.mean(axis=1) - early.mean(axis=1),
        "roughness": np.sqrt((held.diff(axis=1) ** 2).mean(axis=1)),
    }
    for block in range(HOURS // BLOCK_HOURS):
        answer[f"block{block}"] = rows.iloc[:, block * BLOCK_HOURS : (block + 1) * BLOCK_HOURS].mean(axis=1)
    weights = np.where(np.isnan(values), 0.0, np.exp((np.arange(HOURS) - HOURS + 1) / DECAY_HOURS))
    known = np.nan_to_num(values)
    weight = weights.sum(axis=1)
    arrays = {key: _array(value) for key, value in answer.items()}
    arrays["recent"] = np.where(
        weight > 0, (weights * known).sum(axis=1) / np.maximum(weight, 1e-300), np.nan
    )
    arrays["slope"] = _slope(values)
    return arrays


def _derived(signs: Mapping[str, Floats]) -> dict[str, Floats]:
    pulse = _held(signs["hr"])
    pressure = signs["sbp"] - signs["dbp"]
    return {
        "pulse_pressure": pressure,
        "pulse_pressure_share": pressure / signs["sbp"],
        "shock_index": pulse / signs["sbp"],
        "mean_shock_index": pulse / signs["map"],
        "rate_product": pulse * _held(signs["rr"]) / 100,
    }


def _slope(values: Floats) -> Floats:
    seen = ~np.isnan(values)
    count = seen.sum(axis=1)
    hour = np.where(seen, np.arange(values.shape[1], dtype=np.float64), 0.0)
    known = np.nan_to_num(values)
    divisor = np.maximum(count, 1)
    from_mean = np.where(seen, hour - (hour.sum(axis=1) / divisor)[:, None], 0.0)
    spread = (from_mean**2).sum(axis=1)
    slope = (from_mean * known).sum(axis=1) / np.maximum(spread, 1e-9)
    return np.asarray(np.where(count >= 4, slope, np.nan), np.float64)


def _early_warning(signs: Mapping[str, Floats]) -> dict[str, Floats]:
    latest = {name: _held(signs[name]).ravel() for name in news2.SIGNS}
    size = latest["hr"].size
    scored = news2.score(latest, np.ones(size, np.int64), np.zeros(size, np.bool_))
    total = scored.total.reshape(-1, HOURS).astype(np.float64)
    half = HOURS // 2
    return {
        "news_mean": total.mean(axis=1),
        "news_late_mean": total[:, half:].mean(axis=1),
        "news_max": total.max(axis=1),
        "news_last": total[:, -1],
    }


def _held(values: Floats) -> Floats:
    """Each hour's latest value so far."""
    return np.asarray(pd.DataFrame(values).ffill(axis=1), np.float64)


def _array(column: "pd.Series[float]") -> Floats:
    return np.asarray(column, np.float64)
