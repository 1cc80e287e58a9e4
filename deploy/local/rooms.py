"""Which rooms run, and what each is told in its environment: that, and nothing else."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.authority import Authority
from deploy.local import ports
from deploy.local.supervisor import Program

DASHBOARD = "dashboard"
DASHBOARD_TLS = "dashboard-tls"
INGEST = ("ingest-readings", "ingest-alarms", "ingest-gateways", "ingest-settle")


@dataclass(frozen=True, kw_only=True)
class Outside:
    """Where gateways on other machines reach us, over TLS.

    Attributes:
        authority: Signs the certificates of the pages and the broker.
        address: Of the interface to listen on.
        https_port: Of the pages.
        mqtts_port: Of the broker.
    """

    authority: Authority
    address: str
    https_port: int
    mqtts_port: int


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Where the rooms find the servers, each signing in as somebody with just its rights.

    Attributes:
        ingest_database_url: As the role that writes readings and opens alarms from signals.
        service_database_url: As the role of escalation and of analytics.
        web_database_url: As the role that sees only what a signed-in person may.
        mqtt_urls: The broker, by the name of the service account.
        http_port: Where the pages are served.
        metrics_ports: Where a room serves its metrics on the loopback interface, by its name.
        outside: Where gateways reach us; None where the broker is somebody's own.
    """

    ingest_database_url: str
    service_database_url: str
    web_database_url: str
    mqtt_urls: Mapping[str, str]
    http_port: int
    metrics_ports: Mapping[str, int] = field(default_factory=dict)
    outside: Outside | None = None


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
        "ingest-gateways": (
            ["ingest", "gateways"],
            {database: addresses.ingest_database_url, mqtt: addresses.mqtt_urls["gateways"]},
        ),
        "ingest-settle": (
            ["ingest", "settle"],
            {database: addresses.ingest_database_url, mqtt: addresses.mqtt_urls["ingest"]},
        ),
        "alarms": (["alarms"], {database: addresses.service_database_url}),
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
    if addresses.outside is not None:
        _let_gateways_in(rooms, addresses.outside)
    for name, port in addresses.metrics_ports.items():
        rooms[name][1]["ANSHOU_INGEST_METRICS_PORT"] = str(port)
    if with_simulator:
        rooms["simulator"] = (["simulator"], {mqtt: addresses.mqtt_urls["simulator"]})
    return [
        Program(
            name=name,
            command=[sys.executable, "-m", *module],
            environment={**settings_of(module[0], environ), **environment},
            folder=folder,
            as_room_user=True,
        )
        for name, (module, environment) in rooms.items()
    ]


def _let_gateways_in(rooms: dict[str, tuple[list[str], dict[str, str]]], outside: Outside) -> None:
    """The pages may pair gateways, and are served a second time over TLS, where boxes find them."""
    _, environment = rooms[DASHBOARD]
    environment |= {
        "ANSHOU_DASHBOARD_AUTHORITY": str(outside.authority.certificate),
        "ANSHOU_DASHBOARD_GATEWAY_HTTPS_PORT": str(outside.https_port),
        "ANSHOU_DASHBOARD_GATEWAY_MQTT_PORT": str(outside.mqtts_port),
    }
    secure = {
        **environment,
        "ANSHOU_DASHBOARD_HOST": outside.address,
        "ANSHOU_DASHBOARD_PORT": str(outside.https_port),
        "ANSHOU_DASHBOARD_TLS_CERTIFICATE": str(outside.authority.server_certificate),
        "ANSHOU_DASHBOARD_TLS_KEY": str(outside.authority.server_key),
    }
    rooms[DASHBOARD_TLS] = (["dashboard"], secure)


def settings_of(module: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The settings in an environment that are meant for one room: `alarms` reads `ANSHOU_ALARMS_…`."""
    prefix = f"ANSHOU_{module.rpartition('.')[2]}_".upper()
    return {name: value for name, value in environ.items() if name.startswith(prefix)}
