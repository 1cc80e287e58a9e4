"""`python -m simulator`: plays the demonstration county."""

import typer

from simulator.cli import simulate

if __name__ == "__main__":
    typer.run(simulate)
