"""The table of signs and what cannot be derived from it: a ninth sign fails here until it is everywhere."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dashboard.curves import DECIMALS
from database.connections import Connection
from database.queries import with_signs
from gateway.dialects import names
from protocol.model import VitalSigns
from protocol.signs import SIGNS

ROOT = Path(__file__).parents[2]
ROLLED_UP = ("sum", "count", "min", "max")


def test_a_message_has_a_field_for_each_sign_with_its_limits() -> None:
    fields = msgspec.inspect.type_info(VitalSigns).fields  # type: ignore[attr-defined]
    found = {
        field.encode_name: (limits.ge, limits.le)
        for field in fields
        if field.encode_name != "ts"
        for limits in field.type.types
        if isinstance(limits, msgspec.inspect.FloatType)
    }
    assert found == {key: (sign.low, sign.high) for key, sign in SIGNS.items()}
    assert list(found) == list(SIGNS)


def test_a_message_with_any_one_sign_is_not_empty() -> None:
    assert VitalSigns().is_empty()
    for key, sign in SIGNS.items():
        alone: dict[str, Any] = {key: sign.low}
        assert not VitalSigns(**alone).is_empty()
        assert VitalSigns(**alone).signs() == alone


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("readings.vitals", list(SIGNS)),
        ("readings.vitals_hourly", [f"{sign}_{what}" for sign in SIGNS for what in ROLLED_UP]),
        ("readings.vitals_daily", [f"{sign}_{what}" for sign in SIGNS for what in ROLLED_UP]),
        ("readings.resident_state", [f"{sign}{what}" for sign in SIGNS for what in ("", "_at")]),
    ],
)
def test_the_tables_have_the_columns_and_no_other_sign(
    owner: Connection, table: str, columns: list[str]
) -> None:
    """Also the views that the pages read."""
    schema, name = table.split(".")
    for one in (schema, "scoped"):
        rows = owner.execute(
            "SELECT column_name AS name FROM information_schema.columns"
            " WHERE table_schema = %s AND table_name = %s AND data_type IN ('real', 'double precision')"
            " OR table_schema = %s AND table_name = %s AND column_name LIKE ANY (%s)",
            (one, name, one, name, [f"{sign}\\_%" for sign in SIGNS]),
        )
        assert {row["name"] for row in rows} == set(columns), one


def test_charts_have_a_row_and_devices_a_word_for_each() -> None:
    script = (ROOT / "dashboard" / "static" / "js" / "plot.js").read_text(encoding="utf-8")
    drawn = set(re.findall(r'\["(\w+)", "#', script))
    assert drawn >= set(SIGNS)
    assert set(names._VITALS) == {f"vitals.{sign}" for sign in SIGNS}
    assert max(sign.decimals for sign in SIGNS.values()) <= DECIMALS


def test_queries_are_written_out_in_the_order_of_the_table() -> None:
    assert with_signs("SELECT {each sign: min($) AS $_min}") == "SELECT " + ", ".join(
        f"min({sign}) AS {sign}_min" for sign in SIGNS
    )
    assert with_signs("WHERE a AND {any sign: $ > 0}") == (
        "WHERE a AND (" + " OR ".join(f"{sign} > 0" for sign in SIGNS) + ")"
    )
    assert with_signs("{readings}.vitals") == "{readings}.vitals"


WRITTEN_OUT = {
    "protocol/signs.py": "the table",
    "protocol/abilities.py": "what each kind measures",
    "protocol/model.py": "the message, read by msgspec; compared above",
    "dashboard/static/js/plot.js": "colours; compared above",
    "gateway/dialects/names.py": "what makers call them; compared above",
    "simulator/person.py": "each is simulated in its own way",
    "simulator/vitals.py": "likewise",
    "simulator/sensors.py": "what each kind of device measures",
    "deploy/records/devices.py": "likewise, an example",
}


def test_nowhere_else_are_all_signs_written_out() -> None:
    found = {
        str(path.relative_to(ROOT))
        for path in sources()
        if not set(SIGNS) - set(re.findall(r"[a-z0-9]+", path.read_text(encoding="utf-8")))
    }
    assert found <= set(WRITTEN_OUT)


def sources() -> Iterator[Path]:
    """Every file of the product that could list them, but for migrations, which stay as they are."""
    for room in sorted(path.parent for path in ROOT.glob("*/__init__.py")):
        if room.name in {"tests", "benchmarks"}:
            continue
        for suffix in ("py", "sql", "js", "html"):
            for path in room.rglob(f"*.{suffix}"):
                if not {"migrations", "vendor"} & set(path.parts):
                    yield path
