"""What devices said and their box did not understand; and what people say that it means.

Ingest records what boxes report; people teach inside `sessions.scope_of`, where row security keeps them to
their own sites. Functions do not commit. Times are aware.
"""

from collections.abc import Mapping
from datetime import datetime

from care.pairing import require_manager
from database.connections import Connection
from database.errors import InvalidError, NotFoundError, translated_errors
from database.queries import queries
from database.record import Record
from protocol.abilities import may_raise
from protocol.model import ANYTHING, ActivityEvent, DeviceKind, SignalKind, Taught, UnheardReport
from protocol.signs import SIGNS

_sql = queries("care", "sql/unheard.sql")

FIELDS_MAX = 2_000
"""Fields of one gateway that are kept: those heard last."""
SHOWN_MAX = 200
SIGN_WORDS = tuple(f"vitals.{sign}" for sign in SIGNS)
EVENT_WORDS = tuple(f"activity.{event}" for event in ActivityEvent)
ALARM_WORDS = tuple(f"alarm.{kind}" for kind in SignalKind)
TEACHABLE = (*ALARM_WORDS, *EVENT_WORDS, *SIGN_WORDS)
"""What a field can be taught to mean, in the model's words."""


class Unheard(Record, frozen=True, kw_only=True):
    """One field of one device that its box does not understand.

    Attributes:
        device: What the device is called, as far as anybody has said.
        device_kind: As what it was adopted; None: it was not.
        could_be_alarm: Its words sound like an alarm.
        is_overdue: And for a day it has said nothing that was understood: somebody must look at it.
        says: What a person has said that it means; None: nobody has.
    """

    gateway_id: int
    gateway: str
    site_id: int
    site_name: str
    key: str
    path: str
    count: int
    reason: str
    example: str | None
    first_at: datetime
    last_at: datetime
    device: str | None
    device_kind: DeviceKind | None
    could_be_alarm: bool
    is_overdue: bool
    says: str | None
    raised_by: str | None


def record(connection: Connection, gateway_id: int, report: UnheardReport) -> None:
    """Bring what a box reports up to date, and forget what is too much or was not heard for a month."""
    fields = [
        (_clean(key), _clean(path), field)
        for key, paths in report.devices.items()
        for path, field in paths.items()
    ][:FIELDS_MAX]
    if not fields:
        return
    params = {
        "gateway_id": gateway_id,
        "keys": [key for key, _, _ in fields],
        "paths": [path for _, path, _ in fields],
        "counts": [field.count for _, _, field in fields],
        "reasons": [_clean(field.reason) for _, _, field in fields],
        "examples": [None if field.example is None else _clean(field.example) for _, _, field in fields],
    }
    connection.execute(_sql["record"], params)
    connection.execute(_sql["bound"], {"gateway_id": gateway_id, "fields_max": FIELDS_MAX})


def unheard(connection: Connection, site_id: int | None = None) -> list[Unheard]:
    """What is not understood: what somebody must look at first, then what could be an alarm."""
    params = {"site_id": site_id, "gateway_id": None, "key": None, "path": None, "limit": SHOWN_MAX}
    return [Unheard.from_row(row) for row in connection.execute(_sql["unheard"], params)]


def field(connection: Connection, gateway_id: int, key: str, path: str) -> Unheard:
    """One field. NotFoundError when it is not (any more) there, or not in scope."""
    params = {"site_id": None, "gateway_id": gateway_id, "key": key, "path": path, "limit": 1}
    row = connection.execute(_sql["unheard"], params).fetchone()
    if row is None:
        raise NotFoundError(f"gateway {gateway_id} has no field {path!r} of {key!r} that is unheard")
    return Unheard.from_row(row)


def tried(lesson: Taught, example: str | None) -> bool | float | None:
    """What the lesson makes of an example: a measurement, or whether it means it; None: nothing.

    Of a measurement only a number that is possible counts, in our unit.
    """
    if example is None:
        return None
    if lesson.says in SIGN_WORDS:
        sign = SIGNS[lesson.says.partition(".")[2]]
        try:
            value = float(example)
        except ValueError:
            return None
        return value if sign.low <= value <= sign.high else None
    raised_by = (lesson.raised_by or "").strip()
    return raised_by == ANYTHING or example.strip().casefold() == raised_by.casefold()


def teach(
    connection: Connection, gateway_id: int, key: str, path: str, lesson: Taught, *, staff_id: int
) -> None:
    """From now on the field means that; the box is told as soon as this is committed.

    Raises:
        NotAllowedError: Who is signed in does not manage devices.
        NotFoundError: There is no such field here.
        InvalidError: No field can mean that, no device of this kind raises that alarm, the value that means
            it is missing, or the last example is no such measurement.
    """
    require_manager(connection)
    found = field(connection, gateway_id, key, path)
    if lesson.says not in TEACHABLE:
        raise InvalidError(f"nothing can mean {lesson.says!r}", says=lesson.says)
    if found.device_kind is not None and not may_raise(found.device_kind, lesson.says):
        raise InvalidError(f"a {found.device_kind} does not raise {lesson.says}", kind=found.device_kind)
    if lesson.says in SIGN_WORDS:
        if lesson.raised_by is not None or tried(lesson, found.example) is None:
            raise InvalidError(f"{found.example!r} is no {lesson.says}", says=lesson.says)
    elif not lesson.raised_by:
        raise InvalidError("say which value means it", says=lesson.says)
    params = {
        "gateway_id": gateway_id,
        "key": key,
        "path": path,
        "says": lesson.says,
        "raised_by": lesson.raised_by,
        "staff_id": staff_id,
    }
    connection.execute(_sql["unteach"], params)
    with translated_errors():
        connection.execute(_sql["teach"], params)


def unteach(connection: Connection, gateway_id: int, key: str, path: str) -> None:
    """The field means nothing again. NotAllowedError as `teach`."""
    require_manager(connection)
    connection.execute(_sql["unteach"], {"gateway_id": gateway_id, "key": key, "path": path})


def lessons(connection: Connection) -> Mapping[int, dict[str, dict[str, Taught]]]:
    """All that was taught, by gateway, device key and path."""
    found: dict[int, dict[str, dict[str, Taught]]] = {}
    for row in connection.execute(_sql["lessons"]):
        paths = found.setdefault(row["gateway_id"], {}).setdefault(row["key"], {})
        paths[row["path"]] = Taught(says=row["says"], raised_by=row["raised_by"])
    return found


def _clean(text: str) -> str:
    """PostgreSQL's text holds no NUL and no lone surrogate."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
