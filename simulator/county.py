"""Draws the plan of a county from a seed: twelve homes, two day centres, two hundred households."""

import numpy as np

from simulator.chance import generator
from simulator.fleet import Fleet
from simulator.person import Traits, draw_traits
from simulator.plan import County, PlannedDevice, PlannedRoom, PlannedSite, RoomSort, SiteSort, Subject
from simulator.routine import Place

OPERATORS = 3
TOWNSHIPS = 12
VILLAGES_PER_TOWNSHIP = 8
CARE_HOMES = 12
HOME_RESIDENTS_MIN, HOME_RESIDENTS_MAX = 20, 60
DAY_CENTRES = 2
HOUSEHOLDS = 200
HOUSEHOLDS_NEAR_CENTRE = 30
ROOMS_PER_FLOOR = 12
DEFAULT_SEED = 20260701


def plan_county(
    seed: int = DEFAULT_SEED,
    *,
    care_homes: int = CARE_HOMES,
    day_centres: int = DAY_CENTRES,
    households: int = HOUSEHOLDS,
) -> County:
    """The county of `seed`. The same arguments give the same county, names and all."""
    draft = _Draft(seed)
    for number in range(care_homes):
        draft.add_care_home(number)
    for number in range(day_centres):
        draft.add_day_centre(number)
    for number in range(households):
        draft.add_household(number, centres=day_centres)
    return draft.county()


