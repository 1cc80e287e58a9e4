import pytest

from simulator.county import plan_county
from simulator.plan import County
from simulator.story import Story

SEED = 7
DAY = 20_780
"""A Wednesday in November 2026."""


@pytest.fixture(scope="session")
def county() -> County:
    return plan_county(SEED, care_homes=3, day_centres=1, households=60)


@pytest.fixture(scope="session")
def story(county: County) -> Story:
    return Story(county)


@pytest.fixture(scope="session")
def quiet_story(county: County) -> Story:
    """Nothing goes wrong with anybody or anything; people still fall ill."""
    return Story(county, incident_rate=0)
