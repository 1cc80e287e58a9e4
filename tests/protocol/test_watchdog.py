"""A loop that stands still ends its process, with the stacks of all threads; one that goes round does not."""

import signal
import subprocess
import sys
import textwrap

import pytest

from protocol.watchdog import EXIT_STATUS, Loop

pytestmark = pytest.mark.integration

BEGIN = """
import ctypes, threading, time
from protocol.watchdog import Watchdog
watchdog = Watchdog(0.4)
loop = watchdog.loop("main")
watchdog.start()
loop.beat()
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    """`program` in a process of its own, after `BEGIN`."""
    return subprocess.run(
        [sys.executable, "-c", BEGIN + textwrap.dedent(program)], capture_output=True, text=True, timeout=60
    )


def test_a_loop_that_stands_still_ends_the_process_with_all_stacks() -> None:
    ended = run(
        """
        def where_it_waits():
            threading.Event().wait()
        threading.Thread(target=where_it_waits).start()
        def deadlock():
            lock = threading.Lock()
            lock.acquire(); lock.acquire()
        deadlock()
        """
    )
    assert ended.returncode == EXIT_STATUS
    assert "the loop 'main' stands still" in ended.stderr
    assert "in deadlock" in ended.stderr
    assert "in where_it_waits" in ended.stderr


def test_one_of_several_loops_is_enough() -> None:
    ended = run(
        """
        other = watchdog.loop("other")
        other.beat()
        while True:
            loop.beat()
            time.sleep(0.01)
        """
    )
    assert ended.returncode == EXIT_STATUS
    assert "the loop 'other' stands still" in ended.stderr


def test_who_stands_still_may_hold_the_lock_of_the_log() -> None:
    ended = run(
        """
        import logging
        logging.basicConfig()
        logging.getLogger().handlers[0].acquire()
        time.sleep(3600)
        """
    )
    assert ended.returncode == EXIT_STATUS
    assert "stands still" in ended.stderr


def test_c_code_that_keeps_the_interpreter_is_ended_as_well() -> None:
    ended = run(
        """
        def in_c():
            ctypes.PyDLL(None).sleep(3600)
        in_c()
        """
    )
    assert ended.returncode not in (0, -signal.SIGKILL)
    assert "in in_c" in ended.stderr


def test_a_loop_that_rests_is_done_or_asked_for_more_time_is_left_alone() -> None:
    ended = run(
        """
        patient = watchdog.loop("patient")
        patient.beat(3600)
        gone = watchdog.loop("gone")
        gone.beat()
        watchdog.forget(gone)
        loop.rest()
        witness = watchdog.loop("witness")
        for _ in range(20):
            witness.beat()
            time.sleep(0.1)
        print("alive")
        """
    )
    assert (ended.returncode, ended.stdout) == (0, "alive\n")


def test_nobody_is_to_blame_for_the_time_that_the_process_was_stopped() -> None:
    loop = Loop("main", 10)
    loop.beat()
    before = loop.overdue_s(1_000)
    loop.forgive(5)
    assert loop.overdue_s(1_000) == pytest.approx(before - 5)
