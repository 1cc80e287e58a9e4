"""Writes the plan of a county into the care record, with names."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from care import registry
from care.model import Ability, CareCategory, RoomKind, Site, SiteKind
from database.connections import Connection
from deploy.county import names
from deploy.county.progress import Step
from simulator.chance import generator
from simulator.person import Condition, Traits
from simulator.plan import County, SiteSort, Subject

ASSIGNED_FOR = timedelta(days=400)
"""Since when the demonstration's devices have watched whom they watch."""

_MODELS = {
    "sos_button": "AN-SOS1",
    "pull_cord": "AN-PC1",
    "fall_radar": "AN-FR60",
    "smart_mattress": "AN-MT2",
    "motion": "AN-PIR1",
    "door_contact": "AN-DC1",
    "smoke": "AN-SM3",
    "gas": "AN-GS1",
    "water_leak": "AN-WL1",
    "wristband": "AN-WB5",
    "bp_cuff": "AN-BP2",
    "glucometer": "AN-GL1",
    "thermometer": "AN-TH1",
    "health_kiosk": "AN-HK8",
    "patrol_tag": "AN-NFC1",
    "siren": "AN-SR1",
    "gateway": "AN-GW4",
}
"""Invented models, one for each kind."""


class Written(NamedTuple):
    """The ids in the care record, in the order of the plan."""

    sites: list[int]
    rooms: list[int]
    residents: list[int]


def is_written(connection: Connection) -> bool:
    """Whether the demonstration county is in the care record."""
    code = names.OPERATORS[0][0]
    row = connection.execute("SELECT 1 FROM care.operator WHERE code = %s", (code,)).fetchone()
    return row is not None


def write(connection: Connection, county: County, step: Step, since: datetime | None = None) -> Written:
    """Write operators, sites, rooms, residents and devices. The caller commits.

    `since`: when the devices were added and began to watch whom they watch; default: they are added now, and
    what they tell of the last `ASSIGNED_FOR` is believed too.
    """
    sites = _write_sites(connection, county, step)
    rooms, beds = _write_rooms(connection, county, sites)
    now = datetime.now(UTC)
    added_at, since = since or now, since or now - ASSIGNED_FOR
    residents = _write_residents(connection, county, sites, beds, since, step)
    _write_devices(connection, county, sites, rooms, residents, since, added_at, step)
    return Written([site.id for site in sites], rooms, residents)


def _write_sites(connection: Connection, county: County, step: Step) -> list[Site]:
    for code, name in names.OPERATORS[: county.operators]:
        registry.add_operator(connection, code=code, name=name)
    tenants = {subject.site: subject for subject in county.subjects}
    counted: Counter[SiteSort] = Counter()
    sites = []
    for planned in county.sites:
        number = counted[planned.sort]
        counted[planned.sort] += 1
        tenant = _name_of(county, tenants[planned.index]) if planned.index in tenants else None
        sites.append(
            registry.add_site(
                connection,
                code=planned.name,
                kind=SiteKind(planned.sort),
                name=names.site(planned, number, tenant),
                township=names.township(planned),
                village=names.village(planned),
                operator=None if planned.operator is None else names.OPERATORS[planned.operator][0],
                address=names.address(planned, number),
                phone=names.phone(county.seed, "site", planned.index),
            )
        )
        step("sites", len(sites), len(county.sites))
    return sites


def _write_rooms(
    connection: Connection, county: County, sites: list[Site]
) -> tuple[list[int], dict[tuple[int, str], int]]:
    """Ids of the rooms, and of the beds by (room, label)."""
    rooms: list[int] = []
    beds: dict[tuple[int, str], int] = {}
    for room in county.rooms:
        name = names.room(room, county.sites[room.site].sort)
        kind = RoomKind(room.sort)
        rooms.append(registry.add_room(connection, sites[room.site].id, name, kind, room.floor))
        for label in room.beds:
            beds[room.index, label] = registry.add_bed(connection, rooms[-1], label)
    return rooms, beds


def _write_residents(
    connection: Connection,
    county: County,
    sites: list[Site],
    beds: dict[tuple[int, str], int],
    since: datetime,
    step: Step,
) -> list[int]:
    residents = []
    for subject in county.subjects:
        rng = generator(county.seed, "admission", subject.index)
        traits = subject.traits
        in_home = county.sites[subject.site].sort is SiteSort.CARE_HOME
        private = in_home and rng.random() < 0.25
        admitted = since - timedelta(days=int(rng.integers(60, 2500)))
        resident = registry.add_resident(
            connection,
            site_id=sites[subject.site].id,
            name=_name_of(county, subject),
            sex=traits.sex,
            born_on=_born_on(traits, int(rng.integers(365))),
            category=_category(in_home=in_home, private=private),
            lost_abilities=[Ability(f"can_{ability}") for ability in traits.lost],
            bed_id=beds[subject.room, subject.bed],
            spo2_scale=2 if Condition.HYPERCAPNIA in traits.conditions else 1,
            phone=None if in_home else names.phone(county.seed, "resident", subject.index),
            family_contact=names.relative(county.seed, subject.index),
            since=admitted,
        )
        residents.append(resident.id)
        step("residents", len(residents), len(county.subjects))
    return residents


def _write_devices(
    connection: Connection,
    county: County,
    sites: list[Site],
    rooms: list[int],
    residents: list[int],
    since: datetime,
    added_at: datetime,
    step: Step,
) -> None:
    for device in county.devices:
        room = None if device.room is None else rooms[device.room]
        registry.add_device(
            connection,
            site=sites[device.site],
            kind=device.kind,
            name=device.name,
            model=_MODELS[device.kind],
            resident_id=None if device.subject is None else residents[device.subject],
            room_id=room if device.subject is None else None,
            since=since,
            added_at=added_at,
        )
        step("devices", device.index + 1, len(county.devices))


def _name_of(county: County, subject: Subject) -> str:
    return names.person(county.seed, "resident", subject.index, subject.traits.sex)


def _born_on(traits: Traits, days: int) -> date:
    return datetime.now(UTC).date() - timedelta(days=traits.age * 365 + traits.age // 4 + days)


def _category(*, in_home: bool, private: bool) -> CareCategory:
    if private:
        return CareCategory.PRIVATE
    return CareCategory.TEKUN_CENTRALISED if in_home else CareCategory.TEKUN_DISPERSED
