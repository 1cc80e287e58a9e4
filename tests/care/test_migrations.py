from pathlib import Path

from database import schema
from database.connections import connect
from database.migrate import migrate, pending_migrations
from tests.servers import Database


def test_everything_is_applied_once(database: Database) -> None:
    assert pending_migrations(database.owner_url) == []
    assert migrate(database.owner_url) == []


def test_migrating_an_empty_database_applies_all_in_order(empty_database: str) -> None:
    pending = pending_migrations(empty_database)
    assert pending[0] == "0001_care_record"
    assert pending == sorted(pending)
    assert migrate(empty_database) == pending


def test_the_documented_schema_is_what_the_migrations_make(empty_database: str) -> None:
    migrate(empty_database)
    with connect(empty_database) as connection:
        described = schema.describe(connection)
    documented = (Path(__file__).parents[2] / "docs" / "schema.md").read_text(encoding="utf-8")
    assert documented == described, "run: anshou migrate --document docs/schema.md"
