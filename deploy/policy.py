"""`anshou policy …`: what the county has decided, for who looks after the machine."""

import difflib
from typing import Annotated

import msgspec
import typer

from care import policy
from care.policy import LIMITS
from deploy.errors import DeployError
from deploy.records.common import DataOption, open_records, records_app, show, who

policy_app = records_app("Rules of the county: after how long, how much, at which hours (全县规则).")


@policy_app.command("show")
def show_all(data: DataOption = None) -> None:
    """Every value: what holds, what is usual, its limits, and who changed it last."""
    with open_records(data) as connection:
        values = msgspec.structs.asdict(policy.effective(connection))
        last = policy.last_changes(connection)
    rows = [
        {
            "name": name,
            "value": values[name],
            "usual": limit.usual,
            "from": limit.low,
            "to": limit.high,
            "in_steps_of": limit.step,
            "changed": last[name].at if name in last else None,
            "by": last[name].actor if name in last else None,
        }
        for name, limit in LIMITS.items()
    ]
    show("Rules of the county", rows)


@policy_app.command("set")
def set_values(
    pairs: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME VALUE [NAME VALUE]…",
            help="As `anshou policy show` names them, in the unit of the name: bed_exit_s 1200.",
        ),
    ],
    data: DataOption = None,
) -> None:
    """Set one value, or several that belong together; all of them or none."""
    wanted = _read(pairs)
    with open_records(data) as connection:
        before = policy.standing(connection)
        after = policy.put(connection, wanted, seen=before.revision, by=who())
    old, new = (msgspec.structs.asdict(one.policy) for one in (before, after))
    rows = [
        {"name": name, "before": old[name], "now": new[name]} for name in LIMITS if old[name] != new[name]
    ]
    show("Changed", rows, nothing="nothing, it was so already")


def _read(pairs: list[str]) -> dict[str, int]:
    """The values by name. DeployError for what cannot be read."""
    if len(pairs) % 2:
        raise DeployError(f"a value is missing after {pairs[-1]}")
    found: dict[str, int] = {}
    for name, text in zip(pairs[::2], pairs[1::2], strict=True):
        if name not in LIMITS:
            close = difflib.get_close_matches(name, LIMITS, n=1)
            hint = f"did you mean {close[0]}?" if close else "see: anshou policy show"
            raise DeployError(f"there is no value {name}: {hint}")
        if name in found:
            raise DeployError(f"{name} is given twice")
        if not (text.isascii() and text.isdecimal()):
            raise DeployError(f"{name} must be a whole number, not {text!r}")
        found[name] = int(text)
    return found
