"""`anshou site …`: care homes, day centres and households."""

from typing import Annotated

import typer

from care import registry
from care.model import RoomKind, SiteKind
from deploy.records.common import DataOption, again, open_records, records_app, show, show_one

site_app = records_app("Sites: care homes, day centres and households.")


@site_app.command()
def add(
    code: Annotated[str, typer.Option(help="Its level in MQTT topics: a-z, 0-9, - and _.")],
    kind: Annotated[SiteKind, typer.Option()],
    name: Annotated[str, typer.Option()],
    township: Annotated[str, typer.Option(help="乡镇; decides which township officers see it.")],
    operator: Annotated[str | None, typer.Option(help="Code of the operator that runs it.")] = None,
    village: str | None = None,
    address: str | None = None,
    phone: str | None = None,
    data: DataOption = None,
) -> None:
    """Record a site."""
    with open_records(data) as connection:
        site = registry.add_site(
            connection,
            code=code,
            kind=kind,
            name=name,
            township=township,
            operator=operator,
            village=village,
            address=address,
            phone=phone,
        )
    show_one(
        "Site added",
        {
            "code": site.code,
            "kind": site.kind,
            "name": site.name,
            "operator": operator,
            "township": site.township,
            "village": site.village,
            "next": f"{again('resident add', data)} --site {site.code} --name … --sex … --born …",
        },
    )


@site_app.command()
def room(
    site: Annotated[str, typer.Option(help="Code of the site.")],
    name: Annotated[str, typer.Option(help="Name or number of the room.")],
    kind: RoomKind = RoomKind.BEDROOM,
    floor: int | None = None,
    data: DataOption = None,
) -> None:
    """Record a room of a site."""
    with open_records(data) as connection:
        where = registry.site_by_code(connection, site)
        registry.add_room(connection, where.id, name, kind, floor)
    show_one("Room added", {"site": site, "room": name, "kind": kind, "floor": floor})


@site_app.command("list")
def list_all(data: DataOption = None) -> None:
    """List the sites."""
    with open_records(data) as connection:
        show("Sites", registry.list_sites(connection))
