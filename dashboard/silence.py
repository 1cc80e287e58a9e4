"""From when on a device that is not heard counts as offline."""

from collections.abc import Mapping
from datetime import timedelta

from protocol.model import PowerSource

SILENT_AFTER: Mapping[PowerSource, timedelta] = {
    PowerSource.MAINS: timedelta(minutes=10),
    PowerSource.BATTERY: timedelta(hours=25),
}
"""After this silence a device counts as offline."""

SILENT_AFTER_PARAMS: Mapping[str, timedelta] = {
    f"{power}_silent_after": after for power, after in SILENT_AFTER.items()
}
"""The same as parameters of queries: `mains_silent_after` and `battery_silent_after`."""
