"""The Python environment: when it must be made anew."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local import bootstrap
from deploy.local.bootstrap import Environment

CHECKOUT = Path(__file__).parents[2]
MADE_FROM = ("requirements.lock", "pyproject.toml", "deploy/centre/pyproject.toml")


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    for name in MADE_FROM:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((CHECKOUT / name).read_bytes())
    binaries = tmp_path / ".venv/bin"
    binaries.mkdir(parents=True)
    (binaries / "python").symlink_to(sys.executable)
    environment = Environment(checkout=tmp_path, lock="requirements.lock")
    environment._stamp.write_text(environment._key())
    return environment


def test_what_is_current_is_not_touched(environment: Environment) -> None:
    assert environment.is_current
    environment.install()
    assert environment.is_current


@pytest.mark.parametrize("name", MADE_FROM)
def test_a_change_makes_it_out_of_date(environment: Environment, name: str) -> None:
    with (environment.checkout / name).open("a") as file:
        file.write("\n")
    assert not environment.is_current


def test_a_python_that_is_gone_makes_it_out_of_date(environment: Environment) -> None:
    environment.python.unlink()
    environment.python.symlink_to("/nonexistent/python3")
    assert not environment.is_current


def test_an_older_python_is_told_which_one_is_needed() -> None:
    code = (
        "import collections, runpy, sys\n"
        "version = collections.namedtuple('version', 'major minor micro')(3, 9, 2)\n"
        "sys.version_info, sys.version = version, '3.9.2 (main)'\n"
        "runpy.run_module('deploy.local.bootstrap', run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "needs Python 3.11 or newer, and this is 3.9.2" in done.stderr


def test_it_needs_nothing_but_the_standard_library() -> None:
    # -S leaves site-packages out, as on a machine where nothing has been installed.
    done = subprocess.run(
        [sys.executable, "-S", "-m", bootstrap.__name__, "--help"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
