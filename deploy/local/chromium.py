"""Debian's Chromium, which the browser tests drive."""

from __future__ import annotations

import os
import shutil
import sys

from deploy.errors import DeployError
from deploy.local import places
from deploy.local.progress import complain, note, run, step

PACKAGES = ("chromium", "fonts-noto-cjk")
HINT = f"as root: apt-get install {' '.join(PACKAGES)}"


def installed() -> str | None:
    """Where Chromium is, or None."""
    return shutil.which("chromium")


def install() -> None:
    """Install it if it is missing and we may; say how to get it if we may not.

    Raises:
        DeployError: apt failed.
    """
    if installed() is not None:
        return
    if not places.is_root() or shutil.which("apt-get") is None:
        note(f"Chromium is missing, so the browser tests are skipped; {HINT}")
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    remedy = "Check the network and this machine's apt sources."
    with step("Installing Chromium for the browser tests"):
        run(
            ["apt-get", "update"],
            failing="apt could not read its package lists.",
            remedy=remedy,
            env=environment,
        )
        run(
            ["apt-get", "install", "--yes", "--no-install-recommends", *PACKAGES],
            failing="Chromium could not be installed.",
            remedy=remedy,
            env=environment,
        )


if __name__ == "__main__":
    try:
        install()
    except DeployError as error:
        complain(error)
        sys.exit(1)
