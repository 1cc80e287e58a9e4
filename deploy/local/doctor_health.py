"""Whether the processes do their work, as they tell it themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg

from deploy.local.findings import Finding, State, judge

TOLD_S_MAX = 30.0
"""They tell every ten seconds."""
PROCESSES = ("alarms", "readings", "gateways", "settle")
CAPTURE_BROKEN = "uncaptured python exception"
"""What supervisord writes when it stops hearing a process (its `dispatchers.py`)."""
LOG_BYTES_READ_MAX = 1_000_000

_HEALTH = """
    SELECT process, extract(epoch FROM clock_timestamp() - max(at))::float8,
        coalesce(bool_or(connected) FILTER (
            WHERE at > clock_timestamp() - %(told_s)s * interval '1 second'
        ), false)
    FROM readings.ingest_health
    GROUP BY process
"""


def ingest(database_url: str) -> Iterator[Finding]:
    """Whether each process of ingest has told lately how it is, and is connected to the broker."""
    try:
        with psycopg.connect(database_url, connect_timeout=10) as connection:
            rows = connection.execute(_HEALTH, {"told_s": TOLD_S_MAX}).fetchall()
    except psycopg.Error:
        return  # what is wrong with the database is told already
    told = {process: (silent_s, connected) for process, silent_s, connected in rows}
    for process in PROCESSES:
        what = f"Ingest {process}"
        see = f"See the log of ingest-{process}; it is started again by itself if it ends."
        if process not in told:
            yield Finding(state=State.MISSING, what=what, detail="has never told how it is", remedy=see)
            continue
        silent_s, connected = told[process]
        if silent_s > TOLD_S_MAX:
            yield judge(False, what, f"has been silent for {silent_s:.0f} s", see)
        elif not connected:
            yield judge(False, what, "is not connected to the broker: nothing is heard", see)
        else:
            yield judge(True, what, f"works, told {silent_s:.0f} s ago", see)


def logs(supervisor_log: Path) -> Finding:
    """Whether what the processes say is still written down."""
    try:
        with supervisor_log.open("rb") as file:
            file.seek(max(0, supervisor_log.stat().st_size - LOG_BYTES_READ_MAX))
            said = file.read().decode(errors="replace")
    except OSError as error:
        return judge(
            False, "Logs", f"{supervisor_log}: {error.strerror}", "Look at the rights of the folder."
        )
    broken = CAPTURE_BROKEN in said.rpartition("supervisord started with pid")[2]
    return judge(
        not broken,
        "Logs",
        f"{supervisor_log} says that a process is no longer heard" if broken else "are written",
        "Restart: anshou down, then anshou up",
    )
