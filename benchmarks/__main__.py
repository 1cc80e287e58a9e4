"""`python -m benchmarks NAME [--json]`, which is what `anshou bench` runs."""

import argparse
import importlib
import sys
from collections.abc import Mapping

from benchmarks.figures import report

NAMES = (
    "ingest",
    "alarm",
    "county",
    "backlog",
    "history",
    "faults",
    "edge",
    "analytics",
    "simulate",
    "attacks",
)
OPTIONS: Mapping[str, Mapping[str, tuple[int | str | None, str]]] = {
    "alarm": {
        "samples": (5_000, "alarms under each load (5,000)"),
        "rows-per-s": (None, "readings a second that count as sustained, in rows (measured first)"),
    },
    "county": {"minutes": (20, "how long (20)")},
    "backlog": {"messages": (2_000_000, "how many are queued (2,000,000)")},
    "edge": {"messages": (500_000, "how many wait in the outbox (500,000)")},
    "analytics": {
        "elders": (5_000, "how many (5,000)"),
        "weeks": (1, "0: leave out what needs rollups of weeks (1)"),
    },
    "attacks": {"only": ("", "families or ids of attacks, separated by commas (all)")},
    "faults": {
        "seed": (None, "replay the faults of another run"),
        "faults": (200, "how many strike (200)"),
    },
}
"""Of single benchmarks, with default and explanation; whole numbers unless the default is a text. Known
without importing any of them."""


def parser() -> argparse.ArgumentParser:
    """What `anshou bench` understands."""
    parser = argparse.ArgumentParser(prog="anshou bench", description=__doc__)
    names = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    for name in NAMES:
        benchmark = names.add_parser(name)
        benchmark.add_argument("--json", action="store_true", help="one JSON object instead of a table")
        for option, (default, explanation) in OPTIONS.get(name, {}).items():
            kind = str if isinstance(default, str) else int
            benchmark.add_argument(f"--{option}", type=kind, default=default, help=explanation)
    return parser


def main(arguments: list[str]) -> int:
    """Run one benchmark; 0 when every figure reaches its target, else 1."""
    options = vars(parser().parse_args(arguments))
    name, as_json = options.pop("name"), options.pop("json")
    benchmark = importlib.import_module(f"benchmarks.{name}")
    found = benchmark.run(**options)
    getattr(benchmark, "report", report)(f"anshou bench {name}", found, as_json=as_json)
    return 0 if all(item.ok for item in found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
