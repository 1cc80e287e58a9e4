"""The front-end packages: locked, fetched once, and the few files that the pages load.

The pages load nothing from elsewhere at run time: the networks of care homes are often closed.
Developers also keep the packages themselves, in `node_modules`, for the tools among them.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import DeployError
from deploy.local import places
from deploy.local.node import npm
from deploy.local.progress import complain, run, step

# What the pages load, by its name in `dashboard/static/vendor/`.
FILES = {
    "htmx.min.js": "htmx.org/dist/htmx.min.js",
    "tabler.min.css": "@tabler/core/dist/css/tabler.min.css",
    "echarts.min.js": "echarts/dist/echarts.min.js",
}
SPRITE = "@tabler/icons-sprite/dist/tabler-sprite.svg"
STAMP = ".anshou.stamp"
ICON_LIST = "deploy/local/icons.txt"
# What decides whether the files must be made again.
SOURCES = ("package.json", "package-lock.json", ".npmrc", ICON_LIST, "deploy/local/frontend.py")

_SYMBOL = re.compile(r'<symbol id="(tabler-[^"]+)".*?</symbol>', re.DOTALL)
# Tabler's files name source maps that we do not ship; a browser's developer tools would ask for them.
_SOURCE_MAP = re.compile(rb"\n(//#|/\*#) sourceMappingURL=\S+( \*/)?\s*$")


@dataclass(frozen=True, kw_only=True)
class Frontend:
    """The files that the pages load, for one checkout."""

    checkout: Path

    @property
    def folder(self) -> Path:
        """Where they lie; git ignores it, the wheel carries it."""
        return self.checkout / "dashboard/static/vendor"

    @property
    def is_current(self) -> bool:
        """Whether they are there and made from the locked packages."""
        try:
            made_from = json.loads((self.folder / "made-from.json").read_text())["key"]
        except (OSError, ValueError, KeyError):
            return False
        # A wheel has the files and nothing to make them from.
        return not (self.checkout / "package.json").is_file() or made_from == self._key()

    @property
    def packages(self) -> Path:
        """Where developers have the packages, with the tools that check and test the scripts."""
        return self.checkout / "node_modules"

    @property
    def has_tools(self) -> bool:
        """Whether the packages are there as they are locked."""
        try:
            return (self.packages / STAMP).read_text() == self._key()
        except OSError:
            return False

    def install(self, *, tools: bool = False) -> None:
        """Make the files unless they are current.

        Args:
            tools: Whether the packages are to stay, with the tools for checks and tests.

        Raises:
            DeployError: The packages could not be had, or lack a file that is expected.
        """
        if self.is_current and (self.has_tools or not tools):
            return
        build = self.checkout / "build"
        build.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="frontend-", dir=build) as name:
            workspace = Path(name)
            for source in ("package.json", "package-lock.json", ".npmrc"):
                shutil.copy(self.checkout / source, workspace)
            with step("Fetching the front-end packages"):
                run(
                    [*npm(), "ci", *([] if tools else ["--omit=dev"])],
                    failing="npm could not fetch the front-end packages.",
                    remedy="Check the network and npm's registry setting (npm config get registry).",
                    cwd=workspace,
                )
            if not self.is_current:
                self._replace(self.folder, self._collected(workspace))
            if tools:
                (workspace / "node_modules" / STAMP).write_text(self._key())
                self._replace(self.packages, workspace / "node_modules")

    def lock(self) -> None:
        """Make package-lock.json anew from package.json.

        Raises:
            DeployError: The packages could not be looked up.
        """
        run(
            [*npm(), "install", "--package-lock-only"],
            cwd=self.checkout,
            failing="npm could not look the front-end packages up.",
        )

    def _collected(self, workspace: Path) -> Path:
        fresh = workspace / "vendor"
        fresh.mkdir()
        try:
            self._collect(workspace / "node_modules", fresh)
        except FileNotFoundError as error:
            raise DeployError(
                f"A front-end package has no {error.filename} any more.",
                "Correct FILES in deploy/local/frontend.py.",
            ) from error
        return fresh

    def _collect(self, packages: Path, folder: Path) -> None:
        for name, source in FILES.items():
            content = (packages / source).read_bytes()
            (folder / name).write_bytes(_SOURCE_MAP.sub(b"\n", content))
        for package in json.loads((self.checkout / "package.json").read_text())["dependencies"]:
            for terms in (*packages.glob(f"{package}/LICENSE*"), *packages.glob(f"{package}/NOTICE*")):
                shutil.copy(terms, folder / f"{package.replace('/', '-')}-{terms.name}")
        sprite = (packages / SPRITE).read_text(encoding="utf-8")
        (folder / "icons.svg").write_text(cut_sprite(sprite, self._icons()), encoding="utf-8")
        (folder / "made-from.json").write_text(json.dumps({"key": self._key()}))

    @staticmethod
    def _replace(folder: Path, fresh: Path) -> None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists():
            folder.rename(fresh.with_name(f"old-{folder.name}"))
        fresh.rename(folder)

    def _icons(self) -> list[str]:
        lines = (self.checkout / ICON_LIST).read_text(encoding="utf-8").splitlines()
        return [line for line in lines if line and not line.startswith("#")]

    def _key(self) -> str:
        digest = hashlib.sha256()
        for source in SOURCES:
            digest.update((self.checkout / source).read_bytes())
        return digest.hexdigest()


def cut_sprite(sprite: str, names: list[str]) -> str:
    """An SVG with just these icons out of Tabler's sprite of all.

    Raises:
        DeployError: Names that the sprite does not have.
    """
    symbols = {match[1]: match[0] for match in _SYMBOL.finditer(sprite)}
    wanted = [f"tabler-{name}" for name in names]
    if unknown := [name for name in wanted if name not in symbols]:
        raise DeployError(f"Tabler has no icons {', '.join(unknown)}.", f"Correct {ICON_LIST}.")
    body = "".join(symbols[name] for name in wanted)
    return f'<svg xmlns="http://www.w3.org/2000/svg">{body}</svg>\n'


def of_this_checkout() -> Frontend:
    """The front-end files of the checkout that runs."""
    return Frontend(checkout=places.checkout())


if __name__ == "__main__":
    try:
        of_this_checkout().lock() if sys.argv[1:] == ["lock"] else of_this_checkout().install()
    except DeployError as error:
        complain(error)
        sys.exit(1)
