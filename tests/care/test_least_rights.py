"""What somebody can do who holds the password of one role, and perhaps a session: tried, and refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import psycopg
import pytest

from alarms import incident
from alarms.incident import Report, Step
from alarms.kinds import AlarmKind, AlarmPriority, AlarmSource
from alarms.lifecycle import BY_PEOPLE, state_after
from alarms.model import Alarm, AlarmState, AlarmStep
from database.connections import Connection, connect
from identity.model import Actor
from identity.sessions import actor_of, scope_of, sign_in
from tests.care.conftest import PASSWORD, County
from tests.servers import Database

SOMEBODY_ELSE = Actor("刘护理", 2)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def web(database: Database) -> Iterator[Connection]:
    with connect(database.web_url, autocommit=True) as connection:
        yield connection


@contextmanager
def signed_in(web: Connection, username: str) -> Iterator[Connection]:
    with scope_of(web, sign_in(web, username, PASSWORD)):
        yield web


def sos(owner: Connection, county: County, *, elsewhere: bool = False) -> Alarm:
    resident = county.stranger if elsewhere else county.mother
    return incident.report(
        owner,
        Report(
            site_id=resident.site_id,
            resident_id=resident.id,
            kind=AlarmKind.SOS,
            happened_at=datetime.now(UTC),
            actor=Actor("an-sos1-0001"),
            source=AlarmSource.DEVICE,
        ),
    ).alarm


REFUSED = psycopg.errors.InsufficientPrivilege


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE care.alarm SET state = 'closed', ended_at = now() WHERE id = %(mine)s",
        "UPDATE care.alarm SET escalation_level = 9 WHERE id = %(mine)s",
        "SELECT id FROM care.alarm WHERE id = %(mine)s FOR UPDATE",
        (
            "INSERT INTO care.alarm_event (alarm_id, site_id, at, step, state_after, staff_id, actor)"
            " VALUES (%(mine)s, %(site)s, '2020-01-01', 'arrived', 'arrived', care.current_staff_id(), 'x')"
        ),
        (
            "INSERT INTO care.alarm_event (alarm_id, site_id, step, state_after, staff_id, actor)"
            " VALUES (%(foreign)s, %(site)s, 'arrived', 'arrived', care.current_staff_id(), 'Nobody')"
        ),
        "UPDATE care.alarm_move SET after = 'closed'",
        "INSERT INTO care.alarm_move VALUES ('cancelled', true, 'arrived', 'cancelled')",
    ],
)
def test_alarms_are_not_written_past_the_function(
    county: County, web: Connection, owner: Connection, statement: str
) -> None:
    given = {"mine": sos(owner, county).id, "foreign": sos(owner, county, elsewhere=True).id}
    with pytest.raises(REFUSED), signed_in(web, "wang"):
        web.execute(statement, {**given, "site": county.home.id})


def test_who_took_a_step_and_when_is_the_databases_to_say(
    county: County, web: Connection, owner: Connection
) -> None:
    alarm = sos(owner, county)
    before = datetime.now(UTC)
    with signed_in(web, "wang"):
        forged = Step(step=AlarmStep.ACKNOWLEDGED, actor=SOMEBODY_ELSE, done_at=LONG_AGO)
        taken = incident.take(web, alarm.id, forged).alarm
        incident.take(
            web, alarm.id, Step(step=AlarmStep.NOTED, actor=SOMEBODY_ELSE, note="x", done_at=LONG_AGO)
        )
    assert taken.acknowledged_by == county.caregiver.id
    assert taken.acknowledged_at is not None
    assert taken.acknowledged_at >= before
    for line in incident.timeline(owner, alarm.id)[1:]:
        assert (line.actor, line.staff_id) == (county.caregiver.name, county.caregiver.id)
        assert line.at >= before


def test_an_alarm_of_another_home_is_not_there(county: County, web: Connection, owner: Connection) -> None:
    foreign = sos(owner, county, elsewhere=True)
    with signed_in(web, "wang"):
        assert web.execute("SELECT * FROM care.lock_alarm(%s)", (foreign.id,)).fetchall() == []
        assert (
            web.execute(
                "SELECT * FROM care.take_step(%s, 'acknowledged', 'x', 1, NULL, NULL, NULL, NULL, '{}')",
                (foreign.id,),
            ).fetchall()
            == []
        )
    assert len(incident.timeline(owner, foreign.id)) == 1


def test_without_a_session_no_step_is_taken(county: County, web: Connection, owner: Connection) -> None:
    alarm = sos(owner, county)
    assert web.execute("SELECT * FROM care.lock_alarm(%s)", (alarm.id,)).fetchall() == []
    with pytest.raises(REFUSED):
        web.execute(
            "SELECT * FROM care.take_step(%s, 'acknowledged', 'x', 1, NULL, NULL, NULL, NULL, '{}')",
            (alarm.id,),
        )


@pytest.mark.parametrize(
    "step", sorted({*AlarmStep} - {AlarmStep.ACKNOWLEDGED, AlarmStep.CANCELLED, AlarmStep.NOTED})
)
def test_an_open_sos_moves_as_the_lifecycle_says(
    county: County, web: Connection, owner: Connection, step: AlarmStep
) -> None:
    alarm = sos(owner, county)
    with pytest.raises(psycopg.errors.CheckViolation), signed_in(web, "wang"):
        web.execute(
            "SELECT * FROM care.take_step(%s, %s, 'x', 1, NULL, 'x', 'x', NULL, '{}')", (alarm.id, step)
        )


def test_high_priority_is_not_closed_before_the_family_was_told(
    county: County, web: Connection, owner: Connection
) -> None:
    alarm = sos(owner, county)
    actor = actor_of(county.caregiver)
    for step in (AlarmStep.ACKNOWLEDGED, AlarmStep.ARRIVED, AlarmStep.RESOLVED):
        incident.take(owner, alarm.id, Step(step=step, actor=actor, note="x"))
    with pytest.raises(psycopg.errors.CheckViolation), signed_in(web, "wang"):
        web.execute(
            "SELECT * FROM care.take_step(%s, 'closed', 'x', 1, NULL, 'x', '', NULL, '{}')", (alarm.id,)
        )


def test_the_database_knows_the_same_moves_as_the_lifecycle(owner: Connection) -> None:
    rows = owner.execute("SELECT step, is_urgent, state, after FROM care.alarm_move").fetchall()
    known = {(row["step"], row["is_urgent"], row["state"]): row["after"] for row in rows}
    assert known == {
        (step, urgent, state): after
        for step in BY_PEOPLE | {AlarmStep.NOTED}
        for urgent in (False, True)
        for state in AlarmState
        if (after := state_after(step, state, AlarmPriority.HIGH if urgent else AlarmPriority.LOW))
        is not None
    }


def test_medium_priority_moves_as_low(owner: Connection) -> None:
    for step in BY_PEOPLE:
        for state in AlarmState:
            assert state_after(step, state, AlarmPriority.MEDIUM) == state_after(
                step, state, AlarmPriority.LOW
            )


def test_a_revoked_gateway_stays_revoked(county: County, web: Connection, owner: Connection) -> None:
    owner.execute(
        """
        WITH gateway AS (INSERT INTO care.device (site_id, name, kind, power)
            VALUES (%s, 'gateway-0001', 'gateway', 'mains') RETURNING id)
        INSERT INTO care.gateway_credential (device_id, username, secret_sha512, secret_salt,
            secret_iterations, revoked_at)
        SELECT gateway.id, name, decode(repeat('00', 64), 'hex'), '', 1, revoked_at
        FROM gateway
        CROSS JOIN (VALUES ('gateway-0001.1', now()), ('gateway-0001.2', NULL)) AS box (name, revoked_at)
        """,
        (county.home.id,),
    )
    undo = "UPDATE care.gateway_credential SET revoked_at = NULL, revoked_by = care.current_staff_id()"
    with signed_in(web, "county"):
        assert web.execute(f"{undo} WHERE revoked_at IS NOT NULL").rowcount == 0
        revoked = web.execute(
            "UPDATE care.gateway_credential SET revoked_at = '2020-01-01',"
            " revoked_by = care.current_staff_id() RETURNING username,"
            " revoked_at > now() - interval '1 minute' AS now"
        ).fetchall()
    assert revoked == [{"username": "gateway-0001.2", "now": True}]
    owner.execute("UPDATE care.gateway_credential SET revoked_at = NULL")
    row = owner.execute("SELECT count(*) FROM care.gateway_credential WHERE revoked_at IS NULL").fetchone()
    assert row == {"count": 0}


def proposal(owner: Connection, county: County) -> int:
    row = owner.execute(
        """
        WITH gateway AS (INSERT INTO care.device (site_id, name, kind, power)
            VALUES (%s, 'gateway-0001', 'gateway', 'mains') RETURNING id)
        INSERT INTO care.device_proposal (gateway_id, key, decided_at, refused_at)
        SELECT id, 'zigbee:1', NULL, NULL::timestamptz FROM gateway
        RETURNING gateway_id
        """,
        (county.home.id,),
    ).fetchone()
    assert row is not None
    return int(row["gateway_id"])


def test_what_a_gateway_hears_is_not_adopted_as_a_device_of_another_home(
    county: County, web: Connection, owner: Connection
) -> None:
    proposal(owner, county)
    row = owner.execute(
        "INSERT INTO care.device (site_id, name, kind, power) VALUES (%s, 'theirs', 'sos_button', 'battery')"
        " RETURNING id",
        (county.other_home.id,),
    ).fetchone()
    assert row is not None
    with pytest.raises(REFUSED), signed_in(web, "county"):
        web.execute(
            "UPDATE care.device_proposal SET device_id = %s, decided_by = care.current_staff_id()",
            (row["id"],),
        )


def test_a_decision_is_dated_by_the_database_and_not_taken_back(
    county: County, web: Connection, owner: Connection
) -> None:
    proposal(owner, county)
    with signed_in(web, "county"):
        row = web.execute(
            "UPDATE care.device_proposal SET refused_at = '2020-01-01', decided_at = '2020-01-01',"
            " decided_by = care.current_staff_id() RETURNING refused_at, decided_at, now() AS now"
        ).fetchone()
    assert row is not None
    assert row["refused_at"] >= row["now"]
    assert row["decided_at"] >= row["now"]
    with pytest.raises(REFUSED), signed_in(web, "county"):
        web.execute("UPDATE care.device_proposal SET refused_at = NULL, decided_by = care.current_staff_id()")


@pytest.mark.parametrize("during", ["[2020-01-01, infinity)", "[2020-01-01,)", "[2020-01-01, 2021-01-01)"])
def test_a_device_watches_somebody_from_now_on(
    county: County, web: Connection, owner: Connection, during: str
) -> None:
    owner.execute("DELETE FROM care.device_assignment")
    with pytest.raises(REFUSED), signed_in(web, "county"):
        web.execute(
            "INSERT INTO care.device_assignment (device_id, resident_id, during) VALUES (%s, %s, %s)",
            (county.button.device.id, county.mother.id, during),
        )


@pytest.mark.parametrize(
    "stem", ["gateway-0001|fall-radar", "(a+)+", "a.*", "", "-", "A", "a" * 41, "x-1", "a-b\n"]
)
def test_a_name_is_made_for_a_kind_only(county: County, web: Connection, stem: str) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        web.execute("SELECT care.next_device_name(%s)", (stem,))


PERSONAL = ("name", "phone", "family_contact", "notes")
SECRETS = {
    "care.staff": ("password_argon2",),
    "care.device": ("secret_sha512", "secret_salt", "secret_iterations"),
    "care.gateway_credential": ("secret_sha512", "secret_salt", "secret_iterations"),
    "care.pairing_code": ("code_scrypt", "box_sha256"),
    "care.session": ("token_sha256",),
    "care.decoy": ("secret",),
}


@pytest.mark.parametrize("column", PERSONAL)
def test_processes_read_nobodys_personal_data(county: County, database: Database, column: str) -> None:
    for url in (database.ingest_url, database.service_url):
        with connect(url, autocommit=True) as process, pytest.raises(REFUSED):
            process.execute(f"SELECT {column} FROM care.resident")


@pytest.mark.parametrize(
    ("table", "column"), [(table, column) for table in SECRETS for column in SECRETS[table]]
)
def test_nobody_but_the_owner_reads_a_hash(
    county: County, database: Database, table: str, column: str
) -> None:
    for url in (database.web_url, database.ingest_url, database.service_url):
        with connect(url, autocommit=True) as process, pytest.raises(REFUSED):
            process.execute(f"SELECT {column} FROM {table}")


def test_a_planted_type_does_not_run_as_the_owner(
    county: County, database: Database, owner: Connection
) -> None:
    """Even where temporary objects were allowed again, our functions do not look there first."""
    owner.execute("GRANT TEMPORARY ON DATABASE " + database.name + " TO PUBLIC")
    said: list[str] = []
    with connect(database.web_url, autocommit=True) as web:
        web.add_notice_handler(lambda notice: said.append(notice.message_primary or ""))
        web.execute(
            """
            CREATE FUNCTION pg_temp.probe(v pg_catalog.text) RETURNS pg_catalog.bool LANGUAGE plpgsql
            AS $$BEGIN RAISE NOTICE 'ran as %', current_user; RETURN true; END$$
            """
        )
        for name in ("text", "bytea", "jsonb", "int4", "int8", "timestamptz"):
            web.execute(f"CREATE DOMAIN pg_temp.{name} AS pg_catalog.{name} CHECK (pg_temp.probe('x'))")
        for call in (
            "care.sign_in('nobody', 'x', '1 hour', '1.2.3.4', NULL)",
            "care.redeem_pairing_code('\\x00', '1.2.3.4', 's', '\\x00', '\\x00', 1)",
            "care.rotate_gateway_secret('a', '\\x00', '1.2.3.4', 's', '\\x00', '\\x00', 1)",
            "care.confirm_gateway_secret('a', '\\x00', '1.2.3.4')",
            "care.password_parameters('x')",
            "care.next_device_name('gateway')",
            "care.lock_alarm(1)",
        ):
            web.execute(f"SELECT {call}")
    assert not [line for line in said if "ran as" in line and "anshou_web" not in line], said
