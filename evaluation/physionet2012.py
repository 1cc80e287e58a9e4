"""PhysioNet/Computing in Cardiology Challenge 2012: two days of intensive care, and who died in hospital.

`set-a/<RecordID>.txt` (or the same files beside it) with lines Time,Parameter,Value, and `Outcomes-a.txt`;
sets b and c are read alike. Open access at PhysioNet; Silva et al., "Predicting in-hospital mortality of ICU
patients".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from analytics import course
from analytics.news2 import Flags, Floats, Ints
from evaluation import datasets
from evaluation.datasets import DatasetError
from protocol.signs import SIGNS

PARAMETERS = {
    "HR": "hr",
    "RespRate": "rr",
    "SaO2": "spo2",
    "Temp": "temp",
    "NISysABP": "ni_sbp",
    "NIDiasABP": "ni_dbp",
    "NIMAP": "ni_map",
    "SysABP": "art_sbp",
    "DiasABP": "art_dbp",
    "MAP": "art_map",
}
"""Vital signs only: no Glasgow coma scale, no laboratory, no urine, no ventilation."""
HIDDEN_AGE = 91.0
"""Ages above 89 are published as 90, or hidden as about 200; what is above 120 stands for this."""
_HEADER = "Time,Parameter,Value"
_MAP_LIMITS = (20.0, 250.0)


@dataclass(frozen=True, kw_only=True)
class Stays:
    """n stays.

    Attributes:
        ids: (n,) RecordID, ascending.
        age: (n,) years; the first where a record has several.
        died: (n,) in hospital.
        hourly: of each of `course.MEASURED` (n, 48): the mean of the hour's plausible values, NaN without
            any.
        counts: of each (n, 48): how many these are.
    """

    ids: Ints
    age: Floats
    died: Flags
    hourly: dict[str, Floats]
    counts: dict[str, Floats]


def read(folder: Path) -> Stays:
    """The stays in this folder.

    Raises:
        DatasetError: there are no records or outcomes, or a line, an age or an outcome is missing or wrong.
    """
    outcomes_path = _outcomes(folder)
    outcomes = datasets.read_csv(outcomes_path, numbers=["RecordID", "In-hospital_death"])
    if not outcomes["In-hospital_death"].isin([0, 1]).all():
        raise DatasetError(f"{outcomes_path}: In-hospital_death is something else than 0 or 1.")
    died = outcomes.set_index("RecordID")["In-hospital_death"].astype(bool)
    paths = sorted(
        (path for path in folder.rglob("*.txt") if path.stem.isdigit()), key=lambda path: int(path.stem)
    )
    if not paths:
        raise DatasetError(f"{folder} holds no records: files named by their RecordID, as 132539.txt.")
    records = _records(paths)
    ids = np.array([int(path.stem) for path in paths], np.int64)
    unknown = set(ids.tolist()) - set(died.index)
    if unknown:
        raise DatasetError(f"{outcomes_path} has no outcome of {len(unknown)} records, as {min(unknown)}.")
    ages = records[records["parameter"] == "Age"].groupby("id")["value"].first().reindex(ids)
    if ages.isna().any():
        raise DatasetError(f"Record {ages.index[ages.isna()][0]} has no age.")
    hourly, counts = _by_hour(records, ids)
    return Stays(
        ids=ids,
        age=ages.where(ages <= 120, HIDDEN_AGE).to_numpy(np.float64),
        died=died.reindex(ids).to_numpy(np.bool_),
        hourly=hourly,
        counts=counts,
    )


def _outcomes(folder: Path) -> Path:
    found = sorted(folder.rglob("Outcomes-*.txt"))
    if len(found) != 1:
        raise DatasetError(f"{folder} holds {len(found)} files Outcomes-….txt instead of one.")
    return found[0]


def _records(paths: Sequence[Path]) -> pd.DataFrame:
    """`id`, `parameter`, `hour`, `value` of what is used, of all records."""
    bodies, lengths = [], []
    for path in paths:
        header, *lines = path.read_text(encoding="utf-8", errors="replace").splitlines() or [""]
        if header != _HEADER:
            raise DatasetError(f"{path} does not begin with {_HEADER}.")
        bodies += lines
        lengths.append(len(lines))
    # One pass over all lines: thousands of small files are slow to parse one by one.
    parts = pd.Series(bodies, dtype=object).str.split(",", n=2, expand=True).reindex(columns=range(3))
    frame = pd.DataFrame(
        {"id": np.repeat([int(path.stem) for path in paths], lengths), "parameter": parts[1]}
    )
    known = frame["parameter"].isin([*PARAMETERS, "Age"]).to_numpy()
    frame, parts = frame[known], parts[known]
    frame["value"] = pd.to_numeric(parts[2], errors="coerce")
    clock = parts[0].str.extract(r"^(\d{2}):([0-5]\d)$").astype(np.float64)
    frame["hour"] = clock[0]
    wrong = frame[["value", "hour"]].isna().any(axis=1).to_numpy()
    if wrong.any():
        line = int(wrong.argmax())
        text = ",".join(str(part) for part in parts.iloc[line])
        raise DatasetError(
            f"Record {frame['id'].iloc[line]}: {text!r} is not a time, a parameter and a value."
        )
    return frame


def _by_hour(records: pd.DataFrame, ids: Ints) -> tuple[dict[str, Floats], dict[str, Floats]]:
    row = np.searchsorted(ids, records["id"].to_numpy(np.int64))
    # Records end with minute 48:00, which counts to the last hour.
    hour = np.minimum(records["hour"].to_numpy(np.int64), course.HOURS - 1)
    value = records["value"].to_numpy(np.float64)
    hourly, counts = {}, {}
    for parameter, name in PARAMETERS.items():
        sign = name.rpartition("_")[2]
        low, high = (SIGNS[sign].low, SIGNS[sign].high) if sign in SIGNS else _MAP_LIMITS
        mine = (records["parameter"] == parameter).to_numpy() & (value >= low) & (value <= high)
        place = (row[mine], hour[mine])
        total, count = np.zeros((len(ids), course.HOURS)), np.zeros((len(ids), course.HOURS))
        np.add.at(total, place, value[mine])
        np.add.at(count, place, 1.0)
        hourly[name] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        counts[name] = count
    return hourly, counts
