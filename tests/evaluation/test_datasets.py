"""Loaders on good and on spoilt copies."""

import shutil
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analytics.errors import AnalyticsError
from evaluation import datasets, physionet2012, tihm
from evaluation.datasets import DatasetError


@pytest.fixture
def homes(tihm_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tihm_folder, tmp_path / "copy"))


@pytest.fixture
def stays(physionet_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(physionet_folder, tmp_path / "copy"))


def spoil(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")


def test_a_record_is_read(tihm_folder: Path) -> None:
    record = tihm.read(tihm_folder)
    assert list(record.events.columns) == ["person", "place", "time"]
    assert set(record.readings["sign"]) == {"sbp", "dbp", "hr"}
    assert set(record.alerts["kind"]) == {"agitation", "blood_pressure"}
    assert len(record.days) == 6 * 56
    assert record.days.is_monotonic_increasing


def test_names_as_the_publisher_writes_them(homes: Path, tihm_folder: Path) -> None:
    activity = pd.read_csv(homes / "activity.csv").rename(
        columns={"location": "location_name", "time": "date"}
    )
    (homes / "activity.csv").unlink()
    activity.to_csv(homes / "Activity.csv", index=False)
    for name in ("physiology", "labels"):
        (homes / f"{name}.csv").rename(homes / f"{name.capitalize()}.csv")
    pd.testing.assert_frame_equal(tihm.read(homes).events, tihm.read(tihm_folder).events)


@pytest.mark.parametrize("file", ["activity.csv", "physiology.csv", "labels.csv"])
def test_a_missing_file_is_named(homes: Path, file: str) -> None:
    (homes / file).unlink()
    with pytest.raises(DatasetError, match=file):
        tihm.read(homes)


@pytest.mark.parametrize(
    ("file", "before", "after", "message"),
    [
        ("activity.csv", "location", "room", "lacks the column location; it has patient_id, room, time"),
        ("activity.csv", "h0000,", ",", "line 2: patient_id is ''"),
        ("activity.csv", "2019-04-01 ", "yesterday ", "time is 'yesterday"),
        ("physiology.csv", ",75,", ",high,", "line 3: value is 'high'"),
        ("labels.csv", "date", "when", "lacks the column date"),
    ],
)
def test_what_is_wrong_is_named(homes: Path, file: str, before: str, after: str, message: str) -> None:
    spoil(homes / file, before, after)
    with pytest.raises(DatasetError, match=message):
        tihm.read(homes)


def test_other_files_of_these_names_are_refused(homes: Path) -> None:
    labels = pd.read_csv(homes / "labels.csv").assign(type="Fall")
    labels.to_csv(homes / "labels.csv", index=False)
    with pytest.raises(DatasetError, match=r"type is never one of Agitation.*but Fall"):
        tihm.read(homes)
    (homes / "labels.csv").write_bytes(b"")
    with pytest.raises(DatasetError, match="not readable as CSV"):
        tihm.read(homes)


def test_no_event_at_all(homes: Path) -> None:
    (homes / "activity.csv").write_text("patient_id,location,time\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="has no event"):
        tihm.read(homes)


def test_errors_are_for_people() -> None:
    assert issubclass(DatasetError, AnalyticsError)


def test_folders_and_archives_open_alike(tihm_folder: Path, tmp_path: Path) -> None:
    archive = tmp_path / "tihm.tar.xz"
    with tarfile.open(archive, "w:xz") as tar:
        tar.add(tihm_folder, arcname="tihm")
    with datasets.opened(archive) as folder:
        unpacked = tihm.read(folder)
    assert not folder.exists()
    pd.testing.assert_frame_equal(unpacked.alerts, tihm.read(tihm_folder).alerts)


@pytest.mark.parametrize("name", ["../outside.csv", "/tmp/../outside.csv"])
def test_an_archive_writes_nothing_outside_its_folder(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "bad.tar"
    with tarfile.open(archive, "w") as tar:
        tar.addfile(tarfile.TarInfo(name))
    with pytest.raises(DatasetError, match="leads out of its folder"), datasets.opened(archive):
        pass


def test_neither_folder_nor_archive(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="There is no data set"), datasets.opened(tmp_path / "nowhere"):
        pass
    (tmp_path / "text").write_text("hello", encoding="utf-8")
    with pytest.raises(DatasetError, match="readable tar archive"), datasets.opened(tmp_path / "text"):
        pass
    with pytest.raises(DatasetError, match=r"holds no activity\.csv"):
        tihm.read(tmp_path)


def test_stays_are_read_by_hour(stays: Path) -> None:
    record = stays / "set-a" / "132539.txt"
    lines = ["00:00,Age,201", "00:10,HR,60", "00:50,HR,70", "01:00,HR,0", "48:00,HR,90", "00:20,MAP,70"]
    record.write_text("\n".join(["Time,Parameter,Value", *lines]), encoding="utf-8")
    read = physionet2012.read(stays)
    assert read.ids[0] == 132539
    assert read.age[0] == physionet2012.HIDDEN_AGE
    assert bool(read.died[0])
    assert read.hourly["hr"][0, 0] == 65.0
    assert np.isnan(read.hourly["hr"][0, 1])  # no pulse of 0
    assert read.hourly["hr"][0, 47] == 90.0
    assert read.counts["hr"][0, 0] == 2
    assert read.hourly["art_map"][0, 0] == 70.0


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("Time,Parameter,Value", "time;value", "does not begin with Time,Parameter,Value"),
        ("00:00,Age,50", "00:00,Age,old", "Record 132539: '00:00,Age,old' is not a time"),
        ("00:30,HR", "0:30,HR", "Record 132539: '0:30,HR"),
        ("00:00,Age,50\n", "", "Record 132539 has no age"),
    ],
)
def test_a_wrong_record_is_named(stays: Path, before: str, after: str, message: str) -> None:
    spoil(stays / "set-a" / "132539.txt", before, after)
    with pytest.raises(DatasetError, match=message):
        physionet2012.read(stays)


def test_wrong_outcomes_are_named(stays: Path) -> None:
    spoil(stays / "Outcomes-a.txt", "132539,1", "132539,2")
    with pytest.raises(DatasetError, match="something else than 0 or 1"):
        physionet2012.read(stays)
    spoil(stays / "Outcomes-a.txt", "132539,2\n", "")
    with pytest.raises(DatasetError, match="no outcome of 1 records, as 132539"):
        physionet2012.read(stays)
    (stays / "Outcomes-a.txt").unlink()
    with pytest.raises(DatasetError, match="0 files Outcomes"):
        physionet2012.read(stays)


def test_no_records(stays: Path) -> None:
    shutil.rmtree(stays / "set-a")
    with pytest.raises(DatasetError, match="holds no records"):
        physionet2012.read(stays)
