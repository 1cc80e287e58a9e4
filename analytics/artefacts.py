"""Readings that cannot be of a body: dropped before anything is scored. Pure, over whole columns.

Probe off: a sensor that measures skin of less than 32 °C is not on skin, so nothing in that message counts.
Jump: a value that is far from both its neighbours, which agree with each other, was motion or a loose
contact; a body does not go there and back within minutes. Motion: oxygen that falls while the pulse leaps in
the same message is a shaken hand; both are dropped. What somebody measured on purpose is never dropped.
"""

from typing import Any

import numpy as np
import pandas as pd

from analytics.news2 import SIGNS, Flags, Floats, Ints

PROBE_OFF_CEL = 32.0
"""Below this a wristband's contact sensor reads air: nobody that cold sits there with a pulse to measure."""
JUMP = {"hr": 40.0, "rr": 15.0, "spo2": 10.0, "temp": 1.5, "sbp": 50.0}
"""Between two neighbouring samples a larger change, there and back, is no physiology."""
NEIGHBOUR_S_MAX = 900
"""Neighbours further away in time say nothing about a jump."""
JUMP_SHARE_MAX = 1 / 3
"""If more of a person's values jump than this, two devices disagree, and neither is the artefact."""
MOTION_SPO2, MOTION_HR = 8.0, 30.0


def reject(vitals: pd.DataFrame) -> pd.DataFrame:
    """`vitals`, as `History.vitals`, with NaN for artefacts; samples without any sign are left out."""
    cleaned = vitals.copy()
    wrong = artefacts(vitals)
    for sign in SIGNS:
        cleaned[sign] = np.where(wrong[sign], np.nan, vitals[sign].to_numpy(np.float64))
    return cleaned[cleaned[list(SIGNS)].notna().any(axis=1)].reset_index(drop=True)


def artefacts(vitals: pd.DataFrame) -> dict[str, Flags]:
    """For each sign (n,) which values are artefacts.

    Args:
        vitals: n samples by resident, then time, as `History.vitals`.
    """
    values = {sign: vitals[sign].to_numpy(np.float64) for sign in SIGNS}
    keep = vitals["spot"].to_numpy(np.bool_)
    resident = vitals["resident_id"].to_numpy(np.int64)
    time_s = vitals["time"].to_numpy("datetime64[us]").astype(np.int64) / 1e6
    off = np.nan_to_num(values["temp"], nan=np.inf) < PROBE_OFF_CEL
    before = {sign: _neighbour(values[sign], resident, time_s) for sign in SIGNS}
    after = {sign: _neighbour(values[sign][::-1], resident[::-1], -time_s[::-1])[::-1] for sign in SIGNS}
    shaken = (before["spo2"] - values["spo2"] > MOTION_SPO2) & (
        np.abs(values["hr"] - before["hr"]) > MOTION_HR
    )
    _, person = np.unique(resident, return_inverse=True)
    found = {}
    for sign in SIGNS:
        there, back = values[sign] - before[sign], values[sign] - after[sign]
        agree = np.abs(before[sign] - after[sign]) < JUMP[sign] / 2
        jump = (np.abs(there) > JUMP[sign]) & (np.abs(back) > JUMP[sign]) & agree
        jump &= _rare(jump, ~np.isnan(values[sign]), person)
        motion = shaken if sign in {"spo2", "hr"} else np.zeros(len(jump), np.bool_)
        # A sensor off the skin and a shaken one tell what is: a sign that stays there is shown by the next.
        found[sign] = (off | jump | (motion & agree)) & ~keep & ~np.isnan(values[sign])
    return found


def _rare(jump: Flags, measured: Flags, person: Ints) -> Flags:
    """(n,) whether no more than JUMP_SHARE_MAX of the same person's values jump."""
    jumps, count = np.bincount(person, jump), np.bincount(person, measured)
    return np.asarray((jumps <= JUMP_SHARE_MAX * count)[person], np.bool_)


def _neighbour(values: Floats, resident: Any, time_s: Floats) -> Floats:
    """(n,) the value before each, of the same resident and no more than NEIGHBOUR_S_MAX away; or NaN."""
    index = np.arange(len(values))
    last = np.maximum.accumulate(np.where(np.isnan(values), -1, index))
    source = np.concatenate([[-1], last[:-1]]) if len(values) else index
    known = (source >= 0) & (resident[source] == resident) & (time_s - time_s[source] <= NEIGHBOUR_S_MAX)
    return np.where(known, values[source], np.nan)
