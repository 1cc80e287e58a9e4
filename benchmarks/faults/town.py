"""The homes of a run: who is registered, and what speaks for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from care import registry
from care.model import CareCategory, Site, SiteKind
from database.connections import Connection
from protocol.model import DeviceKind, SignalKind

SINCE = datetime(2020, 1, 1, tzinfo=UTC)
"""Assignments begin here: before any time that a clock may show without being absurd."""
RESIDENTS_A_HOME = 6


@dataclass(frozen=True, kw_only=True)
class Speaker:
    """What signs in at the broker: a gateway, or a device that speaks for itself."""

    site: str
    name: str
    secret: str


@dataclass(frozen=True, kw_only=True)
class Wearer:
    """A resident with a wristband, which also has a button.

    Attributes:
        device: The wristband's name.
        resident_id: Who wears it.
        alarm_kinds: What it raises.
    """

    device: str
    resident_id: int
    alarm_kinds: Sequence[SignalKind] = (SignalKind.SOS, SignalKind.FALL)


@dataclass(frozen=True, kw_only=True)
class Home:
    """A home whose wearers are heard through a gateway."""

    gateway: Speaker
    wearers: Sequence[Wearer]


@dataclass(frozen=True, kw_only=True)
class Town:
    """All who speak in a run."""

    homes: Sequence[Home]
    direct: Sequence[tuple[Speaker, Wearer]]


def found(connection: Connection, homes: int, direct: int) -> Town:
    """Register a town with so many homes, and so many residents whose wristbands speak for themselves."""
    return Town(
        homes=[_home(connection, number) for number in range(1, homes + 1)],
        direct=[_direct(connection, number) for number in range(1, direct + 1)],
    )


def _home(connection: Connection, number: int) -> Home:
    site = _site(connection, f"home-{number}", SiteKind.CARE_HOME)
    wearers = [_wearer(connection, site, n, relayed=True)[0] for n in range(1, RESIDENTS_A_HOME + 1)]
    gateway = registry.add_device(connection, site=site, kind=DeviceKind.GATEWAY, name=f"gateway-{number}")
    return Home(
        gateway=Speaker(site=site.code, name=gateway.device.name, secret=gateway.secret), wearers=wearers
    )


def _direct(connection: Connection, number: int) -> tuple[Speaker, Wearer]:
    site = _site(connection, f"household-{number}", SiteKind.HOUSEHOLD)
    wearer, secret = _wearer(connection, site, 1, relayed=False)
    return Speaker(site=site.code, name=wearer.device, secret=secret), wearer


def _site(connection: Connection, code: str, kind: SiteKind) -> Site:
    return registry.add_site(connection, code=code, kind=kind, name=code, township="青石镇")


def _wearer(connection: Connection, site: Site, number: int, *, relayed: bool) -> tuple[Wearer, str]:
    resident = registry.add_resident(
        connection,
        site_id=site.id,
        name=f"王{number}",
        sex="female",
        born_on=date(1940, 2, 3),
        category=CareCategory.TEKUN_CENTRALISED,
        since=SINCE,
    )
    device = registry.add_device(
        connection,
        site=site,
        kind=DeviceKind.WRISTBAND,
        name=f"band-{site.code}-{number}",
        resident_id=resident.id,
        since=SINCE,
        relayed=relayed,
    )
    return Wearer(device=device.device.name, resident_id=resident.id), device.secret
