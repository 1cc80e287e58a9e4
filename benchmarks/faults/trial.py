"""One run: a town speaks, faults strike, all heals, and the database is compared with what was said."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg

from benchmarks.faults.centre import Centre, running_centre
from benchmarks.faults.recovery import Overcome, Recovery
from benchmarks.faults.schedule import Fault, Link, schedule
from benchmarks.faults.senders import DirectDevice, Gateway, Sender
from benchmarks.faults.strike import Striker
from benchmarks.faults.verdict import Verdict, judge, oldest_lost_s, unexplained
from database.connections import connect
from database.errors import DatabaseUnavailableError

HOMES = 6
DIRECT = 4
HEAL_S_MAX = 180.0
QUIET_S = 5.0
"""How long nothing may have come from the devices that speak for themselves, to say that all has come."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run gave.

    Attributes:
        seed: From which the faults came.
        faults: What struck.
        verdict: The database against the ledgers.
        unexplained: What direct devices lost, in words, although no kill of the broker took it.
        oldest_lost_s: How long before the kill the broker had taken over the oldest of what it lost.
        broker_kills: How often the broker was killed.
        overcome: How long each fault took to recover from.
    """

    seed: int
    faults: Sequence[Fault]
    verdict: Verdict
    unexplained: Sequence[str]
    oldest_lost_s: float
    broker_kills: int
    overcome: Sequence[Overcome]


class NotHealedError(Exception):
    """Something did not come to its end although all faults were over."""


def run(seed: int, count: int, *, talk: bool = False) -> Outcome:
    """Run with this many faults. With `talk` each is told as it strikes.

    Raises:
        NotHealedError: what is not done although nothing is in its way any more; says what.
    """
    began_s = time.monotonic()
    with running_centre(homes=HOMES, direct=DIRECT, seed=seed) as centre:
        gateways, direct = _senders(centre, seed)
        recovery = Recovery(gateways, centre.owner_url)
        senders: list[Sender] = [*gateways, *direct]
        try:
            for gateway in gateways:
                gateway.start()
            _wait(lambda: all(map(Gateway.is_heard, gateways)), lambda: "the first receipts")
            # What is said before ingest has subscribed for the first time reaches nobody.
            for device in direct:
                device.start()
            recovery.start()
            faults = schedule(seed, count, can_fill_disk=centre.disk is not None)
            striker = Striker(centre, gateways, direct)
            for fault in faults:
                time.sleep(fault.gap_s)
                if talk:
                    print(f"{time.monotonic() - began_s:6.1f} s {fault}", file=sys.stderr, flush=True)
                recovery.watch(fault, striker.strike(fault))
            recovery.stop()
            _heal(centre, gateways, direct)
        finally:
            for sender in senders:
                if sender.is_alive():
                    sender.stop()
        for sender in senders:
            if sender.failure is not None:
                raise sender.failure
        with connect(centre.owner_url, autocommit=True) as connection:
            verdict = judge(connection, [g.speech for g in gateways], [d.speech for d in direct])
    missing = [*verdict.direct.missing, *verdict.direct_alarms.missing]
    acknowledged_s = {record: at_s for device in direct for record, at_s in device.acknowledged_s.items()}
    killed_s = striker.broker_killed_s
    return Outcome(
        seed=seed,
        faults=faults,
        verdict=verdict,
        unexplained=unexplained(missing, acknowledged_s, killed_s),
        oldest_lost_s=oldest_lost_s(missing, acknowledged_s, killed_s),
        broker_kills=len(killed_s),
        overcome=recovery.overcome,
    )


def _senders(centre: Centre, seed: int) -> tuple[list[Gateway], list[DirectDevice]]:
    port = centre.links[Link.GATEWAYS].port
    gateways = [Gateway(home, port, centre.certificate, seed) for home in centre.town.homes]
    port = centre.links[Link.DEVICES].port
    direct = [
        DirectDevice(speaker, wearer, port, centre.certificate, seed)
        for speaker, wearer in centre.town.direct
    ]
    return gateways, direct


def _heal(centre: Centre, gateways: Sequence[Gateway], direct: Sequence[DirectDevice]) -> None:
    """Nobody says anything new; wait until all that was said has arrived and all that is derived is done."""
    senders: list[Sender] = [*gateways, *direct]
    for sender in senders:
        sender.silent.set()
    _wait(
        lambda: not any(sender.waiting for sender in senders),
        lambda: "outboxes: " + ", ".join(f"{sender.name} {sender.waiting}" for sender in senders),
    )
    counting = _Counting(centre.owner_url)
    _wait(counting.is_quiet, lambda: "what the devices said themselves")
    _wait(counting.is_derived, lambda: "state and rollups")


class _Counting:
    """Asks the database how far it is."""

    def __init__(self, owner_url: str) -> None:
        self._url = owner_url
        self._last = -1
        self._since_s = time.monotonic()

    def is_quiet(self) -> bool:
        """Whether nothing was stored for a while."""
        stored = self._ask(
            "SELECT (SELECT count(*) FROM readings.vitals) + (SELECT count(*) FROM care.alarm_signal)"
        )
        if stored is None or stored != self._last:
            self._last = -1 if stored is None else stored
            self._since_s = time.monotonic()
        return time.monotonic() - self._since_s > QUIET_S

    def is_derived(self) -> bool:
        """Whether nothing waits to be settled or rolled up."""
        waiting = self._ask(
            "SELECT (SELECT count(*) FROM readings.unsettled) + (SELECT count(*) FROM readings.dirty_hour)"
        )
        return waiting == 0

    def _ask(self, query: str) -> int | None:
        try:
            with psycopg.connect(self._url, connect_timeout=5) as connection:
                row = connection.execute(query.encode()).fetchone()
        except (psycopg.Error, DatabaseUnavailableError):
            return None
        assert row is not None, "it counts"
        return int(row[0])


def _wait(ready: Callable[[], bool], what: Callable[[], str]) -> None:
    deadline_s = time.monotonic() + HEAL_S_MAX
    while not ready():
        if time.monotonic() > deadline_s:
            raise NotHealedError(f"not done after {HEAL_S_MAX:.0f} s: {what()}")
        time.sleep(0.1)
