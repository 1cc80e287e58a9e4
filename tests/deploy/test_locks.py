"""The lock files install anywhere: every package with its hash, and no registry's address."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
REQUIREMENT = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>[^ ;\\]+)", re.MULTILINE)


def pinned(lock: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for match in REQUIREMENT.finditer((CHECKOUT / lock).read_text()):
        found.setdefault(match["name"], set()).add(match["version"])
    return found


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_every_package_has_its_hash_and_none_an_address(lock: str) -> None:
    text = (CHECKOUT / lock).read_text()
    assert "://" not in text
    blocks = re.split(r"\n(?=[a-z0-9])", text)
    packages = [block for block in blocks if REQUIREMENT.match(block)]
    assert len(packages) > 40
    assert all("--hash=sha256:" in block for block in packages)


def test_developers_run_what_users_run() -> None:
    users, developers = pinned("requirements.lock"), pinned("requirements-dev.lock")
    assert {name: developers.get(name) for name in users} == users


def test_what_the_project_asks_for_is_locked() -> None:
    asked = list[str]()
    for name in ("pyproject.toml", "deploy/centre/pyproject.toml"):
        project = tomllib.loads((CHECKOUT / name).read_text())
        asked += project["project"]["dependencies"]
        for part in (project["project"]["optional-dependencies"], project.get("dependency-groups", {})):
            asked += (requirement for requirements in part.values() for requirement in requirements)
    names = {re.split(r"[\[<>=!~; ]", requirement)[0].lower() for requirement in asked}
    names -= {"anshou", "anshou-centre"}
    assert names <= set(pinned("requirements-dev.lock")), "run: make lock"


def test_front_end_packages_are_locked_by_hash_without_an_address() -> None:
    project = json.loads((CHECKOUT / "package.json").read_text())
    packages = json.loads((CHECKOUT / "package-lock.json").read_text())["packages"]
    asked = project["dependencies"] | project["devDependencies"]
    locked = packages[""]["dependencies"] | packages[""]["devDependencies"]
    assert locked == asked, "run: make lock"
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in asked.values()), "one version each"
    installed = {name: package for name, package in packages.items() if name}
    assert len(installed) >= len(asked)
    for name, package in installed.items():
        assert "resolved" not in package, name
        assert package["integrity"].startswith("sha512-"), name
    needed = {f"node_modules/{name}" for name in project["dependencies"]}
    assert needed <= {name for name, package in installed.items() if not package.get("dev")}
    tools = {f"node_modules/{name}" for name in project["devDependencies"]}
    assert tools <= {name for name, package in installed.items() if package.get("dev")}, "not for users"
