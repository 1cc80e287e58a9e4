"""`anshou gateway …`: pair a box with the centre, renew its secret."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

gateway_app = typer.Typer(
    help="The box in a home: pair it with the centre, run it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

IdentityOption = Annotated[
    Path | None,
    typer.Option(
        "--identity",
        metavar="FILE",
        help="Where this box keeps who it is.",
        show_default="/etc/anshou/gateway.json for root, else ~/.config/anshou/gateway.json",
    ),
]


@gateway_app.command()
def pair(
    url: Annotated[str, typer.Argument(help="Of the centre's pages, such as http://192.168.1.10:8080.")],
    code: Annotated[str, typer.Argument(help="The one-time code from the devices page.")],
    identity: IdentityOption = None,
) -> None:
    """Make this box a gateway of the site that the code was made for."""
    from gateway import identity as identities
    from gateway import pair as pairing

    path = identity or identities.default_path()
    enrolled = pairing.pair(url, code, typer.echo)
    with identities.changing(path):
        identities.save(path, enrolled)
    typer.echo(f"This box is {enrolled.gateway} of {enrolled.site}; it is written in {path}.")
    pairing.try_broker(enrolled)
    pairing.confirm(enrolled)
    typer.echo(f"The broker at {enrolled.mqtt_host}:{enrolled.mqtt_port} lets it in.")


@gateway_app.command()
def rotate(identity: IdentityOption = None) -> None:
    """Get a new secret. The old one is valid until the new one has been used, and is kept till then."""
    from gateway import identity as identities
    from gateway import pair as pairing

    path = identity or identities.default_path()
    with identities.changing(path):
        renewed = pairing.rotate(identities.load(path))
        pairing.try_broker(renewed)
        identities.save(path, renewed)
    pairing.confirm(renewed)
    typer.echo(f"{renewed.gateway} has a new secret; the one before is no longer valid.")


@gateway_app.command()
def find(
    url: Annotated[
        str | None, typer.Argument(help="Where the centre's pages are now; default: where it was paired.")
    ] = None,
    identity: IdentityOption = None,
) -> None:
    """Ask the centre where it is now. A running gateway does so itself while its broker is away."""
    from gateway import identity as identities
    from gateway import pair as pairing

    path = identity or identities.default_path()
    with identities.changing(path):
        known = identities.load(path)
        found = pairing.find(known, url)
        identities.save(path, found)
    moved = "is where it was" if found.broker.where == known.broker.where else "has moved"
    typer.echo(f"The centre {moved}: its broker is at {found.broker.where}.")


@gateway_app.command()
def run(identity: IdentityOption = None) -> None:
    """Listen to the house and deliver to the centre (docs/gateway.md)."""
    if identity is not None:
        os.environ["ANSHOU_GATEWAY_IDENTITY"] = str(identity)
    os.execv(sys.executable, [sys.executable, "-m", "gateway"])  # noqa: S606
