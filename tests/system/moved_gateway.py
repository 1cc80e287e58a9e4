"""The gateway's process, but for its wall clock: off by as many milliseconds as the file CLOCK_FILE says."""

import os
import sys
from pathlib import Path

from gateway import __main__ as process
from gateway import clock
from gateway.settings import Settings
from protocol.environment import read_settings


def moved_wall_ms() -> int:
    return clock.wall_ms() + int(Path(os.environ["CLOCK_FILE"]).read_text())


if __name__ == "__main__":
    moved = clock.Clock(wall_ms=moved_wall_ms, synchronised=lambda: False)
    sys.exit(process.main(lambda: process.Gateway(read_settings(Settings, "gateway", os.environ), moved)))
