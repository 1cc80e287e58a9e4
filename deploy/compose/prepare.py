"""What must be there before the rooms start: the schema, the roles' passwords, the broker's identities.

`python -m deploy.compose.prepare FILE FOLDER SHOWN` takes the owner's address of the database and the
passwords from the environment, writes the broker's identities to FILE, keeps the centre's authority in
FOLDER, and puts into SHOWN what servers show: not the authority's key.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from database.errors import DomainError
from database.roles import set_role_passwords
from deploy.authority import Authority
from deploy.errors import DeployError
from deploy.local.progress import complain, note
from deploy.schema import bring_up_to_date
from ingest import provision

ROLES = {
    "anshou_web": "WEB_PASSWORD",
    "anshou_ingest": "INGEST_DATABASE_PASSWORD",
    "anshou_service": "SERVICE_PASSWORD",
}
ACCOUNTS = {
    "ingest": "INGEST_MQTT_PASSWORD",
    "alarms": "ALARMS_MQTT_PASSWORD",
    "provisioner": "PROVISIONER_MQTT_PASSWORD",
    "gateways": "GATEWAYS_MQTT_PASSWORD",
}


def prepare(identities: Path, authority: Path, shown: Path, environ: Mapping[str, str]) -> None:
    """Bring database, identities and certificates up to date; safe to repeat.

    Raises:
        DeployError: A variable is missing.
        DomainError: The database is away or refuses.
    """
    needed = ["ANSHOU_DATABASE_URL", *ROLES.values(), *ACCOUNTS.values()]
    if missing := [name for name in needed if not environ.get(name)]:
        raise DeployError(f"Not set: {', '.join(missing)}.", "Make .env with deploy/compose/passwords.py.")
    # From inside a container nobody sees what its host is called.
    names = environ.get("CENTRE_NAMES", "").replace(",", " ").split()
    own = Authority(folder=authority)
    own.prepare(["localhost", "127.0.0.1", *names])
    own.shown_in(shown)
    url = environ["ANSHOU_DATABASE_URL"]
    for name in bring_up_to_date(url):
        note(f"applied {name}")
    set_role_passwords(url, {role: environ[name] for role, name in ROLES.items()})
    accounts = {account: environ[name] for account, name in ACCOUNTS.items()}
    devices = provision.write_broker_identities(
        url, identities, accounts, provision.service_sessions(environ.get("ANSHOU_INGEST_WORKER") or "1")
    )
    note(f"The broker knows {devices} devices.")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: python -m deploy.compose.prepare FILE FOLDER SHOWN")
    os.umask(0o077)
    try:
        prepare(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), os.environ)
    except (DeployError, DomainError) as error:
        complain(error)
        sys.exit(1)
