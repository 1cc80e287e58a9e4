"""What watches over one person: which detectors look at them, and what people have set for them.

Anybody who sees a resident sees the settings; supervisors, directors and shift leaders change them. Nothing
is switched off without an end and a reason, and what it would be dangerous to miss not without saying so.
The rules are pure; `put` and `restore` write inside `sessions.scope_of` and do not commit. The database
itself keeps a record of every change (0016_detector_settings.sql). Alarms that devices raise (an SOS, a
fall, smoke) know no settings: nothing here can silence them.
"""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple

from msgspec import structs

from alarms.kinds import RULES
from alarms.rules import ALL_DAY, Rule, Watch
from care.policy import Policy, effective
from database.connections import Connection
from database.errors import ConflictError, DomainError, InvalidError, NotFoundError, translated_errors
from database.queries import queries
from database.record import Record
from protocol.calendar import HOME_TIME

_sql = queries("alarms", "sql/detector_settings.sql")

REASON_LENGTH_MAX = 500
CHANGES_MAX = 100
HOURS_SHARE_MIN = 0.5
"""Of the hours in which a detector looks, it must stay active in so many; else it would be as good as off."""
USUAL = 1.0
"""The tolerance of everybody for whom nothing is set."""


def span_of(from_h: int, to_h: int) -> frozenset[int]:
    """The hours from one up to another, over midnight if need be; from an hour to itself is the whole day."""
    return frozenset((from_h + step) % 24 for step in range((to_h - from_h) % 24 or 24))


def rules_of(policy: Policy) -> Mapping[Watch, Rule]:
    """What may be set for each detector, with the figures that the county has decided."""
    night = span_of(policy.night_from_h, policy.night_to_h)
    limits_s = {
        Watch.BED_EXIT: policy.bed_exit_s,
        Watch.WANDERING: policy.wandering_s,
        Watch.TURNING: policy.no_turning_s,
        Watch.ABSENCE: policy.absence_s,
    }
    return {
        watch: structs.replace(rule, hours=night if rule.at_night else ALL_DAY, limit_s=limits_s.get(watch))
        for watch, rule in RULES.items()
    }


class Values(Record, frozen=True, kw_only=True):
    """What is set for a person and a detector, as the judge reads it."""

    is_on: bool = True
    off_until: datetime | None = None
    tolerance: float = USUAL
    active_from_h: int | None = None
    active_to_h: int | None = None

    def is_off(self, now: datetime) -> bool:
        """Whether it is switched off at `now`."""
        return not self.is_on or (self.off_until is not None and self.off_until > now)

    def is_personal(self) -> bool:
        """Whether it differs from the usual while it is on."""
        return self.tolerance != USUAL or self.active_from_h is not None

    def is_quiet(self, now: datetime) -> bool:
        """Whether it raises nothing at `now`: off, or outside its hours."""
        return self.is_off(now) or now.astimezone(HOME_TIME).hour not in self.active_hours()

    def active_hours(self) -> frozenset[int]:
        """The local hours in which it raises alarms."""
        if self.active_from_h is None or self.active_to_h is None:
            return ALL_DAY
        return span_of(self.active_from_h, self.active_to_h)


class Setting(Values, frozen=True, kw_only=True):
    """What stands in care.detector_setting, and who has set it."""

    resident_id: int
    detector: str
    reason: str | None
    changed_by: int | None
    changed_at: datetime
    actor: str


class Change(Values, frozen=True, kw_only=True):
    """One line of the record: what a detector was set to."""

    detector: str
    at: datetime
    actor: str
    reason: str | None


class Wish(NamedTuple):
    """What somebody wants to set. `off_through`: off up to the end of that local day; None: on."""

    off_through: date | None = None
    tolerance: float = USUAL
    active_from_h: int | None = None
    active_to_h: int | None = None
    reason: str = ""
    is_confirmed: bool = False

    @property
    def has_hours(self) -> bool:
        """Whether it asks for some hours only."""
        return self.active_from_h is not None or self.active_to_h is not None

    @property
    def is_usual(self) -> bool:
        """Whether it asks for nothing but the usual."""
        return self.off_through is None and self.tolerance == USUAL and not self.has_hours

    @property
    def is_less(self) -> bool:
        """Whether less would be seen than usually."""
        return self.off_through is not None or self.tolerance > USUAL or self.has_hours


