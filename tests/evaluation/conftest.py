"""Small records in the form of the public sets, made up: nobody lived in them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

PLACES = ("kitchen", "hallway", "lounge", "bedroom", "bathroom", "front-door")
BEGIN = pd.Timestamp("2019-04-01")
DAYS = 56


def write_tihm(folder: Path, *, homes: int = 6, days: int = DAYS, seed: int = 1) -> Path:
    """Homes in which restless days have many moves in the morning and are (mostly) verified."""
    random = np.random.default_rng(seed)
    events, readings, labels = [], [], []
    for home in range(homes):
        person = f"h{home:04d}"
        for day in range(days):
            midnight = BEGIN + pd.Timedelta(days=day)
            restless = random.random() < 0.12
            seconds = random.integers(7 * 3600, 22 * 3600, 60)
            if restless:
                seconds = np.append(seconds, random.integers(7 * 3600, 12 * 3600, 60))
            events += [
                (person, PLACES[random.integers(len(PLACES))], midnight + pd.Timedelta(seconds=int(second)))
                for second in seconds
            ]
            systolic = int(random.integers(110, 175))
            at = midnight + pd.Timedelta(hours=8)
            readings += [
                (person, at, "Systolic blood pressure", systolic, "mm[Hg]"),
                (person, at, "Diastolic blood pressure", 75, "mm[Hg]"),
                (person, at, "Heart rate", int(random.integers(52, 104)), "beats/min"),
            ]
            if restless and random.random() < 0.8:
                labels.append((person, midnight + pd.Timedelta(hours=12), "Agitation"))
            if systolic >= 160:
                labels.append((person, at, "Blood pressure"))
    folder.mkdir(parents=True, exist_ok=True)
    tables = {
        "activity.csv": pd.DataFrame(events, columns=["patient_id", "location", "time"]),
        "physiology.csv": pd.DataFrame(
            readings, columns=["patient_id", "date", "device_type", "value", "unit"]
        ),
        "labels.csv": pd.DataFrame(labels, columns=["patient_id", "date", "type"]),
    }
    for name, table in tables.items():
        table.to_csv(folder / name, index=False)
    return folder


def write_physionet(folder: Path, *, stays: int = 60, seed: int = 2) -> Path:
    """Stays in which those who die have fast, thready pulses."""
    random = np.random.default_rng(seed)
    (folder / "set-a").mkdir(parents=True, exist_ok=True)
    outcomes = []
    for number in range(stays):
        record = 132_539 + number
        died = number % 4 == 0
        age = 80 if number % 3 else 50
        lines = ["Time,Parameter,Value", f"00:00,RecordID,{record}", f"00:00,Age,{age}", "00:00,Height,-1"]
        for hour in range(48):
            pulse = random.normal(105 if died else 82, 12)
            pressure = random.normal(100 if died else 122, 14)
            lines += [f"{hour:02d}:30,HR,{pulse:.0f}", f"{hour:02d}:31,NISysABP,{pressure:.0f}"]
        (folder / "set-a" / f"{record}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        outcomes.append(f"{record},{int(died)}")
    text = "\n".join(["RecordID,In-hospital_death", *outcomes]) + "\n"
    (folder / "Outcomes-a.txt").write_text(text, encoding="utf-8")
    return folder


Spoil = Callable[[str, str, str], None]


@pytest.fixture(scope="session")
def tihm_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tihm(tmp_path_factory.mktemp("tihm"))


@pytest.fixture(scope="session")
def physionet_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_physionet(tmp_path_factory.mktemp("physionet"))
