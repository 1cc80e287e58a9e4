"""`anshou simulate`: plays the demonstration county, or makes one thing happen to one person now."""

import asyncio
import os
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from care import registry
from care.model import Resident
from database.connections import Connection, connect, url_as
from database.errors import DomainError
from deploy.errors import DeployError
from deploy.local import instance
from deploy.local.data import DataFolder
from protocol import wire
from protocol.errors import ProtocolError
from protocol.model import DeviceKind, SignalKind
from simulator import cli, events, incidents
from simulator.clock import wall_ms
from simulator.county import DEFAULT_SEED
from simulator.errors import IncidentNotPossibleError
from simulator.publish import Saying, publish_all

RESIDENTS = 500
_DEVICES_AROUND = """
SELECT device.name, device.kind, site.code AS site, CASE
        WHEN watches.resident_id = %(resident_id)s THEN 1
        WHEN site.kind = 'household' OR starts_with(room.name, own_room.name) THEN 2
        ELSE 3
    END AS distance
FROM care.residence
JOIN care.site ON site.id = residence.site_id
LEFT JOIN care.bed ON bed.id = residence.bed_id
LEFT JOIN care.room AS own_room ON own_room.id = bed.room_id
JOIN care.device ON device.site_id = site.id AND device.retired_at IS NULL
JOIN care.device_assignment AS watches ON watches.device_id = device.id AND watches.during @> now()
LEFT JOIN care.room ON room.id = watches.room_id
WHERE residence.resident_id = %(resident_id)s AND residence.during @> now() AND (
    watches.resident_id = %(resident_id)s
    OR watches.resident_id IS NULL AND (
        site.kind = 'household' OR starts_with(room.name, own_room.name)
        OR room.kind NOT IN ('bedroom', 'bathroom')))
ORDER BY distance, device.name
"""
"""Devices that can tell what happens to a resident, the nearest first: their own, those of their rooms (a
room 103 and its bathroom have names that begin alike), those of the rooms that all share."""


def simulate(
    incident: Annotated[
        str | None, typer.Option(help=f"What happens now: {', '.join(incidents.SPEAKERS)}.")
    ] = None,
    resident: Annotated[str | None, typer.Option(help="To whom: the id or the name.")] = None,
    seed: cli.SeedOption = None,
    speed: cli.SpeedOption = None,
    data: Annotated[Path | None, typer.Option(help="Data folder of the running installation.")] = None,
    days: Annotated[int | None, typer.Option(min=1, max=3_660, help="How many days to tell.")] = None,
    residents: Annotated[
        int | None, typer.Option(min=1, max=100_000, help="With --days: how many people live there (500).")
    ] = None,
    start: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="With --days: the first; else the last is yesterday."),
    ] = None,
    incidents_rate: Annotated[
        float | None,
        typer.Option(
            "--incidents", min=0, max=100, help="With --days: incidents as a multiple of life's (1)."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="With --days: write Parquet files and labels there.")
    ] = None,
    mqtt: Annotated[
        str | None,
        typer.Option(metavar="URL", help="With --days: say it to this broker, at --speed or at full speed."),
    ] = None,
) -> None:
    """Play the demonstration county; make one thing happen now; or tell days of a county.

    With --incident and --resident one thing happens now. With --days and --out or --mqtt, so many days of a
    made-up county are written to Parquet, with labels of what is true, or said to a broker.
    """
    about_days = {
        "--residents": residents,
        "--start": start,
        "--incidents": incidents_rate,
        "--out": out,
        "--mqtt": mqtt,
    }
    about_now = {"--incident": incident, "--resident": resident, "--data": data}
    try:
        if days is not None:
            _refuse(about_now, "is about what happens now, and --days tells the past")
            span = cli.Span(
                seed=DEFAULT_SEED if seed is None else seed,
                residents=RESIDENTS if residents is None else residents,
                days=days,
                start=start,
                incident_rate=1.0 if incidents_rate is None else incidents_rate,
            )
            _tell(span, out, mqtt, speed)
            return
        _refuse(about_days, "needs to know how long; give --days as well")
        if incident is None and resident is None:
            _refuse({"--data": data}, "is for --incident; the broker that is played to is ANSHOU_MQTT_URL")
            cli.simulate(seed=seed, speed=speed)
        elif incident is None or resident is None:
            raise DeployError("An incident happens to somebody.", "Give both --incident and --resident.")
        else:
            _refuse({"--seed": seed, "--speed": speed}, "does not go with --incident, which happens now")
            _make_happen(_kind_of(incident), resident, data)
    except (DeployError, ProtocolError, DomainError) as error:
        Console(stderr=True, soft_wrap=True).print(f"[red]{error}[/red]", highlight=False)
        raise typer.Exit(2) from error


