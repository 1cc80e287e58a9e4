"""`python -m ingest readings`, `… alarms` and `… settle`: the processes of this room."""

import logging
import os
import signal
import sys
from collections.abc import Sequence

from gateway.environment import SettingsError, read_settings
from ingest.alarms import AlarmIngest
from ingest.errors import IngestError
from ingest.history import HistoryKeeper
from ingest.readings import ReadingsIngest
from ingest.settings import Settings

PROCESSES: dict[str, type[ReadingsIngest] | type[AlarmIngest] | type[HistoryKeeper]] = {
    "readings": ReadingsIngest,
    "alarms": AlarmIngest,
    "settle": HistoryKeeper,
}


def main(arguments: Sequence[str]) -> int:
    """Run one of the processes until SIGTERM or SIGINT; its exit code."""
    if len(arguments) != 1 or arguments[0] not in PROCESSES:
        print(f"usage: ingest ({'|'.join(PROCESSES)})", file=sys.stderr)
        return 2
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    try:
        process = PROCESSES[arguments[0]](read_settings(Settings, "ingest", os.environ))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: process.stop())
        process.run()
    except (SettingsError, IngestError) as error:
        print(f"ingest {arguments[0]}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
