"""Which rooms run, and what each is told in its environment: that, and nothing else."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local import ports
from deploy.local.supervisor import Program

DASHBOARD = "dashboard"
INGEST = ("ingest-readings", "ingest-alarms", "ingest-settle")


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Where the rooms find the servers, each signing in as somebody with just its rights.

    Attributes:
        ingest_database_url: As the role that writes readings and opens alarms from signals.
        service_database_url: As the role of the watch and of analytics.
        web_database_url: As the role that sees only what a signed-in person may.
        mqtt_urls: The broker, by the name of the service account.
        http_port: Where the pages are served.
        metrics_ports: Where a room serves its metrics on the loopback interface, by its name.
    """

    ingest_database_url: str
    service_database_url: str
    web_database_url: str
    mqtt_urls: Mapping[str, str]
    http_port: int
    metrics_ports: Mapping[str, int] = field(default_factory=dict)


def programs(
    addresses: Addresses,
    folder: Path,
    *,
    with_simulator: bool,
    environ: Mapping[str, str] = os.environ,
) -> list[Program]:
    """The rooms as processes.

    Args:
        addresses: Where they find the servers.
        folder: Where they run.
        with_simulator: Whether a simulated county speaks to the broker.
        environ: Settings of single rooms (`ANSHOU_ANALYTICS_…`) are passed on to these rooms.
    """
    database, mqtt = "ANSHOU_DATABASE_URL", "ANSHOU_MQTT_URL"
    rooms: dict[str, tuple[list[str], dict[str, str]]] = {
        "ingest-readings": (
            ["ingest", "readings"],
            {database: addresses.ingest_database_url, mqtt: addresses.mqtt_urls["ingest"]},
        ),
        "ingest-alarms": (
            ["ingest", "alarms"],
            {database: addresses.ingest_database_url, mqtt: addresses.mqtt_urls["alarms"]},
        ),
        "ingest-settle": (
            ["ingest", "settle"],
            {database: addresses.ingest_database_url, mqtt: addresses.mqtt_urls["ingest"]},
        ),
        "watch": (["care"], {database: addresses.service_database_url}),
        "analytics": (["analytics"], {database: addresses.service_database_url}),
        DASHBOARD: (
            ["dashboard"],
            {
                database: addresses.web_database_url,
                "ANSHOU_DASHBOARD_HOST": environ.get("ANSHOU_DASHBOARD_HOST") or ports.LOOPBACK,
                "ANSHOU_DASHBOARD_PORT": str(addresses.http_port),
            },
        ),
    }
    for name, port in addresses.metrics_ports.items():
        rooms[name][1]["ANSHOU_INGEST_METRICS_PORT"] = str(port)
    if with_simulator:
        rooms["simulator"] = (["gateway.simulator"], {mqtt: addresses.mqtt_urls["simulator"]})
    return [
        Program(
            name=name,
            command=[sys.executable, "-m", *module],
            environment={**settings_of(module[0], environ), **environment},
            folder=folder,
        )
        for name, (module, environment) in rooms.items()
    ]


def settings_of(module: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The settings in an environment that are meant for one room: `care` reads `ANSHOU_CARE_…`."""
    prefix = f"ANSHOU_{module.rpartition('.')[2]}_".upper()
    return {name: value for name, value in environ.items() if name.startswith(prefix)}
