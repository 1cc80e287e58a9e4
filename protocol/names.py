"""Names that no device may have: those that the rooms have at the broker, and what looks like them."""

import re

SERVICES = ("alarms", "gateways", "ingest", "provisioner", "simulator")
"""The rooms' accounts at the broker."""
RESERVED_PATTERN = rf"^(?:admin|configs|{'|'.join(SERVICES)})$|^anshou"
"""Also the beginning of the rooms' client ids there; the database has the same rule."""

_RESERVED = re.compile(RESERVED_PATTERN)


def is_reserved(name: str) -> bool:
    """Whether a device of this name could be taken for a room, or take its place."""
    return _RESERVED.search(name) is not None
