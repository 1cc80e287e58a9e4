"""Which buttons an alarm shows."""

from alarms.lifecycle import legal_steps
from alarms.model import AlarmPriority, AlarmState, AlarmStep
from dashboard.vocabulary import STEP

NEEDS_FORM = frozenset({AlarmStep.RESOLVED, AlarmStep.CLOSED, AlarmStep.CANCELLED})
"""Steps that ask for words before they are taken."""

_ORDER = tuple(AlarmStep(step) for step in STEP)


def buttons(state: AlarmState, priority: AlarmPriority) -> list[AlarmStep]:
    """The steps that people may take now, the expected one first."""
    possible = legal_steps(state, priority)
    return [step for step in _ORDER if step in possible]
