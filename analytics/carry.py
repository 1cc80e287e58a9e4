"""Signs carried forward: at the time of each sample, the last value of every sign that is still fresh."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics.news2 import SIGNS, Flags, Floats, Ints


@dataclass(frozen=True, kw_only=True)
class Samples:
    """n samples by resident, then time; a sample is one message with at least one sign.

    Attributes:
        resident: (n,) ids.
        time_us: (n,) microseconds since 1970 UTC.
        spot: (n,) whether somebody measured on purpose.
        signs: for each NEWS2 sign (n,) the last value no older than its maximum age; NaN without one.
        age_s: for each sign (n,) how old that value is; NaN without one.
    """

    resident: Ints
    time_us: Ints
    spot: Flags
    signs: Mapping[str, Floats]
    age_s: Mapping[str, Floats]


def carry(vitals: pd.DataFrame, latest: pd.DataFrame, age_s_max: Mapping[str, float]) -> Samples:
    """Samples with what was known at their time.

    A sign measured before the window is known from `latest`, unless it has been measured again since: then
    the samples in between lack it. That can only make them score lower, for at most one window.

    Args:
        vitals: as `History.vitals`.
        latest: as `History.latest_signs`.
        age_s_max: for each sign the age in seconds from which on a value is stale.
    """
    parts = [_observations(vitals["resident_id"], vitals["time"], {sign: vitals[sign] for sign in SIGNS})]
    for sign in SIGNS:
        known = latest[latest[f"{sign}_at"].notna() & latest["resident_id"].isin(vitals["resident_id"])]
        parts.append(_observations(known["resident_id"], known[f"{sign}_at"], {sign: known[sign]}))
    is_sample = np.concatenate([np.full(len(part[0]), index == 0) for index, part in enumerate(parts)])
    resident = np.concatenate([part[0] for part in parts])
    time_us = np.concatenate([part[1] for part in parts])
    spot = np.concatenate(
        [vitals["spot"].to_numpy(np.bool_), np.zeros(len(resident) - len(vitals), np.bool_)]
    )
    # What is known at the very time of a sample comes before it.
    order = np.lexsort((is_sample, time_us, resident))
    resident, time_us, is_sample = resident[order], time_us[order], is_sample[order]
    first = (
        np.flatnonzero(np.r_[True, resident[1:] != resident[:-1]]) if len(resident) else np.zeros(0, np.int64)
    )
    own_first = np.repeat(first, np.diff(np.r_[first, len(resident)]))
    signs: dict[str, Floats] = {}
    age_s: dict[str, Floats] = {}
    for sign in SIGNS:
        values = np.concatenate([part[2][sign] for part in parts])[order]
        source = np.maximum.accumulate(np.where(np.isnan(values), -1, np.arange(len(values))))
        carried_age_s = (time_us - time_us[source]) / 1e6
        fresh = (source >= own_first) & (carried_age_s <= age_s_max[sign])
        signs[sign] = np.where(fresh, values[source], np.nan)[is_sample]
        age_s[sign] = np.where(fresh, carried_age_s, np.nan)[is_sample]
    return Samples(
        resident=resident[is_sample],
        time_us=time_us[is_sample],
        spot=spot[order][is_sample],
        signs=signs,
        age_s=age_s,
    )


def _observations(
    resident: pd.Series, time: pd.Series, given: Mapping[str, pd.Series]
) -> tuple[Ints, Ints, dict[str, Floats]]:
    absent = np.full(len(resident), np.nan)
    values = {sign: given[sign].to_numpy(np.float64) if sign in given else absent for sign in SIGNS}
    return resident.to_numpy(np.int64), time.to_numpy("datetime64[us]").astype(np.int64), values
