"""What somebody at the command line reads when something went wrong: one line, and never a traceback.

Part of the box: what it knows of other rooms, it knows by name only.
"""

from __future__ import annotations

import errno
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

from deploy import speech
from protocol.texts import N_

ROOMS = (
    "protocol",
    "gateway",
    "simulator",
    "database",
    "identity",
    "care",
    "alarms",
    "ingest",
    "analytics",
    "dashboard",
    "deploy",
)
INSTRUMENTS = ("benchmarks", "evaluation")
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
FORBIDDEN = frozenset({errno.EACCES, errno.EPERM})


def in_words(error: Exception) -> str:
    """What happened and what to do, in the language of the locale. A mistake of ours is kept in a file."""
    if isinstance(error, ModuleNotFoundError) and not is_ours(error):
        text = N_(
            "This needs the package %(package)s, which is not installed here. In a checkout: make setup; "
            "on a box, this verb is not meant to be used."
        )
        return speech.gettext(text) % {"package": error.name}
    if _is_for_people(error):
        told = getattr(error, "told", None)
        return str(told(_gettext()) if told is not None else error)
    if _is_of_driver(error):
        return _of_driver(error)
    if isinstance(error, OSError):
        return _of_machine(error)
    return _of_ours(error)


def is_ours(error: ModuleNotFoundError) -> bool:
    """Whether a room of ours has a hole; else it is a package of others that is not installed."""
    return (error.name or "").partition(".")[0] in (*ROOMS, *INSTRUMENTS)


def _is_for_people(error: Exception) -> bool:
    """Whether an error was raised to be read: one of a room's own, not a mistake in our code."""
    return any(base.__module__ in {f"{room}.errors" for room in ROOMS} for base in type(error).__mro__)


def _gettext() -> Callable[[str], str]:
    """What translates the sentences of the rooms: the pages' catalogue, where they are installed."""
    if not speech.is_chinese():
        return str
    try:
        from dashboard.languages import language
    except ModuleNotFoundError:
        return speech.gettext
    return language(speech.FIRST_LANGUAGE).gettext


def _is_of_driver(error: Exception) -> bool:
    return type(error).__module__.partition(".")[0] in {"psycopg", "psycopg_pool"}


def _of_driver(error: Exception) -> str:
    if getattr(error, "sqlstate", None) == "53100":  # disk_full
        return _full("PostgreSQL")
    text = N_("The database refuses: %(what)s. `anshou doctor` says more.")
    return speech.gettext(text) % {"what": str(error).strip().partition("\n")[0]}


def _of_machine(error: OSError) -> str:
    what = str(error.filename or error.strerror or error)
    if error.errno in FULL:
        return _full(what)
    if error.errno in FORBIDDEN:
        text = N_(
            "We may not read or write %(what)s. Run this as the user who owns it, or name another "
            "folder (--data)."
        )
    elif error.errno == errno.EROFS:
        text = N_("%(what)s is on a disk that can only be read. Name another folder (--data).")
    else:
        text = N_("The machine refuses: %(what)s. Try again; if it stays so, `anshou doctor` says more.")
        what = str(error)
    return speech.gettext(text) % {"what": what}


def _full(what: str) -> str:
    text = N_("The disk is full: %(what)s. Make room, then try again; `anshou doctor` says how much is free.")
    return speech.gettext(text) % {"what": what}


def _of_ours(error: Exception) -> str:
    """A mistake in our code: its traceback goes into a file for those who mend it."""
    details = "".join(traceback.format_exception(error))
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="anshou-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.write(details)
            kept = Path(file.name)
    except OSError:
        return details
    text = N_(
        "This is a mistake of ours (%(what)s). The details are in %(file)s: please report it with that file."
    )
    return speech.gettext(text) % {"what": f"{type(error).__name__}: {error}", "file": kept}
