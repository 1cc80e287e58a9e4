"""Nobody sees what is not theirs, whatever SQL the web's role runs."""

from collections.abc import Iterator

import psycopg
import pytest

from database.connections import Connection, connect
from identity import sessions
from identity.secrets import hash_password
from identity.sessions import LockedError, NoSessionError, SignInError, scope_of, sign_in, sign_out
from tests.care.conftest import PASSWORD, County
from tests.servers import Database

SCOPED_TABLES = [
    "care.operator",
    "care.site",
    "care.room",
    "care.bed",
    "care.resident",
    "care.residence",
    "care.device_assignment",
    "care.staff_site",
    "care.alarm",
    "care.alarm_event",
    "care.alarm_signal",
    "care.alarm_feedback",
    "care.device_proposal",
    "care.gateway_credential",
    "care.pairing_code",
    "scoped.vitals",
    "scoped.activity",
    "scoped.device_status",
    "scoped.resident_state",
    "scoped.device_state",
    "scoped.dead_letter",
    "scoped.intake",
    "scoped.ingest_health",
]


@pytest.fixture
def web(database: Database) -> Iterator[Connection]:
    with connect(database.web_url, autocommit=True) as connection:
        yield connection


def codes_seen(web: Connection, username: str) -> set[str]:
    token = sign_in(web, username, PASSWORD)
    with scope_of(web, token):
        return {row["code"] for row in web.execute("SELECT code FROM care.site")}


def test_each_scope_sees_its_sites(county: County, web: Connection) -> None:
    assert codes_seen(web, "wang") == {"home-a"}
    assert codes_seen(web, "zhao") == {"home-b"}
    assert codes_seen(web, "town") == {"home-a", "house-1"}
    assert codes_seen(web, "manager") == {"home-b"}
    assert codes_seen(web, "county") == {"home-a", "home-b", "house-1"}


def test_without_a_session_there_is_nothing(county: County, web: Connection, owner: Connection) -> None:
    owner.execute("INSERT INTO readings.vitals (time, device_id, resident_id, hr) VALUES (now(), 1, 1, 70)")
    for table in SCOPED_TABLES:
        row = web.execute(f"SELECT count(*) FROM {table}").fetchone()
        assert row == {"count": 0}, table


def test_a_forged_or_ended_token_shows_nothing(county: County, web: Connection) -> None:
    token = sign_in(web, "county", PASSWORD)
    sign_out(web, token)
    for wrong in (token, "", "0" * 64, "county"):
        with pytest.raises(NoSessionError), scope_of(web, wrong):
            pass


def test_readings_are_seen_through_the_scope(county: County, web: Connection, owner: Connection) -> None:
    for resident in (county.mother, county.stranger):
        owner.execute(
            "INSERT INTO readings.vitals (time, device_id, resident_id, hr) VALUES (now(), %s, %s, 70)",
            (resident.id, resident.id),
        )
    with scope_of(web, sign_in(web, "wang", PASSWORD)):
        seen = web.execute("SELECT resident_id FROM scoped.vitals").fetchall()
    assert seen == [{"resident_id": county.mother.id}]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM readings.vitals",
        "SELECT * FROM care.session",
        "SELECT * FROM care.sign_in_attempt",
        "SELECT password_argon2 FROM care.staff",
        "SELECT secret_sha512 FROM care.device",
        "SET ROLE anshou_service",
        "SET row_security = off; SELECT * FROM care.resident",
        "ALTER TABLE care.resident DISABLE ROW LEVEL SECURITY",
        "UPDATE care.resident SET site_id = 1",
        "UPDATE care.alarm SET site_id = 1",
        "DELETE FROM care.alarm",
        "UPDATE care.alarm_event SET note = 'x'",
        "UPDATE care.staff SET scope = 'county'",
        "INSERT INTO care.staff_site VALUES (1, 2)",
        (
            "INSERT INTO care.alarm (site_id, kind, priority, source, raised_at, last_signal_at)"
            " VALUES (1, 'sos', 'high', 'staff', now(), now())"
        ),
    ],
)
def test_the_webs_role_cannot_step_outside(county: County, web: Connection, statement: str) -> None:
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        scope_of(web, sign_in(web, "wang", PASSWORD)),
    ):
        web.execute(statement)


def test_a_wrong_password_and_a_wrong_name_are_told_alike(county: County, web: Connection) -> None:
    with pytest.raises(SignInError) as wrong_password:
        sign_in(web, "wang", "not the password")
    with pytest.raises(SignInError) as wrong_name:
        sign_in(web, "nobody", PASSWORD)
    assert str(wrong_password.value) == str(wrong_name.value)


