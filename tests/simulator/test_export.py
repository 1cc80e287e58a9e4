"""Parquet: whole or not at all, the same for the same order, and just what the story says."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from deploy.cli import app
from simulator import events
from simulator.county import county_of
from simulator.events import Said
from simulator.export import MANIFEST, SCHEMAS, Order, export, portions
from tests.simulator.conftest import DAY

ORDER = Order(seed=3, residents=24, first_day=DAY, days=3, ordeal_rate=20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("export") / "county"
    seen: list[tuple[int, int]] = []
    export(ORDER, target, lambda done, of: seen.append((done, of)))
    assert seen == [(24, 72), (48, 72), (72, 72)]
    return target


def test_every_table_is_there_in_its_schema(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {MANIFEST, *(f"{name}.parquet" for name in SCHEMAS)}
    for name, schema in SCHEMAS.items():
        assert pq.read_schema(folder / f"{name}.parquet").equals(schema), name
    assert json.loads((folder / MANIFEST).read_text())["residents"] == 24
    assert pq.read_metadata(folder / "residents.parquet").num_rows == 24


def test_what_is_written_is_what_the_story_says(folder: Path) -> None:
    story = ORDER.story()
    told = [story.tell(DAY + ahead, opening=ahead == 0) for ahead in range(3)]
    vitals = pq.read_table(folder / "vitals.parquet")
    said = [events.as_heard(day.events) for day in told]
    expected = [rows[events.is_said(rows, Said.VITALS)] for rows in said]
    assert vitals.num_rows == sum(map(len, expected))
    assert vitals["hr"].null_count == sum(int(np.isnan(events.sign(rows, "hr")).sum()) for rows in expected)
    first = next(iter(events.messages(expected[0])))
    assert vitals["time"][0].as_py() == first.message.time
    assert vitals["device"][0].as_py() == story.county.devices[first.device].name
    labels = pq.read_table(folder / "labels.parquet").to_pylist()
    assert [label["kind"] for label in labels] == [str(one.kind) for day in told for one in day.labels]


def test_the_same_order_gives_the_same_data(folder: Path, tmp_path: Path) -> None:
    export(ORDER, tmp_path / "again")
    for name in SCHEMAS:
        ours, theirs = (pq.read_table(where / f"{name}.parquet") for where in (folder, tmp_path / "again"))
        assert ours.equals(theirs), name


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    result = CliRunner().invoke(app, ["simulate", "--days", "1", "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert "is there already" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--days", "2"], "Give --out DIR or --mqtt URL."),
        (["--out", "x"], "--out needs to know how long; give --days as well."),
        (["--residents", "9"], "--residents needs to know how long"),
        (["--incidents", "2", "--incident", "fall", "--resident", "1"], "--incidents needs to know how long"),
        (["--days", "2", "--out", "x", "--mqtt", "mqtt://h"], "not both"),
        (["--days", "2", "--out", "x", "--speed", "3"], "--speed is for --mqtt"),
        (["--days", "2", "--out", "x", "--incident", "fall"], "--incident is about what happens now"),
        (["--days", "2", "--out", "x", "--data", "d"], "--data is about what happens now"),
        (["--incident", "fall"], "Give both --incident and --resident."),
        (["--incident", "fall", "--resident", "1", "--speed", "2"], "--speed does not go with --incident"),
        (["--data", "d"], "--data is for --incident"),
        (["--days", "2", "--mqtt", "http://x"], "is not like mqtt://"),
    ],
)
def test_options_that_do_not_go_together_are_refused(arguments: list[str], says: str) -> None:
    result = CliRunner().invoke(app, ["simulate", *arguments])
    assert result.exit_code == 2
    assert says in " ".join(result.stderr.split())


@pytest.mark.integration
def test_what_is_killed_on_the_way_leaves_no_folder_that_looks_whole(tmp_path: Path) -> None:
    target = tmp_path / "county"
    program = [
        sys.executable,
        "-c",
        "from deploy.cli import main; main()",
        "simulate",
        "--days",
        "400",
        "--residents",
        "30",
    ]
    running = subprocess.Popen(
        [*program, "--out", str(target)], start_new_session=True, stderr=subprocess.DEVNULL
    )
    partial = tmp_path / "county.partial"
    try:
        while not (partial / "vitals.parquet").exists():
            assert running.poll() is None, "it ended before it was killed"
            time.sleep(0.05)
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    assert not target.exists()
    export(Order(seed=3, residents=5, first_day=DAY, days=1), target)
    assert pq.read_metadata(target / "residents.parquet").num_rows == 5
    assert not partial.exists()


def test_portions_hold_every_site_once_and_enough_people() -> None:
    county = county_of(3, 2_600)
    found = portions(county)
    assert [site for portion in found for site in portion] == list(range(len(county.sites)))
    persons = [sum(len(county.subjects_of(site)) for site in portion) for portion in found]
    assert sum(persons) == 2_600
    assert len(found) > 1
    assert all(1_000 <= count < 1_100 for count in persons[:-1])
