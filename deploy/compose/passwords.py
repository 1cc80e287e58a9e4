"""Writes `.env` beside this file: a fresh password for each of the servers' accounts. Standard library only.

What stands there already is kept, so that it may be run again after an upgrade that needs more of them.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

NAMES = (
    "POSTGRES_PASSWORD",
    "WEB_PASSWORD",
    "INGEST_DATABASE_PASSWORD",
    "SERVICE_PASSWORD",
    "INGEST_MQTT_PASSWORD",
    "ALARMS_MQTT_PASSWORD",
    "PROVISIONER_MQTT_PASSWORD",
    "GATEWAYS_MQTT_PASSWORD",
)
FILE = Path(__file__).with_name(".env")


def complete(path: Path) -> list[str]:
    """Add what `path` lacks, readable by its owner only; the names of what was added."""
    standing = path.read_text(encoding="utf-8") if path.exists() else ""
    known = {line.partition("=")[0].strip() for line in standing.splitlines()}
    added = [name for name in NAMES if name not in known]
    if standing and not standing.endswith("\n"):
        standing += "\n"
    lines = "".join(f"{name}={secrets.token_urlsafe(24)}\n" for name in added)
    draft = path.with_name(f".env.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(standing + lines)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    return added


if __name__ == "__main__":
    print(f"{FILE}: added {', '.join(complete(FILE)) or 'nothing'}")
