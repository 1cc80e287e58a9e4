"""The ports of one installation: chosen once, kept in its data folder for life.

Gateways, devices, proxies and people's bookmarks hold them. So a port never moves by itself: what is taken
is refused, with who holds it and what to do.
"""

from __future__ import annotations

import errno
import itertools
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import msgspec

from deploy.errors import DeployError
from deploy.local import places, ports

UNPRIVILEGED_MIN = 1024


class Service(StrEnum):
    """What listens; the option of `anshou up` for its port has the same name."""

    HTTP = "http"
    MQTT = "mqtt"
    HTTPS = "https"
    MQTTS = "mqtts"
    ROOMS = "rooms"
    DATABASE = "database"
    METRICS_READINGS = "metrics-readings"
    METRICS_ALARMS = "metrics-alarms"
    METRICS_GATEWAYS = "metrics-gateways"
    METRICS_SETTLE = "metrics-settle"


TITLES = {
    Service.HTTP: "HTTP",
    Service.MQTT: "MQTT",
    Service.HTTPS: "HTTPS",
    Service.MQTTS: "MQTT over TLS",
    Service.ROOMS: "MQTT of the rooms",
    Service.DATABASE: "database",
    Service.METRICS_READINGS: "metrics (ingest readings)",
    Service.METRICS_ALARMS: "metrics (ingest alarms)",
    Service.METRICS_GATEWAYS: "metrics (ingest gateways)",
    Service.METRICS_SETTLE: "metrics (ingest settle)",
}
USUAL = {
    Service.HTTP: 8080,
    Service.MQTT: 1883,
    Service.HTTPS: 8443,
    Service.MQTTS: 8883,
    Service.METRICS_READINGS: 9471,
    Service.METRICS_ALARMS: 9472,
    Service.METRICS_GATEWAYS: 9473,
    Service.METRICS_SETTLE: 9474,
}
"""Taken by an installation that has no ports yet, where they are free. The database's is anybody's."""
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - the names of what somebody asked for
TO_OTHERS = frozenset({Service.HTTP, Service.HTTPS, Service.MQTTS})
"""What other machines reach, where `--listen` says so."""


