"""Figures: what a benchmark measured, beside its ceiling measured in the same run."""

from collections.abc import Sequence
from typing import Literal

import msgspec
from rich.console import Console
from rich.table import Table


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured figure.

    Attributes:
        name: What was measured.
        value: The measurement, in `unit`.
        unit: Its unit.
        ceiling: What the machine can do at best, measured in the same run, in `unit`; None: there is none.
        ratio: value ÷ ceiling.
        target: What is to be reached, of the value or of the ratio.
        ok: Whether it is.
    """

    name: str
    value: float
    unit: str
    ceiling: float | None
    ratio: float | None
    target: str
    ok: bool


def figure(
    name: str,
    value: float,
    unit: str,
    *,
    target: float,
    better: Literal["higher", "lower"] = "higher",
    ceiling: float | None = None,
    of: Literal["value", "ratio"] = "value",
) -> Figure:
    """A figure judged by its target, on its value or on its ratio to the ceiling."""
    ratio = None if not ceiling else value / ceiling
    judged = ratio if of == "ratio" else value
    assert judged is not None, "a target of the ratio needs a ceiling"
    ok = judged >= target if better == "higher" else judged <= target
    sign = "≥" if better == "higher" else "≤"
    text = f"{'ratio ' if of == 'ratio' else ''}{sign} {target:g}"
    return Figure(name=name, value=value, unit=unit, ceiling=ceiling, ratio=ratio, target=text, ok=ok)


def report(title: str, figures: Sequence[Figure], *, as_json: bool) -> None:
    """Print the figures as one JSON object, or as a table."""
    if as_json:
        print(msgspec.json.encode({"benchmark": title, "figures": list(figures)}).decode())
        return
    table = Table(title=title, title_justify="left")
    for column in ("figure", "value", "unit", "ceiling", "ratio", "target", "reached"):
        table.add_column(column, justify="right" if column in {"value", "ceiling", "ratio"} else "left")
    for item in figures:
        table.add_row(
            item.name,
            _number(item.value),
            item.unit,
            "" if item.ceiling is None else _number(item.ceiling),
            "" if item.ratio is None else f"{item.ratio:.2f}",
            item.target,
            "yes" if item.ok else "NO",
        )
    Console().print(table)


def _number(value: float) -> str:
    return f"{value:,.4g}" if value < 1000 else f"{value:,.0f}"