def _refuse(options: Mapping[str, object], reason: str) -> None:
    """Raise DeployError when one of `options` is given, rather than leave it unheard."""
    for name, value in options.items():
        if value is not None:
            raise DeployError(f"{name} {reason}.", f"Leave out {name}, or see anshou simulate --help.")


def _tell(span: cli.Span, out: Path | None, mqtt: str | None, speed: float | None) -> None:
    if out is not None and mqtt is not None:
        raise DeployError("Days go to one place.", "Give --out DIR or --mqtt URL, not both.")
    if out is not None:
        _refuse({"--speed": speed}, "is for --mqtt; files are written as fast as can be")
        cli.write(span, out)
    elif mqtt is not None:
        cli.pour_span(span, mqtt, speed=speed)
    else:
        raise DeployError("Days have to go somewhere.", "Give --out DIR or --mqtt URL.")


def say_incident(connection: Connection, resident: Resident, kind: SignalKind) -> tuple[Saying, ...]:
    """What a device near `resident` says when `kind` happens to them now.

    Raises IncidentNotPossibleError when none of the devices around them can say it.
    """
    rows = connection.execute(_DEVICES_AROUND, {"resident_id": resident.id}).fetchall()
    around = [(str(row["name"]), DeviceKind(row["kind"])) for row in rows]
    try:
        device, said = incidents.happening_now(kind, around, wall_ms())
    except IncidentNotPossibleError as error:
        raise IncidentNotPossibleError(f"{resident.name} (id {resident.id}): {error}") from error
    return tuple(Saying(rows[0]["site"], device, message) for _, _, message in events.messages(said))


def _kind_of(incident: str) -> SignalKind:
    if incident not in incidents.SPEAKERS:
        known = ", ".join(incidents.SPEAKERS)
        raise DeployError(f"There is no incident {incident!r}.", f"Known are: {known}.")
    return SignalKind(incident)


def _make_happen(kind: SignalKind, sought: str, data: Path | None) -> None:
    running = instance.current(data)
    with closing(connect(running.owner_database_url, application="anshou-simulate")) as connection:
        resident = registry.find_resident(connection, sought)
        sayings = say_incident(connection, resident, kind)
    asyncio.run(publish_all(_broker_url(running, data), sayings))
    table = Table(title=f"{kind}: {resident.name} (id {resident.id})", title_justify="left")
    table.add_column("topic", overflow="fold")
    table.add_column("message", overflow="fold")
    for saying in sayings:
        topic = wire.Topic(saying.site, saying.device, wire.leaf_of(saying.message))
        table.add_row(str(topic), wire.encode(saying.message).decode())
    Console().print(table)


def _broker_url(running: instance.Instance, data: Path | None) -> str:
    """The broker, as the account that may speak for all devices."""
    if data is None and os.environ.get(instance.BROKER_VARIABLE):
        return running.provisioner_mqtt_url  # somebody's own broker: one account for all
    password = DataFolder.at(data).passwords().accounts["simulator"]
    return url_as(running.provisioner_mqtt_url, "simulator", password)
