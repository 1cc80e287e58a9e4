"""The table of kinds is whole, and everything that repeats it says the same."""

import re
from collections import Counter
from enum import StrEnum
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alarms.feedback import Verdict
from alarms.kinds import FINDERS, KIND_FOUND_BY, KINDS, RULES, AlarmKind, AlarmPriority, AlarmSource
from alarms.model import AlarmState, AlarmStep
from alarms.reasons import Reason
from alarms.rules import Watch
from database.connections import Connection
from protocol.model import SignalKind, SignalState

ROOT = Path(__file__).parents[2]
DETECTORS = (ROOT / "docs" / "detectors.md").read_text(encoding="utf-8").partition("## Every minute")[2]
ROW = re.compile(r"^\| (?:<a id=\"\w+\"></a>)?`(\w+)`[^|]* \| ([^|]+) \|", re.MULTILINE)


def test_every_kind_has_one_row() -> None:
    assert tuple(KINDS) == tuple(AlarmKind)
    assert len({row.words for row in KINDS.values()}) == len(KINDS)
    assert len({row.icon for row in KINDS.values()}) == len(KINDS)
    assert all(row.raised_by and row.first for row in KINDS.values())


@given(st.sampled_from(SignalKind))
def test_what_a_device_can_say_is_a_kind_that_devices_raise(signal: SignalKind) -> None:
    assert AlarmSource.DEVICE in KINDS[AlarmKind(signal)].raised_by


@given(st.sampled_from(AlarmKind))
def test_who_may_raise_a_kind_is_who_can(kind: AlarmKind) -> None:
    row = KINDS[kind]
    assert (AlarmSource.DEVICE in row.raised_by) is (str(kind) in {str(signal) for signal in SignalKind})
    if AlarmSource.DETECTOR in row.raised_by:
        assert row.finders
    # What only devices and people raise may still be graded.
    assert not row.finders or AlarmSource.DETECTOR in row.raised_by or kind is AlarmKind.FALL


def test_every_reason_is_offered_somewhere() -> None:
    offered = {
        reason for row in KINDS.values() for reason in (*row.reasons.confirming, *row.reasons.refuting)
    }
    assert set(Reason) - offered == {Reason.OVER_ON_ARRIVAL, Reason.NOT_LOOKED, Reason.OTHER}


def test_a_detector_stands_in_one_row() -> None:
    assert set(Counter(one.name for row in KINDS.values() for one in row.finders).values()) == {1}
    assert set(FINDERS) == set(KIND_FOUND_BY)


def test_what_can_be_set_for_a_person_is_what_has_a_rule() -> None:
    assert set(RULES) == set(Watch) == {name for name, finder in FINDERS.items() if finder.rule}


def test_the_documented_detectors_are_those_of_the_table() -> None:
    told = {(name, re.findall(r"`(\w+)`", what)[0]) for name, what in ROW.findall(DETECTORS)}
    assert told == {(name, str(kind)) for name, kind in KIND_FOUND_BY.items()}


@pytest.mark.parametrize("name", sorted(KIND_FOUND_BY))
def test_the_documented_priority_is_the_usual_one(name: str) -> None:
    told = [what for named, what in ROW.findall(DETECTORS) if named == name]
    if told[0].startswith("grades"):
        return  # it adds to what a device has raised, and keeps its priority
    usual = KINDS[KIND_FOUND_BY[name]].priority
    assert usual in {re.findall(r"`, (\w+)", what)[0] for what in told}


ENUMS: dict[str, type[StrEnum]] = {
    "care.alarm_priority": AlarmPriority,
    "care.alarm_state": AlarmState,
    "care.alarm_step": AlarmStep,
}


@pytest.mark.parametrize("name", sorted(ENUMS))
def test_the_database_knows_the_same_members(owner: Connection, name: str) -> None:
    row = owner.execute("SELECT enum_range(NULL::" + name + ")::text[] AS members").fetchone()
    assert row is not None
    assert row["members"] == list(ENUMS[name])


@pytest.mark.parametrize(
    ("table", "column", "members"),
    [
        ("care.alarm", "source", AlarmSource),
        ("care.alarm_signal", "state", SignalState),
        ("care.alarm_feedback", "verdict", Verdict),
    ],
)
def test_the_database_checks_the_same_members(
    owner: Connection, table: str, column: str, members: type[StrEnum]
) -> None:
    row = owner.execute(
        "SELECT pg_get_constraintdef(oid) AS rule FROM pg_constraint WHERE contype = 'c'"
        " AND conrelid = %s::regclass AND conkey = ARRAY["
        "(SELECT attnum FROM pg_attribute WHERE attrelid = conrelid AND attname = %s)]",
        (table, column),
    ).fetchone()
    assert row is not None
    assert set(re.findall(r"'(\w+)'::text", row["rule"])) == set(members)


def test_queries_name_kinds_that_there_are() -> None:
    rooms = ("alarms", "analytics", "care", "dashboard", "ingest")
    files = [file for room in rooms for file in Path(str(resources.files(room))).rglob("sql/*.sql")]
    named = {
        kind for file in files for kind in re.findall(r"\balarm\.kind = '(\w+)'", file.read_text("utf-8"))
    }
    assert named
    assert named <= set(AlarmKind)
