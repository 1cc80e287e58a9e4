"""`anshou resident …`: the elders in care."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer

from care import registry
from care.model import Ability, CareCategory, Site
from database.connections import Connection
from database.errors import InvalidError
from deploy.records.common import DataOption, again, open_records, records_app, show, show_one

resident_app = records_app("Residents: the elders in care.")

SiteOption = Annotated[str, typer.Option(help="Code of the site.")]
RoomOption = Annotated[str | None, typer.Option(help="Room, with --bed; recorded if it is new.")]
BedOption = Annotated[str | None, typer.Option(help="Bed in that room; recorded if it is new.")]


class Sex(StrEnum):
    """As on the identity card."""

    FEMALE = "female"
    MALE = "male"


@resident_app.command()
def add(
    site: SiteOption,
    name: Annotated[str, typer.Option()],
    sex: Annotated[Sex, typer.Option()],
    born: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Day of birth.")],
    category: CareCategory = CareCategory.TEKUN_CENTRALISED,
    lost: Annotated[
        list[Ability] | None, typer.Option(help="A lost ability of the six; repeat for each.")
    ] = None,
    room: RoomOption = None,
    bed: BedOption = None,
    spo2_scale: Annotated[int, typer.Option(min=1, max=2, help="NEWS2 SpO2 scale.")] = 1,
    on_oxygen: bool = False,
    phone: str | None = None,
    family: Annotated[str | None, typer.Option(help="Whom to tell, and how.")] = None,
    data: DataOption = None,
) -> None:
    """Record a resident."""
    with open_records(data) as connection:
        where = registry.site_by_code(connection, site)
        resident = registry.add_resident(
            connection,
            site_id=where.id,
            name=name,
            sex=sex,
            born_on=born.date(),
            category=category,
            lost_abilities=lost or (),
            bed_id=_bed(connection, where, room, bed),
            spo2_scale=spo2_scale,
            on_oxygen=on_oxygen,
            phone=phone,
            family_contact=family,
        )
    show_one(
        "Resident added",
        {
            "id": resident.id,
            "name": resident.name,
            "site": site,
            "room": room,
            "bed": bed,
            "self-care level": resident.self_care_level,
            "next": f"{again('device add', data)} --site {site} --kind sos_button --resident {resident.id}",
        },
    )


@resident_app.command()
def move(
    resident: Annotated[str, typer.Argument(help="Id or name.")],
    site: SiteOption,
    room: RoomOption = None,
    bed: BedOption = None,
    data: DataOption = None,
) -> None:
    """From now on the resident lives at another site or in another bed."""
    with open_records(data) as connection:
        person = registry.find_resident(connection, resident)
        where = registry.site_by_code(connection, site)
        registry.move_resident(
            connection, person.id, site_id=where.id, bed_id=_bed(connection, where, room, bed)
        )
    show_one("Resident moved", {"id": person.id, "name": person.name, "site": site, "room": room, "bed": bed})


@resident_app.command("list")
def list_all(
    site: Annotated[str | None, typer.Option(help="Only of this site.")] = None, data: DataOption = None
) -> None:
    """List the residents."""
    with open_records(data) as connection:
        if site is not None:
            registry.site_by_code(connection, site)
        show("Residents", registry.list_residents(connection, site))


def _bed(connection: Connection, site: Site, room: str | None, bed: str | None) -> int | None:
    if (room is None) != (bed is None):
        raise InvalidError("a bed is in a room: give both --room and --bed, or neither")
    return None if room is None or bed is None else registry.bed_in(connection, site.id, room, bed)
