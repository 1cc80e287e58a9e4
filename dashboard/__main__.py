"""The dashboard's process: `python -m dashboard`, or `anshou dashboard`."""

import logging
import os
import sys

from fastapi import FastAPI

from dashboard.app import create_app
from dashboard.errors import DashboardError
from dashboard.guard import connections_each, require_bound_role, require_private_words
from dashboard.serving import serve
from dashboard.settings import Settings
from database.errors import DomainError
from protocol.environment import SettingsError, read_settings
from protocol.watchdog import Watchdog


def settings_from_environment() -> Settings:
    """The settings of this process. SettingsError."""
    return read_settings(Settings, "dashboard", os.environ)


def app_from_environment() -> FastAPI:
    """What a worker process runs."""
    settings = settings_from_environment()
    watchdog = Watchdog(settings.stall_s_max)
    watchdog.start()
    return create_app(settings, watchdog)


def main() -> None:
    """Serve until told to stop. Exit status 2: a setting or the database role must be put right."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        settings = settings_from_environment()
        require_private_words(settings)
        require_bound_role(settings.database_url)
        # Worker processes read their settings anew, from what they inherit.
        os.environ["ANSHOU_DASHBOARD_POOL_SIZE_MAX"] = str(connections_each(settings))
    except (SettingsError, DashboardError) as error:
        sys.exit(_complain(error, status=2))
    except DomainError as error:
        sys.exit(_complain(error, status=1))
    try:
        started = serve("dashboard.__main__:app_from_environment", settings)
    except OSError as error:
        sys.exit(_complain(error, status=1))
    if not started:
        sys.exit(3)  # as uvicorn does; the log says why


def _complain(error: Exception, *, status: int) -> int:
    sys.stderr.write(f"anshou dashboard: {error}\n")
    return status


if __name__ == "__main__":
    main()
