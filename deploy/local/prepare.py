"""What one machine needs before the first start: the private servers and the front-end files."""

from __future__ import annotations

import os
import sys

from deploy.errors import DeployError
from deploy.local import debian, frontend
from deploy.local.progress import complain


def prepare(*, servers: bool = True) -> None:
    """Fetch what is missing; nothing to do, and no network needed, the second time.

    Args:
        servers: Whether the private servers are wanted, not only the front-end files.

    Raises:
        DeployError: Says what failed and what to do.
    """
    if servers:
        debian.install()
    frontend.of_this_checkout().install()


def main() -> int:
    """Prepare this machine; 0 when it is ready."""
    external = {"ANSHOU_DATABASE_URL", "ANSHOU_MQTT_URL"} <= set(os.environ)
    try:
        prepare(servers=not external)
    except DeployError as error:
        complain(error)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
