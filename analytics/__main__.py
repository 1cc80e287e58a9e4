"""Analytics as a process: `python -m analytics [--once | --train]`.

Settings: ANSHOU_DATABASE_URL and ANSHOU_ANALYTICS_….
"""

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence

import psycopg

from analytics.errors import AlreadyRunningError, AnalyticsError
from analytics.nightly import NICENESS, STOP_S_MAX, Nightly, train_alone
from analytics.rounds import Rounds, detectors_of, handling_of
from analytics.settings import AnalyticsSettings, settings_of
from analytics.stored import StoredBaselines
from database.errors import DomainError
from database.leases import leading, serve
from protocol.environment import SettingsError
from protocol.watchdog import Watchdog


def main(arguments: Sequence[str] | None = None) -> int:
    """Go the rounds until SIGTERM or SIGINT, or do one thing once; 0 then, 1 on failure, 2: wrong setting."""
    parser = argparse.ArgumentParser(
        prog="anshou analytics", description="Finds what is wrong, every minute."
    )
    once = parser.add_mutually_exclusive_group()
    once.add_argument("--once", action="store_true", help="one round now, then end")
    once.add_argument("--train", action="store_true", help="the nightly training now, giving way, then end")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        settings = settings_of(os.environ)
    except SettingsError as error:
        print(f"anshou analytics: {error}", file=sys.stderr)
        return 2
    if options.train:
        return _train(settings)
    stored = StoredBaselines(settings)
    rounds = Rounds(settings, detectors_of(settings, stored, stored), handling_of(settings))
    if options.once:
        return _once(rounds)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    watchdog = Watchdog(settings.stall_s_max)
    watchdog.start()
    duty = Nightly(settings, stop).duty()
    nights = threading.Thread(
        target=serve, args=(duty, stop, watchdog.loop(duty.name)), name=duty.name, daemon=True
    )
    nights.start()
    duty = rounds.duty()
    loop = watchdog.loop(duty.name)
    rounds.alive = loop.beat
    serve(duty, stop, loop)
    nights.join(STOP_S_MAX)
    return 0


def _once(rounds: Rounds) -> int:
    try:
        with leading(rounds.duty()) as connection:
            if connection is None:
                raise AlreadyRunningError("another analytics process is at work, and does this every minute")
            rounds.go(connection)
    except (AlreadyRunningError, DomainError) as error:
        print(f"anshou analytics: {error}", file=sys.stderr)
        return 1
    return 1 if any(what.startswith("failed:") for what in rounds.counts) else 0


def _train(settings: AnalyticsSettings) -> int:
    os.nice(NICENESS)
    try:
        train_alone(settings)
    except (AnalyticsError, DomainError, psycopg.Error) as error:
        print(f"anshou analytics: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
