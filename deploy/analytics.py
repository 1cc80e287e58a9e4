"""`anshou analytics`: the process that looks for what is wrong, and the models that it learns at night.

Alone it starts the process; `train`, `models` and `restore` are for people who look after the models (模型).
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli import run_room
from deploy.records.common import DataOption, open_records, show, show_one, who

if TYPE_CHECKING:
    from pathlib import Path

    from analytics.settings import AnalyticsSettings
    from analytics.versions import Version

NAMES = "vitals, rhythm, routine, restlessness"
"""Of the models, for help: `analytics.learnt.NAMES`, which costs seconds to import; a test compares."""

analytics_app = typer.Typer(
    help="Look for what is wrong in the readings, every minute; and the models learnt for it (模型).",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@analytics_app.callback(invoke_without_command=True)
def rounds(context: typer.Context) -> None:
    """Look for what is wrong in the readings, every minute; train once a night."""
    if context.invoked_subcommand is None:
        run_room("analytics")


@analytics_app.command()
def train(data: DataOption = None) -> None:
    """Learn now what is otherwise learnt at 03:15, from the history up to the last midnight (立即训练).

    A new version goes live only if it is no worse than the live one on the last two weeks. A training that is
    interrupted changes nothing.
    """
    from analytics.nightly import train_alone

    stored = train_alone(_settings(data), _tell)
    show("Learnt", [_facts(version) for version in stored], nothing="nothing is known yet of anybody")


@analytics_app.command()
def models(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help=f"Only those of this name, one of {NAMES}."),
    ] = None,
    data: DataOption = None,
) -> None:
    """List the versions: what they have learnt from, how they did, which is live (模型版本)."""
    from analytics.versions import list_versions

    settings = _settings(data)
    with open_records(data) as connection:
        row = connection.execute("SELECT clock_timestamp() AS now").fetchone()
        assert row is not None, "a SELECT without FROM gives a row"
        found = list_versions(connection, name)
    rows = [_facts(version) | {"remark": version.unusable(settings, row["now"])} for version in found]
    show("Models", rows, nothing="none yet; learn now with: anshou analytics train")


@analytics_app.command()
def restore(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"One of {NAMES}.")],
    version: Annotated[
        int | None,
        typer.Argument(metavar="[VERSION]", min=1, help="Which one; else the one before the live one."),
    ] = None,
    data: DataOption = None,
) -> None:
    """Make an earlier version live again (恢复旧版本).

    It stays so until a nightly training finds one that is no worse.
    """
    from analytics.versions import restore as bring_back

    settings = _settings(data)
    with open_records(data) as connection:
        row = connection.execute("SELECT clock_timestamp() AS now").fetchone()
        assert row is not None, "a SELECT without FROM gives a row"
        restored = bring_back(connection, name, version, who())
    show_one("Restored", _facts(restored))
    if unusable := restored.unusable(settings, row["now"]):
        typer.echo(f"It is live but not used: {unusable}.", err=True)


def _settings(data: Path | None) -> AnalyticsSettings:
    """Those that the process of analytics would have, with the database that is meant."""
    from analytics.settings import settings_of
    from deploy.local import instance

    environment = dict(os.environ)
    if data is not None or not environment.get(instance.DATABASE_VARIABLE):
        environment[instance.DATABASE_VARIABLE] = instance.current(data).service_database_url
    return settings_of(environment)


def _facts(version: Version) -> dict[str, Any]:
    metrics = version.metrics
    return {
        "name": version.name,
        "version": version.version,
        "state": version.state,
        "learnt_from": version.window_begin,
        "until": version.window_end,
        "made_at": version.made_at,
        "residents": metrics.get("residents"),
        "known": metrics.get("known"),
        "figure": metrics.get("figure"),
        "candidate": _number(metrics.get("candidate")),
        "live": _number(metrics.get("live")),
        "kB": round(version.size_bytes / 1000),
        "reason": version.reason,
    }


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.4f}"


def _tell(done: int, of: int) -> None:
    if sys.stderr.isatty():
        typer.echo(f"learnt from {done:,} of {of:,} residents", err=True)
