"""The comparison with real homes: what it measures, what it refuses, and that ours lie within theirs."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from evaluation import likeness
from evaluation.likeness import EARLIER_H, MEASURES, Measure, compare, draw, simulated_homes, table
from simulator.errors import SimulatorError

DATASETS = os.environ.get("ANSHOU_DATASETS", "")
"""Folder that holds the sets; TIHM's files lie in it directly or in `tihm`."""


# What lies between the 10th and the 90th percentile of 37 homes of TIHM (Zenodo 7622128; Palermo et al.;
# CC BY 4.0, University of Surrey and Surrey and Borders Partnership NHS Trust), as `compare` measures it: two
# figures each, so that the suite knows the real homes without having the set.
REAL_HOMES = {
    "motion a day": (171, 376),
    "motion at night": (0.0162, 0.128),
    "motion in the bathroom at night": (0.0155, 6.09),
    "visits to the bathroom at night": (0.0155, 2.60),
    "time to the next motion": (60.1, 108),
    "longest twentieth of the pauses": (587, 1550),
    "motion in the bathroom": (0.00647, 0.183),
    "motion in the bedroom": (0.105, 0.324),
    "motion in the kitchen": (0.168, 0.423),
    "motion in the living": (0.201, 0.58),
}
REAL_PEOPLE = {
    "hr": ((60.3, 83.3), (3.98, 8.41)),
    "sbp": ((118, 150), (9.74, 17.9)),
    "dbp": ((65.5, 89.1), (6.53, 12.7)),
    "temp": ((36.2, 36.9), (0.244, 0.547)),
}
"""Of each sign: where people's means are, and where the spreads of single people are."""


def tihm() -> Path:
    for folder in (Path(DATASETS), Path(DATASETS) / "tihm"):
        if DATASETS and (folder / "activity.csv").exists():
            return folder
    pytest.skip("TIHM is not there: set ANSHOU_DATASETS to the folder that holds its activity.csv")


def write(folder: Path, name: str, rows: list[dict[str, object]]) -> None:
    with (folder / name).open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def invented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two homes that move every two minutes by day, in the files of the real set."""
    folder = tmp_path_factory.mktemp("invented")
    rooms = ("Kitchen", "Lounge", "Hallway", "Bedroom", "Bathroom", "fridge-door")
    write(
        folder,
        "activity.csv",
        [
            {
                "patient_id": home,
                "location": rooms[minute // 2 % 6],
                "time": f"2019-04-{day:02} {7 + minute // 60:02}:{minute % 60:02}:00",
            }
            for home in ("a", "b")
            for day in range(1, 10)
            for minute in range(0, 900, 2)
        ],
    )
    write(
        folder,
        "physiology.csv",
        [
            {
                "patient_id": "a",
                "date": "2019-04-01 08:00:00",
                "device_type": "Heart rate",
                "value": 70 + n % 5,
                "unit": "beats/min",
            }
            for n in range(20)
        ],
    )
    return folder


def test_measures_are_those_of_the_files(
    invented: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(likeness, "HOUSEHOLDS", 12)
    monkeypatch.setattr(likeness, "DAYS", 10)
    comparison = compare(invented)
    real = {one.name: one.real for one in comparison.measures}
    assert real["motion a day"].tolist() == [375, 375]  # five of six rows are motion
    assert real["motion at night"].tolist() == [0, 0]
    assert real["motion in the living"].tolist() == [0.4, 0.4]
    assert real["hr: a person's mean"].tolist() == [72]
    assert comparison.real_profile.shape == (2, 24)
    text = table(comparison)
    assert all(one.name in text for one in comparison.measures)
    draw(comparison, tmp_path / "images" / "rhythms.png")
    assert (tmp_path / "images" / "rhythms.png").stat().st_size > 10_000


def test_the_distance_is_that_of_wasserstein_in_bands() -> None:
    real = np.linspace(0, 1, 1001)
    moved = Measure("m", "", real, real + 0.4)
    assert moved.distance() == pytest.approx(0.4 / 0.8, rel=0.01)
    assert not Measure("m", "", real, real + 0.5).inside()
    assert Measure("m", "", real, real + 0.3).inside()


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (lambda folder: (folder / "activity.csv").unlink(), "cannot be read"),
        (lambda folder: (folder / "activity.csv").write_text("patient,when\n"), "has no column"),
    ],
)
def test_a_set_that_is_not_one_is_refused(tmp_path: Path, break_it: object, says: str) -> None:
    write(tmp_path, "activity.csv", [{"patient_id": 1, "location": "Kitchen", "time": "2019-04-01 08:00:00"}])
    assert callable(break_it)
    break_it(tmp_path)
    with pytest.raises(SimulatorError, match=says):
        compare(tmp_path)


def test_the_command_says_what_is_wrong(tmp_path: Path) -> None:
    import typer

    from evaluation.likeness import main

    app = typer.Typer()
    app.command()(main)
    result = CliRunner().invoke(app, ["--dataset", str(tmp_path)])
    assert result.exit_code == 2
    assert "cannot be read" in result.stderr


def test_ours_lie_where_the_real_homes_are_known_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as the real homes are, for as long as a median needs; the command compares more."""
    monkeypatch.setattr(likeness, "HOUSEHOLDS", 40)
    monkeypatch.setattr(likeness, "DAYS", 12)
    homes, people = simulated_homes()
    for (name, _), of in MEASURES.items():
        low, high = REAL_HOMES[name]
        assert low <= np.median([of(home) for home in homes]) <= high, name
    for sign, (means, spreads) in REAL_PEOPLE.items():
        assert means[0] <= np.median([person.mean() for person in people[sign]]) <= means[1], sign
        assert spreads[0] <= np.median([person.std() for person in people[sign]]) <= spreads[1], sign


def test_ours_lie_within_the_real_homes() -> None:
    comparison = compare(tihm())
    for one in comparison.measures:
        if one.name in REAL_HOMES:
            assert REAL_HOMES[one.name] == pytest.approx(one.band(), rel=0.01)
    outside = [one.name for one in comparison.measures if not one.inside()]
    assert outside == []
    assert len(comparison.hours_inside(EARLIER_H)) >= 20
    assert len(comparison.hours_inside(EARLIER_H, "bathroom")) >= 20
