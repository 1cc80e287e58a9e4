"""The vital signs that a home can measure, one row each: all that is known of a sign stands here.

Columns in SQL follow this table (`database.queries`), and so do rows, rollups, charts and words. A new sign
takes a row here, a field of `protocol.model.VitalSigns`, and a migration with its columns.
"""

from datetime import timedelta
from typing import NamedTuple

from protocol.texts import N_


class Sign(NamedTuple):
    """One vital sign.

    Attributes:
        low: Least value that is physically possible; what is below is a fault of the device.
        high: Greatest likewise.
        unit: In UCUM, of every number of this sign that is stored or sent.
        loinc: Its code.
        label: Its name for people, a text of the catalogues.
        unit_label: Its unit for people; a text of the catalogues where it is not the same in all languages.
        decimals: How many of them a device shows.
        lasts: For so long a value tells how somebody is; an older one is shown as old. Pulse, breathing and
            oxygen come from sensors that measure all the time, the rest is taken by hand.
    """

    low: float
    high: float
    unit: str
    loinc: str
    label: str
    unit_label: str
    decimals: int
    lasts: timedelta


_MEASURED_ALWAYS = timedelta(minutes=15)
_BY_HAND = timedelta(hours=24)

SIGNS: dict[str, Sign] = {
    "hr": Sign(20, 300, "/min", "8867-4", N_("Pulse"), N_("/min"), 0, _MEASURED_ALWAYS),
    "rr": Sign(2, 80, "/min", "9279-1", N_("Breathing"), N_("/min"), 0, _MEASURED_ALWAYS),
    "spo2": Sign(40, 100, "%", "2708-6", N_("Oxygen"), "%", 0, _MEASURED_ALWAYS),
    "temp": Sign(25, 45, "Cel", "8310-5", N_("Temperature"), "°C", 1, _BY_HAND),
    "sbp": Sign(40, 300, "mm[Hg]", "8480-6", N_("Blood pressure, upper"), "mmHg", 0, _BY_HAND),
    "dbp": Sign(20, 200, "mm[Hg]", "8462-4", N_("Blood pressure, lower"), "mmHg", 0, _BY_HAND),
    "glucose": Sign(0.5, 60, "mmol/L", "15074-8", N_("Blood glucose"), "mmol/L", 1, _BY_HAND),
    "weight": Sign(20, 300, "kg", "29463-7", N_("Weight"), "kg", 1, timedelta(days=31)),
}
"""Every vital sign that a message may carry, by its key on the wire and its database column."""
