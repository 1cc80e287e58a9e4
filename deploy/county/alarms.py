"""Opens the alarms of the county's last hours, and lets staff answer some of them."""

from collections.abc import Sequence

from care import alarms
from care.alarms import Actor
from care.db import Connection
from care.model import Alarm, AlarmPriority, AlarmStep
from gateway.model import SignalState
from ingest.batch import SignalRow
from ingest.signals import store_signal

SHOWN_MAX = 14
_ANSWERS: tuple[tuple[AlarmStep, ...], ...] = (
    (),
    (),
    (),
    (AlarmStep.ACKNOWLEDGED,),
    (),
    (AlarmStep.ACKNOWLEDGED, AlarmStep.ARRIVED),
    (AlarmStep.ACKNOWLEDGED,),
    (AlarmStep.ACKNOWLEDGED, AlarmStep.ARRIVED, AlarmStep.RESOLVED),
    (AlarmStep.ACKNOWLEDGED, AlarmStep.ARRIVED, AlarmStep.RESOLVED, AlarmStep.CLOSED),
)
"""How far the newest alarm, the one before it, … have been answered; the last entry is for all older."""

_NOTES = {
    AlarmStep.ACKNOWLEDGED: "已接警，马上过去",
    AlarmStep.ARRIVED: "已到房间",
    AlarmStep.RESOLVED: "老人情况稳定，已安置休息",
    AlarmStep.CLOSED: "已复盘",
}
_FAMILY_NOTICE = "已电话告知家属"


def write(connection: Connection, signals: Sequence[SignalRow]) -> int:
    """Store the newest `signals` with what they ask for, and answer the older ones. How many alarms.

    The caller commits.
    """
    raised = [row for row in signals if row.signal.state is SignalState.RAISED][-SHOWN_MAX:]
    if not raised:
        return 0
    since_us = raised[0].time_us
    opened: dict[int, SignalRow] = {}
    for row in signals:
        if row.time_us >= since_us and (alarm_id := store_signal(connection, row)) is not None:
            opened.setdefault(alarm_id, row)
    for age, (alarm_id, row) in enumerate(reversed(opened.items())):
        actor = _somebody_at(connection, row.entry.site_id)
        for step in _ANSWERS[min(age, len(_ANSWERS) - 1)]:
            _take(connection, alarm_id, step, actor)
    return len(opened)


def _take(connection: Connection, alarm_id: int, step: AlarmStep, actor: Actor) -> None:
    """Take the step if the alarm still allows it: devices have ended some already."""
    row = connection.execute("SELECT * FROM care.alarm WHERE id = %s", (alarm_id,)).fetchone()
    assert row is not None, "this transaction opened it"
    alarm = Alarm.from_row(row)
    if step in alarms.legal_steps(alarm.state, alarm.priority):
        closes = step is AlarmStep.CLOSED and alarm.priority is AlarmPriority.HIGH
        notice = _FAMILY_NOTICE if closes else None
        alarms.take_step(connection, alarm_id, step, actor, note=_NOTES[step], family_notice=notice)


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
