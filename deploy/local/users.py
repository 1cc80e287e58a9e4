"""Whom the rooms run as when root starts them: somebody to whom nothing belongs.

The servers have a user of their own (`places.NOBODY_ID`), so that a room that does what an attacker wants
reads neither the files of the database nor those of the broker.
"""

from __future__ import annotations

import subprocess
import sys
from functools import cache

from deploy.local import places
from deploy.local.progress import note

ROOMS_ID = 65533
"""A user and group without a name; one below Debian's nobody."""
# Rooms start processes too, which have no power of root left to find their way with; and a Python that cannot
# read its own library takes another one that it finds.
PROBE = (
    "import os, sys; import psycopg, msgspec, dashboard.settings\n"
    f"assert sys.base_prefix == {sys.base_prefix!r}\n"
    "os.execv(sys.executable, [sys.executable, '-c', 'import psycopg'])"
)
PROBE_TIMEOUT_S = 60.0


def dropped(*capabilities: str) -> tuple[str, ...]:
    """What goes before a command so that it runs as that user, with these powers of root and no others."""
    kept = ",".join(["-all", *(f"+{name}" for name in capabilities)])
    return (
        "setpriv",
        f"--reuid={ROOMS_ID}",
        f"--regid={ROOMS_ID}",
        "--clear-groups",
        "--no-new-privs",
        f"--inh-caps={kept}",
        f"--ambient-caps={kept}",
        f"--bounding-set={kept}",
        "--",
    )


def rooms_group() -> int | None:
    """Who must be let in to what the rooms read; None: nobody, they run as ourselves."""
    return ROOMS_ID if places.is_root() else None


@cache
def as_room_user() -> tuple[str, ...]:
    """What goes before a room's command; nothing unless we are root. Says once what falls short.

    Where the programs lie in a folder that is closed to others (such as /root), a room may read what root
    may, but it writes nothing. Where the machine does not allow even that, it runs as root.
    """
    if not places.is_root():
        return ()
    if _runs(dropped()):
        return dropped()
    remedy = "Put the checkout and its Python where everybody may read them, such as /opt."
    if _runs(dropped("dac_read_search")):
        note(
            f"The rooms run as nobody but may read every file: their programs are closed to others. {remedy}"
        )
        return dropped("dac_read_search")
    note(f"The rooms run as root: their programs are closed to others. {remedy}")
    return ()


def _runs(prefix: tuple[str, ...]) -> bool:
    command = [*prefix, sys.executable, "-c", PROBE]
    try:
        probe = subprocess.run(
            command, capture_output=True, timeout=PROBE_TIMEOUT_S, cwd=places.checkout(), check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return probe.returncode == 0
