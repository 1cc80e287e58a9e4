"""The vital signs that a home can measure, one row each: key, physical limits, unit and code."""

from typing import NamedTuple


class Sign(NamedTuple):
    """A vital sign's physical limits, unit (UCUM) and LOINC code."""

    low: float
    high: float
    unit: str
    loinc: str


SIGNS: dict[str, Sign] = {
    "hr": Sign(20, 300, "/min", "8867-4"),
    "rr": Sign(2, 80, "/min", "9279-1"),
    "spo2": Sign(40, 100, "%", "2708-6"),
    "temp": Sign(25, 45, "Cel", "8310-5"),
    "sbp": Sign(40, 300, "mm[Hg]", "8480-6"),
    "dbp": Sign(20, 200, "mm[Hg]", "8462-4"),
    "glucose": Sign(0.5, 60, "mmol/L", "15074-8"),
    "weight": Sign(20, 300, "kg", "29463-7"),
}
"""Every vital sign that a message may carry, by its key on the wire and its database column."""
