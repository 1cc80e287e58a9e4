"""The directory: which device is whose, kept in memory and refreshed when the register changes."""

import gc
import logging
import threading
import time
from collections.abc import Mapping
from typing import NamedTuple

import psycopg
from psycopg.rows import tuple_row

from database.connections import Connection
from database.queries import queries
from ingest.database import Database
from protocol.errors import DeadReason, WireError
from protocol.model import DeviceKind

log = logging.getLogger(__name__)

_sql = queries("ingest", "sql/directory.sql")

PROBE_S = 15.0
"""A connection on which nothing is asked does not notice that it leads nowhere any more, and then it would
never hear of a change: so that often something is asked."""
UNKNOWN_REFRESH_S_MIN = 30.0
"""An unknown name makes us look again, but not more often than this: names may be made up."""


class Assignment(NamedTuple):
    """Whom or which room a device watched, from when to when, in microseconds since 1970 UTC."""

    from_us: int
    to_us: int | None
    resident_id: int | None
    room_id: int | None


NOBODY = Assignment(0, None, None, None)


class Entry(NamedTuple):
    """A device and its assignments, the newest first."""

    device_id: int
    name: str
    kind: DeviceKind
    site_id: int
    site_code: str
    assignments: tuple[Assignment, ...]
    gateway: str | None = None
    """The gateway that it was adopted from."""
    is_direct: bool = False
    """Whether it signs in itself, and no gateway passes on what it says."""

    @property
    def only_speaker(self) -> str | None:
        """Who alone may speak for it, by name; None: any gateway of its site."""
        if self.is_direct or self.kind is DeviceKind.GATEWAY:
            return self.name
        return self.gateway

    def may_be_spoken_for_by(self, speaker: "Entry") -> bool:
        """Whether what this device says may come from `speaker`: itself, or a gateway of its site."""
        if speaker.name == self.name:
            return True
        is_gateway_here = speaker.kind is DeviceKind.GATEWAY and speaker.site_code == self.site_code
        return is_gateway_here and self.only_speaker in {None, speaker.name}

    def assignment_at(self, time_us: int) -> Assignment:
        """The assignment in force at that time; NOBODY if there was none."""
        # Nearly every reading belongs to the newest assignment.
        for assignment in self.assignments:
            if assignment.from_us <= time_us and (assignment.to_us is None or time_us < assignment.to_us):
                return assignment
        return NOBODY


class Lasting(NamedTuple):
    """A device whose newest assignment has no end: whom it watches, and since when (in µs since 1970)."""

    site_code: str
    device_id: int
    resident_id: int | None
    from_us: int
    speaker: str | None
    """Who alone may speak for it: itself, or the gateway it was adopted from; None: any gateway there."""


def lasting_of(entries: Mapping[str, Entry]) -> dict[str, Lasting]:
    """The devices by name that watch whom they watch until further notice."""
    return {
        name: Lasting(
            entry.site_code, entry.device_id, newest.resident_id, newest.from_us, entry.only_speaker
        )
        for name, entry in entries.items()
        if entry.assignments and (newest := entry.assignments[0]).to_us is None
    }


class Directory:
    """Devices by name, as of the last change of the register that the database told of.

    While the database is away, what was known stays known.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None
        self._entries: dict[str, Entry] = {}
        self._lasting: dict[str, Lasting] = {}
        self._loading: threading.Thread | None = None
        self._loaded_at_s = -UNKNOWN_REFRESH_S_MIN
        self._probed_at_s = 0.0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def lasting(self) -> Mapping[str, Lasting]:
        """What `lasting_of` says of what is known now."""
        return self._lasting

    @property
    def entries(self) -> Mapping[str, Entry]:
        """What is known now; replaced, never changed, when the register changes."""
        return self._entries

    @property
    def is_loading(self) -> bool:
        """Whether the register is being read beside the work."""
        return self._loading is not None and self._loading.is_alive()

    def refresh(self) -> bool:
        """Hear whether the register has changed, and if so load it; False while the database is away.

        What changes is loaded beside the work: it takes a second for a hundred thousand devices, and an alarm
        does not wait that long. Only the first load is waited for.
        """
        if self.is_loading:
            return True
        self._loading = None
        connection = self._database.connection()
        if connection is None:
            return False
        try:
            if connection is not self._connection:
                connection.execute("LISTEN anshou_registry")
                self._load(connection)
                self._connection = connection
                return True
            self._probe(connection)
            if any(True for _ in connection.notifies(timeout=0)):
                self._loading = threading.Thread(
                    target=self._load_aside, args=[connection], name="register", daemon=True
                )
                self._loading.start()
        except psycopg.OperationalError as error:
            self._database.failed(error)
            return False
        return True

    def _load_aside(self, connection: Connection) -> None:
        """In a thread that has the connection for itself until it ends."""
        try:
            self._load(connection)
        except psycopg.Error as error:
            # Closed under the query, by a stop or a failure elsewhere, it fails as whatever was half read.
            if not (connection.closed or isinstance(error, psycopg.OperationalError)):
                raise
            log.warning("the register could not be read, trying again: %s", str(error).strip())
            self._connection = None

    def find(self, site: str, device: str) -> Entry:
        """The device of this name at this site. WireError: unknown_device or wrong_site."""
        entry = self._entries.get(device) or self._look_again(device)
        if entry is None:
            raise WireError(DeadReason.UNKNOWN_DEVICE, f"no device {device!r} is registered")
        if entry.site_code != site:
            raise WireError(
                DeadReason.WRONG_SITE, f"device {device!r} belongs to {entry.site_code}, not to {site}"
            )
        return entry

    def _look_again(self, device: str) -> Entry | None:
        """It may be so new that its notification has not been read, or (rarely) was not delivered."""
        for _ in range(2):  # what was registered while a load was under way is told of after it
            self.refresh()
            if self._loading is not None:
                self._loading.join()
            if device in self._entries:
                break
        if device not in self._entries and time.monotonic() - self._loaded_at_s >= UNKNOWN_REFRESH_S_MIN:
            self._connection = None  # forces a load
            self.refresh()
        return self._entries.get(device)

    def _probe(self, connection: Connection) -> None:
        if time.monotonic() - self._probed_at_s >= PROBE_S:
            connection.execute("SELECT")
            self._probed_at_s = time.monotonic()

    def _load(self, connection: Connection) -> None:
        entries: dict[str, Entry] = {}
        with connection.cursor(row_factory=tuple_row) as cursor:
            cursor.execute(_sql["devices"])
            for name, *what, from_us, to_us, room_id, resident_id in cursor:
                known = entries.get(name)
                assignments = known.assignments if known else ()
                if from_us is not None:
                    assignments = (*assignments, Assignment(from_us, to_us, resident_id, room_id))
                device_id, kind, site_id, site_code, gateway, is_direct = what
                kind = DeviceKind(kind)
                entries[name] = Entry(
                    device_id, name, kind, site_id, site_code, assignments, gateway, is_direct
                )
        self._entries, self._lasting = entries, lasting_of(entries)
        gc.freeze()  # looking through it for cycles would hold up an alarm
        self._loaded_at_s = time.monotonic()
