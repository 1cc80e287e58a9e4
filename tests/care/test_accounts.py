"""Accounts: passwords, roles and scopes, sessions, and how people are locked out."""

from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from care import registry
from database.connections import Connection, connect
from database.errors import ConflictError, InvalidError, NotFoundError, translated_errors
from identity import accounts, passwords, sessions
from identity.model import SCOPES, ScopeKind, StaffRole
from identity.passwords import require_acceptable
from identity.secrets import hash_password
from identity.sessions import LockedError, NoSessionError, SignInError, scope_of, sign_in
from tests.care.conftest import CHEAP_HASHER, PASSWORD, County
from tests.servers import Database

ANOTHER = "three green lanterns"


@pytest.fixture
def web(database: Database) -> Iterator[Connection]:
    with connect(database.web_url, autocommit=True) as connection:
        yield connection


def is_signed_in(web: Connection, token: str) -> bool:
    try:
        with scope_of(web, token):
            return True
    except NoSessionError:
        return False


# Passwords


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "12345678",
        "password",
        "anshou-demo",
        "anshou-demo-2026",
        "password1234",
        "Password2024!!",
        "P@ssw0rd123456",
        "qwertyuiop[]",
        "1qaz2wsx3edc",
        "aaaaaaaaaaaaaaaa",
        "abababababababab",
        "123456123456",
        "woaini5201314",
        "wang.xiulan",
        "wang.xiulan1949",
        "王秀兰王秀兰王秀兰王秀兰",
        "13812345678.",
        "安守养老安守养老123",
        "a" * 300,
        "correct horse\nbattery",
        "correct horse\0battery",
    ],
)
def test_what_anybody_would_try_is_no_password(password: str) -> None:
    with pytest.raises(InvalidError):
        require_acceptable(password, "wang.xiulan", "王秀兰", "13812345678")


@pytest.mark.parametrize(
    "password",
    [
        PASSWORD,
        "correct horse",
        ANOTHER,
        "晚上十点去看李奶奶的猫咪睡了吗",
        "Xk7-vq2_Lm9pRt4e",
        "password of my grandmother",
    ],
)
def test_a_phrase_is_one(password: str) -> None:
    require_acceptable(password, "wang.xiulan", "王秀兰")


@given(st.text(max_size=300), st.text(max_size=20))
def test_any_text_is_taken_or_refused(password: str, name: str) -> None:
    try:
        require_acceptable(password, name)
    except InvalidError:
        return
    assert passwords.LENGTH_MIN <= len(password) <= passwords.LENGTH_MAX


def test_the_form_takes_what_may_be_chosen() -> None:
    from dashboard.sign_in.page import PASSWORD_LENGTH_MAX

    assert passwords.LENGTH_MAX == PASSWORD_LENGTH_MAX


def test_what_is_kept_is_no_key(county: County, web: Connection, owner: Connection) -> None:
    row = owner.execute("SELECT password_argon2 AS kept FROM care.staff WHERE username = 'county'").fetchone()
    assert row is not None
    tried = web.execute(
        "SELECT token FROM care.sign_in('county', %s, '1 hour', '192.0.2.7', NULL)", (row["kept"],)
    ).fetchone()
    assert tried == {"token": None}
    assert sign_in(web, "county", PASSWORD)


