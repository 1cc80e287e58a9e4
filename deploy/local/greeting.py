"""What `anshou up` says when everything runs: where the pages, the devices' broker and the logs are."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import psycopg

from deploy.local.instance import Instance
from deploy.local.port_plan import EVERYWHERE, own_addresses

LOOPBACK_PREFIXES = ("127.", "::1")
SHOWN_MAX = 4
"""Addresses of this machine; one with many networks has more than anybody reads."""


class Account(NamedTuple):
    """Somebody who may sign in to the demonstration."""

    username: str
    password: str
    role: str


def program() -> str:
    """How to call us from this shell: by name if it finds us, else as we were called."""
    called = sys.argv[0]
    found = shutil.which("anshou") is not None or Path(called).name != "anshou"
    return "anshou" if found else shlex.quote(called)


def command(verb: str, root: Path, *, named: bool) -> str:
    """A command of ours as one can paste it: on the same data folder if that is not the default one."""
    return f"{program()} {verb}" + (f" --data {shlex.quote(str(root))}" if named else "")


def tell(root: Path, running: Instance, accounts: Sequence[Account], *, named: bool, detached: bool) -> None:
    """Print how to use what runs.

    Args:
        root: The data folder.
        running: What runs there.
        accounts: Who may sign in to the demonstration.
        named: Whether the data folder was named, so that hints must name it too.
        detached: Whether it goes on without us.
    """
    lines = [f"The desk     {running.http_url}"]
    lines += _from_elsewhere(running)
    lines += [
        f"{'' if index else 'Accounts':<12} {account.username:<12} {account.password:<14} {account.role}"
        for index, account in enumerate(accounts)
    ]
    if not accounts and not _has_staff(running.owner_database_url):
        first = command("staff add", root, named=named)
        lines.append(f"Accounts     none yet; the first one: {first} --help")
    lines += [
        f"Devices      mqtt://{running.mqtt_host}:{running.mqtt_port}   on this machine only",
        *_devices_elsewhere(running),
        f"Add one      {command('device add', root, named=named)} --help",
        f"Data, logs   {root}",
        f"To stop      {command('down', root, named=named)}" if detached else "To stop      Ctrl-C",
    ]
    print("\nAnshou 安守 is running.\n\n" + "\n".join(f"  {line}" for line in lines) + "\n", flush=True)


def _from_elsewhere(running: Instance) -> list[str]:
    outside = running.outside
    if outside is None:
        return []
    if outside.address.startswith(LOOPBACK_PREFIXES):
        return ["             from another computer, phone or gateway: --no-demo --listen 0.0.0.0"]
    return [
        f"{'' if index else 'Elsewhere':<12} https://{address}:{outside.https_port}/"
        for index, address in enumerate(addresses_shown(outside.address))
    ]


def _devices_elsewhere(running: Instance) -> list[str]:
    outside = running.outside
    if outside is None or outside.address.startswith(LOOPBACK_PREFIXES):
        return []
    address = addresses_shown(outside.address)[0]
    return [f"             mqtts://{address}:{outside.mqtts_port}   from elsewhere, over TLS"]


def addresses_shown(listen: str) -> list[str]:
    """Where another machine finds what listens at `listen`, as it stands in an address."""
    if listen not in EVERYWHERE:
        return [_host(listen)]
    found = [
        _host(address)
        for address in own_addresses()
        if not address.startswith(LOOPBACK_PREFIXES) and (listen == "::" or ":" not in address)
    ]
    return found[:SHOWN_MAX] or [_host(listen)]


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _has_staff(database_url: str) -> bool:
    with psycopg.connect(database_url) as connection:
        return connection.execute("SELECT FROM care.staff LIMIT 1").fetchone() is not None
