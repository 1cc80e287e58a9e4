"""Who may take which step, by page and by program; and that the database judges as the table says."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from alarms.incident import timeline
from alarms.kinds import AlarmKind
from alarms.model import AlarmPriority, AlarmState, AlarmStep
from dashboard.steps import buttons
from database.connections import Connection, connect
from identity import sessions
from identity.model import SCOPES, StaffRole
from identity.rights import RIGHTS, Right, may
from tests.care.conftest import PASSWORD, County
from tests.dashboard.conftest import sign_in
from tests.dashboard.ward import Ward
from tests.servers import Database

HTMX = {"HX-Request": "true"}
WORDS = {"note": "看过了", "told_at": "10:42", "told_way": "phone", "told_person": "女儿李梅"}
PROGRAM_WORDS = {"note": "看过了", "family_notice": {"at": "10:42", "way": "phone", "person": "女儿李梅"}}
BEFORE = {
    AlarmStep.ACKNOWLEDGED: AlarmState.OPEN,
    AlarmStep.ARRIVED: AlarmState.ACKNOWLEDGED,
    AlarmStep.RESOLVED: AlarmState.ARRIVED,
    AlarmStep.CLOSED: AlarmState.RESOLVED,
    AlarmStep.CANCELLED: AlarmState.OPEN,
    AlarmStep.NOTED: AlarmState.OPEN,
}


def as_role(owner: Connection, role: StaffRole) -> None:
    """wang, of home-a, gets another function; the scope stays, so that the row is seen in any case."""
    owner.execute("ALTER TABLE care.staff DROP CONSTRAINT role_and_scope_go_together")
    owner.execute("UPDATE care.staff SET role = %s WHERE username = 'wang'", (role,))


@pytest.mark.parametrize("by_program", [True, False], ids=["program", "page"])
@pytest.mark.parametrize("role", StaffRole)
def test_every_function_takes_its_steps_and_no_other(
    caregiver: TestClient, owner: Connection, ward: Ward, role: StaffRole, *, by_program: bool
) -> None:
    alarm = ward.alarm(owner, 0, AlarmKind.SOS)
    as_role(owner, role)
    for step, state in BEFORE.items():
        owner.execute("UPDATE care.alarm SET state = %s, ended_at = NULL WHERE id = %s", (state, alarm.id))
        before = len(timeline(owner, alarm.id))
        if by_program:
            answer = caregiver.post(f"/api/alarms/{alarm.id}/steps/{step}", json=PROGRAM_WORDS)
        elif step is AlarmStep.NOTED:
            answer = caregiver.post(f"/alarms/{alarm.id}/notes", headers=HTMX, data=WORDS)
        else:
            answer = caregiver.post(f"/alarms/{alarm.id}/steps/{step}", headers=HTMX, data=WORDS)
        allowed = may(role, Right(step))
        assert answer.status_code == (200 if allowed else 403), (step, answer.text)
        assert len(timeline(owner, alarm.id)) == before + allowed


@pytest.mark.parametrize("role", StaffRole)
def test_pages_and_programs_show_what_may_be_taken(
    caregiver: TestClient, owner: Connection, ward: Ward, role: StaffRole
) -> None:
    ward.alarm(owner, 0, AlarmKind.SOS)
    as_role(owner, role)
    card = caregiver.get("/desk/alarms").text
    shown = {step for step in AlarmStep if f'data-step="{step}"' in card}
    listed = caregiver.get("/api/alarms").json()["alarms"][0]["steps"]
    expected = set(buttons(AlarmState.OPEN, AlarmPriority.HIGH, role))
    assert shown == set(listed) == expected
    assert bool(expected) is may(role, Right.ACKNOWLEDGE)


@pytest.mark.parametrize(
    ("state", "step", "body"),
    [
        (AlarmState.OPEN, AlarmStep.CANCELLED, {}),
        (AlarmState.OPEN, AlarmStep.CANCELLED, {"note": " \n"}),
        (AlarmState.ARRIVED, AlarmStep.RESOLVED, {}),
        (AlarmState.ARRIVED, AlarmStep.RESOLVED, {"note": None}),
        (AlarmState.OPEN, AlarmStep.NOTED, {}),
        (AlarmState.RESOLVED, AlarmStep.CLOSED, {"note": "好了"}),
        (
            AlarmState.RESOLVED,
            AlarmStep.CLOSED,
            {"family_notice": {"at": " ", "way": "phone", "person": "x"}},
        ),
        (AlarmState.RESOLVED, AlarmStep.CLOSED, {"family_notice": {"at": "1", "way": "fax", "person": "x"}}),
        (AlarmState.RESOLVED, AlarmStep.CLOSED, {"family_notice": "x"}),
        (AlarmState.OPEN, AlarmStep.RAISED, {}),
    ],
)
def test_a_program_owes_the_same_words_as_a_person(
    caregiver: TestClient,
    owner: Connection,
    ward: Ward,
    state: AlarmState,
    step: AlarmStep,
    body: dict[str, object],
) -> None:
    alarm = ward.alarm(owner, 0, AlarmKind.SOS)
    owner.execute("UPDATE care.alarm SET state = %s WHERE id = %s", (state, alarm.id))
    answer = caregiver.post(f"/api/alarms/{alarm.id}/steps/{step}", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["message"]
    assert len(timeline(owner, alarm.id)) == 1


def test_what_is_missing_is_named(caregiver: TestClient, owner: Connection, ward: Ward) -> None:
    alarm = ward.alarm(owner, 0, AlarmKind.SOS)
    answer = caregiver.post(f"/api/alarms/{alarm.id}/steps/cancelled", json={})
    assert answer.json()["error"]["detail"]["missing"] == "reason"
    assert "请写明" in answer.json()["error"]["message"]


@pytest.fixture
def web(database: Database) -> Iterator[Connection]:
    with connect(database.web_url, application="test") as connection:
        yield connection


@pytest.mark.parametrize("role", StaffRole)
@pytest.mark.parametrize(
    ("right", "function"),
    [
        (Right.MANAGE_DEVICES, "manages_devices"),
        (Right.SET_DETECTORS, "sets_detectors"),
        (Right.SET_POLICY, "sets_policy"),
    ],
)
def test_the_database_judges_as_the_table_says(
    owner: Connection, web: Connection, county: County, role: StaffRole, right: Right, function: str
) -> None:
    [scope] = SCOPES[role]
    owner.execute(
        "UPDATE care.staff SET role = %(role)s, scope = %(scope)s::care.scope_kind,"
        " township = CASE WHEN %(scope)s::text = 'township' THEN '青石镇' END,"
        " operator_id = CASE WHEN %(scope)s::text = 'operator' THEN (SELECT min(id) FROM care.operator) END"
        " WHERE username = 'wang'",
        {"role": role, "scope": scope},
    )
    with web.transaction():
        token = sessions.sign_in(web, "wang", PASSWORD)
    with sessions.scope_of(web, token):
        row = web.execute(f"SELECT care.{function}() AS may").fetchone()
    assert row is not None
    assert row["may"] is may(role, right)


def test_every_function_has_its_row() -> None:
    assert set(RIGHTS) == set(SCOPES) == set(StaffRole)


def test_a_person_of_the_county_sees_an_alarm_and_no_button(
    visitor: TestClient, owner: Connection, ward: Ward
) -> None:
    alarm = ward.alarm(owner, 0, AlarmKind.SOS)
    owner.execute("UPDATE care.staff SET role = 'county_supervisor' WHERE username = 'county'")
    page = sign_in(visitor, "county").get(f"/alarms/{alarm.id}").text
    assert "紧急呼救" in page
    assert "data-step=" not in page
