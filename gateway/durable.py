"""A SQLite file that power may fail at any write, and whose damage ends nothing.

WAL mode with `synchronous=FULL`: each commit is on the disk when it returns. A file that turns out to be
damaged is moved aside and begun anew, and whoever owns it may take out of the old one what can still be read.
One connection, one lock; the methods may be called from any thread.
"""

import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from gateway.errors import OutboxError

T = TypeVar("T")

log = logging.getLogger(__name__)

PAGE_BYTES = 4096
WAL_PAGES = 1_000
"""The write-ahead log is emptied into the file at this length; it adds some 4 MB to the size."""

_DISK_CODES = {
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PERM,
}  # fmt: skip
_BROKEN_CODES = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class DurableFile:
    """The file at `path`, open until `close`.

    Attributes:
        pages_max: It never has more pages of PAGE_BYTES than this.

    Raises:
        OutboxError: from every method, when the disk does not take or give it; nothing is changed then.
    """

    def __init__(
        self,
        path: Path,
        *,
        schema: str,
        pages_max: int,
        prepare: Callable[[sqlite3.Connection, Path | None], None],
        recall: Callable[[sqlite3.Connection], None],
    ) -> None:
        """Open or make the file.

        Args:
            path: In a folder that is made when it is not there.
            schema: Statements that make what is missing, and may be run on every opening.
            pages_max: As the attribute.
            prepare: Called in the first transaction of each opening, with the damaged file that this one
                replaces, if any.
            recall: Called when the file may hold something else than was thought: once it is open, and after
                a transaction that failed. Reads anew what its owner keeps in memory.
        """
        self.pages_max = pages_max
        self._path, self._schema = path, schema
        self._prepare, self._recall = prepare, recall
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection
        with self._lock, _translated(path):
            try:
                self._open(damaged=None)
            except sqlite3.DatabaseError as error:
                self._begin_anew_after(error)

    def transaction(self, work: Callable[[sqlite3.Connection], T], *, durable: bool = True) -> T:
        """Do `work` wholly or not at all. Not `durable`: a loss of power may undo it."""

        def within(connection: sqlite3.Connection) -> T:
            if not durable:
                connection.execute("PRAGMA synchronous = NORMAL")
            try:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    result = work(connection)
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    self._recall(connection)
                    raise
            finally:
                if not durable:
                    connection.execute("PRAGMA synchronous = FULL")
            return result

        return self._guarded(within)

    def read(self, query: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query."""
        return self._guarded(lambda connection: connection.execute(query, parameters).fetchall())

    def used_pages(self) -> int:
        """Pages that hold something."""
        ((pages,),) = self.read("PRAGMA page_count")
        ((free,),) = self.read("PRAGMA freelist_count")
        return int(pages) - int(free)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _open(self, *, damaged: Path | None) -> None:
        keep_private(self._path)
        connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, timeout=10, cached_statements=64
        )
        self._connection = connection
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        connection.execute(f"PRAGMA max_page_count = {self.pages_max}")
        connection.execute("PRAGMA cache_size = -4096")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.executescript(f"BEGIN; {self._schema} COMMIT;")
        connection.execute("BEGIN IMMEDIATE")
        _sync_folder(self._path.parent)
        self._prepare(connection, damaged)
        connection.execute("COMMIT")
        self._recall(connection)

    def _guarded(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do `work` under the lock. A damaged file is moved aside, and the work done on a new one."""
        with self._lock, _translated(self._path):
            try:
                return work(self._connection)
            except sqlite3.DatabaseError as error:
                self._begin_anew_after(error)
                return work(self._connection)

    def _begin_anew_after(self, error: sqlite3.DatabaseError) -> None:
        if _code(error) not in _BROKEN_CODES:
            raise error
        log.error("the file %s is damaged (%s); beginning a new one", self._path, error)
        with suppress(AttributeError, sqlite3.Error):
            self._connection.close()
        aside = self._path.with_stem(f"{self._path.stem}-damaged")
        for ending in ("", "-wal", "-shm"):
            aside.with_name(aside.name + ending).unlink(missing_ok=True)
            with suppress(FileNotFoundError):
                self._path.with_name(self._path.name + ending).replace(aside.with_name(aside.name + ending))
        self._open(damaged=aside)


def keep_private(path: Path) -> None:
    """Let only its owner read the file and what SQLite puts beside it; a folder made here is only theirs.

    What it holds is what the people of a house did.
    """
    if not path.parent.exists():
        path.parent.mkdir(parents=True, mode=0o700)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    for ending in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + ending).chmod(0o600)


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A file as it is, for as long as the block lasts."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


def _sync_folder(folder: Path) -> None:
    """Make sure that the file's name is on the disk, not only its content."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _code(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        if _code(error) in _DISK_CODES | _BROKEN_CODES:
            raise OutboxError(f"the outbox {path} cannot be used now: {error}") from error
        raise
    except OSError as error:
        raise OutboxError(f"the outbox {path} cannot be used now: {error}") from error
