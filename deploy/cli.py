"""The command `anshou`: its verbs start the rooms, set up a machine, and keep the records.

Each verb imports what it needs only when it is used: on a small box that holds nothing but the
gateway, `anshou gateway` works although there is no database driver.
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
    "simulate": ("deploy.simulate", "simulate"),
    "analytics": ("deploy.analytics", "analytics_app"),
    "evaluate": ("evaluation.cli", "evaluate_app"),
}


class LazyGroup(TyperGroup):
    """Loads the verbs that live elsewhere when they are asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All verbs, by name."""
        return [*super().list_commands(ctx), *ELSEWHERE]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The verb, or None if there is none or this machine lacks what it needs."""
        if cmd_name not in ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        module_name, attribute = ELSEWHERE[cmd_name]
        try:
            verb = getattr(importlib.import_module(module_name), attribute)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] in ROOMS:
                raise  # not a package that was left out on purpose, but a hole in our own
            return None
        if not isinstance(verb, typer.Typer):
            function, verb = verb, typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            verb.command(cmd_name)(function)
        return typer.main.get_command(verb)


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


@app.command()
def up(
    data: DataOption = None,
    http: Annotated[int, typer.Option(min=1, max=65535, help="Port of the pages.")] = 8080,
    mqtt: Annotated[int, typer.Option(min=1, max=65535, help="Port for devices.")] = 1883,
    demo: Annotated[
        bool, typer.Option("--demo/--no-demo", help="With the simulated demonstration county.")
    ] = True,
    detach: Annotated[bool, typer.Option("--detach", help="Leave it running and return.")] = False,
    listen: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="Where gateways on other machines reach this one, over TLS only: 0.0.0.0 for every network.",
        ),
    ] = "127.0.0.1",
) -> None:
    """Start everything on this machine: database, broker and all rooms, under one supervisor.

    What is missing is fetched the first time. A port in use is replaced by a free one. Ctrl-C
    stops everything. With ANSHOU_DATABASE_URL or ANSHOU_MQTT_URL in the environment, that server
    is used and no private one is started.
    """
    from deploy.local import up as flow

    request = flow.Request(
        data=data, http_port=http, mqtt_port=mqtt, demo=demo, detached=detach, listen=listen
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
    if importlib.util.find_spec(room) is None:
        raise DeployError(f"The room {room} is not installed on this machine.")
    os.execv(sys.executable, [sys.executable, "-m", room, *arguments])  # noqa: S606


def main() -> None:
    """Run a command; errors are told in one clear line, and the exit code is 1."""
    try:
        app()
    except Exception as error:
        if not _is_for_people(error):
            raise
        typer.echo(f"anshou: {error}", err=True)
        sys.exit(1)


def _is_for_people(error: Exception) -> bool:
    """Whether an error was raised to be read: one of a room's own, not a mistake in our code."""
    return any(base.__module__ in {f"{room}.errors" for room in ROOMS} for base in type(error).__mro__)
