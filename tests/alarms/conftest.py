"""A small county for alarms, and the role that writes them."""

from collections.abc import Iterator

import pytest

from database.connections import Connection, connect
from tests.care.conftest import county as county
from tests.care.conftest import population as population
from tests.servers import Database


@pytest.fixture
def service(database: Database) -> Iterator[Connection]:
    with connect(database.service_url, autocommit=True) as connection:
        yield connection