class Part(StrEnum):
    """The parts of a wish that can be wrong."""

    OFF = "off"
    TOLERANCE = "tolerance"
    HOURS = "hours"
    REASON = "reason"
    CONFIRMATION = "confirmation"


class Problem(StrEnum):
    """What can be wrong with a part."""

    NO_DATE = "no_date"
    PAST = "past"
    TOO_LONG = "too_long"
    NOT_OFFERED = "not_offered"
    HOURS_MISSING = "hours_missing"
    HOURS_EQUAL = "hours_equal"
    HOURS_FEW = "hours_few"
    NO_REASON = "no_reason"
    REASON_LONG = "reason_long"
    UNCONFIRMED = "unconfirmed"


class WishError(InvalidError):
    """A wish that breaks the rules; `problems` says in which parts and how."""

    def __init__(self, problems: Mapping[Part, Problem]) -> None:
        super().__init__("; ".join(f"{part}: {problem}" for part, problem in problems.items()))
        self.problems = problems


class MayNotSetError(DomainError):
    """Who is signed in may look at settings but not change them."""

    code = "may_not_set"


def offered(rule: Rule, standing: Values | None = None) -> tuple[float, ...]:
    """The tolerances to choose from, the most sensitive first: the rule's, and what stands already."""
    kept = {standing.tolerance} if standing else set()
    return tuple(sorted({*rule.tolerances, USUAL, *kept}))


def last_day_off(rule: Rule, today: date) -> date:
    """The last day through which it may be switched off today."""
    return today + timedelta(days=rule.off_days_max)


def off_through(values: Values) -> date | None:
    """The last local day that lies in its time off; None: none, or without an end."""
    if values.off_until is None:
        return None
    return (values.off_until - timedelta(microseconds=1)).astimezone(HOME_TIME).date()


def problems_of(
    rule: Rule, wish: Wish, today: date, standing: Values | None = None
) -> Mapping[Part, Problem]:
    """What is wrong with a wish; empty when nothing is. `today` is the local day."""
    found: dict[Part, Problem] = {}
    if wish.off_through is not None:
        if wish.off_through < today:
            found[Part.OFF] = Problem.PAST
        elif wish.off_through > last_day_off(rule, today):
            found[Part.OFF] = Problem.TOO_LONG
    if wish.tolerance not in offered(rule, standing):
        found[Part.TOLERANCE] = Problem.NOT_OFFERED
    if (hours := _problem_of_hours(rule, wish)) is not None:
        found[Part.HOURS] = hours
    if len(wish.reason) > REASON_LENGTH_MAX:
        found[Part.REASON] = Problem.REASON_LONG
    elif not wish.reason and not wish.is_usual:
        found[Part.REASON] = Problem.NO_REASON
    if rule.is_vital and wish.is_less and not wish.is_confirmed:
        found[Part.CONFIRMATION] = Problem.UNCONFIRMED
    return found


def _problem_of_hours(rule: Rule, wish: Wish) -> Problem | None:
    if not wish.has_hours:
        return None
    if not rule.has_hours:
        return Problem.NOT_OFFERED
    if wish.active_from_h is None or wish.active_to_h is None:
        return Problem.HOURS_MISSING
    if wish.active_from_h not in ALL_DAY or wish.active_to_h not in ALL_DAY:
        return Problem.NOT_OFFERED
    if wish.active_from_h == wish.active_to_h:
        return Problem.HOURS_EQUAL
    active = span_of(wish.active_from_h, wish.active_to_h)
    return None if looks_enough(rule, active) else Problem.HOURS_FEW


def looks_enough(rule: Rule, active: frozenset[int]) -> bool:
    """Whether somebody who is watched in `active` hours only is still watched in enough of the rule's."""
    return len(active & rule.hours) >= HOURS_SHARE_MIN * len(rule.hours)


def may_set(connection: Connection) -> bool:
    """Whether who is signed in may change settings."""
    row = connection.execute(_sql["may_set"]).fetchone()
    return row is not None and bool(row["may"])


