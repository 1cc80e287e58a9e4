from pathlib import Path

from care import db, schema
from tests.servers import Database


def test_everything_is_applied_once(database: Database) -> None:
    assert db.pending_migrations(database.owner_url) == []
    assert db.migrate(database.owner_url) == []


def test_migrating_an_empty_database_applies_all_in_order(empty_database: str) -> None:
    pending = db.pending_migrations(empty_database)
    assert pending[0] == "0001_care_record"
    assert pending == sorted(pending)
    assert db.migrate(empty_database) == pending


def test_the_documented_schema_is_what_the_migrations_make(empty_database: str) -> None:
    db.migrate(empty_database)
    with db.connect(empty_database) as connection:
        described = schema.describe(connection)
    documented = (Path(__file__).parents[2] / "docs" / "schema.md").read_text(encoding="utf-8")
    assert documented == described, "run: anshou migrate --document docs/schema.md"
