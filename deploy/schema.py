"""The database brought up to date: migrations, and what TimescaleDB's edition offers."""

from database import edition
from database.connections import connect
from database.migrate import migrate


def bring_up_to_date(owner_url: str) -> list[str]:
    """Migrate, then switch on the columnstore where there is one; the names of the migrations applied."""
    applied = migrate(owner_url)
    with connect(owner_url, autocommit=True) as connection:
        edition.use_edition(connection)
    return applied
