"""The process that keeps derived data true: it settles, joins, rolls up and forgets, each on a connection.

Of several such processes one works and the others stand by, duty by duty (`database.leases`). Each duty rests
after a round for several times as long as the round took: the more there is to do, the more is done at once,
and the share of the database that it takes stays small.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry

from database.connections import Connection
from database.leases import Duty, DutyLock, serve
from ingest.joining import join
from ingest.metrics import Metrics
from ingest.retention import Keep, forget
from ingest.rollups import roll_up
from ingest.settings import Settings
from ingest.settle import Rhythm, settle
from protocol.watchdog import Watchdog

log = logging.getLogger(__name__)

SETTLE_TRANSACTIONS_MAX = 20
ROLLUP_TRANSACTIONS_MAX = 50
JOINING_INTERVAL_S = 1.0
ROLLUP_INTERVAL_S = 5.0
RETENTION_INTERVAL_S = 3_600.0
STANDBY_POLL_S = 1.0
STATEMENT_TIMEOUT_S = 60.0
PROOF_TIMEOUT_S = 3_600.0
RETENTION_S_MAX = 6 * PROOF_TIMEOUT_S
REST_FACTOR = 5.0
"""A round is followed by a rest of this many times its length: a sixth of one core at most."""


class Rest:
    """Lets a round begin only when the last one has been rested from."""

    def __init__(self, factor: float = REST_FACTOR, clock: Callable[[], float] = time.monotonic) -> None:
        self._factor = factor
        self._clock = clock
        self._not_before_s = 0.0

    def run(self, work: Callable[[], object]) -> bool:
        """Do `work` if it is time; whether it was."""
        began_s = self._clock()
        if began_s < self._not_before_s:
            return False
        work()
        # After a round that failed there is no rest: its time was spent waiting for a database that is away.
        ended_s = self._clock()
        self._not_before_s = ended_s + self._factor * (ended_s - began_s)
        return True


class Settling:
    """The process `settle`: its duties."""

    def __init__(
        self, settings: Settings, metrics: Metrics | None = None, watchdog: Watchdog | None = None
    ) -> None:
        self._settings = settings
        self._metrics = metrics or Metrics(CollectorRegistry())
        watchdog = watchdog or Watchdog()
        self._loops = {duty.lock: watchdog.loop(duty.lock.name.lower()) for duty in self.duties()}
        self._rhythm = Rhythm(delay_s=settings.rollup_delay_s, running_hour_s=settings.rollup_running_hour_s)
        self._keep = Keep(
            raw_days=settings.raw_keep_days,
            batch_days=settings.batch_keep_days,
            dead_letter_days=settings.dead_letter_keep_days,
            late_s=settings.clock_past_s_max,
        )
        self._settle_rest = Rest()
        self._rollup_rest = Rest()
        self._joining_rest = Rest()
        self._stop = threading.Event()
        self._failure: Exception | None = None

    def duties(self) -> Sequence[Duty]:
        """What `database.leases.serve` needs for each."""
        return (
            self._duty(DutyLock.SETTLE, self._settings.settle_interval_s, self._settle),
            self._duty(DutyLock.JOINING, JOINING_INTERVAL_S, self._join),
            self._duty(DutyLock.ROLLUP, ROLLUP_INTERVAL_S, self._roll_up),
            self._duty(
                DutyLock.RETENTION, RETENTION_INTERVAL_S, self._forget, PROOF_TIMEOUT_S, RETENTION_S_MAX
            ),
        )

    @property
    def connected(self) -> bool:
        """Whether it works; the broker is none of its business."""
        return self._failure is None

    def stop(self) -> None:
        """Return from `run` after the transactions in hand. Safe in a signal handler."""
        self._stop.set()

    def run(self) -> None:
        """Keep all duties until `stop`. Raises what no retry can mend."""
        threads = [
            threading.Thread(target=self._serve, args=(duty,), name=duty.name) for duty in self.duties()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._failure is not None:
            raise self._failure

    def _duty(
        self,
        lock: DutyLock,
        interval_s: float,
        work: Callable[[Connection], None],
        statement_timeout_s: float = STATEMENT_TIMEOUT_S,
        round_s_max: float | None = None,
    ) -> Duty:
        return Duty(
            lock=lock,
            database_url=self._settings.database_url,
            interval_s=interval_s,
            standby_poll_s=STANDBY_POLL_S,
            statement_timeout_s=statement_timeout_s,
            work=work,
            round_s_max=round_s_max,
        )

    def _serve(self, duty: Duty) -> None:
        try:
            serve(duty, self._stop, self._loops[duty.lock])
        except Exception as error:  # noqa: BLE001 - told by `run`, after the others have ended
            self._failure = error
            self._stop.set()

    def _settle(self, connection: Connection) -> None:
        def round_() -> None:
            for _ in range(SETTLE_TRANSACTIONS_MAX):
                self._loops[DutyLock.SETTLE].beat()
                settled = settle(connection, self._rhythm)
                self._metrics.took(settled.notes)
                if not settled.more or self._stop.is_set():
                    return

        self._settle_rest.run(round_)

    def _roll_up(self, connection: Connection) -> None:
        def round_() -> None:
            for _ in range(ROLLUP_TRANSACTIONS_MAX):
                self._loops[DutyLock.ROLLUP].beat()
                rolled_up = roll_up(connection)
                self._metrics.rolled_up(rolled_up.hours)
                if not rolled_up.more or self._stop.is_set():
                    return

        self._rollup_rest.run(round_)

    def _join(self, connection: Connection) -> None:
        beat = self._loops[DutyLock.JOINING].beat
        self._joining_rest.run(lambda: join(connection, beat))

    def _forget(self, connection: Connection) -> None:
        forget(connection, self._keep, datetime.now(UTC))
