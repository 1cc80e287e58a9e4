"""The latest readings of a resident as pages show them: how exactly, and how old is old. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from protocol.signs import SIGNS

STALE_AFTER: Mapping[str, timedelta] = {
    **{key: sign.lasts for key, sign in SIGNS.items()},
    "bp": SIGNS["sbp"].lasts,
    "in_bed": timedelta(hours=12),
}
"""From this age on a value no longer tells how somebody is now, and is shown in grey."""
SHOWN: tuple[str, ...] = tuple("bp" if key == "sbp" else key for key in SIGNS if key != "dbp")
"""What a resident's page shows, in its order: blood pressure is one reading of two numbers."""


class Reading(NamedTuple):
    """The latest value of a sign. `value` is as it is shown: blood pressure is two numbers."""

    sign: str
    value: str
    at: datetime
    stale: bool


def latest(row: Mapping[str, Any], now: datetime, signs: tuple[str, ...]) -> list[Reading]:
    """The latest values in a row of resident_state, in the order of `signs`."""
    found: list[Reading] = []
    for sign in signs:
        column = "sbp" if sign == "bp" else sign
        value, at = row[column], row[f"{column}_at"]
        if value is None or at is None:
            continue
        shown = f"{value:.{SIGNS[column].decimals}f}"
        if sign == "bp":
            shown += f"/{row['dbp']:.0f}" if row["dbp"] is not None else "/–"
        found.append(Reading(sign, shown, at, stale=not is_fresh(at, sign, now)))
    return found


def is_fresh(at: datetime | None, sign: str, now: datetime) -> bool:
    """Whether what was measured at `at` still tells how somebody is."""
    return at is not None and now - at <= STALE_AFTER[sign]
