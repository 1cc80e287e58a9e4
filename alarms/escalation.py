"""Keeps the deadlines of alarms: where nobody acknowledges one in time, its timeline names the next level.

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
        """One round: every level that is due is named, each in a transaction of its own."""
        for due in self._due(connection):
            alarm_id, level, role = due["alarm_id"], due["level"], due["role"]
            try:
                with connection.transaction():
                    # Nothing is written when somebody acknowledged it just now.
                    line = incident.take(
                        connection,
                        alarm_id,
                        Step(step=AlarmStep.ESCALATED, actor=ACTOR, level=level, detail={"role": role}),
                    ).line
            except psycopg.Error:
                if connection.closed:
                    raise
                log.exception("alarm %d: could not be escalated; the others go on", alarm_id)
            else:
                if line is not None:
                    log.info("alarm %d: named %s (level %d)", alarm_id, role, level)

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
