"""One line for each slow step: what happens, and how many seconds it took.

Standard library only: the set-up uses it before anything is installed.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy.errors import CommandError

OUTPUT_LINES_SHOWN_MAX = 15


@contextmanager
def step(title: str) -> Iterator[None]:
    """Say what is being done, and, once the block ends, how long it took."""
    started_s = time.monotonic()
    print(f"  {title} …", end="", flush=True)
    try:
        yield
    except BaseException:
        print(f" failed after {time.monotonic() - started_s:.1f} s", flush=True)
        raise
    print(f" {time.monotonic() - started_s:.1f} s", flush=True)


def note(text: str) -> None:
    """Say something that belongs to no step, on a line of its own."""
    print(f"  {text}", flush=True)


def run(
    command: Sequence[str | Path],
    *,
    failing: str,
    remedy: str = "",
    timeout_s: float = 1800.0,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run a program quietly and return what it printed on standard output.

    Args:
        command: The program and its arguments.
        failing: How to call it if it fails, such as "apt-get could not download the packages."
        remedy: What a person can do then.
        timeout_s: When to give up.
        cwd: Where to run it.
        env: Its whole environment; None for ours.

    Raises:
        CommandError: It is not there, took too long or ended with an error.
    """
    try:
        done = subprocess.run(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            cwd=cwd,
            env=None if env is None else dict(env),
            check=False,
        )
    except FileNotFoundError as error:
        raise CommandError(failing, f"{command[0]} is not on this machine.", remedy) from error
    except subprocess.TimeoutExpired as error:
        raise CommandError(failing, f"It took longer than {timeout_s:.0f} s.", remedy) from error
    if done.returncode != 0:
        said = (done.stderr + done.stdout).strip().splitlines()
        raise CommandError(failing, "\n".join(said[-OUTPUT_LINES_SHOWN_MAX:]), remedy)
    return done.stdout


def complain(error: Exception) -> None:
    """Print an error for a person, on standard error."""
    print(f"\nAnshou: {error}", file=sys.stderr, flush=True)
