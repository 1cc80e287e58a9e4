"""The alarm state machine: which step leads where. Pure; `alarms.incident` takes the steps.

    open -> acknowledged -> arrived -> resolved -> closed

Who said that they go and cannot gives it back (`released`); who has not arrived in time is reminded and then
loses it (`overdue`): it is open again. A press by mistake is taken back by who pressed (`undone`).
`cancelled` ends an alarm that was pressed by mistake, `cleared` one of low or medium priority whose cause
went away by itself before anybody had to come. An alarm of high priority has no short cut: it is resolved
only after arrival, and closed only with a note of how the family was told (docs: domain, alarm practice).
"""

from collections.abc import Mapping

from alarms.kinds import AlarmPriority
from alarms.model import AlarmState, AlarmStep

Moves = Mapping[AlarmStep, Mapping[AlarmState, AlarmState]]

_OPEN, _ACKNOWLEDGED, _ARRIVED = AlarmState.OPEN, AlarmState.ACKNOWLEDGED, AlarmState.ARRIVED
_RESOLVED, _CLOSED, _CANCELLED = AlarmState.RESOLVED, AlarmState.CLOSED, AlarmState.CANCELLED

MOVES: Moves = {
    AlarmStep.ACKNOWLEDGED: {_OPEN: _ACKNOWLEDGED},
    AlarmStep.ARRIVED: {_ACKNOWLEDGED: _ARRIVED},
    AlarmStep.RESOLVED: {_ACKNOWLEDGED: _RESOLVED, _ARRIVED: _RESOLVED},
    AlarmStep.CLOSED: {_RESOLVED: _CLOSED},
    AlarmStep.CANCELLED: {_OPEN: _CANCELLED, _ACKNOWLEDGED: _CANCELLED},
    AlarmStep.UNDONE: {_ACKNOWLEDGED: _OPEN, _ARRIVED: _ACKNOWLEDGED},
    AlarmStep.RELEASED: {_ACKNOWLEDGED: _OPEN},
    AlarmStep.REMINDED: {_ACKNOWLEDGED: _ACKNOWLEDGED},
    AlarmStep.OVERDUE: {_ACKNOWLEDGED: _OPEN},
    AlarmStep.CONDITION_ENDED: {
        _OPEN: AlarmState.CLEARED,
        _ACKNOWLEDGED: AlarmState.CLEARED,
        _ARRIVED: _ARRIVED,
    },
    AlarmStep.ESCALATED: {_OPEN: _OPEN},
    AlarmStep.NOTED: {state: state for state in AlarmState},
}
"""Where each step leads from each state at low and medium priority; where there is no entry, nowhere.

Nobody takes `raised`, `repeated` (reports write them) and `cleared` (what the end of a cause becomes).
"""
URGENT_MOVES: Moves = {
    **MOVES,
    AlarmStep.RESOLVED: {_ARRIVED: _RESOLVED},
    # Somebody must look all the same: only the timeline tells.
    AlarmStep.CONDITION_ENDED: {_OPEN: _OPEN, _ACKNOWLEDGED: _ACKNOWLEDGED, _ARRIVED: _ARRIVED},
}
"""The same at high priority."""

BY_PEOPLE = frozenset(
    {
        AlarmStep.ACKNOWLEDGED,
        AlarmStep.ARRIVED,
        AlarmStep.RESOLVED,
        AlarmStep.CLOSED,
        AlarmStep.CANCELLED,
        AlarmStep.UNDONE,
        AlarmStep.RELEASED,
    }
)
"""The steps with which people move an alarm. From where they are not possible they are refused; other steps
then do nothing."""


def state_after(step: AlarmStep, state: AlarmState, priority: AlarmPriority) -> AlarmState | None:
    """Where `step` leads from `state`; None: it is not possible there."""
    moves = URGENT_MOVES if priority is AlarmPriority.HIGH else MOVES
    return moves.get(step, {}).get(state)


UNDO_S = 15
"""So long after their press somebody can take it back; pages offer it for a little less."""


def legal_steps(state: AlarmState, priority: AlarmPriority) -> frozenset[AlarmStep]:
    """The steps with which people may move an alarm from `state` at `priority`."""
    return frozenset(step for step in BY_PEOPLE if state_after(step, state, priority) is not None)
