"""What one machine needs before the first start: the private servers and the front-end files."""

from __future__ import annotations

import argparse
import os
import sys

from deploy.errors import DeployError
from deploy.local import debian, frontend
from deploy.local.progress import complain


def prepare(*, servers: bool = True, tools: bool = False) -> None:
    """Fetch what is missing; nothing to do, and no network needed, the second time.

    Args:
        servers: Whether the private servers are wanted, not only the front-end files.
        tools: Whether the tools that check and test the scripts of the pages are wanted.

    Raises:
        DeployError: Says what failed and what to do.
    """
    if servers:
        debian.install()
    frontend.of_this_checkout().install(tools=tools)


def main() -> int:
    """Prepare this machine; 0 when it is ready."""
    parser = argparse.ArgumentParser(prog="prepare", description="Fetch what this machine still needs.")
    parser.add_argument("--dev", action="store_true", help="with the tools for checks and tests")
    arguments = parser.parse_args()
    external = {"ANSHOU_DATABASE_URL", "ANSHOU_MQTT_URL"} <= set(os.environ)
    try:
        prepare(servers=not external, tools=arguments.dev)
    except DeployError as error:
        complain(error)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
