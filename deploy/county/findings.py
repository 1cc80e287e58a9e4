"""What the detectors would have found in the past of the demonstration's home, and how staff took it.

The detectors are those of analytics and look at the history that is there: nothing is made up. They go their
rounds once, over the last weeks, after that history has been rolled up.
"""

import logging
import random
import time
from datetime import datetime, timedelta

from alarms.kinds import AlarmKind
from analytics.baselines import HistoryBaselines
from analytics.detectors.baseline import Baseline
from analytics.detectors.device import Battery
from analytics.detectors.limits import OutOfLimits
from analytics.detectors.routine import Routine
from analytics.history import ALARMS_S, History, record_run
from analytics.judge import decide
from analytics.rounds import CADENCES, carry_out, handling_of
from analytics.settings import AnalyticsSettings
from database.connections import Connection
from deploy.county import alarms

log = logging.getLogger(__name__)

RUN = "demonstration"
"""The name under which analytics.run keeps that it was done."""
SPAN = timedelta(days=21)
LIVE = timedelta(days=1)
"""The last day is that of the detectors that go their rounds now."""
EVERY = timedelta(hours=2)
LEFT_OPEN = timedelta(days=4)
"""A change in health of the last days is left for whoever looks at the demonstration."""
ROLLED_UP_S_MAX = 3_600.0
LOOK_EVERY_S = 5.0
REST_FACTOR = 1.0


def write(connection: Connection, url: str, now: datetime) -> int:
    """Go the rounds, unless they have been gone; how many alarms were raised. `connection`: in autocommit."""
    if RUN in History(connection, now).runs():
        return 0
    _wait_until_rolled_up(connection, now)
    settings = AnalyticsSettings(database_url=url)
    usual, handling = HistoryBaselines(settings), handling_of(settings)
    detectors = (Baseline(settings, usual), OutOfLimits(settings), Battery(settings), Routine(settings))
    ran: dict[str, datetime] = {}
    dice = random.Random(RUN)  # noqa: S311 - plays people, guards nothing
    raised = 0
    at = now.replace(minute=45, second=0, microsecond=0) - SPAN
    while at < now - LIVE:
        began_s = time.monotonic()
        history = History(connection, at)
        for detector in detectors:
            if not CADENCES[detector.name].is_due(at, ran.get(detector.name)):
                continue
            ran[detector.name] = at
            how = handling[detector.kind]
            standing = history.standing_alarms([detector.kind], max(ALARMS_S, how.remembered_s))
            for decision in decide(detector.score(history), standing, how, at, history.detector_settings):
                raised += carry_out(connection, decision, at) == "raised"
        _deal_with_new(connection, now, dice)
        at += EVERY
        time.sleep(REST_FACTOR * (time.monotonic() - began_s))
    record_run(connection, RUN, now)
    return raised


def _deal_with_new(connection: Connection, now: datetime, dice: random.Random) -> None:
    """Staff take what was raised in the past, but for the changes in health that wait for the reader."""
    rows = connection.execute(
        """
        SELECT id, site_id, opened_at FROM care.alarm
        WHERE state = 'open' AND detector = ANY (%s) AND opened_at < %s
          AND NOT (kind = %s AND opened_at > %s)
        """,
        (
            [Baseline.name, OutOfLimits.name, Battery.name, Routine.name],
            now - LIVE,
            AlarmKind.HEALTH_CHANGE,
            now - LEFT_OPEN,
        ),
    ).fetchall()
    for row in rows:
        with connection.transaction():
            alarms.deal_with(connection, row["id"], row["site_id"], row["opened_at"], dice)


def _wait_until_rolled_up(connection: Connection, now: datetime) -> None:
    """Until the hours of the past are rolled up, which another process does at its own pace."""
    deadline_s = time.monotonic() + ROLLED_UP_S_MAX
    while time.monotonic() < deadline_s:
        row = connection.execute(
            "SELECT EXISTS (SELECT FROM readings.dirty_hour WHERE hour < %s)"
            " OR (SELECT count(*) > 100 FROM readings.unsettled) AS waits",
            (now - 2 * LIVE,),
        ).fetchone()
        if row is not None and not row["waits"]:
            return
        time.sleep(LOOK_EVERY_S)
    log.warning("not all of the past is rolled up yet; what is there is looked at")
