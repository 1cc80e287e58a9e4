"""What holds for every function, table and role of the database, whoever wrote its migration."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from database.connections import Connection, connect
from database.migrate import migrate
from database.roles import CONNECTIONS_SHARE, LOG_SETTINGS, OWNER, ROLES, connection_limits, secure
from deploy.local.postgres import MAX_CONNECTIONS
from tests.database.upgrade.make import client
from tests.servers import Database, DatabaseServer

SCHEMAS = ["care", "readings", "analytics", "scoped"]


@pytest.fixture(params=ROLES)
def role(request: pytest.FixtureRequest, database: Database) -> Iterator[Connection]:
    """Each of the roles in its turn."""
    urls = dict(zip(ROLES, (database.web_url, database.ingest_url, database.service_url), strict=True))
    with connect(urls[request.param], autocommit=True) as connection:
        yield connection


def names(connection: Connection, query: str) -> list[str]:
    return [row["name"] for row in connection.execute(query, {"schemas": SCHEMAS})]


def test_no_function_finds_what_its_caller_has_put_in_its_way(owner: Connection) -> None:
    """pg_temp is searched first unless it is named; all others belong to us or to PostgreSQL."""
    loose = names(
        owner,
        """
        SELECT oid::regprocedure::text AS name FROM pg_proc
        WHERE pronamespace::regnamespace::text = ANY (%(schemas)s)
          AND (prosecdef OR proconfig IS NOT NULL OR prorettype = 'trigger'::regtype)
          AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (proconfig), false)
        """,
    )
    assert loose == [], "SET search_path = pg_catalog, pg_temp"


def test_no_function_is_for_everybody(owner: Connection) -> None:
    public = names(
        owner,
        """
        SELECT pg_proc.oid::regprocedure::text AS name
        FROM pg_proc CROSS JOIN LATERAL aclexplode(coalesce(proacl, acldefault('f', proowner))) AS granted
        WHERE pronamespace::regnamespace::text = ANY (%(schemas)s) AND granted.grantee = 0
        """,
    )
    assert public == [], "REVOKE ALL ON FUNCTION … FROM PUBLIC"


def test_nothing_belongs_to_a_superuser(owner: Connection) -> None:
    powerful = names(
        owner,
        """
        WITH superuser AS (SELECT oid FROM pg_roles WHERE rolsuper)
        SELECT nspname::text AS name FROM pg_namespace
            WHERE nspname = ANY (%(schemas)s) AND nspowner IN (SELECT oid FROM superuser)
        UNION ALL SELECT oid::regclass::text FROM pg_class
            WHERE relnamespace::regnamespace::text = ANY (%(schemas)s || ARRAY['_timescaledb_internal'])
              AND relname !~ '^(bgw_|compressed_|job_)' AND relowner IN (SELECT oid FROM superuser)
              AND (relnamespace::regnamespace::text <> '_timescaledb_internal' OR relname ~ '^_hyper_')
        UNION ALL SELECT oid::regtype::text FROM pg_type
            WHERE typnamespace::regnamespace::text = ANY (%(schemas)s)
              AND typowner IN (SELECT oid FROM superuser)
        UNION ALL SELECT oid::regprocedure::text FROM pg_proc
            WHERE pronamespace::regnamespace::text = ANY (%(schemas)s)
              AND proowner IN (SELECT oid FROM superuser)
        """,
    )
    assert powerful == []


def test_the_roles_have_no_power_and_no_way_to_one_another(owner: Connection) -> None:
    rows = owner.execute(
        """
        SELECT rolname,
            rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication AS powerful,
            EXISTS (SELECT FROM pg_auth_members WHERE member = pg_roles.oid) AS member_of_others
        FROM pg_roles WHERE rolname LIKE 'anshou\\_%'
        """
    ).fetchall()
    assert {row["rolname"] for row in rows} == {OWNER, *ROLES}
    assert not any(row["powerful"] or row["member_of_others"] for row in rows)


def test_nobody_signs_in_as_the_owner(owner: Connection) -> None:
    row = owner.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", (OWNER,)).fetchone()
    assert row == {"rolpassword": None}


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TEMP TABLE mine (a int)",
        "CREATE FUNCTION pg_temp.probe() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE DOMAIN pg_temp.text AS pg_catalog.text",
        "CREATE SCHEMA mine",
        "CREATE TABLE public.mine (a int)",
        "CREATE TABLE care.mine (a int)",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT lo_create(0)",
    ],
)
def test_no_role_makes_anything_of_its_own(role: Connection, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        role.execute(statement)


@pytest.mark.parametrize(
    "call",
    [
        "pg_advisory_lock(1095652168, 7)",
        "pg_try_advisory_lock(1095652168, 7)",
        "pg_advisory_lock_shared(1095652168, 7)",
        "pg_advisory_xact_lock(1095652168, 7)",
        "pg_try_advisory_xact_lock_shared(7)",
        "pg_advisory_unlock_all()",
    ],
)
def test_the_pages_cannot_hold_a_duty(database: Database, call: str) -> None:
    with (
        connect(database.web_url, autocommit=True) as web,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        web.execute(f"SELECT {call}")


def test_pages_that_take_all_they_can_leave_room_for_intake(database: Database) -> None:
    held: list[psycopg.Connection[tuple[object, ...]]] = []
    try:
        with pytest.raises(psycopg.OperationalError, match="too many connections for role"):
            held.extend(psycopg.connect(database.web_url) for _ in range(MAX_CONNECTIONS))
        for url in (database.ingest_url, database.service_url, database.owner_url):
            connect(url).close()
    finally:
        for connection in held:
            connection.close()
    assert len(held) > 10


@pytest.mark.parametrize("connections", [20, 97, 497])
def test_all_roles_together_leave_connections_for_the_owner(connections: int) -> None:
    limits = connection_limits(connections)
    assert set(limits) == set(ROLES) == set(CONNECTIONS_SHARE)
    assert connections - sum(limits.values()) >= 3


def test_what_a_dump_does_not_carry_is_said_again(
    database_server: DatabaseServer, empty_database: str
) -> None:
    """As after a restore into a new database: the migrations are applied, the rest is lost."""
    migrate(empty_database)
    name = empty_database.rpartition("/")[2]
    with connect(empty_database, autocommit=True) as owner:
        owner.execute("ALTER TABLE care.alarm OWNER TO postgres")
        owner.execute("ALTER TABLE readings.vitals OWNER TO postgres")
        owner.execute("ALTER FUNCTION care.sign_out OWNER TO postgres")
        owner.execute("GRANT EXECUTE ON FUNCTION pg_advisory_lock(bigint) TO PUBLIC")
        owner.execute(sql.SQL("GRANT TEMPORARY ON DATABASE {} TO PUBLIC").format(sql.Identifier(name)))
        owner.execute("ALTER ROLE anshou_web CONNECTION LIMIT -1")
    assert migrate(empty_database) == []
    with connect(empty_database, autocommit=True) as owner:
        test_nothing_belongs_to_a_superuser(owner)
        row = owner.execute(
            """
            SELECT has_database_privilege('anshou_web', current_database(), 'TEMPORARY') AS makes,
                has_function_privilege('anshou_web', 'pg_advisory_lock(bigint)', 'EXECUTE') AS locks,
                (SELECT rolconnlimit FROM pg_roles WHERE rolname = 'anshou_web') AS connections
            """
        ).fetchone()
    assert row == {
        "makes": False,
        "locks": False,
        "connections": connection_limits(MAX_CONNECTIONS - 3)["anshou_web"],
    }
    web = database_server.cluster.url(name, "anshou_web", database_server.role_passwords["anshou_web"])
    with connect(web, autocommit=True) as connection:
        for setting, value in LOG_SETTINGS.items():
            row = connection.execute("SELECT current_setting(%s) AS value", (setting,)).fetchone()
            assert row == {"value": value}, setting


def test_an_administrator_s_own_limit_stays(empty_database: str) -> None:
    own = connection_limits(MAX_CONNECTIONS - 3)["anshou_service"] + 1
    migrate(empty_database)
    with connect(empty_database, autocommit=True) as owner:
        owner.execute(f"ALTER ROLE anshou_service CONNECTION LIMIT {own}")
        try:
            assert migrate(empty_database) == []
            row = owner.execute(
                "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'anshou_service'"
            ).fetchone()
            assert row == {"rolconnlimit": own}
        finally:
            owner.execute("ALTER ROLE anshou_service CONNECTION LIMIT -1")
            secure(owner)


def test_an_owner_without_power_is_told_what_is_not_done(
    database_server: DatabaseServer, empty_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    migrate(empty_database)
    name = empty_database.rpartition("/")[2]
    url = database_server.cluster.url(name, "anshou_web", database_server.role_passwords["anshou_web"])
    with connect(url, autocommit=True) as connection:
        secure(connection)
    assert "is no superuser" in caplog.text


# What leaves the database by other ways


def test_the_servers_log_holds_no_values(database_server: DatabaseServer, database: Database) -> None:
    """Neither what is bound to a statement, slow or failing, nor rows, nor what is typed by hand."""
    log = database_server.cluster.folder.parent / "postgres.log"
    secret = f"13{secrets.randbelow(10**9):09}"
    with connect(database.owner_url, autocommit=True) as owner:
        row = owner.execute(
            "INSERT INTO care.site (code, kind, name, township)"
            " VALUES ('h', 'care_home', 'n', 't') RETURNING id"
        ).fetchone()
        assert row is not None
        owner.execute("SET log_min_duration_statement = 0")
        owner.execute("SELECT %s::text AS slow_one", (secret,))
        owner.execute("SET log_min_duration_statement = -1")
        resident = (
            "INSERT INTO care.resident (site_id, name, sex, born_on, category, phone)"
            " VALUES ({site}, 'x', 'neither', '1940-01-01', 'private', {phone})"
        )
        with pytest.raises(psycopg.errors.CheckViolation):
            owner.execute(resident.format(site=row["id"], phone="%s"), (secret,))
        with pytest.raises(psycopg.errors.CheckViolation):
            owner.execute(resident.format(site=row["id"], phone=f"'{secret}'"))
    said = log.read_text(encoding="utf-8", errors="replace")
    assert "slow_one" in said, "the statement was not logged at all"
    assert "resident_sex_check" in said
    assert secret not in said


def test_a_dump_leaves_secrets_on_their_way_out(
    database_server: DatabaseServer, database: Database, tmp_path: Path
) -> None:
    """As docs/pairing.md says how to make one."""
    with connect(database.owner_url, autocommit=True) as owner:
        owner.execute("ALTER TABLE care.gateway_errand DROP CONSTRAINT gateway_errand_credential_id_fkey")
        owner.execute("INSERT INTO care.gateway_errand (credential_id, secret) VALUES (1, 'on its way')")
    dump = tmp_path / "dump.sql"
    options = ["--no-unlogged-table-data", "--schema=care", f"--file={dump}"]
    client(database_server, "pg_dump", [*options, database.owner_url])
    text = dump.read_text(encoding="utf-8")
    assert "CREATE UNLOGGED TABLE care.gateway_errand" in text
    assert "on its way" not in text
