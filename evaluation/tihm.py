"""TIHM: people with dementia at home, their movements, measurements, and alerts verified by a clinical team.

Palermo et al., "TIHM: An open dataset for remote healthcare monitoring in dementia", Zenodo record 7622128,
CC BY 4.0, University of Surrey and Surrey and Borders Partnership NHS Foundation Trust. Files as there, or
with names in lower case; `location` may also be called `location_name`, and an event's `time` `date`.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from evaluation import datasets
from evaluation.datasets import DatasetError

SIGNS = {
    "Systolic blood pressure": "sbp",
    "Diastolic blood pressure": "dbp",
    "Heart rate": "hr",
    "Body Temperature": "temp",
    "Skin Temperature": "skin_temp",
    "Body weight": "weight",
    "O/E - muscle mass": "muscle",
    "Total body water": "water",
}
ALERTS = {
    "Agitation": "agitation",
    "Blood pressure": "blood_pressure",
    "Pulse": "pulse",
    "Body water": "body_water",
    "Body temperature": "body_temperature",
    "Weight": "weight",
}


@dataclass(frozen=True, kw_only=True)
class Tihm:
    """The record; times are local wall-clock, without zone.

    Attributes:
        events: `person`, `place`, `time`: each motion or door event.
        readings: `person`, `time`, `sign` (values of `SIGNS`), `value`.
        alerts: `person`, `time`, `kind` (values of `ALERTS`): verified by the team.
    """

    events: pd.DataFrame
    readings: pd.DataFrame
    alerts: pd.DataFrame

    @property
    def days(self) -> pd.MultiIndex:
        """Each (`person`, `day`) with an event or a reading, sorted."""
        seen = pd.concat([person_days(self.events), person_days(self.readings)]).drop_duplicates()
        return pd.MultiIndex.from_frame(seen.sort_values(["person", "day"]))


def read(folder: Path) -> Tihm:
    """The record in this folder.

    Raises:
        DatasetError: a file, a column or a value is missing or wrong, or there is no event at all.
    """
    root = datasets.root_with(folder, _spelling(folder, "activity.csv"))
    events = datasets.read_csv(
        _file(root, "activity.csv"),
        texts=["patient_id", _column(root, "activity.csv", "location", "location_name")],
        times=[_column(root, "activity.csv", "time", "date")],
    )
    events.columns = pd.Index(["person", "place", "time"])
    if events.empty:
        raise DatasetError(f"{_file(root, 'activity.csv')} has no event.")
    readings_path = _file(root, "physiology.csv")
    readings = datasets.read_csv(
        readings_path, texts=["patient_id", "device_type"], times=["date"], numbers=["value"]
    )
    readings = datasets.recode(readings, "device_type", SIGNS, readings_path)
    readings.columns = pd.Index(["person", "sign", "time", "value"])
    alerts_path = _file(root, "labels.csv")
    alerts = datasets.read_csv(alerts_path, texts=["patient_id", "type"], times=["date"])
    alerts = datasets.recode(alerts, "type", ALERTS, alerts_path)
    alerts.columns = pd.Index(["person", "kind", "time"])
    return Tihm(events=events, readings=readings, alerts=alerts)


def person_days(frame: pd.DataFrame) -> pd.DataFrame:
    """The distinct (`person`, `day`) of rows with `person` and `time`."""
    days = pd.DataFrame(
        {"person": frame["person"], "day": frame["time"].astype("datetime64[us]").dt.floor("D")}
    )
    return days.drop_duplicates(ignore_index=True)


def on_days(alerts: pd.DataFrame, kind: str, days: pd.MultiIndex) -> "pd.Series[bool]":
    """Whether an alert of that kind was verified on each of `days`."""
    alerted = pd.MultiIndex.from_frame(person_days(alerts[alerts["kind"] == kind]))
    return pd.Series(days.isin(alerted), index=days)


def _spelling(folder: Path, name: str) -> str:
    """As the publisher (Activity.csv) or the lower-case copies write it."""
    return name.capitalize() if next(folder.glob(f"**/{name.capitalize()}"), None) else name


def _file(root: Path, name: str) -> Path:
    capital = root / name.capitalize()
    return capital if capital.exists() else root / name


def _column(root: Path, file: str, *names: str) -> str:
    """The first of `names` that the file's header has; the first if it has none, for the error to name it."""
    path = _file(root, file)
    if not path.is_file():
        return names[0]
    with path.open(encoding="utf-8", errors="replace") as lines:
        header = lines.readline().strip().split(",")
    return next((name for name in names if name in header), names[0])
