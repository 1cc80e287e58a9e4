"""What is installed: the box is the box and nothing else, with the centre it is the whole product."""

import ast
import os
import re
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterable
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

from tests.architecture import CHECKOUT, read_house

pytestmark = pytest.mark.integration

BOX_ROOMS = {"protocol", "gateway", "deploy"}
INSTRUMENTS = {"benchmarks", "evaluation", "tests"}
NOT_INSTALLED = ("deploy/screenshots.py", "deploy/centre/*")
"""Of the rooms of the product, what is of use in a checkout only."""
THIRD_PARTY = {"msgspec": "msgspec", "paho": "paho-mqtt", "typer": "typer"}
"""What the box may import, and in which distribution it comes."""


def project(folder: str) -> dict[str, Any]:
    return tomllib.loads((CHECKOUT / folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both, built as an installation builds them, with no network."""
    folder = tmp_path_factory.mktemp("wheels")
    sources = [CHECKOUT, CHECKOUT / "deploy/centre"]
    for source in sources:
        pip("wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", folder, source)
    return {path.name.partition("-")[0]: path for path in folder.glob("*.whl")}


def pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", *arguments, "--quiet", "--disable-pip-version-check"]
    subprocess.run(command, check=True, timeout=170)


def needed(requirements: Iterable[str]) -> set[str]:
    """The distributions that these bring here, with all that they need themselves."""
    found, waiting = set[str](), list(requirements)
    while waiting:
        requirement = Requirement(waiting.pop())
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if applies and requirement.name not in found:
            found.add(requirement.name)
            waiting += metadata.requires(requirement.name) or []
    return found


def content(wheel: Path) -> set[str]:
    """The files of a wheel but for its own metadata."""
    with ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def of_the_product() -> set[str]:
    """All files under version control that are meant to be installed."""
    rooms = sorted(set(read_house().rooms) - INSTRUMENTS)
    listed = subprocess.run(
        ["git", "ls-files", "--", *rooms], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    return {
        name
        for name in listed.stdout.splitlines()
        if (CHECKOUT / name).exists() and not any(fnmatch(name, pattern) for pattern in NOT_INSTALLED)
    }


def test_box_and_centre_are_the_product_and_share_nothing(wheels: dict[str, Path]) -> None:
    box, centre = content(wheels["anshou"]), content(wheels["anshou_centre"])
    assert box & centre == set()
    vendor = {name for name in centre if name.startswith("dashboard/static/vendor/")}
    assert vendor, "the pages need their scripts"
    made = {name for name in centre if name.endswith(".mo")}
    assert (box | centre) - vendor - made == of_the_product()


def test_no_instrument_is_installed(wheels: dict[str, Path]) -> None:
    for wheel in wheels.values():
        assert {name.partition("/")[0] for name in content(wheel)} & INSTRUMENTS == set()


def test_the_box_imports_only_what_it_brings(wheels: dict[str, Path]) -> None:
    """But for the verbs of the centre, which the command loads when they are installed."""
    with ZipFile(wheels["anshou"]) as archive:
        for name in sorted(content(wheels["anshou"])):
            if not name.endswith(".py"):
                continue
            tree = ast.parse(archive.read(name))
            nodes = tree.body if name == "deploy/cli.py" else list(ast.walk(tree))
            for node in nodes:
                if isinstance(node, ast.Import):
                    imported = {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    imported = {node.module or ""}
                else:
                    continue
                tops = {module.partition(".")[0] for module in imported} - sys.stdlib_module_names
                assert tops <= BOX_ROOMS | THIRD_PARTY.keys(), name
                assert not any(
                    module.startswith("deploy.") and module != "deploy.errors" for module in imported
                )
    asked = {re.split(r"[<>=]", requirement)[0] for requirement in project(".")["dependencies"]}
    assert asked == set(THIRD_PARTY.values())


def test_both_have_one_version_and_ask_for_each_other() -> None:
    box, centre = project("."), project("deploy/centre")
    version = box["version"]
    assert centre["version"] == version
    assert f"anshou=={version}" in centre["dependencies"]
    assert box["optional-dependencies"] == {
        "gateway": [],
        "centre": [f"anshou-centre=={version}"],
        "local": [f"anshou-centre[local]=={version}"],
    }


@pytest.fixture(scope="module")
def box(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of a machine on which nothing but `anshou[gateway]` is installed.

    Packages of others are those that it asks for, and what these ask for, taken from this environment.
    """
    folder = tmp_path_factory.mktemp("box")
    venv.EnvBuilder(with_pip=False, symlinks=True).create(folder)
    wheel = f"anshou[gateway] @ {wheels['anshou'].as_uri()}"
    pip("--python", folder / "bin/python", "install", "--no-deps", "--no-index", wheel)
    site = next(folder.glob("lib/python*/site-packages"))
    for name in needed(project(".")["dependencies"]):
        distribution = metadata.distribution(name)
        for top in {file.parts[0] for file in distribution.files or []} - {"..", "__pycache__"}:
            (site / top).symlink_to(Path(str(distribution.locate_file(top))))
    return folder / "bin/anshou"


def run(command: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("ANSHOU_", "PYTHON"))
    }
    return subprocess.run(
        [command, *arguments], cwd=command.parent, env=environment, capture_output=True, text=True, timeout=60
    )


def test_a_box_lists_the_verbs_of_a_box(box: Path) -> None:
    done = run(box, "--help")
    assert done.returncode == 0, done.stderr
    commands = done.stdout.partition("Commands:")[2]
    assert re.findall(r"^  (\w+)", commands, re.MULTILINE) == ["gateway", "publish"]
    assert run(box, "gateway", "pair", "--help").returncode == 0
    assert run(box, "publish", "--help").returncode == 0


@pytest.mark.parametrize("verb", ["up", "migrate", "ingest", "alarms", "analytics", "staff", "simulate"])
def test_a_box_says_where_the_centre_is(box: Path, verb: str) -> None:
    done = run(box, verb)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"anshou: `anshou {verb}` is not part of what is installed here. "
        "It comes with the distribution anshou-centre: pip install . ./deploy/centre in a checkout.\n"
    )


@pytest.mark.parametrize("verb", ["bench", "evaluate"])
def test_instruments_say_that_they_come_with_the_checkout(box: Path, verb: str) -> None:
    done = run(box, verb, "anything")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"anshou: `anshou {verb}` is not part of what is installed here. "
        "It comes with the source checkout only: run it there, after `make setup`.\n"
    )


def test_a_box_that_is_not_paired_says_so(box: Path, tmp_path: Path) -> None:
    done = run(box, "gateway", "run", "--identity", str(tmp_path / "gateway.json"))
    assert done.returncode == 1
    assert "anshou gateway pair" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_image_is_made_of_every_room_of_the_product() -> None:
    lines = (CHECKOUT / "deploy/compose/Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [words[1] for line in lines if (words := line.split())[:1] == ["COPY"] and len(words) == 3]
    assert copied == [room for room in read_house().rooms if room not in INSTRUMENTS]
