"""The files that the pages load."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.local import frontend

CHECKOUT = Path(__file__).parents[2]
SPRITE = (
    '<svg xmlns="http://www.w3.org/2000/svg"><defs>'
    '<symbol id="tabler-bell" viewBox="0 0 24 24"><path d="M1 1"/></symbol>'
    '<symbol id="tabler-bell-off" viewBox="0 0 24 24"><path d="M2 2"/></symbol>'
    '<symbol id="tabler-bed" viewBox="0 0 24 24"><path d="M3 3"/></symbol>'
    "</defs></svg>"
)


def symbols(svg: str) -> list[str]:
    return [element.attrib["id"] for element in ElementTree.fromstring(svg)]


def test_only_the_named_icons_are_cut_out() -> None:
    assert symbols(frontend.cut_sprite(SPRITE, ["bed", "bell"])) == ["tabler-bed", "tabler-bell"]


def test_an_icon_that_does_not_exist_is_named() -> None:
    with pytest.raises(DeployError, match="tabler-dragon"):
        frontend.cut_sprite(SPRITE, ["bed", "dragon"])


def test_the_files_of_this_checkout_are_complete() -> None:
    files = frontend.of_this_checkout()
    assert files.is_current, "run: make setup"
    for name in frontend.FILES:
        content = (files.folder / name).read_bytes()
        assert len(content) > 1000
        assert b"sourceMappingURL" not in content[-200:], "a browser would ask for a map we do not ship"
    listed = [
        line
        for line in (CHECKOUT / frontend.ICON_LIST).read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert symbols((files.folder / "icons.svg").read_text()) == [f"tabler-{name}" for name in listed]


def test_the_tools_of_this_checkout_are_those_that_are_locked() -> None:
    files = frontend.of_this_checkout()
    assert files.has_tools, "run: make setup-dev"
    wanted = json.loads((CHECKOUT / "package.json").read_text())["devDependencies"]
    found = {
        name: json.loads((files.packages / name / "package.json").read_text())["version"] for name in wanted
    }
    assert found == wanted


def test_a_changed_lock_makes_them_out_of_date(tmp_path: Path) -> None:
    for source in frontend.SOURCES:
        (tmp_path / source).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / source).write_bytes((CHECKOUT / source).read_bytes())
    vendor = tmp_path / "dashboard/static/vendor"
    vendor.mkdir(parents=True)
    made_from = frontend.of_this_checkout().folder / "made-from.json"
    (vendor / "made-from.json").write_bytes(made_from.read_bytes())
    files = frontend.Frontend(checkout=tmp_path)
    assert (files.is_current, files.has_tools) == (True, False), "who only runs it has no tools"
    files.packages.mkdir()
    shutil.copy(frontend.of_this_checkout().packages / frontend.STAMP, files.packages)
    assert (files.is_current, files.has_tools) == (True, True)
    with (tmp_path / "package-lock.json").open("a") as lock:
        lock.write("\n")
    assert (files.is_current, files.has_tools) == (False, False)
