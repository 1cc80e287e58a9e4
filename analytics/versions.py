"""Versions of what was learnt, in the database: the only reader and writer of analytics.model.

Of each name at most one version is live. What is damaged, of another format or learnt with other settings
than those that hold now is never used: the version that was live before it takes its place, if there is one.
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from psycopg.types.json import Jsonb

from analytics import learnt
from analytics.comparison import Verdict
from analytics.errors import ModelVersionError
from analytics.learnt import FORMAT, KINDS, Model
from analytics.models import storage
from analytics.models.storage import ModelFormatError
from analytics.settings import AnalyticsSettings
from analytics.training import Candidate
from database.connections import Connection
from database.queries import queries

log = logging.getLogger(__name__)

_sql = queries("analytics", "sql/versions.sql")

KEEP = 10
"""So many versions of each name are kept, and beyond them the live one and two that were live before it."""
KEEP_RETIRED = 2


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version, without its content; the attributes are the columns of analytics.model."""

    id: int
    name: str
    version: int
    state: str
    reason: str
    made_at: datetime
    window_begin: datetime
    window_end: datetime
    recipe: str
    metrics: Mapping[str, Any]
    format: int
    size_bytes: int

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """From a row of the queries `list` and `add`."""
        return cls(**row)

    def unusable(self, settings: AnalyticsSettings, now: datetime) -> str | None:
        """Why it would not be used now even if it were live; None: it would be."""
        if self.format != FORMAT:
            return f"it has format {self.format}, and this program reads {FORMAT}"
        if self.name in KINDS and self.recipe != learnt.recipe(self.name, settings):
            return "it was learnt with other settings than those that hold now"
        if self.window_end < now - oldest(settings):
            return f"what it has learnt from ended more than {settings.models_age_days_max} days ago"
        return None


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A version that can be used, and its content."""

    id: int
    version: int
    model: Model


@dataclass(frozen=True, kw_only=True)
class Incumbent:
    """What is in use under a name when a training begins.

    Attributes:
        live_id: The version that is live; None: none is.
        loaded: The one that is used, which is an older one where the live one cannot be; None: none can.
    """

    live_id: int | None
    loaded: Loaded | None

    @property
    def model(self) -> Model | None:
        """What is used."""
        return None if self.loaded is None else self.loaded.model


def oldest(settings: AnalyticsSettings) -> timedelta:
    """How long ago at most the window of a version has ended that is used."""
    return timedelta(days=settings.models_age_days_max)


def list_versions(connection: Connection, name: str | None = None) -> list[Version]:
    """All versions, or those of one name; by name, the newest first."""
    return [Version.from_row(row) for row in connection.execute(_sql["list"], {"name": name})]


def live_id(connection: Connection, name: str) -> int | None:
    """Which version is live: to be asked often, to see whether it has changed."""
    row = connection.execute(_sql["live_id"], {"name": name}).fetchone()
    return None if row is None else int(row["id"])


def load(connection: Connection, name: str, settings: AnalyticsSettings, now: datetime) -> Loaded | None:
    """The live version, or the last one before it that can be used; None: none can. The log says why."""
    params = {"name": name, "now": now, "oldest": now - oldest(settings)}
    wanted = learnt.recipe(name, settings)
    for row in connection.execute(_sql["choices"], params).fetchall():
        if row["recipe"] != wanted:
            log.info("%s version %d was learnt with other settings and is not used", name, row["version"])
            continue
        try:
            model = _content(connection, row["id"], name, row["format"])
        except ModelFormatError as error:
            log.error(
                "%s version %d cannot be used, the one before it takes its place: %s",
                name,
                row["version"],
                error,
            )
            continue
        return Loaded(id=row["id"], version=row["version"], model=model)
    return None


def incumbent(connection: Connection, name: str, settings: AnalyticsSettings, now: datetime) -> Incumbent:
    """What is in use now."""
    return Incumbent(live_id=live_id(connection, name), loaded=load(connection, name, settings, now))


def publish(
    connection: Connection,
    candidates: Sequence[Candidate],
    incumbents: Mapping[str, Incumbent],
    settings: AnalyticsSettings,
) -> list[Version]:
    """Store candidates, all in one transaction; those that are no worse go live.

    Args:
        connection: of the role of analytics.
        candidates: what a training has learnt.
        incumbents: what was in use, by name, when the training began. Where another version is live by now,
            the candidate waits as such: nobody has compared the two.
        settings: those it was learnt with.
    """
    with connection.transaction():
        connection.execute(_sql["lock"])
        return [
            _store(connection, candidate, incumbents[candidate.name], settings) for candidate in candidates
        ]


def restore(connection: Connection, name: str, number: int | None, by: str) -> Version:
    """Make an earlier version live again, in one transaction: `number`, or the last one before.

    Raises:
        ModelVersionError: there is no such version, or it cannot be made live; says why.
    """
    with connection.transaction():
        connection.execute(_sql["lock"])
        versions = list_versions(connection, name)
        if not versions:
            hint = f"there are {', '.join(learnt.NAMES)}"
            if name in KINDS:
                hint = "nothing has been learnt yet; learn now with: anshou analytics train"
            raise ModelVersionError(f"no version of {name!r} is stored: {hint}")
        chosen = _chosen(versions, number)
        try:
            _content(connection, chosen.id, name, chosen.format)
        except ModelFormatError as error:
            raise ModelVersionError(f"{name} version {chosen.version} cannot be read: {error}") from error
        retired = {"name": name, "reason": f"version {chosen.version} was restored by {by}"}
        connection.execute(_sql["retire"], retired)
        connection.execute(_sql["make_live"], {"id": chosen.id, "reason": f"restored by {by}"})
        return next(version for version in list_versions(connection, name) if version.id == chosen.id)


def _store(
    connection: Connection, candidate: Candidate, before: Incumbent, settings: AnalyticsSettings
) -> Version:
    """Add a row for the candidate, live or not, and delete what is too old."""
    name = candidate.name
    state, reason = _judge(candidate, live_id(connection, name), before.live_id)
    content = storage.dump(candidate.model)
    if state == "live":
        connection.execute(_sql["retire"], {"name": name, "reason": "a newer version went live"})
    params = {
        "name": name,
        "state": state,
        "reason": reason,
        "window_begin": candidate.window_begin,
        "window_end": candidate.window_end,
        "recipe": learnt.recipe(name, settings),
        "metrics": Jsonb(_metrics(candidate, before)),
        "format": FORMAT,
        "content": content,
        "digest": hashlib.sha256(content).digest(),
    }
    row = connection.execute(_sql["add"], params).fetchone()
    assert row is not None, "INSERT … RETURNING gives a row"
    version = Version.from_row(row)
    level = logging.WARNING if state == "rejected" else logging.INFO
    log.log(level, "%s version %d is %s: %s", name, version.version, state, reason)
    connection.execute(_sql["prune"], {"name": name, "keep": KEEP, "keep_retired": KEEP_RETIRED})
    return version


def _chosen(versions: Sequence[Version], number: int | None) -> Version:
    name = versions[0].name
    live = next((version for version in versions if version.state == "live"), None)
    if number is None:
        before = [
            version
            for version in versions
            if version.state == "retired" and (live is None or version.version < live.version)
        ]
        if not before:
            raise ModelVersionError(f"there is no earlier version of {name} to go back to")
        return before[0]
    chosen = next((version for version in versions if version.version == number), None)
    if chosen is None:
        kept = ", ".join(str(version.version) for version in versions)
        raise ModelVersionError(f"there is no version {number} of {name}; kept are {kept}")
    if chosen.state == "live":
        raise ModelVersionError(f"{name} version {number} is live already")
    if chosen.state == "rejected":
        raise ModelVersionError(f"{name} version {number} was rejected and stays so: {chosen.reason}")
    return chosen


def _content(connection: Connection, version_id: int, name: str, format_number: int) -> Model:
    """The model in a row. ModelFormatError: it is damaged, or this program does not read it."""
    if format_number != FORMAT:
        raise ModelFormatError(f"it has format {format_number}, and this program reads {FORMAT}")
    row = connection.execute(_sql["content"], {"id": version_id}, binary=True).fetchone()
    if row is None:
        raise ModelFormatError("it has just been deleted")
    return decode(name, row["content"], row["digest"])


def decode(name: str, content: bytes, digest: bytes) -> Model:
    """The model of the kind `name` that `content` holds. ModelFormatError: it is damaged."""
    if hashlib.sha256(content).digest() != digest:
        raise ModelFormatError(f"its {len(content)} bytes are damaged: they do not fit their digest")
    model = storage.load(KINDS[name], content)
    model.check()
    return model


def _judge(candidate: Candidate, live: int | None, compared: int | None) -> tuple[str, str]:
    verdict: Verdict | None = candidate.verdict
    if verdict is not None and not verdict.no_worse:
        return "rejected", verdict.reason
    if live != compared:
        return "candidate", "another version went live while it was learnt"
    if verdict is None:
        return "live", "there was no version in use to compare it with"
    return "live", verdict.reason


def _metrics(candidate: Candidate, before: Incumbent) -> dict[str, Any]:
    figures = dict(candidate.verdict.figures) if candidate.verdict else {}
    if before.loaded is not None:
        figures["live_version"] = before.loaded.version
    return {"residents": candidate.resident_count, "known": candidate.model.known_count, **figures}
