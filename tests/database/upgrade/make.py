"""Makes the dump of an older county: `python -m tests.database.upgrade.make`.

The code of COMMIT, the first version that could be installed, is taken from this repository's history. It
writes a small county with a week of data (`lived.txt`) into a real TimescaleDB by its simulator, register,
ingest and steps. What is dumped is what that version has left, and `facts.sql` is asked of it before.

Needs a clone with that commit, and the private servers of `make setup-dev`.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from database.connections import Connection, connect
from database.queries import queries
from tests import servers

COMMIT = "9967113"
FOLDER = Path(__file__).parent
DUMP = FOLDER / "county.dump"
EXPECTED = FOLDER / "expected.json"
LIVED = FOLDER / "lived.txt"
"""Python, but for the packages of the older version: no checker of today's may look at it."""


def facts_of(connection: Connection) -> dict[str, Any]:
    """What must be the same before and after the upgrade: counts, sums, states and digests, in UTC."""
    connection.execute("SET timezone = 'UTC'")
    found = {}
    for name, query in queries("tests.database.upgrade", "facts.sql").items():
        row = connection.execute(query).fetchone()
        assert row is not None, "an aggregate gives a row"
        found[name] = row["fact"]
    return found


def extension_version(connection: Connection) -> str:
    """Of TimescaleDB in this database: a dump can only be read by the same."""
    row = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'").fetchone()
    assert row is not None, "there is no TimescaleDB in this database"
    return str(row["extversion"])


def client(server: servers.DatabaseServer, program: str, arguments: Sequence[str]) -> None:
    """Run a client program of the private server, such as pg_dump; what it says is shown when it fails."""
    path = server.cluster.prefix.postgres_bin / program
    done = subprocess.run([str(path), *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"{program} failed:\n{done.stderr}")


def main() -> None:
    """Make the dump and its facts."""
    top = subprocess.check_output(["git", "rev-parse", "--show-toplevel"], text=True, cwd=FOLDER).strip()
    with (
        tempfile.TemporaryDirectory() as folder,
        servers.database_server_running() as server,
        server.empty() as url,
    ):
        archive = subprocess.check_output(["git", "archive", COMMIT], cwd=top)
        subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
        script = Path(folder) / "lived.py"
        script.write_text(LIVED.read_text(encoding="utf-8"), encoding="utf-8")
        environment = {**os.environ, "PYTHONPATH": folder}
        subprocess.run([sys.executable, str(script), url], cwd=folder, env=environment, check=True)
        with connect(url) as connection:
            expected = {"timescaledb": extension_version(connection), "facts": facts_of(connection)}
        client(server, "pg_dump", ["--format=custom", "--compress=9", "--no-owner", f"--file={DUMP}", url])
    text = json.dumps(expected, ensure_ascii=False, indent=1, sort_keys=True)
    EXPECTED.write_text(text + "\n", encoding="utf-8")
    print(f"{DUMP.name}: {DUMP.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
