"""The plan of a county: its sites, rooms, persons (by number) and devices."""

from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from protocol.model import DeviceKind
from simulator.person import Traits
from simulator.routine import Place


class SiteSort(StrEnum):
    """Sorts of site, spelt as in the care record."""

    CARE_HOME = "care_home"
    DAY_CENTRE = "day_centre"
    HOUSEHOLD = "household"


class RoomSort(StrEnum):
    """Sorts of room, spelt as in the care record."""

    BEDROOM = "bedroom"
    BATHROOM = "bathroom"
    KITCHEN = "kitchen"
    LIVING_ROOM = "living_room"
    HALLWAY = "hallway"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSite:
    """A site; `operator`, `township` and `village` are numbers to be named by others."""

    index: int
    name: str
    sort: SiteSort
    township: int
    village: int | None = None
    operator: int | None = None
    diligence: float = 1.0
    """Share of the rounds due that its staff do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRoom:
    """A room of a site; `number` tells rooms of one sort apart, such as 203."""

    index: int
    site: int
    sort: RoomSort
    number: int
    floor: int
    beds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A person, by number: where they live and what they are like."""

    index: int
    site: int
    room: int
    bed: str
    traits: Traits


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedDevice:
    """A device, in a room or on a person or both; `place` is what it watches."""

    index: int
    name: str
    site: int
    kind: DeviceKind
    room: int | None = None
    subject: int | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class County:
    """Everything there is. Indices are places in these tuples."""

    seed: int
    operators: int
    townships: int
    sites: tuple[PlannedSite, ...]
    rooms: tuple[PlannedRoom, ...]
    subjects: tuple[Subject, ...]
    devices: tuple[PlannedDevice, ...]
    reach: tuple[tuple[PlannedDevice, ...], ...] = field(repr=False)
    """For each person, the devices that can see or be used by them."""

    def __hash__(self) -> int:
        """Of its size alone: counties are few, and going through one takes longer than telling a day."""
        return hash((self.seed, len(self.sites), len(self.subjects), len(self.devices)))

    def site_of(self, device: int) -> str:
        """The name of the site of a device: its level in topics."""
        return self.sites[self.devices[device].site].name

    def devices_at(self, site: int, *kinds: DeviceKind) -> tuple[PlannedDevice, ...]:
        """The devices of `kinds` at a site."""
        return tuple(one for one in _of_sites(self).devices[site] if one.kind in kinds)

    def devices_of(self, site: int) -> tuple[PlannedDevice, ...]:
        """All devices at a site."""
        return _of_sites(self).devices[site]

    def subjects_of(self, site: int) -> tuple[Subject, ...]:
        """Who lives at a site."""
        return _of_sites(self).subjects[site]


class _OfSites(NamedTuple):
    devices: tuple[tuple[PlannedDevice, ...], ...]
    subjects: tuple[tuple[Subject, ...], ...]


@lru_cache(maxsize=8)
def _of_sites(county: County) -> _OfSites:
    devices: list[list[PlannedDevice]] = [[] for _ in county.sites]
    subjects: list[list[Subject]] = [[] for _ in county.sites]
    for device in county.devices:
        devices[device.site].append(device)
    for subject in county.subjects:
        subjects[subject.site].append(subject)
    return _OfSites(tuple(map(tuple, devices)), tuple(map(tuple, subjects)))
