"""A process that stands still ends itself, so that its supervisor starts it again.

A loop says before each turn until when it will speak again. Where one has not by then, the stacks of all
threads go to the log and the process ends at once. Nothing is lost by that: all state lies in the database
or the outbox, and what was not acknowledged is sent again.

The watch is a thread that takes no lock but its own. It stands still itself where some C code never gives
the interpreter back; then a timer of faulthandler's, which needs no interpreter, does the same.
"""

import faulthandler
import math
import os
import sys
import threading
import time

EXIT_STATUS = 70
"""Of a process that stood still (EX_SOFTWARE)."""
STALL_S_MAX = 120.0
"""Unless a room says otherwise. No single step of ours waits longer than half a minute for anybody."""
LOOKS_PER_STALL = 20
LOOK_EVERY_S_MAX = 5.0
LATE_S = 2.0
"""A look that comes so much later than it should: the whole process was stopped, and nobody is to blame."""
BACKSTOP_STALLS = 2
"""After so many times the allowed time without a look, faulthandler's timer ends the process."""


class Loop:
    """Something that goes round and round in one thread, and says so."""

    def __init__(self, name: str, still_s_max: float) -> None:
        self.name = name
        self._still_s_max = still_s_max
        self._due_s = math.inf

    def beat(self, still_s_max: float | None = None) -> None:
        """All is well; I shall speak again within the usual time, or within so long."""
        self._due_s = time.monotonic() + (self._still_s_max if still_s_max is None else still_s_max)

    def rest(self) -> None:
        """I wait for something that may take any time, or am done: look for me no more until I beat."""
        self._due_s = math.inf

    def overdue_s(self, now_s: float) -> float:
        """For how long it should have spoken; not positive while all is well."""
        return now_s - self._due_s

    def forgive(self, s: float) -> None:
        """So much later is soon enough: nobody could run meanwhile."""
        self._due_s += s


class Watchdog:
    """Looks after the loops of this process, once it is started; until then it only gives them out.

    Args:
        still_s_max: How long a loop may say nothing, unless it asks for more.
    """

    def __init__(self, still_s_max: float = STALL_S_MAX) -> None:
        self._still_s_max = still_s_max
        self._loops: list[Loop] = []
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def loop(self, name: str) -> Loop:
        """A loop that is looked after from its first beat to its last rest."""
        loop = Loop(name, self._still_s_max)
        self._loops.append(loop)
        return loop

    def forget(self, loop: Loop) -> None:
        """It will not come back."""
        loop.rest()
        if loop in self._loops:
            self._loops.remove(loop)

    def start(self) -> None:
        """Look, for as long as the process lives."""
        self._thread.start()

    def _watch(self) -> None:
        every_s = min(LOOK_EVERY_S_MAX, self._still_s_max / LOOKS_PER_STALL)
        looked_s = time.monotonic()
        while True:
            faulthandler.dump_traceback_later(BACKSTOP_STALLS * self._still_s_max, exit=True)
            time.sleep(every_s)
            now_s = time.monotonic()
            late_s = now_s - looked_s - every_s
            looked_s = now_s
            for loop in list(self._loops):
                if late_s > LATE_S:
                    loop.forgive(late_s)
                if loop.overdue_s(now_s) > 0:
                    end(f"the loop '{loop.name}' stands still")


def end(why: str) -> None:
    """Say why, and where every thread is; then end, without waiting for anybody or anything."""
    # Not by logging: whoever stands still may hold its lock.
    stamp = time.strftime("%Y-%m-%d %H:%M:%S")
    text = f"{stamp} CRITICAL protocol.watchdog: {why}; ending, to be started again. All threads:\n"
    os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, text.encode())
    faulthandler.dump_traceback(all_threads=True)
    os._exit(EXIT_STATUS)