def test_parameters_of_unknown_names_look_real_and_stay_the_same(
    county: County, web: Connection, owner: Connection
) -> None:
    owner.execute(
        "UPDATE care.staff SET password_argon2 = %s WHERE username = 'wang'", (hash_password(PASSWORD),)
    )

    def parameters(name: str) -> str:
        row = web.execute("SELECT care.password_parameters(%s) AS value", (name,)).fetchone()
        assert row is not None
        return str(row["value"])

    real, decoy = parameters("wang"), parameters("nobody")
    assert decoy == parameters("nobody") != parameters("somebody")
    assert [len(part) for part in real.split("$")] == [len(part) for part in decoy.split("$")]
    assert real.split("$")[:4] == decoy.split("$")[:4]


def guess(web: Connection, username: str, address: str, times: int) -> None:
    for _ in range(times):
        with pytest.raises(SignInError):
            sign_in(web, username, "not the password", address=address)


def test_guessing_locks_the_guesser_out_and_nobody_else(county: County, web: Connection) -> None:
    guess(web, "wang", "192.0.2.1", 5)
    with pytest.raises(LockedError) as locked:
        sign_in(web, "wang", PASSWORD, address="192.0.2.1")
    assert 0 < int(str(locked.value.params["wait_s"])) <= 30
    assert sign_in(web, "liu", PASSWORD, address="192.0.2.1"), "who sits beside the guesser"
    assert sign_in(web, "wang", PASSWORD, address="192.0.2.2"), "whose name it was"


def test_a_lock_grows_and_a_right_password_ends_the_count(
    county: County, web: Connection, owner: Connection
) -> None:
    def wait_s() -> int:
        with pytest.raises(LockedError) as locked:
            sign_in(web, "wang", PASSWORD, address="192.0.2.1")
        return int(str(locked.value.params["wait_s"]))

    guess(web, "wang", "192.0.2.1", 5)
    waits = []
    for _ in range(6):
        waits.append(wait_s())
        owner.execute("UPDATE care.sign_in_attempt SET at = at - interval '301 seconds'")
        guess(web, "wang", "192.0.2.1", 1)
    assert [round(wait, -1) for wait in waits] == [30, 60, 120, 240, 300, 300]
    owner.execute("UPDATE care.sign_in_attempt SET at = at - interval '301 seconds'")
    assert sign_in(web, "wang", PASSWORD, address="192.0.2.1")
    guess(web, "wang", "192.0.2.1", 4)
    assert sign_in(web, "wang", PASSWORD, address="192.0.2.1")


@pytest.mark.parametrize(
    ("guesser", "neighbour"), [("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8:0:1::1")]
)
def test_name_after_name_from_one_address_is_slowed(
    county: County, web: Connection, guesser: str, neighbour: str
) -> None:
    assert sign_in(web, "liu", PASSWORD, address=guesser)
    refused_at = None
    for number in range(200):
        try:
            sign_in(web, f"name{number}", PASSWORD, address=guesser)
        except LockedError:
            refused_at = number
            break
        except SignInError:
            pass
    assert refused_at == 30
    with pytest.raises(LockedError):
        sign_in(web, "wang", PASSWORD, address=guesser)
    assert sign_in(web, "liu", PASSWORD, address=guesser), "who has signed in from there before"
    assert sign_in(web, "wang", PASSWORD, address=neighbour)


def test_a_home_s_ipv6_addresses_are_one_place(county: County, web: Connection) -> None:
    guess(web, "wang", "2001:db8::1", 5)
    with pytest.raises(LockedError):
        sign_in(web, "wang", PASSWORD, address="2001:db8::2")
    with pytest.raises(LockedError):
        guess(web, "liu", "192.0.2.1", 5)
        sign_in(web, "liu", PASSWORD, address="::ffff:192.0.2.1")


def test_staff_who_left_are_out_at_once(county: County, web: Connection, owner: Connection) -> None:
    token = sign_in(web, "wang", PASSWORD)
    owner.execute("UPDATE care.staff SET left_at = now() WHERE username = 'wang'")
    with pytest.raises(NoSessionError), scope_of(web, token):
        pass
    with pytest.raises(SignInError):
        sign_in(web, "wang", PASSWORD)


def test_the_language_is_kept(county: County, web: Connection) -> None:
    token = sign_in(web, "wang", PASSWORD)
    with scope_of(web, token):
        sessions.choose_language(web, "en")
    with scope_of(web, token) as staff:
        assert staff.language == "en"