def county_of(seed: int, residents: int) -> County:
    """A county with exactly so many residents, seven in ten of them in care homes, the others at home."""
    draft = _Draft(seed)
    homes = 0
    while draft.persons + HOME_RESIDENTS_MAX <= 0.7 * residents + HOME_RESIDENTS_MIN:
        draft.add_care_home(homes)
        homes += 1
    centres = max(1, residents // 400)
    for number in range(centres):
        draft.add_day_centre(number)
    for number in range(residents - draft.persons):
        draft.add_household(number, centres=centres)
    return draft.county()


class _Draft:
    """A county while it is being drawn."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._sites: list[PlannedSite] = []
        self._rooms: list[PlannedRoom] = []
        self._subjects: list[Subject] = []
        self._devices: list[PlannedDevice] = []

    @property
    def persons(self) -> int:
        """How many live there so far."""
        return len(self._subjects)

    def add_care_home(self, number: int) -> None:
        rng = generator(self._seed, "care home", number)
        site = PlannedSite(
            index=len(self._sites),
            name=f"home-{number + 1:02d}",
            sort=SiteSort.CARE_HOME,
            township=number % TOWNSHIPS,
            operator=number % OPERATORS,
            diligence=float(rng.choice([0.99, 0.97, 0.93, 0.8], p=[0.4, 0.3, 0.2, 0.1])),
        )
        self._sites.append(site)
        fleet = Fleet(site, self._devices)
        left, ordinal = int(rng.integers(HOME_RESIDENTS_MIN, HOME_RESIDENTS_MAX + 1)), 0
        while left:
            beds = min(left, int(rng.choice([1, 2, 3], p=[0.2, 0.65, 0.15])))
            self._add_home_room(fleet, rng, ordinal, beds)
            left, ordinal = left - beds, ordinal + 1
        floors = (ordinal - 1) // ROOMS_PER_FLOOR + 1
        for floor in range(1, floors + 1):
            hallway = self._add_room(site, RoomSort.HALLWAY, 100 * floor, floor)
            fleet.equip_hallway(hallway)
        kitchen = self._add_room(site, RoomSort.KITCHEN, 190, 1)
        common = self._add_room(site, RoomSort.LIVING_ROOM, 191, 1)
        fleet.equip_common_rooms(kitchen, common)

    def add_day_centre(self, number: int) -> None:
        site = PlannedSite(
            index=len(self._sites),
            name=f"centre-{number + 1:02d}",
            sort=SiteSort.DAY_CENTRE,
            township=number % TOWNSHIPS,
            village=0,
            operator=number % OPERATORS,
        )
        self._sites.append(site)
        fleet = Fleet(site, self._devices)
        kitchen = self._add_room(site, RoomSort.KITCHEN, 2, 1)
        common = self._add_room(site, RoomSort.LIVING_ROOM, 1, 1)
        fleet.equip_common_rooms(kitchen, common)

    def add_household(self, number: int, *, centres: int) -> None:
        rng = generator(self._seed, "household", number)
        # Those near a centre live in its township; the others are spread over all of them.
        near_centre = number < HOUSEHOLDS_NEAR_CENTRE * centres
        township = number % centres if near_centre else number % TOWNSHIPS
        site = PlannedSite(
            index=len(self._sites),
            name=f"house-{number + 1:03d}",
            sort=SiteSort.HOUSEHOLD,
            township=township,
            village=int(rng.integers(VILLAGES_PER_TOWNSHIP)),
        )
        self._sites.append(site)
        sorts = (RoomSort.BEDROOM, RoomSort.LIVING_ROOM, RoomSort.KITCHEN, RoomSort.BATHROOM)
        rooms = {
            sort: self._add_room(site, sort, 1, 1, ("1",) if sort is RoomSort.BEDROOM else ())
            for sort in sorts
        }
        traits = draw_traits(self._seed, len(self._subjects), in_care_home=False, near_centre=near_centre)
        subject = self._add_subject(site, rooms[RoomSort.BEDROOM], "1", traits)
        Fleet(site, self._devices).equip_household(rng, subject, rooms)

    def county(self) -> County:
        return County(
            seed=self._seed,
            operators=OPERATORS,
            townships=TOWNSHIPS,
            sites=tuple(self._sites),
            rooms=tuple(self._rooms),
            subjects=tuple(self._subjects),
            devices=tuple(self._devices),
            reach=self._reach(),
        )

    def _add_home_room(self, fleet: Fleet, rng: np.random.Generator, ordinal: int, beds: int) -> None:
        floor = ordinal // ROOMS_PER_FLOOR + 1
        number = 100 * floor + ordinal % ROOMS_PER_FLOOR + 1
        labels = tuple(str(bed + 1) for bed in range(beds))
        bedroom = self._add_room(fleet.site, RoomSort.BEDROOM, number, floor, labels)
        bathroom = self._add_room(fleet.site, RoomSort.BATHROOM, number, floor)
        fleet.equip_home_room(rng, bedroom, bathroom)
        for label in labels:
            traits = draw_traits(self._seed, len(self._subjects), in_care_home=True)
            subject = self._add_subject(fleet.site, bedroom, label, traits)
            fleet.equip_home_resident(rng, subject, bedroom)

    def _add_room(
        self, site: PlannedSite, sort: RoomSort, number: int, floor: int, beds: tuple[str, ...] = ()
    ) -> PlannedRoom:
        room = PlannedRoom(
            index=len(self._rooms), site=site.index, sort=sort, number=number, floor=floor, beds=beds
        )
        self._rooms.append(room)
        return room

    def _add_subject(self, site: PlannedSite, room: PlannedRoom, bed: str, traits: Traits) -> Subject:
        subject = Subject(index=len(self._subjects), site=site.index, room=room.index, bed=bed, traits=traits)
        self._subjects.append(subject)
        return subject

    def _reach(self) -> tuple[tuple[PlannedDevice, ...], ...]:
        """Own devices, those of the own room and bathroom, and those of the rooms shared by all."""
        at_site: dict[int, list[PlannedDevice]] = {}
        for device in self._devices:
            at_site.setdefault(device.site, []).append(device)
        reach = []
        for subject in self._subjects:
            own_number = self._rooms[subject.room].number
            reach.append(
                tuple(
                    device
                    for device in at_site[subject.site]
                    if device.subject == subject.index
                    or (device.subject is None and self._is_open_to(device, own_number))
                )
            )
        return tuple(reach)

    def _is_open_to(self, device: PlannedDevice, own_number: int) -> bool:
        if device.room is None or device.place is None:
            return False
        room = self._rooms[device.room]
        return device.place is Place.LIVING_ROOM or room.number == own_number
