"""The alarms of the county's last day and of its past, how staff answered them, and how they judged them."""

import math
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from alarms import feedback
from alarms.feedback import Verdict
from alarms.incident import Step, take
from alarms.lifecycle import legal_steps
from alarms.model import Alarm, AlarmPriority, AlarmStep
from database.connections import Connection
from identity.model import Actor
from ingest.clock import time_of
from ingest.rows import SignalRow
from ingest.signals import store_signal
from protocol.model import SignalState

STANDING: tuple[tuple[AlarmStep, ...], ...] = (
    (),
    (),
    (),
    (AlarmStep.ACKNOWLEDGED,),
    (),
    (AlarmStep.ACKNOWLEDGED, AlarmStep.ARRIVED),
    (AlarmStep.ACKNOWLEDGED,),
    (AlarmStep.ACKNOWLEDGED, AlarmStep.ARRIVED, AlarmStep.RESOLVED),
)
"""How far the newest alarm that did not clear by itself, the one before it, … have been answered. All
older ones are closed."""
CLOSED = (AlarmStep.ACKNOWLEDGED, AlarmStep.ARRIVED, AlarmStep.RESOLVED, AlarmStep.CLOSED)

_TAKES_S: Mapping[AlarmStep, tuple[float, float]] = {
    AlarmStep.ACKNOWLEDGED: (35, 0.6),
    AlarmStep.ARRIVED: (150, 0.5),
    AlarmStep.RESOLVED: (600, 0.5),
    AlarmStep.CLOSED: (1_500, 0.5),
    AlarmStep.CANCELLED: (120, 0.5),
}
"""How long a step takes after the one before it: the median in seconds, and the spread of its logarithm."""

_NOTES = {
    AlarmStep.ACKNOWLEDGED: "已接警，马上过去",
    AlarmStep.ARRIVED: "已到房间",
    AlarmStep.RESOLVED: "老人情况稳定，已安置休息",
    AlarmStep.CLOSED: "已复盘",
    AlarmStep.CANCELLED: "到场查看，老人无恙，系误触发",
}
FALSE_SHARE = 0.12
"""So many past alarms are cancelled as false …"""
JUDGED_SHARE = 0.8
"""… and of so many of the others somebody has said whether they were right."""
_VERDICTS = ((Verdict.TRUE, 0.84), (Verdict.FALSE, 0.12), (Verdict.UNSURE, 0.04))
_FAMILY_NOTICE = "已电话告知家属"


def write(connection: Connection, signals: Sequence[SignalRow], seed: int) -> int:
    """Store the signals with what they ask for, and let staff answer all but the newest. How many alarms.

    Every step bears the time at which it would have been taken, and none lies in the future. The caller
    commits.
    """
    dice = random.Random(seed)  # noqa: S311 - plays people, guards nothing
    opened: dict[int, SignalRow] = {}
    for row in signals:
        alarm_id = store_signal(connection, row, known_at=time_of(row.time_us))
        if alarm_id is not None and row.signal.state is SignalState.RAISED:
            opened.setdefault(alarm_id, row)
    waiting = connection.execute(
        "SELECT id FROM care.alarm WHERE state = 'open' AND id = ANY (%s) ORDER BY opened_at DESC",
        (list(opened),),
    ).fetchall()
    for age, alarm in enumerate(waiting):
        row = opened[alarm["id"]]
        steps = STANDING[age] if age < len(STANDING) else CLOSED
        _answer(connection, alarm["id"], row.entry.site_id, time_of(row.time_us), steps, dice)
    return len(opened)


def write_past(connection: Connection, raised: Sequence[SignalRow], dice: random.Random) -> int:
    """Store signals of days long gone, each answered, closed and mostly judged; how many alarms they made.

    What would join an alarm that somebody is on the way for today is left out. The caller commits.
    """
    made = 0
    for row in raised:
        at = time_of(row.time_us)
        _, _, resident_id, room_id = row.entry.assignment_at(row.time_us)
        standing = connection.execute(
            "SELECT FROM care.alarm WHERE care.is_active(state) AND kind::text = %s"
            " AND (resident_id = %s OR room_id = %s OR device_id = %s) LIMIT 1",
            (row.signal.kind, resident_id, room_id, row.entry.device_id),
        ).fetchone()
        alarm_id = None if standing else store_signal(connection, row, known_at=at)
        if alarm_id is not None:
            deal_with(connection, alarm_id, row.entry.site_id, at, dice)
            made += 1
    return made


def deal_with(connection: Connection, alarm_id: int, site_id: int, at: datetime, dice: random.Random) -> None:
    """Have an alarm of `at` answered and closed, or cancelled, and mostly judged."""
    false = dice.random() < FALSE_SHARE
    steps = (AlarmStep.ACKNOWLEDGED, AlarmStep.CANCELLED) if false else CLOSED
    _answer(connection, alarm_id, site_id, at, steps, dice)
    row = connection.execute("SELECT * FROM care.alarm WHERE id = %s", (alarm_id,)).fetchone()
    assert row is not None, "it was opened"
    alarm = Alarm.from_row(row)
    if not false and feedback.may_judge(alarm.state) and dice.random() < JUDGED_SHARE:
        verdicts, weights = zip(*_VERDICTS, strict=True)
        verdict = dice.choices(verdicts, weights)[0]
        reason = dice.choice(feedback.reasons(alarm.kind, verdict)[:2])
        feedback.give(connection, alarm_id, _somebody_at(connection, site_id), verdict, reason=reason)


def _answer(
    connection: Connection,
    alarm_id: int,
    site_id: int,
    at: datetime,
    steps: Sequence[AlarmStep],
    dice: random.Random,
) -> None:
    actor = _somebody_at(connection, site_id)
    now = datetime.now(UTC)
    for step in steps:
        median_s, spread = _TAKES_S[step]
        at += timedelta(seconds=median_s * math.exp(dice.gauss(0, spread)))
        if at < now:
            _take(connection, alarm_id, step, actor, at)


def _take(connection: Connection, alarm_id: int, step: AlarmStep, actor: Actor, at: datetime) -> None:
    """Take the step if the alarm still allows it: devices have ended some already."""
    row = connection.execute("SELECT * FROM care.alarm WHERE id = %s", (alarm_id,)).fetchone()
    assert row is not None, "this transaction opened it"
    alarm = Alarm.from_row(row)
    if step in legal_steps(alarm.state, alarm.priority):
        closes = step is AlarmStep.CLOSED and alarm.priority is AlarmPriority.HIGH
        notice = _FAMILY_NOTICE if closes else None
        take(
            connection,
            alarm_id,
            Step(step=step, actor=actor, note=_NOTES[step], family_notice=notice, done_at=at),
        )


def _somebody_at(connection: Connection, site_id: int) -> Actor:
    """A member of staff of the site, or else of the county."""
    row = connection.execute(
        """
        SELECT staff.id, staff.name FROM care.staff
        LEFT JOIN care.staff_site ON staff_site.staff_id = staff.id AND staff_site.site_id = %s
        WHERE staff_site.site_id IS NOT NULL OR staff.scope = 'county'
        ORDER BY staff_site.site_id NULLS LAST, staff.role DESC LIMIT 1
        """,
        (site_id,),
    ).fetchone()
    assert row is not None, "the demonstration has a county supervisor"
    return Actor(row["name"], row["id"])
