"""Features of behaviour and body over weeks, vectorised over residents: pure functions on arrays.

A cube is an (n, days, 24) array of hourly values: n residents in the order of a given array of ids, local
days from a given midnight, local hours; NaN where nothing was measured. Each function has a slow, obvious
twin in the tests, which it must equal.
"""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.news2 import Flags, Floats, Ints
from protocol.calendar import HOME_TIME

HOURS = 24
MAD_TO_SD = 1.4826
"""For a normal distribution the standard deviation is so many times the median absolute deviation."""

Cube = npt.NDArray[np.float32]


def midnight(now: datetime) -> datetime:
    """The local midnight before (or at) `now`."""
    return now.astimezone(HOME_TIME).replace(hour=0, minute=0, second=0, microsecond=0)


def cube(frame: pd.DataFrame, sign: str, residents: Ints, begin: datetime, days: int) -> Cube:
    """The column `sign` of a frame with `resident_id` and `hour` as an (n, days, 24) array from `begin` on.

    Args:
        frame: one row for each resident and hour; rows of others and of other times are left out.
        sign: the column.
        residents: (n,) ids, ascending.
        begin: a local midnight.
        days: how many.
    """
    shape = (len(residents), days * HOURS)
    values = np.full(shape, np.nan, np.float32)
    if len(frame) and len(residents):
        hours = _hours_since(frame["hour"], begin)
        ids = frame["resident_id"].to_numpy(np.int64)
        row = np.minimum(np.searchsorted(residents, ids), len(residents) - 1)
        inside = (residents[row] == ids) & (hours >= 0) & (hours < shape[1])
        values[row[inside], hours[inside]] = frame[sign].to_numpy(np.float32)[inside]
    return values.reshape(len(residents), days, HOURS)


def without(values: Cube, residents: Ints, begin: datetime, anomalies: pd.DataFrame) -> Cube:
    """`values` with NaN in the hours that touch an anomaly: what was wrong then is not learnt as normal.

    Args:
        values: (n, days, 24) from `begin` on; it is not changed.
        residents: (n,) ids, ascending.
        begin: a local midnight.
        anomalies: resident_id, begins_at, ends_at, as `History.anomalies`.
    """
    ours = anomalies[anomalies["resident_id"].isin(residents)]
    if ours.empty:
        return values
    flat = values.reshape(len(residents), -1)
    # +1 where an anomaly begins and -1 after it ends: the running sum is how many there are.
    change = np.zeros((flat.shape[0], flat.shape[1] + 1), np.int32)
    row = np.searchsorted(residents, ours["resident_id"].to_numpy(np.int64))
    first = np.clip(_hours_since(ours["begins_at"], begin), 0, flat.shape[1])
    last = np.clip(_hours_since(ours["ends_at"], begin) + 1, first, flat.shape[1])
    np.add.at(change, (row, first), 1)
    np.add.at(change, (row, last), -1)
    masked = np.where(np.cumsum(change, axis=1)[:, :-1] > 0, np.float32(np.nan), flat)
    return masked.reshape(values.shape)


