"""`python -m ingest readings`, `… alarms`, `… gateways` and `… settle`: the processes of this room."""

import logging
import os
import signal
import sys
from collections.abc import Sequence

from prometheus_client import CollectorRegistry

from ingest.alarms import AlarmIngest
from ingest.errors import IngestError
from ingest.gateway_ingest import GatewayIngest
from ingest.health import Process, watched
from ingest.metrics import BacklogMetrics, Metrics
from ingest.settings import Settings
from ingest.settling import Settling
from ingest.shares import SharedReadings
from protocol.environment import SettingsError, read_settings
from protocol.watchdog import Watchdog

Room = type[SharedReadings] | type[AlarmIngest] | type[GatewayIngest] | type[Settling]
PROCESSES: dict[Process, Room] = {
    "readings": SharedReadings,
    "alarms": AlarmIngest,
    "gateways": GatewayIngest,
    "settle": Settling,
}
NICENESS: dict[Process, int] = {"alarms": 0, "readings": 5, "gateways": 5, "settle": 10}
"""Where the processor is short, readings give way to alarms, and derived data to both."""


def main(arguments: Sequence[str]) -> int:
    """Run one of the processes until SIGTERM or SIGINT; its exit code."""
    name = next((name for name in PROCESSES if [name] == list(arguments)), None)
    if name is None:
        print(f"usage: ingest ({'|'.join(PROCESSES)})", file=sys.stderr)
        return 2
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    try:
        settings = read_settings(Settings, "ingest", os.environ)
        os.nice(NICENESS[name])
        metrics = Metrics(CollectorRegistry())
        watchdog = Watchdog(settings.stall_s_max)
        process = PROCESSES[name](settings, metrics, watchdog)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: process.stop())
        backlog_metrics = BacklogMetrics(metrics.registry) if name == "settle" else None
        with watched(
            name, settings, metrics, connected=lambda: process.connected, backlog_metrics=backlog_metrics
        ):
            watchdog.start()
            process.run()
    except (SettingsError, IngestError) as error:
        print(f"ingest {name}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
