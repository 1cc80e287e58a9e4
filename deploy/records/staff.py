"""`anshou staff …`: who may sign in, and what they see."""

import os
import secrets
import sys
from pathlib import Path
from typing import Annotated

import typer

from care import registry
from deploy.records.common import DataOption, open_records, records_app, show, show_one
from identity import accounts
from identity.model import ScopeKind, StaffRole

staff_app = records_app("Staff: who may sign in, and whose residents they see.")

GENERATED_PASSWORD_BYTES = 12
PASSWORD_VARIABLE = "ANSHOU_STAFF_PASSWORD"  # noqa: S105 - a name, no secret
STDIN = Path("-")

Username = Annotated[str, typer.Argument(metavar="USER")]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="The password is its first line; - reads it from the input. Default: one is made and printed.",
    ),
]


@staff_app.command()
def add(
    username: Annotated[str, typer.Option(help="To sign in with: a-z, 0-9, . - and _.")],
    name: Annotated[str, typer.Option()],
    role: Annotated[StaffRole, typer.Option()],
    sees: Annotated[
        str,
        typer.Option(
            metavar="SCOPE",
            help="county, township:NAME, operator:CODE, or site:CODE[,CODE…]",
        ),
    ],
    password_file: PasswordFile = None,
    password: Annotated[str | None, typer.Option(hidden=True)] = None,
    phone: str | None = None,
    language: Annotated[str, typer.Option(help="zh_CN or en.")] = "zh_CN",
    data: DataOption = None,
) -> None:
    """Record a member of staff who can sign in."""
    kind, _, which = sees.partition(":")
    if kind not in set(ScopeKind):
        raise typer.BadParameter(
            "say county, township:NAME, operator:CODE, or site:CODE[,CODE…]", param_hint="--sees"
        )
    scope = ScopeKind(kind)
    given = password or _given_password(password_file)
    if password is not None:
        typer.echo("--password can be read by everybody on this machine: better --password-file.", err=True)
    chosen = given or secrets.token_urlsafe(GENERATED_PASSWORD_BYTES)
    with open_records(data) as connection:
        person = registry.add_staff(
            connection,
            username=username,
            name=name,
            role=role,
            password=chosen,
            scope=scope,
            township=which if scope is ScopeKind.TOWNSHIP else None,
            operator=which if scope is ScopeKind.OPERATOR else None,
            sites=tuple(which.split(",")) if scope is ScopeKind.SITE and which else (),
            phone=phone,
            language=language,
        )
    show_one(
        "Staff added",
        {
            "user name": person.username,
            "password": _told(given, chosen),
            "name": person.name,
            "role": person.role,
            "sees": sees,
        },
    )


@staff_app.command("list")
def list_all(data: DataOption = None) -> None:
    """List who may sign in."""
    with open_records(data) as connection:
        show("Staff", registry.list_staff(connection))


@staff_app.command("password")
def set_password(username: Username, password_file: PasswordFile = None, data: DataOption = None) -> None:
    """Give somebody a new password. Wherever they are signed in, they are no longer."""
    given = _given_password(password_file)
    chosen = given or secrets.token_urlsafe(GENERATED_PASSWORD_BYTES)
    with open_records(data) as connection:
        person = accounts.set_password(connection, username, chosen)
    show_one("New password", {"user name": person.username, "password": _told(given, chosen)})


@staff_app.command()
def disable(username: Username, data: DataOption = None) -> None:
    """Let somebody sign in no more, from now on. What they did stays in the record."""
    with open_records(data) as connection:
        person = accounts.disable(connection, username)
    show_one("Account disabled", {"user name": person.username, "name": person.name, "since": person.left_at})


@staff_app.command()
def enable(username: Username, data: DataOption = None) -> None:
    """Let somebody whose account was disabled sign in again, with the password they had."""
    with open_records(data) as connection:
        person = accounts.enable(connection, username)
    show_one("Account enabled", {"user name": person.username, "name": person.name})


@staff_app.command()
def sessions(
    username: Username,
    end: Annotated[bool, typer.Option("--end", help="End them all.")] = False,
    data: DataOption = None,
) -> None:
    """List where somebody is signed in, or end it."""
    with open_records(data) as connection:
        if end:
            typer.echo(f"Sessions ended: {accounts.end_sessions(connection, username)}")
            return
        rows = [
            {"since": one.opened_at, "last_used": one.used_at, "ends": one.expires_at}
            for one in accounts.sessions_of(connection, username)
        ]
    show(f"Sessions of {username}", rows, nothing="signed in nowhere")


def _given_password(file: Path | None) -> str | None:
    """What was given in a file, on the input or in the environment; never as an argument, which all see."""
    if file is None:
        return os.environ.get(PASSWORD_VARIABLE)
    text = sys.stdin.readline() if file == STDIN else file.read_text(encoding="utf-8").partition("\n")[0]
    if not (password := text.strip("\r\n")):
        raise typer.BadParameter("there is no password", param_hint="--password-file")
    return password


def _told(given: str | None, chosen: str) -> str:
    return "as given" if given else f"{chosen}   (shown this once only)"
