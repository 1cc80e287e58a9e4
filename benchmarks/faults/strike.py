"""Does to a running centre what a fault says."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from benchmarks.faults.centre import Centre
from benchmarks.faults.schedule import Fault, Harm
from benchmarks.faults.senders import DirectDevice, Gateway

DELAY_S = 0.3
ALIVE_S_MAX = 30.0
"""How long to wait for something that is being started again, so that it can be killed."""
PROGRAM_OF = {
    Harm.KILL_READINGS: "readings",
    Harm.KILL_ALARMS: "alarms",
    Harm.KILL_SETTLE: "settle",
    Harm.KILL_BROKER: "mosquitto",
}


class Striker:
    """Strikes one fault at a time; each lasting one is over when `strike` returns."""

    def __init__(self, centre: Centre, gateways: Sequence[Gateway], direct: Sequence[DirectDevice]) -> None:
        self._centre = centre
        self._gateways = gateways
        self._direct = direct
        self.broker_killed_s: list[float] = []
        """When, by `time.monotonic`."""

    def strike(self, fault: Fault) -> float:
        """Do it; when it was over (at once, for a kill), by `time.monotonic`."""
        if fault.link is not None:
            self._harm_link(fault)
        elif fault.harm in PROGRAM_OF:
            self._kill(PROGRAM_OF[fault.harm])
        elif fault.harm is Harm.KILL_BACKEND:
            self._kill_backend(fault.dice)
        elif fault.harm is Harm.KILL_DATABASE:
            self._kill_database()
        elif fault.harm is Harm.KILL_GATEWAY:
            self._gateways[int(fault.dice * len(self._gateways))].kill()
        elif fault.harm is Harm.DISK_FULL:
            self._fill_disk(fault.hold_s)
        else:
            self._jump_clocks(fault.dice)
        return time.monotonic()

    def _harm_link(self, fault: Fault) -> None:
        assert fault.link is not None, "the harm is one to a link"
        proxy = self._centre.links[fault.link]
        harms: dict[Harm, Callable[[], None]] = {
            Harm.CUT: proxy.cut,
            Harm.DELAY: lambda: proxy.delay(DELAY_S),
            Harm.HALF_OPEN: proxy.half_open,
            Harm.CORRUPT: proxy.corrupt,
        }
        harms[fault.harm]()
        time.sleep(fault.hold_s)
        proxy.restore()

    def _kill(self, program: str) -> None:
        os.kill(self._pid(program), signal.SIGKILL)
        if program == "mosquitto":
            self.broker_killed_s.append(time.monotonic())

    def _kill_database(self) -> None:
        """The postmaster first, so that it cannot tidy up."""
        postmaster = self._pid("postgres")
        children = _children(postmaster)
        for pid in (postmaster, *children):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _kill_backend(self, dice: float) -> None:
        deadline_s = time.monotonic() + ALIVE_S_MAX
        while time.monotonic() < deadline_s:
            postmaster = self._pid("postgres")
            backends = [pid for pid in _children(postmaster) if b"anshou_ingest" in _command_line(pid)]
            if backends:
                with suppress(ProcessLookupError):
                    os.kill(backends[int(dice * len(backends))], signal.SIGKILL)
                return
            time.sleep(0.02)
        raise TimeoutError("no process of ingest connected to the database for half a minute")

    def _fill_disk(self, hold_s: float) -> None:
        disk = self._centre.disk
        assert disk is not None, "the schedule was made for a centre with a small disk"
        filler = disk / "filler"
        try:
            with filler.open("wb") as file, suppress(OSError):
                state = os.statvfs(disk)
                os.posix_fallocate(file.fileno(), 0, state.f_bavail * state.f_frsize)
            deadline_s = time.monotonic() + hold_s
            with filler.open("ab") as file:
                # Whatever the database frees meanwhile is taken as well.
                while time.monotonic() < deadline_s:
                    with suppress(OSError):
                        file.write(bytes(64 * 1024))
                        file.flush()
                    time.sleep(0.01)
        finally:
            filler.unlink()

    def _jump_clocks(self, dice: float) -> None:
        """Those of every third sender, in different ways."""
        senders = [*self._gateways, *self._direct]
        first = int(dice * 1_000) % 3
        for number, sender in enumerate(senders[first::3]):
            sender.speech.jump((dice + number / 7) % 1.0)

    def _pid(self, program: str) -> int:
        deadline_s = time.monotonic() + ALIVE_S_MAX
        while (pid := self._centre.pid_of(program)) is None:
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"{program} was not started again; see {self._centre.data.log}")
            time.sleep(0.02)
        return pid


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]
    except OSError:
        return []


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
