"""What the record commands share: the open database, and tables for people."""

import getpass
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from database.connections import Connection, connect
from deploy.local import greeting, instance
from deploy.local.data import DataFolder
from protocol.calendar import HOME_TIME

DataOption = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="Data folder of the running installation.")
]


def records_app(help_text: str) -> typer.Typer:
    """An empty group of commands, set up as all of ours are."""
    return typer.Typer(
        help=help_text, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
    )


@contextmanager
def open_records(data: Path | None) -> Iterator[Connection]:
    """The care record in one transaction, committed at the end; nothing is written after an error.

    Needs the database only: with ANSHOU_DATABASE_URL set and no `data`, no broker has to be known.
    """
    url = os.environ.get(instance.DATABASE_VARIABLE) if data is None else None
    with connect(url or instance.current(data).owner_database_url) as connection:
        yield connection


def again(verb: str, data: Path | None) -> str:
    """A command of ours for somebody to paste, on the data folder that this one works on."""
    return greeting.command(verb, DataFolder.at(data).root, named=data is not None)


def show(title: str, rows: Sequence[Mapping[str, Any]], *, nothing: str = "none yet") -> None:
    """Print rows as a table; as tab-separated lines with a header when the output is no terminal."""
    if not rows:
        typer.echo(f"{title}: {nothing}")
        return
    if not sys.stdout.isatty():
        typer.echo("\t".join(rows[0]))
        for row in rows:
            typer.echo("\t".join(_text(value) for value in row.values()))
        return
    table = Table(title=title, title_justify="left")
    for column in rows[0]:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(_text(value) for value in row.values()))
    Console().print(table)


def show_one(title: str, facts: Mapping[str, Any]) -> None:
    """Print what was done, a line a fact."""
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        if value is not None:
            table.add_row(name, _text(value))
    Console(soft_wrap=not sys.stdout.isatty()).print(table)


def who() -> str:
    """Whoever is signed in to this machine; some containers know no names."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def _text(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(HOME_TIME).strftime("%Y-%m-%d %H:%M")
    return str(value)
