"""The watch as a process: `python -m care`. Settings: ANSHOU_DATABASE_URL and ANSHOU_CARE_…."""

import logging
import os
import signal
import sys
import threading

from care.leader import serve
from care.settings import CareSettings
from care.watch import Watch
from gateway.environment import SettingsError, read_settings


def main() -> int:
    """Keep the watch until SIGTERM or SIGINT; 0 then, 2 when a setting is wrong."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        watch = Watch(read_settings(CareSettings, "care", os.environ))
    except (SettingsError, ValueError) as error:
        print(f"anshou watch: {error}", file=sys.stderr)
        return 2
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    serve(watch.duty(), stop)
    return 0


if __name__ == "__main__":
    sys.exit(main())
