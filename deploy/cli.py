"""The command `anshou`: its verbs start the rooms, set up a machine, and keep the records.

Each verb imports what it needs only when it is used. On a small box that holds nothing but the gateway,
`anshou gateway` works although there is no database driver, and only the verbs of the box are listed.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from deploy.errors import DeployError

ROOMS = (
    "protocol",
    "gateway",
    "simulator",
    "database",
    "identity",
    "care",
    "alarms",
    "ingest",
    "analytics",
    "dashboard",
    "deploy",
)
# Verbs that live elsewhere: where, and under which name there.
ELSEWHERE = {
    "gateway": ("gateway.cli", "gateway_app"),
    "operator": ("deploy.records", "operator_app"),
    "site": ("deploy.records", "site_app"),
    "resident": ("deploy.records", "resident_app"),
    "device": ("deploy.records", "device_app"),
    "staff": ("deploy.records", "staff_app"),
    "policy": ("deploy.policy", "policy_app"),
    "publish": ("deploy.publish", "publish"),
    "simulate": ("deploy.simulate", "simulate"),
    "analytics": ("deploy.analytics", "analytics_app"),
    "evaluate": ("evaluation.cli", "evaluate_app"),
}
# Verbs that start something elsewhere, and what that is.
STARTS = {
    "up": "deploy.local",
    "down": "deploy.local",
    "doctor": "deploy.local",
    "migrate": "database",
    "ingest": "ingest",
    "alarms": "alarms",
    "dashboard": "dashboard",
    "bench": "benchmarks",
}
INSTRUMENTS = ("benchmarks", "evaluation")


class LazyGroup(TyperGroup):
    """Loads the verbs that live elsewhere when they are asked for, and tells what is not installed."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The verbs that are installed, by name."""
        return [verb for verb in [*super().list_commands(ctx), *ELSEWHERE] if _is_installed(_module_of(verb))]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The verb, or None if there is none or a package that it needs is not installed."""
        if cmd_name not in ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        try:
            return _load(cmd_name)
        except ModuleNotFoundError as error:
            if _is_ours(error):
                raise
            return None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The verb that is asked for. DeployError when it is not part of what is installed."""
        verb = args[0] if args else ""
        module = _module_of(verb)
        if not _is_installed(module):
            raise DeployError(f"`anshou {verb}` is not part of what is installed here.", _comes_with(module))
        if verb in ELSEWHERE:
            _load(verb)  # says which package is missing, where the list of verbs would only leave it out
        return super().resolve_command(ctx, args)


def _load(verb: str) -> Any:
    module_name, attribute = ELSEWHERE[verb]
    found = getattr(importlib.import_module(module_name), attribute)
    if not isinstance(found, typer.Typer):
        function, found = found, typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        found.command(verb)(function)
    return typer.main.get_command(found)


def _module_of(verb: str) -> str:
    """Where its work is done; for what is no verb, this module."""
    return ELSEWHERE[verb][0] if verb in ELSEWHERE else STARTS.get(verb, __name__)


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of a package above it
        return False


def _comes_with(module: str) -> str:
    if module.partition(".")[0] in INSTRUMENTS:
        return "It comes with the source checkout only: run it there, after `make setup`."
    return "It comes with the distribution anshou-centre: pip install . ./deploy/centre in a checkout."


def _is_ours(error: ModuleNotFoundError) -> bool:
    """Whether a room of ours has a hole; else it is a package of others that is not installed."""
    return (error.name or "").partition(".")[0] in (*ROOMS, *INSTRUMENTS)


app = typer.Typer(
    name="anshou",
    cls=LazyGroup,
    help="Anshou 安守: watches over elders in care homes and in their own homes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
ingest_app = typer.Typer(help="Take what devices say into the database.", no_args_is_help=True)
app.add_typer(ingest_app, name="ingest")

WHERE_DATA_IS = "/var/lib/anshou for root, else ~/.local/share/anshou"
DataOption = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="The data folder.", show_default=WHERE_DATA_IS)
]


def _port_option(what: str, usual: int | None = None) -> Any:
    at_first = "a free one" if usual is None else f"{usual} at the first start"
    return typer.Option(min=1, max=65535, metavar="PORT", help=f"{what} Default: as before; {at_first}.")


