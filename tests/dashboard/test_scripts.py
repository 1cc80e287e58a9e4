"""The scripts of the pages, tested by Node: `tests/dashboard/js`."""

import subprocess
from pathlib import Path

import pytest

from deploy.local.node import node

CHECKOUT = Path(__file__).parents[2]
TIMEOUT_S = 170
TEST_TIMEOUT_MS = 60_000
SCRIPTS = sorted((CHECKOUT / "dashboard" / "static" / "js").glob("*.js"))
TESTS = sorted((CHECKOUT / "tests" / "dashboard" / "js").glob("*.test.js"))


def test_what_node_tests() -> None:
    # In one process: each of its own would load jsdom anew.
    options = ["--test", "--test-isolation=none", f"--test-timeout={TEST_TIMEOUT_MS}"]
    command: list[str | Path] = [node(), *options, *TESTS]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_has_its_tests(script: Path) -> None:
    # page.js only starts the others: the browser tests drive it.
    assert script.name == "page.js" or script.with_suffix(".test.js").name in {test.name for test in TESTS}
