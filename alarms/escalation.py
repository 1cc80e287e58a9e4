"""Keeps the deadlines of alarms.

Where nobody acknowledges an alarm in time, its timeline names the next level. Who acknowledged it and does
not arrive in time is reminded; then the alarm is open again, and the next level is named at once.

Nobody is called yet: who looks at the alarm reads which level should know by now. Level 0, the carer of a
household or the desk of a home, has it before them from the first moment. All state is the alarm's own
`escalation_level`, so a process that is killed and started again neither forgets a level nor names it twice.
"""

import logging
from collections.abc import Sequence
from typing import NamedTuple

import psycopg
from psycopg.rows import DictRow

from alarms import incident
from alarms.incident import Step
from alarms.model import AlarmStep
from alarms.settings import EscalationSettings
from care.model import SiteKind
from database.connections import Connection
from database.leases import Duty, DutyLock
from database.queries import queries
from identity.model import Actor, StaffRole

log = logging.getLogger(__name__)
_sql = queries("alarms", "sql/escalation.sql")

ACTOR = Actor("escalation")
INTERVAL_S = 1.0
DUE_COUNT_MAX = 1_000
"""Levels named in one round: the highest priority and the longest wait first, the rest a second later."""


class Rung(NamedTuple):
    """One level of a ladder: who should know, and how long after an alarm of high priority opened."""

    site_kind: SiteKind
    level: int
    role: StaffRole
    after_s: int


def ladders(settings: EscalationSettings) -> tuple[Rung, ...]:
    """The rungs for every kind of site. ValueError where a later level would be named before an earlier."""
    household = (
        (StaffRole.VILLAGE_ASSISTANT, settings.household_village_assistant_s),
        (StaffRole.TOWNSHIP_OFFICER, settings.household_township_s),
        (StaffRole.COUNTY_SUPERVISOR, settings.household_county_s),
    )
    home = (
        (StaffRole.SHIFT_LEADER, settings.home_shift_leader_s),
        (StaffRole.HOME_DIRECTOR, settings.home_director_s),
        (StaffRole.OPERATOR_MANAGER, settings.home_operator_s),
        (StaffRole.COUNTY_SUPERVISOR, settings.home_county_s),
    )
    by_site = {SiteKind.HOUSEHOLD: household, SiteKind.CARE_HOME: home, SiteKind.DAY_CENTRE: home}
    for site_kind, rungs in by_site.items():
        delays_s = [after_s for _, after_s in rungs]
        if delays_s != sorted(delays_s):
            raise ValueError(f"the delays of a {site_kind} must not fall from level to level: {delays_s}")
    return tuple(
        Rung(site_kind, level, role, after_s)
        for site_kind, rungs in by_site.items()
        for level, (role, after_s) in enumerate(rungs, start=1)
    )


class Escalation:
    """Names the next levels, as its settings say."""

    def __init__(self, settings: EscalationSettings) -> None:
        self._settings = settings
        self._rungs = ladders(settings)

    def duty(self) -> Duty:
        """What `database.leases.serve` needs to keep the deadlines."""
        return Duty(
            lock=DutyLock.ESCALATION,
            database_url=self._settings.database_url,
            interval_s=INTERVAL_S,
            standby_poll_s=self._settings.standby_poll_s,
            statement_timeout_s=self._settings.statement_timeout_s,
            work=self.keep,
        )

    def keep(self, connection: Connection) -> None:
        """One round: every deadline that has passed is kept, each in a transaction of its own."""
        for late in self._late(connection):
            steps = self._steps_when_late(late)
            self._take(connection, late["alarm_id"], steps)
        for due in self._due(connection):
            self._take(connection, due["alarm_id"], [_named(due["level"], due["role"])])

    def _steps_when_late(self, late: DictRow) -> list[Step]:
        if not late["is_over"]:
            return [Step(step=AlarmStep.REMINDED, actor=ACTOR, happened_at=late["acknowledged_at"])]
        lost = Step(step=AlarmStep.OVERDUE, actor=ACTOR, happened_at=late["acknowledged_at"])
        # Their time is lost: the next level must not wait as if the alarm were new.
        next_level = late["escalation_level"] + 1
        rungs = (one for one in self._rungs if (one.site_kind, one.level) == (late["site_kind"], next_level))
        return [lost, *(_named(rung.level, rung.role) for rung in rungs)]

    def _take(self, connection: Connection, alarm_id: int, steps: Sequence[Step]) -> None:
        try:
            with connection.transaction():
                # Nothing is written when somebody was faster just now.
                lines = [incident.take(connection, alarm_id, step).line for step in steps]
        except psycopg.Error:
            if connection.closed:
                raise
            log.exception("alarm %d: a deadline could not be kept; the others go on", alarm_id)
        else:
            if written := [line for line in lines if line is not None]:
                log.info("alarm %d: %s", alarm_id, ", ".join(written))

    def _late(self, connection: Connection) -> Sequence[DictRow]:
        return connection.execute(
            _sql["late"],
            {
                "home_s": self._settings.home_arrival_s,
                "household_s": self._settings.household_arrival_s,
                "medium_factor": self._settings.medium_factor,
                "limit": DUE_COUNT_MAX,
            },
        ).fetchall()

    def _due(self, connection: Connection) -> Sequence[DictRow]:
        return connection.execute(
            _sql["due"],
            {
                "site_kinds": [rung.site_kind for rung in self._rungs],
                "levels": [rung.level for rung in self._rungs],
                "roles": [rung.role for rung in self._rungs],
                "after_s": [rung.after_s for rung in self._rungs],
                "medium_factor": self._settings.medium_factor,
                "limit": DUE_COUNT_MAX,
            },
        ).fetchall()


def _named(level: int, role: StaffRole) -> Step:
    return Step(step=AlarmStep.ESCALATED, actor=ACTOR, level=level, detail={"role": role})
