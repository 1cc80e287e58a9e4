"""`anshou evaluate` as a user runs it, on made-up records; on the real ones where they are at hand."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration

DATASETS_VARIABLE = "ANSHOU_DATASETS"


def evaluate(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from deploy.cli import main; main()", "evaluate", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "OMP_NUM_THREADS": "1"},
    )


def figures(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["figures"]
    for item in found:
        assert set(item) == {"name", "value", "unit", "ceiling", "ratio", "target", "ok"}
    return {item["name"]: item for item in found}


def real(name: str) -> Path:
    """A real set, as a folder or an archive below ANSHOU_DATASETS."""
    root = os.environ.get(DATASETS_VARIABLE)
    if not root:
        pytest.skip(f"{DATASETS_VARIABLE} does not name the folder of the public data sets")
    found = sorted(Path(root).glob(f"{name}*"))
    if not found:
        pytest.skip(f"{root} holds no {name}…: docs/evaluation says where to obtain it")
    return found[0]


def test_homes_give_figures_a_report_and_plots(tihm_folder: Path, tmp_path: Path) -> None:
    found = figures(evaluate("tihm", tihm_folder, "--json", folder=tmp_path))
    assert found["agitation, unsupervised: AUROC, mean of weeks"]["ok"] is True
    report = (tmp_path / "docs/evaluation/tihm.md").read_text(encoding="utf-8")
    assert "6 homes, 336 person-days" in report
    assert "$" not in report
    for picture in ("tihm-agitation.png", "tihm-days.png"):
        assert f"]({picture})" in report
        assert (tmp_path / "docs/evaluation" / picture).stat().st_size > 1000


def test_errors_are_one_line(tmp_path: Path) -> None:
    done = evaluate("tihm", tmp_path / "nowhere", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("anshou: There is no data set at")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "docs").exists()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_real_homes(tmp_path: Path) -> None:
    found = figures(evaluate("tihm", real("tihm"), "--json", folder=tmp_path))
    assert [name for name, item in found.items() if not item["ok"]] == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_real_stays(tmp_path: Path) -> None:
    found = figures(evaluate("physionet2012", real("physionet2012"), "--json", folder=tmp_path))
    assert found["death, vital signs, how often measured, and age: AUROC"]["value"] > 0.75
