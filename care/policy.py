"""What the county has decided, and where it stands: after how long, how much, at which hours.

These are the figures that one county wants otherwise than another, and that more than one room goes by. They
stand in the database, whole in each revision; the latest holds. Analytics reads them once a round, pages with
each request, and SQL through `care.effective_policy` and `care.device_silence`. Nobody keeps a figure of
their own beside them.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta
from psycopg import sql

from database.connections import Connection
from database.errors import ConflictError, DomainError, InvalidError, translated_errors
from database.queries import queries
from database.record import Record

_sql = queries("care", "sql/policy.sql")

CHANNEL = "anshou_policy"
"""Each revision is notified here."""
CHANGES_MAX = 50
NIGHT_H_MIN, NIGHT_H_MAX = 2, 14
DEEP_NIGHT_H = 2
"""The hour that begins at two o'clock is night, whatever else is."""


class Policy(Record, frozen=True, kw_only=True):
    """The values, with what is usual and the limits of each.

    Attributes:
        device_silence_mains_s: A device on mains that was silent for so long counts as offline.
        device_silence_battery_s: So for one with a battery.
        device_silence_on_demand_s: So for one that speaks only when somebody uses it: cuff, thermometer, tag.
        battery_low_percent: A battery of at most so much is low.
        night_from_h: Local hour from which on beds and doors are watched for who gets up or goes out,
        night_to_h: and until which.
        bed_exit_s: After how long out of bed at night somebody should look.
        wandering_s: How long after a door at night nothing was seen inside.
        no_turning_s: How long somebody who cannot turn may lie without being turned.
        absence_days: Without any sign for so many days somebody is hardly living there.
        absence_red_days: So many days for the subsidised: the limit of the authorities.
        bed_unused_nights: A bed that nobody lay in for so many nights is unused.
        answer_within_s: An alarm should be acknowledged within so long.
        arrive_within_s: Somebody should be with the person within so long.
    """

    device_silence_mains_s: Annotated[int, Meta(ge=120, le=86_400, multiple_of=60)] = 600
    device_silence_battery_s: Annotated[int, Meta(ge=3_600, le=7 * 86_400, multiple_of=3_600)] = 25 * 3_600
    device_silence_on_demand_s: Annotated[int, Meta(ge=86_400, le=30 * 86_400, multiple_of=86_400)] = (
        7 * 86_400
    )
    battery_low_percent: Annotated[int, Meta(ge=5, le=50)] = 10
    night_from_h: Annotated[int, Meta(ge=0, le=23)] = 22
    night_to_h: Annotated[int, Meta(ge=0, le=23)] = 4
    bed_exit_s: Annotated[int, Meta(ge=300, le=4 * 3_600, multiple_of=60)] = 1_800
    wandering_s: Annotated[int, Meta(ge=120, le=2 * 3_600, multiple_of=60)] = 600
    no_turning_s: Annotated[int, Meta(ge=3_600, le=6 * 3_600, multiple_of=60)] = 3 * 3_600
    absence_days: Annotated[int, Meta(ge=1, le=14)] = 3
    absence_red_days: Annotated[int, Meta(ge=1, le=40)] = 15
    bed_unused_nights: Annotated[int, Meta(ge=1, le=40)] = 7
    answer_within_s: Annotated[int, Meta(ge=15, le=600)] = 60
    arrive_within_s: Annotated[int, Meta(ge=120, le=7_200, multiple_of=60)] = 900

    @property
    def absence_s(self) -> int:
        """`absence_days` in seconds."""
        return self.absence_days * 86_400


class Limit(NamedTuple):
    """What a value may be: from `low` to `high` in whole `step`s, and what is usual."""

    low: int
    high: int
    step: int
    usual: int


class Standing(NamedTuple):
    """What holds now, and as which revision: whoever changes it says which one they have seen."""

    policy: Policy
    revision: int


class Change(Record, frozen=True, kw_only=True):
    """A value that somebody has changed."""

    revision: int
    at: datetime
    actor: str
    name: str
    old: int
    new: int


class Problem(StrEnum):
    """What can be wrong with a value."""

    NO_NUMBER = "no_number"
    TOO_LOW = "too_low"
    TOO_HIGH = "too_high"
    UNEVEN = "uneven"
    NOT_AFTER = "not_after"
    NO_NIGHT = "no_night"


class PolicyError(InvalidError):
    """Values that break the rules; `problems` says which, and how."""

    def __init__(self, problems: Mapping[str, Problem]) -> None:
        super().__init__("; ".join(_told(name, problem) for name, problem in problems.items()))
        self.problems = problems


class UnknownValueError(InvalidError):
    """A name that no value of the policy has."""


class MayNotSetPolicyError(DomainError):
    """Who is signed in may not change the policy."""

    code = "may_not_set_policy"


def _limits() -> Mapping[str, Limit]:
    kind = msgspec.inspect.type_info(Policy)
    assert isinstance(kind, msgspec.inspect.StructType)
    found = {}
    for field in kind.fields:
        of = field.type
        assert isinstance(of, msgspec.inspect.IntType) and of.ge is not None and of.le is not None
        found[field.name] = Limit(of.ge, of.le, of.multiple_of or 1, field.default)
    return found


