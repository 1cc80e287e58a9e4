"""`python -m gateway.simulator`: plays the demonstration county."""

import typer

from gateway.simulator.cli import simulate

if __name__ == "__main__":
    typer.run(simulate)
