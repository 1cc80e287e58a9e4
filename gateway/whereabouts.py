"""Where the centre is: as the identity says; while its broker is not there, as the centre itself says now.

A county gives its centre another port or another machine. Gateways must not be cut off by that: one that
cannot reach the broker asks at the address that it was paired at (`gateway.pair.find`), in a thread of its
own, so that the next attempt to connect is never late.
"""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from gateway import identity as identities
from gateway import pair
from gateway.identity import Identity
from protocol.broker import BrokerAddress
from protocol.errors import ProtocolError

log = logging.getLogger(__name__)

FAILURES_MIN = 3
"""A broker that is restarted is away for one or two attempts, and has not moved."""
ASK_EVERY_S = 60.0


class Whereabouts:
    """The broker's address for a paired gateway."""

    def __init__(
        self,
        path: Path,
        find: Callable[[Identity], Identity] = pair.find,
        ask_every_s: float = ASK_EVERY_S,
    ) -> None:
        """`path` is the identity's file: read at each connection, written when the centre has moved."""
        self._path = path
        self._find = find
        self._ask_every_s = ask_every_s
        self._asked_s = float("-inf")
        self._asking: threading.Thread | None = None
        self._moved: tuple[Identity, Identity] | None = None

    def address(self, failures: int) -> BrokerAddress:
        """Where to connect to now, after so many vain attempts in a row. IdentityError."""
        identity = self._known()
        now_s = time.monotonic()
        busy = self._asking is not None and self._asking.is_alive()
        if failures >= FAILURES_MIN and not busy and now_s - self._asked_s >= self._ask_every_s:
            self._asked_s = now_s
            self._asking = threading.Thread(
                target=self._ask, args=(identity,), name="whereabouts", daemon=True
            )
            self._asking.start()
        return identity.broker

    def _known(self) -> Identity:
        identity = identities.load(self._path)
        if self._moved is not None and _place(identity) == _place(self._moved[0]):
            return _moved_to(identity, self._moved[1])  # the file could not be written
        return identity

    def _ask(self, identity: Identity) -> None:
        try:
            found = self._find(identity)
        except (ProtocolError, OSError) as error:
            log.debug("where the centre is now: %s", error)
            return
        if _place(found) == _place(identity):
            return
        log.warning("the centre has moved: its broker is at %s:%d now", found.mqtt_host, found.mqtt_port)
        self._moved = (identity, found)
        try:
            with identities.changing(self._path):
                identities.save(self._path, _moved_to(identities.load(self._path), found))
        except (ProtocolError, OSError) as error:
            log.warning("%s still holds the old address: %s", self._path, error)


def _place(identity: Identity) -> tuple[str, int, str, int]:
    return identity.host, identity.https_port, identity.mqtt_host, identity.mqtt_port


def _moved_to(identity: Identity, found: Identity) -> Identity:
    """The same gateway, with the secret that it has by now, at the new address."""
    return msgspec.structs.replace(
        identity,
        host=found.host,
        https_port=found.https_port,
        mqtt_host=found.mqtt_host,
        mqtt_port=found.mqtt_port,
    )