def test_python_and_the_database_keep_the_same(owner: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = CHEAP_HASHER.hash(PASSWORD)

    class Once:
        @staticmethod
        def hash(_password: str) -> str:
            return hashed

    kept = hash_password(PASSWORD, Once)  # type: ignore[arg-type]
    row = owner.execute("SELECT care.kept_password(%s) AS kept", (hashed,)).fetchone()
    assert row == {"kept": kept}
    assert kept != hashed


# Roles and scopes


def test_the_database_knows_the_same_scopes_of_roles(owner: Connection) -> None:
    rows = owner.execute("SELECT role, scope FROM care.role_scope").fetchall()
    assert {(row["role"], row["scope"]) for row in rows} == {
        (role, scope) for role, scopes in SCOPES.items() for scope in scopes
    }
    assert set(SCOPES) == set(StaffRole)


@pytest.mark.parametrize("role", StaffRole)
def test_a_role_has_no_other_scope(county: County, owner: Connection, role: StaffRole) -> None:
    for scope in set(ScopeKind) - SCOPES[role]:
        with pytest.raises(InvalidError, match=f"a {role} sees"):
            registry.add_staff(
                owner,
                username="new",
                name="新来的",
                role=role,
                password=PASSWORD,
                scope=scope,
                township="青石镇" if scope is ScopeKind.TOWNSHIP else None,
                operator="kangle" if scope is ScopeKind.OPERATOR else None,
                sites=("home-a",) if scope is ScopeKind.SITE else (),
                hasher=CHEAP_HASHER,
            )


def test_nor_has_it_past_the_code(county: County, owner: Connection) -> None:
    with pytest.raises(ConflictError), translated_errors():
        owner.execute("UPDATE care.staff SET scope = 'county' WHERE username = 'wang'")


def test_who_is_recorded_otherwise_can_still_be_disabled(county: County, owner: Connection) -> None:
    owner.execute("ALTER TABLE care.staff DROP CONSTRAINT role_and_scope_go_together")
    owner.execute("UPDATE care.staff SET scope = 'county' WHERE username = 'wang'")
    owner.execute(
        "ALTER TABLE care.staff ADD CONSTRAINT role_and_scope_go_together"
        " FOREIGN KEY (role, scope) REFERENCES care.role_scope NOT VALID"
    )
    assert accounts.disable(owner, "wang").left_at is not None


# Sessions


def test_a_session_that_nobody_uses_ends(county: County, web: Connection, owner: Connection) -> None:
    token = sign_in(web, "wang", PASSWORD)
    owner.execute("UPDATE care.session SET used_at = now() - interval '59 minutes'")
    assert is_signed_in(web, token)
    row = owner.execute("SELECT used_at > now() - interval '1 minute' AS used FROM care.session").fetchone()
    assert row == {"used": True}
    owner.execute("UPDATE care.session SET used_at = now() - interval '61 minutes'")
    assert not is_signed_in(web, token)
    assert accounts.sessions_of(owner, "wang") == []


def test_using_it_does_not_make_it_longer(county: County, web: Connection, owner: Connection) -> None:
    token = sign_in(web, "wang", PASSWORD)
    owner.execute("UPDATE care.session SET expires_at = now() - interval '1 second'")
    assert not is_signed_in(web, token)


def test_requests_at_once_do_not_wait_for_each_other(
    county: County, database: Database, web: Connection, owner: Connection
) -> None:
    token = sign_in(web, "wang", PASSWORD)
    owner.execute("UPDATE care.session SET used_at = now() - interval '30 minutes'")
    with connect(database.web_url, autocommit=True) as other, scope_of(web, token):
        other.execute("SET lock_timeout = '2s'")
        assert is_signed_in(other, token)


def test_people_see_and_end_their_own_sessions_only(
    county: County, web: Connection, owner: Connection
) -> None:
    here, there = sign_in(web, "wang", PASSWORD), sign_in(web, "wang", PASSWORD)
    foreign = sign_in(web, "zhao", PASSWORD)
    theirs = accounts.sessions_of(owner, "zhao")[0].id
    with scope_of(web, here):
        mine = sessions.own_sessions(web)
        assert [one.is_this for one in mine] == [False, True]
        assert not sessions.end_own_session(web, theirs)
        assert sessions.end_own_session(web, mine[0].id)
    assert (is_signed_in(web, here), is_signed_in(web, there), is_signed_in(web, foreign)) == (
        True,
        False,
        True,
    )
    assert web.execute("SELECT * FROM care.own_sessions()").fetchall() == []


def test_a_new_password_of_ones_own_ends_the_other_sessions(
    county: County, web: Connection, owner: Connection
) -> None:
    here, there = sign_in(web, "wang", PASSWORD), sign_in(web, "wang", PASSWORD)
    with scope_of(web, here) as person:
        with pytest.raises(SignInError):
            sessions.change_own_password(web, person, "not the password", ANOTHER)
        with pytest.raises(InvalidError):
            sessions.change_own_password(web, person, PASSWORD, "password1234")
        sessions.change_own_password(web, person, PASSWORD, ANOTHER)
    assert (is_signed_in(web, here), is_signed_in(web, there)) == (True, False)
    assert sign_in(web, "wang", ANOTHER)
    with pytest.raises(SignInError):
        sign_in(web, "wang", PASSWORD)


def test_the_present_password_is_not_guessed_at_an_open_desk(
    county: County, web: Connection, owner: Connection
) -> None:
    token = sign_in(web, "wang", PASSWORD)
    for _ in range(10):
        with scope_of(web, token) as person, pytest.raises(SignInError):
            sessions.change_own_password(web, person, "not the password", ANOTHER)
    with scope_of(web, token) as person, pytest.raises(LockedError):
        sessions.change_own_password(web, person, PASSWORD, ANOTHER)


@pytest.mark.parametrize("kept", ["", "x", "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$short", "$argon2i$v=19$x"])
def test_what_is_no_password_is_not_kept(county: County, web: Connection, kept: str) -> None:
    with (
        pytest.raises(psycopg.errors.InvalidParameterValue),
        scope_of(web, sign_in(web, "wang", PASSWORD)),
    ):
        web.execute("SELECT care.change_own_password('x', %s)", (kept,))


# Locking somebody out


def test_a_password_that_is_set_ends_every_session(
    county: County, web: Connection, owner: Connection
) -> None:
    token = sign_in(web, "wang", PASSWORD)
    with pytest.raises(InvalidError):
        accounts.set_password(owner, "wang", "wang-wang-wang-2026", CHEAP_HASHER)
    assert is_signed_in(web, token)
    accounts.set_password(owner, "wang", ANOTHER, CHEAP_HASHER)
    assert not is_signed_in(web, token)
    assert sign_in(web, "wang", ANOTHER)


def test_a_disabled_account_is_out_at_once_and_may_come_back(
    county: County, web: Connection, owner: Connection
) -> None:
    token = sign_in(web, "wang", PASSWORD)
    first = accounts.disable(owner, "wang")
    assert accounts.disable(owner, "wang").left_at == first.left_at
    assert not is_signed_in(web, token)
    with pytest.raises(SignInError):
        sign_in(web, "wang", PASSWORD)
    assert accounts.enable(owner, "wang").left_at is None
    assert not is_signed_in(web, token), "what has ended stays ended"
    assert sign_in(web, "wang", PASSWORD)


def test_sessions_are_listed_and_ended(county: County, web: Connection, owner: Connection) -> None:
    token = sign_in(web, "wang", PASSWORD)
    (one,) = accounts.sessions_of(owner, "wang")
    assert one.expires_at - one.opened_at > timedelta(hours=11)
    assert accounts.end_sessions(owner, "wang") == 1
    assert not is_signed_in(web, token)


def test_an_account_that_is_not_there_is_told(owner: Connection) -> None:
    with pytest.raises(NotFoundError):
        accounts.disable(owner, "nobody")


# What is forgotten


def test_attempts_are_forgotten_after_a_while(county: County, database: Database, owner: Connection) -> None:
    for table, column in (("sign_in_attempt", "username"), ("pairing_attempt", "address")):
        owner.execute(
            f"INSERT INTO care.{table} (at, {column}, succeeded)"
            " SELECT now() - make_interval(days => n), 'x', false FROM generate_series(0, 199) AS n"
        )
    with connect(database.ingest_url, autocommit=True) as ingest:
        counts = [
            ingest.execute("SELECT care.forget_attempts('90 days', 100) AS n").fetchone() for _ in range(3)
        ]
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            ingest.execute("SELECT care.forget_attempts('1 hour', 100)")
    assert counts == [{"n": 200}, {"n": 20}, {"n": 0}]
