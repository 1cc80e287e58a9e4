"""Which rooms run, and what each is told in its environment: that, and nothing else."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.authority import Authority
from deploy.errors import DeployError
from deploy.local import places, ports
from deploy.local.instance import Reachable
from deploy.local.port_plan import pages_addresses
from deploy.local.supervisor import Program

DASHBOARD = "dashboard"
DASHBOARD_TLS = "dashboard-tls"
CERTIFICATE_VARIABLE = "ANSHOU_DASHBOARD_TLS_CERTIFICATE"
HOST_VARIABLE = "ANSHOU_DASHBOARD_HOST"
LENT = {
    CERTIFICATE_VARIABLE: "own.pem",
    "ANSHOU_DASHBOARD_TLS_KEY": "own.key",
}
"""What somebody got for their browsers, by the variable that names it, and what a copy of it is called."""
DEMONSTRATION = "demonstration"
"""Writes the past of the demonstration county, and is then done."""
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

    @property
    def reachable(self) -> Reachable:
        """The same, as other commands are told."""
        return Reachable(
            address=self.address,
            https_port=self.https_port,
            mqtts_port=self.mqtts_port,
            authority=str(self.authority.certificate),
            certificate=str(self.authority.server_certificate),
        )


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Where the rooms find the servers, each signing in as somebody with just its rights.

    Attributes:
        owner_database_url: As the owner of everything: what fills the demonstration.
        ingest_database_url: As the role that writes readings and opens alarms from signals.
        service_database_url: As the role of escalation and of analytics.
        web_database_url: As the role that sees only what a signed-in person may.
        mqtt_urls: The broker, by the name of the service account.
        http_port: Where the pages are served.
        metrics_ports: Where a room serves its metrics on the loopback interface, by its name.
        outside: Where gateways reach us; None where the broker is somebody's own.
    """

    owner_database_url: str
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
            {
                database: addresses.ingest_database_url,
                mqtt: addresses.mqtt_urls["gateways"],
                "ANSHOU_INGEST_DISK_PATH": str(folder),
            },
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
                HOST_VARIABLE: environ.get(HOST_VARIABLE) or ports.LOOPBACK,
                "ANSHOU_DASHBOARD_PORT": str(addresses.http_port),
            },
        ),
    }
    if addresses.outside is not None:
        _let_others_in(rooms, addresses.outside, environ)
    for name, port in addresses.metrics_ports.items():
        rooms[name][1]["ANSHOU_INGEST_METRICS_PORT"] = str(port)
    if with_simulator:
        rooms["simulator"] = (["simulator"], {mqtt: addresses.mqtt_urls["simulator"]})
        rooms[DEMONSTRATION] = (["deploy.county.past"], {database: addresses.owner_database_url})
    return [
        Program(
            name=name,
            command=[sys.executable, "-m", *module],
            environment={**settings_of(module[0], environ), **environment}
            if name != DASHBOARD
            else _in_clear({**settings_of(module[0], environ), **environment}),
            folder=folder,
            as_room_user=True,
            is_errand=name == DEMONSTRATION,
        )
        for name, (module, environment) in rooms.items()
    ]


def _let_others_in(
    rooms: dict[str, tuple[list[str], dict[str, str]]], outside: Outside, environ: Mapping[str, str]
) -> None:
    """The pages may pair gateways, and are served a second time over TLS, where other machines find them."""
    _, environment = rooms[DASHBOARD]
    environment |= {
        "ANSHOU_DASHBOARD_AUTHORITY": str(outside.authority.certificate),
        "ANSHOU_DASHBOARD_GATEWAY_HTTPS_PORT": str(outside.https_port),
        "ANSHOU_DASHBOARD_GATEWAY_MQTT_PORT": str(outside.mqtts_port),
    }
    secure = {
        **environment,
        HOST_VARIABLE: outside.address,
        "ANSHOU_DASHBOARD_PORT": str(outside.https_port),
        **_certificates(outside.authority, environ),
    }
    rooms[DASHBOARD_TLS] = (["dashboard"], secure)
    if not environ.get(HOST_VARIABLE):
        environment[HOST_VARIABLE] = ",".join(pages_addresses(outside.address))
        environment["ANSHOU_DASHBOARD_TELL_HTTPS_PORT"] = str(outside.https_port)


def _certificates(authority: Authority, environ: Mapping[str, str]) -> dict[str, str]:
    """What the pages show: the centre's own certificate, or to browsers one that somebody got for them."""
    own = {
        f"ANSHOU_DASHBOARD_TLS_{name}": path
        for name, path in (
            ("CERTIFICATE", str(authority.server_certificate)),
            ("KEY", str(authority.server_key)),
        )
    }
    if not environ.get(CERTIFICATE_VARIABLE):
        return own
    for_gateways = {name.replace("_TLS_", "_TLS_GATEWAY_"): path for name, path in own.items()}
    given = {name: environ[name] for name in own if environ.get(name)}
    return {**for_gateways, **given}


def lend_certificate(environ: Mapping[str, str], folder: Path, group: int | None) -> dict[str, str]:
    """An environment that names copies of somebody's own certificate and key, which the rooms can read.

    Args:
        environ: May name both; where it names neither, nothing is copied.
        folder: Where the copies are put.
        group: Who may read them as well; None: the rooms are ourselves and read the files where they lie.

    Raises:
        DeployError: One of them cannot be read.
    """
    if group is None or not environ.get(CERTIFICATE_VARIABLE):
        return dict(environ)
    lent = dict(environ)
    for variable, name in reversed(LENT.items()):  # key first, as when they are made
        if given := environ.get(variable):
            try:
                text = Path(given).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                reason = getattr(error, "strerror", None) or "it is no PEM file"
                raise DeployError(f"{given} cannot be read: {reason}.", f"Correct {variable}.") from error
            places.write_private(folder / name, text, group=group)
            lent[variable] = str(folder / name)
    return lent


def _in_clear(environment: dict[str, str]) -> dict[str, str]:
    """The pages for this machine itself, whatever certificate others are shown."""
    return {name: value for name, value in environment.items() if "_DASHBOARD_TLS_" not in name}


def settings_of(module: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The settings in an environment that are meant for one room: `alarms` reads `ANSHOU_ALARMS_…`."""
    prefix = f"ANSHOU_{module.rpartition('.')[2]}_".upper()
    return {name: value for name, value in environ.items() if name.startswith(prefix)}
