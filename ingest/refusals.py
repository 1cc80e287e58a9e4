"""Whom the broker refuses, heard from its own log: it tells that on `$SYS/broker/log/…` to who may listen.

Nothing else in the house knows of a device whose secret is wrong. The broker's lines name the MQTT client id
that the device gave, and where it came from in a line before. A message on a foreign topic is refused without
a line, so it is not seen here.
"""

import re
from collections import OrderedDict
from typing import NamedTuple

from database.connections import Connection
from database.queries import queries

_sql = queries("ingest", "sql/refusals.sql")

TOPIC = "$SYS/broker/log/#"
COUNTED_MAX = 200
KEPT_MAX = 500
PENDING_MAX = 100
"""Connections that have not yet said who they are."""
NAMES_MAX = 5_000
NAME_LETTERS_MAX = 100

_NEW = re.compile(r"New connection from (\S+):\d+ on port")
_IN = re.compile(r"New client connected from (\S+?):\d+ as (.*) \(p\d")
_REFUSED = re.compile(r"Client (.*) disconnected, not authori[sz]ed")
_LARGE = re.compile(r"Client (.*) disconnected due to oversize packet")


class Refusal(NamedTuple):
    """Who was refused, where they came from, and why. An empty address: the broker did not tell."""

    reason: str
    name: str
    address: str


class Refusals:
    """Counts refusals between two calls of `store`; bounded, whatever comes."""

    def __init__(self) -> None:
        self._pending: list[str] = []
        self._address_of: OrderedDict[str, str] = OrderedDict()
        self.counted: dict[Refusal, int] = {}

    def take(self, _topic: str, payload: bytes) -> None:
        """One line of the broker's log."""
        line = payload.decode("utf-8", "replace").replace("\0", "")
        if (found := _NEW.search(line)) is not None:
            self._pending = [*self._pending, found[1]][-PENDING_MAX:]
        elif (found := _IN.search(line)) is not None:
            if found[1] in self._pending:
                self._pending.remove(found[1])
            self._address_of[found[2]] = found[1]
            self._address_of.move_to_end(found[2])
            while len(self._address_of) > NAMES_MAX:
                self._address_of.popitem(last=False)
        elif (found := _REFUSED.search(line)) is not None:
            # The broker does one thing after the other: the connection that waits longest is meant.
            self._count("not_authorised", found[1], self._pending.pop(0) if self._pending else "")
        elif (found := _LARGE.search(line)) is not None:
            self._count("too_large", found[1], self._address_of.get(found[1], ""))

    def store(self, connection: Connection) -> None:
        """Add what was counted to what is kept, and forget the oldest past KEPT_MAX."""
        counted = dict(self.counted)
        if not counted:
            return
        with connection.transaction():
            with connection.cursor() as cursor:
                rows = [{**refusal._asdict(), "count": count} for refusal, count in sorted(counted.items())]
                cursor.executemany(_sql["add"], rows)
            connection.execute(_sql["bound"], {"kept_max": KEPT_MAX})
        self.counted.clear()

    def _count(self, reason: str, name: str, address: str) -> None:
        refusal = Refusal(reason, name[:NAME_LETTERS_MAX], address)
        if refusal not in self.counted and len(self.counted) >= COUNTED_MAX:
            refusal = Refusal(reason, "…", "")
        self.counted[refusal] = self.counted.get(refusal, 0) + 1