def settings_of(connection: Connection, resident_id: int) -> Mapping[Watch, Setting]:
    """What is set for a resident; detectors without an entry do the usual. Empty outside the scope."""
    rows = connection.execute(_sql["standing"], {"resident_id": resident_id}).fetchall()
    known = set(Watch)
    return {Watch(row["detector"]): Setting.from_row(row) for row in rows if row["detector"] in known}


def changes_of(connection: Connection, resident_id: int) -> list[Change]:
    """The record of a resident, the newest first, at most CHANGES_MAX lines."""
    params = {"resident_id": resident_id, "limit": CHANGES_MAX}
    return [Change.from_row(row) for row in connection.execute(_sql["changes"], params)]


def put(
    connection: Connection,
    resident_id: int,
    watch: Watch,
    wish: Wish,
    *,
    staff_id: int,
    now: datetime,
    seen_at: datetime | None = None,
) -> Setting | None:
    """Set what `wish` asks for; what stands afterwards. To wish for what stands already changes nothing.

    Args:
        connection: Of who is signed in.
        resident_id: For whom.
        watch: Which detector.
        wish: What it shall be.
        staff_id: Who is signed in.
        now: The present time.
        seen_at: `changed_at` of the setting that they had before their eyes; None: there was none.

    Raises:
        MayNotSetError: They may only look.
        NotFoundError: No such resident in scope.
        WishError: The wish breaks a rule.
        ConflictError: Somebody else has changed it meanwhile, or the resident has left.
    """
    require_setter(connection)
    row = connection.execute(_sql["resident"], {"resident_id": resident_id}).fetchone()
    if row is None:
        raise NotFoundError(f"there is no resident {resident_id} here", resident_id=resident_id)
    if row["has_left"]:
        raise ConflictError(f"resident {resident_id} has left: nothing watches over them")
    standing = settings_of(connection, resident_id).get(watch)
    wish = wish._replace(reason=wish.reason.replace("\0", "").strip())
    rule = rules_of(effective(connection))[watch]
    if problems := problems_of(rule, wish, now.astimezone(HOME_TIME).date(), standing):
        raise WishError(problems)
    if (standing.changed_at if standing else None) == seen_at and _stands(standing, wish, now):
        return standing
    with translated_errors():
        written = connection.execute(
            _sql["put"],
            {
                "resident_id": resident_id,
                "detector": watch,
                "off_until": wish.off_through and _end_of(wish.off_through),
                "tolerance": wish.tolerance,
                "active_from_h": wish.active_from_h,
                "active_to_h": wish.active_to_h,
                "reason": wish.reason or None,
                "changed_by": staff_id,
                "seen_at": seen_at,
            },
        ).fetchone()
    if written is None:
        raise ConflictError(f"{watch} of resident {resident_id} was changed meanwhile", missing="seen")
    return settings_of(connection, resident_id)[watch]


def restore(
    connection: Connection,
    resident_id: int,
    watch: Watch,
    *,
    staff_id: int,
    now: datetime,
    seen_at: datetime | None,
) -> Setting | None:
    """Back to the usual. Errors as `put`."""
    return put(connection, resident_id, watch, Wish(), staff_id=staff_id, now=now, seen_at=seen_at)


def require_setter(connection: Connection) -> None:
    """MayNotSetError unless who is signed in may change settings."""
    if not may_set(connection):
        raise MayNotSetError("only supervisors, directors and shift leaders change what watches over people")


def _stands(standing: Setting | None, wish: Wish, now: datetime) -> bool:
    """Whether all that `wish` asks for is so already."""
    if standing is None:
        return wish.is_usual
    until = wish.off_through and _end_of(wish.off_through)
    off_until = standing.off_until if standing.is_off(now) else None
    return (
        standing.is_on
        and (off_until, standing.tolerance, standing.active_from_h, standing.active_to_h)
        == (until, wish.tolerance, wish.active_from_h, wish.active_to_h)
        and (standing.reason or "") == wish.reason
    )


def _end_of(day: date) -> datetime:
    """The midnight at which a local day ends."""
    return datetime.combine(day + timedelta(days=1), time(), HOME_TIME)