LIMITS: Mapping[str, Limit] = _limits()
"""Of each value, in the order of `Policy`."""

ORDERED = (
    ("device_silence_mains_s", "device_silence_battery_s"),
    ("device_silence_battery_s", "device_silence_on_demand_s"),
    ("absence_days", "absence_red_days"),
    ("answer_within_s", "arrive_within_s"),
)
"""Of each pair the first must not be more than the second."""


def effective(connection: Connection) -> Policy:
    """What holds now."""
    return standing(connection).policy


def standing(connection: Connection) -> Standing:
    """What holds now, with its revision."""
    row = connection.execute(_sql["effective"]).fetchone()
    assert row is not None, "the first revision came with the schema, and none is ever removed"
    return Standing(Policy.from_row(row), row["revision"])


def may_set(connection: Connection) -> bool:
    """Whether who is signed in may change it."""
    row = connection.execute(_sql["may_set"]).fetchone()
    return row is not None and bool(row["may"])


def require_setter(connection: Connection) -> None:
    """MayNotSetPolicyError unless who is signed in may change it."""
    if not may_set(connection):
        raise MayNotSetPolicyError("only supervisors of the county change the policy")


def changes(connection: Connection) -> list[Change]:
    """The last changes, the newest first, at most CHANGES_MAX."""
    return [Change.from_row(row) for row in connection.execute(_sql["changes"], {"limit": CHANGES_MAX})]


def last_changes(connection: Connection) -> Mapping[str, Change]:
    """Of each value that was ever changed the last change."""
    return {row["name"]: Change.from_row(row) for row in connection.execute(_sql["last_changes"])}


def problems_of(values: Mapping[str, int]) -> Mapping[str, Problem]:
    """What is wrong with a whole set of values; empty when nothing is."""
    found = {name: problem for name, limit in LIMITS.items() if (problem := _problem_of(values[name], limit))}
    for first, second in ORDERED:
        if not {first, second} & found.keys() and values[first] > values[second]:
            found[second] = Problem.NOT_AFTER
    from_h, to_h = values["night_from_h"], values["night_to_h"]
    if not {"night_from_h", "night_to_h"} & found.keys():
        length_h = (to_h - from_h) % 24
        if not NIGHT_H_MIN <= length_h <= NIGHT_H_MAX or (DEEP_NIGHT_H - from_h) % 24 >= length_h:
            found["night_to_h"] = Problem.NO_NIGHT
    return found


def put(connection: Connection, wanted: Mapping[str, int], *, seen: int, by: str | None = None) -> Standing:
    """Set some values, the others stay; what holds afterwards. To want what holds already changes nothing.

    Args:
        connection: Of who is signed in, or the owner's.
        wanted: The values by name.
        seen: The revision that they had before their eyes.
        by: Whose name is kept, where nobody is signed in.

    Raises:
        MayNotSetPolicyError: They are not supervisors of the county.
        UnknownValueError: There is no value of such a name.
        PolicyError: A value breaks a rule.
        ConflictError: Somebody else has changed the policy meanwhile.
    """
    if unknown := wanted.keys() - LIMITS.keys():
        raise UnknownValueError(f"no value of the policy: {', '.join(sorted(unknown))}")
    if by is None:
        require_setter(connection)
    policy, revision = standing(connection)
    if revision != seen:
        raise _changed_meanwhile(seen)
    values = {**msgspec.structs.asdict(policy), **wanted}
    if problems := problems_of(values):
        raise PolicyError(problems)
    if values == msgspec.structs.asdict(policy):
        return Standing(policy, revision)
    row: dict[str, int | str] = {"revision": seen + 1, **values, **({} if by is None else {"actor": by})}
    statement = sql.SQL("INSERT INTO care.policy ({}) VALUES ({})").format(
        sql.SQL(", ").join(map(sql.Identifier, row)), sql.SQL(", ").join(map(sql.Placeholder, row))
    )
    try:
        with translated_errors():
            connection.execute(statement, row)
    except ConflictError as error:
        raise _changed_meanwhile(seen) from error
    return standing(connection)


def _changed_meanwhile(seen: int) -> ConflictError:
    return ConflictError(f"the policy was changed after revision {seen}", missing="seen")


def _problem_of(value: int, limit: Limit) -> Problem | None:
    if value < limit.low:
        return Problem.TOO_LOW
    if value > limit.high:
        return Problem.TOO_HIGH
    return Problem.UNEVEN if value % limit.step else None


def _told(name: str, problem: Problem) -> str:
    limit = LIMITS[name]
    match problem:
        case Problem.NOT_AFTER:
            before = " and ".join(first for first, second in ORDERED if second == name)
            return f"{name} must not be less than {before}"
        case Problem.NO_NIGHT:
            return (
                f"the night must have {NIGHT_H_MIN} to {NIGHT_H_MAX} hours, and "
                f"{DEEP_NIGHT_H}:00 to {DEEP_NIGHT_H + 1}:00 among them"
            )
        case _:
            steps = f" in steps of {limit.step}" if limit.step > 1 else ""
            return f"{name} must be a whole number from {limit.low} to {limit.high}{steps}"
