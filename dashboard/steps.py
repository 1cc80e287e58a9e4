"""Which buttons an alarm shows, and how its timeline tells what was done."""

from alarms.lifecycle import legal_steps
from alarms.model import AlarmEvent, AlarmPriority, AlarmState, AlarmStep
from dashboard.vocabulary import SEES_CONDITION_ENDED, STEP, STEP_DONE

NEEDS_FORM = frozenset({AlarmStep.RESOLVED, AlarmStep.CLOSED, AlarmStep.CANCELLED})
"""Steps that ask for words before they are taken."""

_ORDER = tuple(AlarmStep(step) for step in STEP)


def buttons(state: AlarmState, priority: AlarmPriority) -> list[AlarmStep]:
    """The steps that people may take now, the expected one first."""
    possible = legal_steps(state, priority)
    return [step for step in _ORDER if step in possible]


def done(event: AlarmEvent) -> str:
    """The text, not yet translated, for what was done: of a cause's end devices report, detectors see it."""
    if event.step is AlarmStep.CONDITION_ENDED and not event.detail.get("by_device", True):
        return SEES_CONDITION_ENDED
    return STEP_DONE[event.step]
