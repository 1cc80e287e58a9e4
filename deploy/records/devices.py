"""`anshou device …`: devices, their credentials, and whom they watch."""

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from care import pairing, registry
from care.registry import NewDevice
from database.errors import InvalidError
from deploy.local import greeting, instance, places
from deploy.records.common import DataOption, again, open_records, records_app, show, show_one
from ingest.provision import Provisioner, gateways_rights
from protocol.broker import BrokerAddress
from protocol.model import DeviceKind, PowerSource, SignalKind
from protocol.names import is_reserved
from protocol.wire import Leaf, Topic

device_app = records_app("Devices: credentials, and whom or which room they watch.")

ResidentOption = Annotated[str | None, typer.Option(help="Id or name of whom it watches.")]
RoomOption = Annotated[str | None, typer.Option(help="Name of the room it watches.")]

EXAMPLE_PAYLOADS = {
    DeviceKind.SOS_BUTTON: (Leaf.ALARM, {"alarm": SignalKind.SOS}),
    DeviceKind.PULL_CORD: (Leaf.ALARM, {"alarm": SignalKind.SOS}),
    DeviceKind.FALL_RADAR: (Leaf.ALARM, {"alarm": SignalKind.FALL}),
    DeviceKind.SMOKE: (Leaf.ALARM, {"alarm": SignalKind.SMOKE}),
    DeviceKind.GAS: (Leaf.ALARM, {"alarm": SignalKind.GAS}),
    DeviceKind.WATER_LEAK: (Leaf.ALARM, {"alarm": SignalKind.WATER}),
    DeviceKind.MOTION: (Leaf.ACTIVITY, {"event": "motion"}),
    DeviceKind.DOOR_CONTACT: (Leaf.ACTIVITY, {"event": "door_open"}),
    DeviceKind.PATROL_TAG: (Leaf.ACTIVITY, {"event": "round"}),
    DeviceKind.SMART_MATTRESS: (Leaf.VITALS, {"hr": 64, "rr": 15}),
    DeviceKind.WRISTBAND: (Leaf.VITALS, {"hr": 72, "spo2": 97}),
    DeviceKind.BP_CUFF: (Leaf.VITALS, {"sbp": 128, "dbp": 76, "hr": 71}),
    DeviceKind.GLUCOMETER: (Leaf.VITALS, {"glucose": 6.1}),
    DeviceKind.THERMOMETER: (Leaf.VITALS, {"temp": 36.6}),
    DeviceKind.HEALTH_KIOSK: (Leaf.VITALS, {"hr": 72, "sbp": 128, "dbp": 76, "weight": 58.2}),
}
"""A first message to try a new device with; other kinds say that they are online."""


@device_app.command()
def add(
    site: Annotated[str, typer.Option(help="Code of the site.")],
    kind: Annotated[DeviceKind, typer.Option()],
    name: Annotated[str | None, typer.Option(help="Its name in topics; default: kind and number.")] = None,
    resident: ResidentOption = None,
    room: RoomOption = None,
    model: str | None = None,
    power: PowerSource | None = None,
    password_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write its password there, for your eyes only, and not on the screen."
        ),
    ] = None,
    relayed: Annotated[
        bool,
        typer.Option(help="It speaks to the broker in the house: gateways there may pass on what it says."),
    ] = False,
    data: DataOption = None,
) -> None:
    """Record a device, let it in at the broker, and print its credentials, once."""
    running = instance.current(data)
    provisioner = Provisioner(BrokerAddress.parse(running.provisioner_mqtt_url))
    told_broker: str | None = None
    try:
        with open_records(data) as connection:
            where = registry.site_by_code(connection, site)
            person = registry.find_resident(connection, resident) if resident else None
            watched = person.name if person else None
            new = registry.add_device(
                connection,
                site=where,
                kind=kind,
                name=name,
                model=model,
                power=power,
                relayed=relayed,
                resident_id=person.id if person else None,
                room_id=registry.room_by_name(connection, where, room) if room else None,
            )
            rights = gateways_rights(connection).get(new.device.name)
            provisioner.add_device(where.code, new.device.name, kind, new.secret, rights)
            told_broker = new.device.name
    except Exception:
        if told_broker is not None:  # it is not in the record, so the broker must forget it again
            provisioner.remove_device(told_broker)
        raise
    show_one(
        "Device added",
        {
            "name": new.device.name,
            "kind": kind,
            "site": f"{where.code} {where.name}",
            "watches": watched or room or f"nobody yet: {again('device move', data)} {new.device.name} …",
            "power": new.device.power,
        },
    )
    _show_credentials(new, running, password_file)


