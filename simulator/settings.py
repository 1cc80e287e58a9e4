"""Settings of the simulator, from the environment (`ANSHOU_SIMULATOR_…`)."""

from typing import Annotated

from msgspec import Meta, Struct

from simulator.county import DEFAULT_SEED

DEMO_INCIDENT_RATE = 2.0
"""Twice as much happens in the demonstration as in ordinary life, so that it has something to show."""


class Settings(Struct, frozen=True, kw_only=True):
    """What the simulator plays, and where to."""

    mqtt_url: str
    """Address of the broker (`protocol.broker`), as an account that may publish for all devices."""
    seed: Annotated[int, Meta(ge=0)] = DEFAULT_SEED
    """Which county. The care record must have been filled from the same seed."""
    speed: Annotated[float, Meta(gt=0, le=600)] = 1.0
    """Virtual minutes in a minute of the wall's clock."""
    incident_rate: Annotated[float, Meta(ge=0, le=100)] = DEMO_INCIDENT_RATE
    """Incidents and device failures as a multiple of ordinary life's."""
