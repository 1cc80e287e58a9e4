"""What a person at the centre has said that a field means: it is heard like that from then on.

It comes with the gateway's configuration, and holds while a message is being understood. Only what a dialect
itself does not understand is looked up, so that nobody can unteach it what it knows.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from protocol.model import Taught

Lessons = Mapping[str, Mapping[str, Taught]]
"""By device key and path of the field, as `unheard` tells it."""

_lessons: ContextVar[Lessons] = ContextVar("lessons")


@contextmanager
def taught(lessons: Lessons) -> Iterator[None]:
    """Within this, `lesson` finds these."""
    token = _lessons.set(lessons)
    try:
        yield
    finally:
        _lessons.reset(token)


def lessons_of(key: str) -> Mapping[str, Taught]:
    """What was taught of a device, by path."""
    return _lessons.get({}).get(key, {})
