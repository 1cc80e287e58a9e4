"""One-time codes: bound to the centre, used once, guessed never; secrets renewed without a gap."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import partial

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from care import pairing
from care.model import Site
from care.pairing import NotAllowedError, PairingLockedError, PairingRefusedError
from database.connections import Connection, connect
from database.errors import InvalidError, NotFoundError
from identity.model import Staff
from identity.sessions import scope_of, sign_in
from protocol.enrolment import ALPHABET, CodeError, PairingCode, new_secret
from tests.care.conftest import PASSWORD, County
from tests.servers import Database

AUTHORITY = b"a" * 32
BOX = "198.51.100.7"

Scope = Callable[[str], AbstractContextManager[Staff]]


@pytest.fixture
def web(database: Database) -> Iterator[Connection]:
    with connect(database.web_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def scope(web: Connection) -> Scope:
    return lambda username: scope_of(web, sign_in(web, username, PASSWORD))


@pytest.fixture
def code(web: Connection, county: County, scope: Scope) -> str:
    return make(web, scope, county.home)


def make(web: Connection, scope: Scope, site: Site, by: str = "county", **options: int | timedelta) -> str:
    with scope(by) as staff:
        made = pairing.make_code(
            web,
            site_id=site.id,
            fingerprint=AUTHORITY,
            staff_id=staff.id,
            **options,  # type: ignore[arg-type]
        )
    return str(made.code)


def tell_broker(owner: Connection) -> None:
    """As ingest does, once the broker knows."""
    owner.execute("DELETE FROM care.gateway_errand")
    owner.execute("UPDATE care.gateway_credential SET told_at = now() WHERE told_at IS NULL")


def valid(owner: Connection) -> list[int]:
    rows = owner.execute("SELECT id FROM care.gateway_credential WHERE revoked_at IS NULL ORDER BY id")
    return [row["id"] for row in rows]


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_a_code_fits_its_own_centre(own: bytes, other: bytes) -> None:
    code = PairingCode.make(own)
    assert PairingCode.parse(str(code)) == code
    assert code.fits(own)
    assert PairingCode.parse(str(code).lower().replace("-", " ").replace("0", "o").replace("1", "l")) == code
    changed = sum(PairingCode(f"{number:08}", code.check).fits(own) for number in range(50))
    assert changed <= 2, "the check follows from the secret: another secret does not go with it"
    if other != own:
        assert sum(PairingCode.make(own).fits(other) for _ in range(5)) <= 1


@pytest.mark.parametrize("typed", ["", "K7QM-2XRD", "K7QM-2XRD-9FT!", "中文中文中文中文中文中文", "A" * 500])
def test_what_is_no_code_is_said_to_be_none(typed: str) -> None:
    with pytest.raises(CodeError, match="is not a pairing code"):
        PairingCode.parse(typed)


def test_codes_differ() -> None:
    secrets = {PairingCode.make(AUTHORITY).secret for _ in range(1000)}
    assert len(secrets) == 1000
    assert set("".join(secrets)) == set(ALPHABET)


def test_a_box_becomes_a_gateway(web: Connection, owner: Connection, county: County, code: str) -> None:
    secret = new_secret()
    credential = pairing.redeem(web, code, secret, BOX)
    enrolled = pairing.enrolment(web, credential)
    assert (enrolled.site, enrolled.gateway, enrolled.told) == ("home-a", "gateway-0001", False)
    assert enrolled.username == f"gateway-0001.{credential}"
    tell_broker(owner)
    assert pairing.enrolment(web, credential).told
    row = owner.execute("SELECT used_from, made_by, code_scrypt FROM care.pairing_code").fetchone()
    assert row is not None
    assert (row["used_from"], row["made_by"]) == (BOX, county.supervisor.id)
    assert code.replace("-", "").encode() not in row["code_scrypt"]


def test_an_answer_that_was_lost_can_be_asked_for_again(
    web: Connection, owner: Connection, code: str
) -> None:
    secret = new_secret()
    first = pairing.redeem(web, code, secret, BOX)
    assert pairing.redeem(web, code, secret, BOX) == first
    owner.execute("DELETE FROM care.gateway_errand")  # a crash: the table is in no log
    assert pairing.redeem(web, code, secret, BOX) == first
    row = owner.execute("SELECT secret FROM care.gateway_errand").fetchone()
    assert row == {"secret": secret}


def test_a_code_is_used_once(web: Connection, owner: Connection, code: str) -> None:
    pairing.redeem(web, code, new_secret(), BOX)
    with pytest.raises(PairingRefusedError):
        pairing.redeem(web, code, new_secret(), BOX)
    assert owner.execute("SELECT count(*) FROM care.device WHERE kind = 'gateway'").fetchone() == {"count": 1}


def test_an_expired_code_is_refused(web: Connection, owner: Connection, code: str) -> None:
    owner.execute(
        "UPDATE care.pairing_code SET expires_at = now() - interval '1 s', made_at = now() - interval '1 min'"
    )
    with pytest.raises(PairingRefusedError):
        pairing.redeem(web, code, new_secret(), BOX)


def test_guesses_are_throttled(web: Connection, code: str) -> None:
    for _ in range(5):
        with pytest.raises(PairingRefusedError):
            pairing.redeem(web, str(PairingCode.make(AUTHORITY)), new_secret(), BOX)
    with pytest.raises(PairingLockedError):
        pairing.redeem(web, code, new_secret(), BOX)
    assert pairing.redeem(web, code, new_secret(), "198.51.100.8"), "others are not locked out by that"


def test_guesses_from_many_addresses_shut_no_box_out(web: Connection, owner: Connection, code: str) -> None:
    secret, next_secret = new_secret(), new_secret()
    guessed(owner, *(f"a{number}" for number in range(200)))
    paired = pairing.redeem(web, code, secret, BOX)
    tell_broker(owner)
    username = pairing.enrolment(web, paired).username
    # Not even from behind the address of somebody who guesses.
    guessed(owner, *([BOX] * 9))
    assert pairing.confirm(web, username, secret, BOX) == paired
    renewed = pairing.rotate(web, username, secret, next_secret, BOX)
    tell_broker(owner)
    assert pairing.confirm(web, pairing.enrolment(web, renewed).username, next_secret, BOX) == renewed
    with pytest.raises(PairingLockedError):
        pairing.confirm(web, username, new_secret(), BOX)
    with pytest.raises(PairingLockedError):
        pairing.rotate(web, username, new_secret(), new_secret(), BOX)


def guessed(owner: Connection, *addresses: str) -> None:
    owner.execute(
        "INSERT INTO care.pairing_attempt (address, succeeded) SELECT unnest(%s::text[]), false",
        (list(addresses),),
    )


def test_who_makes_codes(web: Connection, owner: Connection, county: County, scope: Scope) -> None:
    make(web, scope, county.home, by="town")
    with pytest.raises(NotAllowedError):
        make(web, scope, county.home, by="wang")
    with pytest.raises(NotFoundError):
        make(web, scope, county.home, by="manager")
    owner.execute("UPDATE care.staff SET role = 'home_director' WHERE username = 'wang'")
    make(web, scope, county.home, by="wang")
    with pytest.raises(NotFoundError):
        make(web, scope, county.other_home, by="wang")
    with pytest.raises(InvalidError):
        make(web, scope, county.home, valid_for=timedelta(hours=2))


def test_a_new_secret_replaces_the_old_only_when_it_works(
    web: Connection, owner: Connection, code: str
) -> None:
    first, second, third = new_secret(), new_secret(), new_secret()
    old = pairing.redeem(web, code, first, BOX)
    tell_broker(owner)
    old_name = pairing.enrolment(web, old).username
    new = pairing.rotate(web, old_name, first, second, BOX)
    tell_broker(owner)
    assert valid(owner) == [old, new]
    newer = pairing.rotate(web, old_name, first, third, BOX)
    tell_broker(owner)
    assert valid(owner) == [old, newer], "what was never used makes way"
    newer_name = pairing.enrolment(web, newer).username
    pairing.confirm(web, newer_name, third, BOX)
    assert valid(owner) == [newer]
    for attempt in (
        partial(pairing.rotate, web, old_name, first, new_secret(), BOX),
        partial(pairing.rotate, web, newer_name, first, new_secret(), BOX),
        partial(pairing.confirm, web, "gateway-9999.1", first, BOX),
    ):
        with pytest.raises(PairingRefusedError):
            attempt()


def test_a_box_is_replaced(
    web: Connection, owner: Connection, county: County, scope: Scope, code: str
) -> None:
    stolen = pairing.redeem(web, code, new_secret(), BOX)
    tell_broker(owner)
    gateway = owner.execute("SELECT id FROM care.device WHERE kind = 'gateway'").fetchone()
    assert gateway is not None
    with scope("county") as staff:
        assert pairing.revoke(web, gateway["id"], staff.id) == 1
    with pytest.raises(PairingRefusedError):
        pairing.enrolment(web, stolen)
    again = make(web, scope, county.home, replaces_id=gateway["id"])
    new = pairing.redeem(web, again, new_secret(), BOX)
    assert pairing.enrolment(web, new).gateway == "gateway-0001"
    assert valid(owner) == [new]
    with pytest.raises(NotFoundError):
        make(web, scope, county.household, replaces_id=gateway["id"])


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM care.gateway_errand",
        "SELECT secret_sha512 FROM care.gateway_credential",
        "SELECT code_scrypt FROM care.pairing_code",
        "SELECT * FROM care.pairing_attempt",
        "SELECT care.add_gateway_credential(1, 'x', ''::bytea, ''::bytea, 1)",
        "UPDATE care.pairing_code SET expires_at = now()",
        "UPDATE care.gateway_credential SET told_at = now()",
        "INSERT INTO care.device (site_id, name, kind, secret_salt) VALUES (1, 'x', 'siren', '')",
    ],
)
def test_the_web_reads_no_secret_and_makes_none(
    county: County, web: Connection, scope: Scope, statement: str
) -> None:
    with scope("county"), pytest.raises(psycopg.errors.InsufficientPrivilege):
        web.execute(statement)


def test_a_caregiver_adds_nothing_whatever_the_page_does(
    county: County, web: Connection, scope: Scope
) -> None:
    insert = "INSERT INTO care.device (site_id, name, kind, power) VALUES (%s, 'x', 'siren', 'mains')"
    with scope("wang"), pytest.raises(psycopg.errors.InsufficientPrivilege), web.transaction():
        web.execute(insert, (county.home.id,))
    with scope("town"), pytest.raises(psycopg.errors.InsufficientPrivilege), web.transaction():
        web.execute(insert, (county.other_home.id,))