@app.command()
def up(
    data: DataOption = None,
    http: Annotated[int | None, _port_option("Port of the pages.", 8080)] = None,
    https: Annotated[int | None, _port_option("Port of the pages over TLS.", 8443)] = None,
    mqtt: Annotated[int | None, _port_option("Port for devices, on this machine only.", 1883)] = None,
    mqtts: Annotated[int | None, _port_option("Port for gateways and devices, over TLS.", 8883)] = None,
    rooms: Annotated[int | None, _port_option("Port at which only our own processes speak MQTT.")] = None,
    database: Annotated[int | None, _port_option("Port of the database.")] = None,
    metrics_readings: Annotated[int | None, _port_option("Metrics of ingest readings.", 9471)] = None,
    metrics_alarms: Annotated[int | None, _port_option("Metrics of ingest alarms.", 9472)] = None,
    metrics_gateways: Annotated[int | None, _port_option("Metrics of ingest gateways.", 9473)] = None,
    metrics_settle: Annotated[int | None, _port_option("Metrics of ingest settle.", 9474)] = None,
    demo: Annotated[
        bool, typer.Option("--demo/--no-demo", help="With the simulated demonstration county.")
    ] = True,
    detach: Annotated[bool, typer.Option("--detach", help="Leave it running and return.")] = False,
    listen: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="Where other computers, phones and gateways reach this one, over TLS: "
            "0.0.0.0 for every network, or one address of this machine.",
        ),
    ] = "127.0.0.1",
    name: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Another name or address that browsers reach this machine at, for its certificate; "
            "repeat for each. Its own are known.",
        ),
    ] = None,
) -> None:
    """Start everything on this machine: database, broker and all rooms, under one supervisor.

    What is missing is fetched the first time. Ports are chosen at the first start and kept for life; one
    that is taken by another program is refused. Ctrl-C stops everything. With ANSHOU_DATABASE_URL or
    ANSHOU_MQTT_URL in the environment, that server is used and no private one is started.
    """
    from deploy.local import up as flow
    from deploy.local.port_plan import Service

    named = {
        Service.HTTP: http,
        Service.HTTPS: https,
        Service.MQTT: mqtt,
        Service.MQTTS: mqtts,
        Service.ROOMS: rooms,
        Service.DATABASE: database,
        Service.METRICS_READINGS: metrics_readings,
        Service.METRICS_ALARMS: metrics_alarms,
        Service.METRICS_GATEWAYS: metrics_gateways,
        Service.METRICS_SETTLE: metrics_settle,
    }
    request = flow.Request(
        data=data,
        wanted_ports={service: port for service, port in named.items() if port is not None},
        demo=demo,
        detached=detach,
        listen=listen,
        names=name or (),
    )
    raise typer.Exit(flow.up(request))


@app.command()
def down(data: DataOption = None) -> None:
    """Stop what `anshou up` started, in order."""
    from deploy.local.down import down as stop

    if not stop(data):
        typer.echo("Nothing was running.")


@app.command()
def doctor(data: DataOption = None) -> None:
    """Say what is set up, what is missing and what to do; exit code 1 if something is missing."""
    from deploy.local import doctor as checks

    bad = False
    for finding in checks.examine(data):
        typer.echo(finding)
        bad |= finding.state is checks.State.MISSING
    raise typer.Exit(int(bad))


@app.command()
def migrate(
    data: DataOption = None,
    document: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Then describe the schema in this Markdown file.")
    ] = None,
) -> None:
    """Bring the database to the newest schema."""
    from database import schema
    from database.connections import connect
    from deploy.local import instance
    from deploy.schema import bring_up_to_date

    url = os.environ.get(instance.DATABASE_VARIABLE)
    if data is not None or not url:
        url = instance.current(data).owner_database_url
    applied = bring_up_to_date(url)
    for name in applied:
        typer.echo(f"applied {name}")
    if not applied:
        typer.echo("The database is at the newest schema already.")
    if document is not None:
        with connect(url) as connection:
            document.write_text(schema.describe(connection), encoding="utf-8")
        typer.echo(f"described in {document}")


@ingest_app.command()
def readings() -> None:
    """Vital signs, activity and status, in batches."""
    run_room("ingest", "readings")


@ingest_app.command()
def alarms() -> None:
    """Alarm signals, each at once, on a connection of their own."""
    run_room("ingest", "alarms")


@ingest_app.command("gateways")
def gateways() -> None:
    """What gateways propose, what they should know, and how they sign in."""
    run_room("ingest", "gateways")


@ingest_app.command()
def settle() -> None:
    """Latest state, rollups and retention, derived from what the readings stored."""
    run_room("ingest", "settle")


@app.command("alarms")
def escalate() -> None:
    """Escalate alarms that nobody acknowledges in time: a line in their timeline names the next level."""
    run_room("alarms")


@app.command()
def dashboard() -> None:
    """Serve the pages."""
    run_room("dashboard")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def bench(context: typer.Context) -> None:
    """Measure what docs/performance.md quotes: anshou bench NAME [--json]."""
    run_room("benchmarks", *context.args)


def run_room(room: str, *arguments: str) -> None:
    """Become the room's own process: signals and exit code are then the room's."""
    os.execv(sys.executable, [sys.executable, "-m", room, *arguments])  # noqa: S606


def main() -> None:
    """Run a command; errors are told in one clear line, and the exit code is 1."""
    try:
        app()
    except ModuleNotFoundError as error:
        if _is_ours(error):
            raise
        typer.echo(f"anshou: This needs the package {error.name}, which is not installed here.", err=True)
        sys.exit(1)
    except Exception as error:
        if not _is_for_people(error):
            raise
        typer.echo(f"anshou: {error}", err=True)
        sys.exit(1)


def _is_for_people(error: Exception) -> bool:
    """Whether an error was raised to be read: one of a room's own, not a mistake in our code."""
    return any(base.__module__ in {f"{room}.errors" for room in ROOMS} for base in type(error).__mro__)
