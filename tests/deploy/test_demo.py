"""The demonstration county in the real database."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from care.model import SiteKind
from care.registry import add_operator, add_site, add_staff
from database.connections import connect
from database.errors import ConflictError
from deploy.county.accounts import accounts_of
from deploy.county.known import DEMO_PASSWORD, USERNAMES, end_known
from deploy.demo import populate
from identity.model import ScopeKind, StaffRole
from simulator.county import plan_county
from simulator.person import Condition
from simulator.plan import County
from tests.servers import Database, DatabaseServer


@pytest.fixture(scope="module")
def county() -> County:
    return plan_county(11, care_homes=2, day_centres=1, households=20)


@pytest.fixture(scope="module")
def filled(database_server: DatabaseServer, county: County) -> Iterator[Database]:
    """A database with the county in it; the tests only read."""
    with database_server.clone() as database:
        populate(database.owner_url, county=county)
        yield database


@contextmanager
def connected(database: Database) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with database.connect() as connection:
        yield connection


def count(database: Database, what: str) -> int:
    with connected(database) as connection:
        row = connection.execute(f"SELECT count(*) FROM {what}").fetchone()
    assert row is not None
    assert isinstance(row[0], int)
    return row[0]


def test_everything_planned_is_recorded(filled: Database, county: County) -> None:
    assert count(filled, "care.site") == len(county.sites)
    assert count(filled, "care.room") == len(county.rooms)
    assert count(filled, "care.resident") == len(county.subjects)
    assert count(filled, "care.device") == len(county.devices)
    assert count(filled, "care.bed") == len(county.subjects)
    assert count(filled, "care.resident WHERE spo2_scale = 2") == sum(
        Condition.HYPERCAPNIA in subject.traits.conditions for subject in county.subjects
    )
    with connected(filled) as connection:
        levels = connection.execute("SELECT self_care_level::text FROM care.resident ORDER BY id").fetchall()
    assert [level for (level,) in levels] == [subject.traits.self_care for subject in county.subjects]


def test_only_gateways_of_whole_sites_watch_nobody(filled: Database) -> None:
    unassigned = (
        "care.device LEFT JOIN care.device_assignment ON device_id = device.id "
        "WHERE device_id IS NULL AND kind <> 'gateway'"
    )
    assert count(filled, unassigned) == 0


def test_the_last_day_is_there_and_nothing_was_refused(filled: Database, county: County) -> None:
    assert count(filled, "readings.dead_letter") == 0
    with connected(filled) as connection:
        row = connection.execute(
            "SELECT min(time) > now() - interval '25 hours', min(time) < now() - interval '23 hours',"
            " max(time) > now() - interval '5 minutes', max(time) <= now() FROM readings.vitals"
        ).fetchone()
    assert row == (True, True, True, True)
    for table in ("readings.vitals", "readings.activity"):
        hours = f"(SELECT DISTINCT date_trunc('hour', time) FROM {table}) AS hours"
        assert count(filled, hours) >= 24
    heard = count(filled, "readings.device_state")
    assert heard > 0.98 * len(county.devices)
    assert count(filled, "readings.resident_state WHERE activity IS NOT NULL OR hr IS NOT NULL") == len(
        county.subjects
    )


def test_few_mains_devices_look_offline(filled: Database) -> None:
    mains = "care.device JOIN readings.device_state ON device_id = device.id WHERE power = 'mains'"
    silent = count(filled, f"{mains} AND last_seen_at < now() - interval '10 minutes'")
    assert silent <= 0.03 * count(filled, mains)


def test_a_second_call_changes_nothing(filled: Database, county: County) -> None:
    tables = ("care.site", "care.device", "care.staff", "care.alarm", "readings.vitals", "readings.activity")
    before = [count(filled, table) for table in tables]
    begun_s = time.monotonic()
    accounts = populate(filled.owner_url, county=county)
    assert time.monotonic() - begun_s < 2
    assert accounts == populate(filled.owner_url, county=county)
    assert [count(filled, table) for table in tables] == before


def test_an_interrupted_call_is_made_up_for(database: Database) -> None:
    """The record is there but not the day: as after a kill between the two transactions."""
    county = plan_county(12, care_homes=1, day_centres=0, households=3)
    populate(database.owner_url, county=county)
    with database.connect() as connection:
        connection.execute("DELETE FROM readings.device_state")
        connection.execute("DELETE FROM readings.vitals")
    populate(database.owner_url, county=county)
    assert count(database, "readings.vitals") > 100
    assert count(database, "readings.dead_letter") == 0


def test_accounts_see_what_is_theirs_and_no_more(filled: Database, county: County) -> None:
    seen: dict[str, int] = {}
    for account in populate(filled.owner_url, county=county):
        with connected(filled) as connection, connection.transaction():
            # The person is signed in by hand: hashing is the web's business and tested there.
            connection.execute(
                "INSERT INTO care.session (token_sha256, staff_id, expires_at)"
                " SELECT sha256(convert_to(%s, 'UTF8')), id, now() + interval '1 minute'"
                " FROM care.staff WHERE username = %s",
                (account.username, account.username),
            )
            connection.execute("SELECT set_config('anshou.session', %s, true)", (account.username,))
            connection.execute("SET LOCAL ROLE anshou_web")
            row = connection.execute("SELECT count(*) FROM care.site").fetchone()
            assert row is not None
            assert isinstance(row[0], int)
            seen[account.username] = row[0]
        assert account.password == DEMO_PASSWORD
    assert seen["county"] == len(county.sites)
    assert seen["caregiver1"] == seen["director"] == 1
    assert seen["carer"] == 8
    assert 0 < seen["operator1"] < len(county.sites)
    assert 0 < seen["township"] < len(county.sites)
    assert seen["assistant"] >= 1


def test_alarms_stand_in_several_states(filled: Database) -> None:
    states = "(SELECT DISTINCT state FROM care.alarm) AS states"
    assert count(filled, states) >= 4
    assert 1 <= count(filled, "care.alarm WHERE ended_at IS NULL") <= 24
    assert count(filled, "care.alarm WHERE opened_at > now() OR ended_at > now()") == 0
    assert count(filled, "care.alarm_event WHERE at > now()") == 0
    assert count(filled, "care.alarm_event") > count(filled, "care.alarm")


def test_a_taken_name_is_refused_and_nothing_stays_half_done(database: Database, county: County) -> None:
    with connect(database.owner_url) as connection:
        add_operator(connection, code="mine", name="我的")
        add_site(connection, code="home-01", kind=SiteKind.CARE_HOME, name="我的家", township="镇")
    with pytest.raises(ConflictError):
        populate(database.owner_url, county=county)
    assert count(database, "care.site") == 1
    assert count(database, "care.operator") == 1


def test_without_the_demonstration_nobody_signs_in_with_its_password(database: Database) -> None:
    county = plan_county(14, care_homes=1, day_centres=0, households=3)
    people = {person.username for person in populate(database.owner_url, county=county)}
    with connect(database.owner_url) as connection:
        for username in ("caregiver7", "li.mei"):
            add_staff(
                connection,
                username=username,
                name="李梅",
                role=StaffRole.COUNTY_SUPERVISOR,
                password="their own, and long",
                scope=ScopeKind.COUNTY,
            )
        connection.execute(
            "INSERT INTO care.session (token_sha256, staff_id, expires_at)"
            " SELECT sha256(username::bytea), id, now() + interval '1 hour' FROM care.staff"
        )
        assert set(end_known(connection)) == people
        assert end_known(connection) == []
        connection.commit()
    assert names(database, "care.staff WHERE left_at IS NULL") == {"caregiver7", "li.mei"}
    assert count(database, "care.session") == 2
    populate(database.owner_url, county=county)
    assert people < names(database, "care.staff WHERE left_at IS NULL"), "they are back"


def names(database: Database, what: str) -> set[str]:
    with connected(database) as connection:
        return {str(name) for (name,) in connection.execute(f"SELECT username FROM {what}")}


def test_every_account_of_a_demonstration_is_known() -> None:
    usernames = [person.username for person in accounts_of(plan_county())]
    assert [name for name in usernames if not re.fullmatch(USERNAMES, name)] == []
