"""`python -m benchmarks NAME [--json]`, which is what `anshou bench` runs."""

import argparse
import importlib
import sys

from benchmarks.figures import report

NAMES = ("ingest", "history")


def main(arguments: list[str]) -> int:
    """Run one benchmark; 0 when every figure reaches its target, else 1."""
    parser = argparse.ArgumentParser(prog="anshou bench", description=__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    options = parser.parse_args(arguments)
    figures = importlib.import_module(f"benchmarks.{options.name}").run()
    report(f"anshou bench {options.name}", figures, as_json=options.json)
    return 0 if all(item.ok for item in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