def nan_median(values: npt.NDArray[Any], count_min: int = 1) -> Floats:
    """The median along the last axis without NaN; NaN where fewer than `count_min` are left.

    Many times as fast as numpy.nanmedian, which looks at one row after the other.
    """
    ordered = np.sort(values, axis=-1)
    count = np.sum(~np.isnan(values), axis=-1)
    upper = np.minimum(count // 2, values.shape[-1] - 1)[..., None]
    lower = np.maximum((count - 1) // 2, 0)[..., None]
    middle = (
        np.take_along_axis(ordered, lower, -1).astype(np.float64) + np.take_along_axis(ordered, upper, -1)
    ) / 2
    return np.where(count >= max(count_min, 1), middle[..., 0], np.nan)


def mad_scale(values: npt.NDArray[Any], count_min: int = 1) -> Floats:
    """The robust standard deviation along the last axis: 1.4826 × median absolute deviation; NaN as there."""
    centre = nan_median(values, count_min)
    return np.asarray(MAD_TO_SD * nan_median(np.abs(values - centre[..., None]), count_min))


def by_hour(values: Cube, reach_h: int = 1, count_min: int = 10) -> Floats:
    """(n, 24): the personal median of each local hour, over all days and the hours within `reach_h` of it.

    Where an hour has fewer than `count_min` values, the median of all hours stands in, if that has enough.
    """
    shifts = [np.roll(values, shift, axis=2) for shift in range(-reach_h, reach_h + 1)]
    near = np.concatenate(shifts, axis=1).transpose(0, 2, 1)
    own = nan_median(near, count_min)
    everything = nan_median(values.reshape(len(values), -1), count_min)
    return np.where(np.isnan(own), everything[:, None], own)


def trailing_mean(series: npt.NDArray[Any], window: int, count_min: int) -> Floats:
    """(n, t): at each time the mean of the last `window` values up to it; NaN with fewer than `count_min`."""
    known = ~np.isnan(series)
    total = np.cumsum(np.where(known, series, 0).astype(np.float64), axis=1)
    count = np.cumsum(known, axis=1)
    before = np.zeros((len(series), min(window, series.shape[1])))
    total = total - np.concatenate([before, total[:, :-window]], axis=1)[:, : series.shape[1]]
    count = count - np.concatenate([before, count[:, :-window]], axis=1)[:, : series.shape[1]].astype(
        np.int64
    )
    enough = count >= max(count_min, 1)
    return np.where(enough, total / np.maximum(count, 1), np.nan)


def run_length(flags: Flags) -> Ints:
    """(n,): for how many columns up to the last one each row has been true without a break."""
    if flags.shape[1] == 0:
        return np.zeros(len(flags), np.int64)
    backwards = np.logical_not(flags[:, ::-1])
    length = np.where(backwards.any(axis=1), backwards.argmax(axis=1), flags.shape[1])
    return np.asarray(length, np.int64)


def gaps(hours: pd.DataFrame) -> pd.DataFrame:
    """resident_id, begins_at, gap_s, bathroom, leaving, in_bed: silences between hours with activity.

    Silences within an hour are left out: nobody is missed after so short a time. `bathroom`, `leaving` and
    `in_bed` tell whether what was seen last before it was in a bathroom, on the way out, or lying down.

    Args:
        hours: as `History.activity_hours`.
    """
    ordered = hours.sort_values(["resident_id", "hour"], kind="stable")
    resident = ordered["resident_id"].to_numpy(np.int64)
    first, last = (ordered[name].to_numpy("datetime64[us]") for name in ("first_at", "last_at"))
    same = resident[1:] == resident[:-1]
    ended: dict[str, Any] = {"resident_id": resident[:-1][same]}
    ended["begins_at"] = ordered["last_at"].to_numpy()[:-1][same]
    ended["gap_s"] = (first[1:] - last[:-1])[same].astype(np.int64) / 1e6
    for name in ("bathroom", "leaving", "in_bed"):
        at = ordered[f"{name}_at"].to_numpy("datetime64[us]")
        ended[name] = (at == last)[:-1][same]
    return pd.DataFrame(ended).astype({"begins_at": "datetime64[us, UTC]"})


def personal_scores(values: Floats, day: int, floor: Floats) -> Floats:
    """(n, days, k): how far each day is from the other days of the same person, in robust deviations.

    The centre and scale come from the days before `day` only; a scale is at least `floor` + 10 % of the
    centre, so that somebody who always does a thing twice a day is not strange for doing it three times.
    """
    past = values[:, :day, :].transpose(0, 2, 1)
    centre = nan_median(past)
    scale = np.fmax(mad_scale(past), 0) + floor + 0.1 * np.abs(centre)
    return np.asarray((values - centre[:, None, :]) / scale[:, None, :])


def _hours_since(times: "pd.Series[Any]", begin: datetime) -> Ints:
    start = np.datetime64(begin.astimezone(HOME_TIME).replace(tzinfo=None) - LOCAL_OFFSET, "us")
    elapsed = times.to_numpy("datetime64[us]") - start
    return np.floor_divide(elapsed.astype(np.int64), 3_600_000_000)


LOCAL_OFFSET = timedelta(hours=8)
"""China has had one time zone and no summer time since 1992."""
