"""`anshou staff …`: who may sign in, and what they see."""

import secrets
from typing import Annotated

import typer

from care import registry
from deploy.records.common import DataOption, open_records, records_app, show, show_one
from identity.model import ScopeKind, StaffRole

staff_app = records_app("Staff: who may sign in, and whose residents they see.")

GENERATED_PASSWORD_BYTES = 9


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
    password: Annotated[
        str | None, typer.Option(help="Default: one is made and printed.", envvar="ANSHOU_STAFF_PASSWORD")
    ] = None,
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
    chosen = password or secrets.token_urlsafe(GENERATED_PASSWORD_BYTES)
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
            "password": "as given" if password else f"{chosen}   (shown this once only)",
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
