"""Stop what runs from a data folder, whoever started it."""

from __future__ import annotations

from pathlib import Path

from deploy.local import up
from deploy.local.data import DataFolder


def down(data: Path | None) -> bool:
    """Stop everything, in order; say whether anything ran.

    Raises:
        DeployError: Something does not end; says what to do.
    """
    return up.stop(DataFolder.at(data))