@dataclass(frozen=True, kw_only=True)
class PortPlan:
    """The ports that an installation keeps in `file`, and what this start asks for by name.

    Attributes:
        file: In the data folder.
        asked: Ports named on the command line: used, and kept from then on.
        listen: The address at which other machines reach us.
        needed: What will listen at this start.
        command: How to call us again, for the hints.
    """

    file: Path
    asked: Mapping[Service, int] = field(default_factory=dict)
    listen: str = ports.LOOPBACK
    needed: frozenset[Service] = frozenset(Service)
    command: str = "anshou up"

    def kept(self) -> dict[Service, int]:
        """What was chosen before.

        Raises:
            DeployError: The file is there but damaged; other ports would cut off every gateway.
        """
        try:
            known = msgspec.json.decode(self.file.read_bytes(), type=dict[str, int])
        except FileNotFoundError:
            return {}
        except msgspec.DecodeError as error:
            raise DeployError(
                f"{self.file}, which holds the ports of this installation, is damaged: {error}.",
                "Restore it from a backup, or write the ports into it by hand.",
            ) from error
        return {Service(name): port for name, port in known.items() if name in set(Service)}

    def settle(self) -> tuple[dict[Service, int], list[str]]:
        """The port of everything that is needed, written down; and what was chosen otherwise than usual.

        Raises:
            DeployError: A port that was asked for, or is kept, cannot be had; says who holds it.
        """
        self._require_distinct()
        kept = self.kept()
        settled = {**kept, **self.asked}
        for service in settled:
            if service in self.needed:
                self._require(service, settled[service], kept=service not in self.asked)
        notes = []
        for service in Service:
            if service in self.needed and service not in settled:
                settled[service] = self._choose(service, frozenset(settled.values()))
                usual = USUAL.get(service)
                if usual is not None and settled[service] != usual:
                    held = f" by {who}" if (who := ports.holder(usual)) else ""
                    notes.append(
                        f"{TITLES[service]} port {usual} is in use{held}: this installation has "
                        f"{settled[service]} from now on. To choose another: --{service}"
                    )
        if settled != kept:
            text = json.dumps({str(service): settled[service] for service in sorted(settled)}, indent=1)
            places.write_private(self.file, text)
        return {service: settled[service] for service in Service if service in self.needed}, notes

    def addresses_of(self, service: Service) -> tuple[str, ...]:
        """Of the interfaces that it listens on. The pages are always there for this machine itself."""
        if service not in TO_OTHERS:
            return (ports.LOOPBACK,)
        return pages_addresses(self.listen) if service is Service.HTTP else (self.listen,)

    def _trouble(self, service: Service, port: int) -> tuple[int, str] | None:
        for address in self.addresses_of(service):
            if (error := ports.trouble(port, address)) is not None:
                return error, address
        return None

    def _require_distinct(self) -> None:
        by_port: dict[int, Service] = {}
        for service, port in {**self.kept(), **self.asked}.items():
            if (other := by_port.setdefault(port, service)) is not service:
                raise DeployError(
                    f"Port {port} cannot be used twice: for {TITLES[other]} and for {TITLES[service]}.",
                    f"Choose another one: {self.command} --{service} PORT",
                )

    def _require(self, service: Service, port: int, *, kept: bool) -> None:
        trouble = self._trouble(service, port)
        if trouble is None:
            return
        error, address = trouble
        what = f"{TITLES[service]} port {port}"
        choose = f"choose another one with {self.command} --{service} PORT"
        if error == errno.EACCES:
            raise DeployError(
                f"{what}: only root may use ports below {UNPRIVILEGED_MIN}.", f"Please {choose}."
            )
        if error != errno.EADDRINUSE:
            raise DeployError(
                f"{what}: {address} is no address of this machine.",
                f"It has {', '.join(own_addresses())}. For all of them: --listen 0.0.0.0",
            )
        held = ports.holder(port) or "another program"
        if kept:
            raise DeployError(
                f"{what}, which this installation has kept since its first start, is held by {held}.",
                f"Stop that program, so that gateways and people find us where they know us; or {choose}.",
            )
        raise DeployError(f"{what} is held by {held}.", f"Stop that program, or {choose}.")

    def _choose(self, service: Service, taken: frozenset[int]) -> int:
        usual = USUAL.get(service)
        if usual is not None and usual not in taken:
            trouble = self._trouble(service, usual)
            if trouble is None:
                return usual
            if trouble[0] != errno.EADDRINUSE:
                self._require(service, usual, kept=False)
        return ports.any_quiet(self.addresses_of(service), taken)


def pages_addresses(listen: str) -> tuple[str, ...]:
    """Where the pages listen in clear. For others, they only say there where the encrypted ones are."""
    return (listen,) if listen in {*EVERYWHERE, ports.LOOPBACK} else (ports.LOOPBACK, listen)


def own_addresses() -> list[str]:
    """The addresses at which this machine can be reached, IPv4 first; no link-local ones."""
    return sorted(_addresses_v4()) + sorted(_addresses_v6())


def _addresses_v4() -> set[str]:
    """From the kernel's table of routes: what it delivers to itself."""
    try:
        lines = Path("/proc/net/fib_trie").read_text().splitlines()
    except OSError:
        return {ports.LOOPBACK}
    found = {ports.LOOPBACK}
    for line, following in itertools.pairwise(lines):
        if following.strip() == "/32 host LOCAL":
            found.add(line.split()[-1])
    return found


def _addresses_v6() -> set[str]:
    try:
        lines = Path("/proc/net/if_inet6").read_text().splitlines()
    except OSError:
        return set()
    link_local = "20"
    rows = [line.split() for line in lines]
    return {socket.inet_ntop(socket.AF_INET6, bytes.fromhex(row[0])) for row in rows if row[3] != link_local}
