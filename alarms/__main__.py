"""Escalation as a process: `python -m alarms`. Settings: ANSHOU_DATABASE_URL and ANSHOU_ALARMS_…."""

import logging
import os
import signal
import sys
import threading

from alarms.escalation import Escalation
from alarms.settings import EscalationSettings
from database.leases import serve
from protocol.environment import SettingsError, read_settings
from protocol.watchdog import Watchdog


def main() -> int:
    """Keep the deadlines until SIGTERM or SIGINT; 0 then, 2 when a setting is wrong."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        settings = read_settings(EscalationSettings, "alarms", os.environ)
        escalation = Escalation(settings)
    except (SettingsError, ValueError) as error:
        print(f"anshou alarms: {error}", file=sys.stderr)
        return 2
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    watchdog = Watchdog(settings.stall_s_max)
    watchdog.start()
    duty = escalation.duty()
    serve(duty, stop, watchdog.loop(duty.name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