@device_app.command()
def move(
    device: Annotated[str, typer.Argument(help="Name of the device.")],
    resident: ResidentOption = None,
    room: RoomOption = None,
    nobody: Annotated[bool, typer.Option("--nobody", help="It watches nobody from now on.")] = False,
    data: DataOption = None,
) -> None:
    """From now on the device watches another resident or room of its site, or nobody."""
    if [resident is not None, room is not None, nobody].count(True) != 1:
        raise InvalidError("say whom it watches: --resident, --room or --nobody")
    watched = room or "nobody"
    with open_records(data) as connection:
        known = registry.device_by_name(connection, device)
        site = registry.site_of(connection, known.site_id)
        if nobody:
            registry.unassign_device(connection, known.id)
        elif resident is not None:
            person = registry.find_resident(connection, resident)
            registry.assign_device(connection, known.id, resident_id=person.id)
            watched = person.name
        elif room is not None:
            registry.assign_device(
                connection, known.id, room_id=registry.room_by_name(connection, site, room)
            )
    show_one("Device moved", {"name": device, "watches": watched})


@device_app.command()
def remove(device: Annotated[str, typer.Argument(help="Name.")], data: DataOption = None) -> None:
    """Retire a device: it can no longer sign in; what it said stays in the history."""
    running = instance.current(data)
    with open_records(data) as connection:
        known = registry.device_by_name(connection, device)
        registry.retire_device(connection, known.id)
        if not is_reserved(device):  # from before such names were refused: the account is a room's
            Provisioner(BrokerAddress.parse(running.provisioner_mqtt_url)).remove_device(device)
    show_one("Device retired", {"name": device, "kind": known.kind})


@device_app.command()
def revoke(gateway: Annotated[str, typer.Argument(help="Name.")], data: DataOption = None) -> None:
    """Let a stolen or broken box in no more. Its devices stay: another box can replace it."""
    with open_records(data) as connection:
        known = registry.device_by_name(connection, gateway)
        if known.kind is not DeviceKind.GATEWAY:
            raise InvalidError(f"{gateway} is no gateway: anshou device remove {gateway}")
        ended = pairing.revoke(connection, known.id, None)
    show_one("Gateway locked out", {"name": gateway, "credentials": ended})


@device_app.command("list")
def list_all(
    site: Annotated[str | None, typer.Option(help="Only of this site.")] = None, data: DataOption = None
) -> None:
    """List the devices, and how they are."""
    with open_records(data) as connection:
        if site is not None:
            registry.site_by_code(connection, site)
        show("Devices", registry.list_devices(connection, site))


def _show_credentials(new: NewDevice, running: instance.Instance, password_file: Path | None) -> None:
    leaf, payload = EXAMPLE_PAYLOADS.get(new.device.kind, (Leaf.STATUS, {"online": True}))
    topic = Topic(new.site.code, new.device.name, leaf)
    broker = f"mqtt://{running.mqtt_host}:{running.mqtt_port}"
    command = ["publish", "--broker", broker, "--user", new.device.name]
    if password_file is not None:
        places.write_private(password_file, f"{new.secret}\n")
        command += ["--password-file", str(password_file)]
    command += [str(topic), json.dumps(payload)]
    typer.echo("\nIts credentials, shown this once only:")
    typer.echo(f"  broker    {broker}   on this machine only")
    if (reach := running.outside) is not None and not reach.address.startswith("127."):
        address = greeting.addresses_shown(reach.address)[0]
        typer.echo(f"            mqtts://{address}:{reach.mqtts_port}   from elsewhere, over TLS")
    typer.echo(f"  user      {new.device.name}")
    typer.echo(f"  password  {new.secret if password_file is None else f'in {password_file}'}")
    typer.echo(f"  topics    {Topic(new.site.code, new.device.name, leaf)!s}")
    typer.echo("\nTry it" + (":" if password_file is not None else " (it asks for the password):"))
    typer.echo(f"  {greeting.program()} {shlex.join(command)}")
