"""`anshou operator …`: the organisations that run homes under contract."""

from typing import Annotated

import typer

from care import registry
from deploy.records.common import DataOption, open_records, records_app, show, show_one

operator_app = records_app("Operators: organisations that run homes under contract (运营方).")


@operator_app.command()
def add(
    code: Annotated[str, typer.Option(help="Short name of your choice: a-z, 0-9, - and _.")],
    name: Annotated[str, typer.Option(help="Full name.")],
    phone: str | None = None,
    data: DataOption = None,
) -> None:
    """Record an operator."""
    with open_records(data) as connection:
        operator = registry.add_operator(connection, code=code, name=name, phone=phone)
    show_one("Operator added", {"code": operator.code, "name": operator.name, "phone": operator.phone})


@operator_app.command("list")
def list_all(data: DataOption = None) -> None:
    """List the operators."""
    with open_records(data) as connection:
        show("Operators", registry.list_operators(connection))
