"""The process that looks after gateways: what they propose, what they should know, how they sign in.

It also keeps what they do not understand, and whom the broker refuses. It shares nothing with alarms and
readings, which go on without it. Two of it do no harm: everything it does may be done twice, but refusals,
which both count.
"""

import logging
import shutil
import socket
import time
from collections import deque
from collections.abc import Mapping, Sequence

import psycopg
from prometheus_client import CollectorRegistry

from care import proposals, unheard
from database.connections import Connection
from database.queries import queries
from ingest import provision, refusals
from ingest.configs import ConfigPublisher
from ingest.database import Database
from ingest.directory import Directory, Entry
from ingest.errors import ProvisionError
from ingest.metrics import Metrics
from ingest.provision import Provisioner, Right
from ingest.refusals import Refusals
from ingest.rows import DeadLetter, dead_letter
from ingest.settings import Settings
from ingest.store import store_dead_letters
from ingest.subscriber import Incoming, Session, Subscriber
from protocol import wire
from protocol.broker import BrokerAddress
from protocol.errors import DeadReason, WireError
from protocol.model import DeviceKind
from protocol.watchdog import Watchdog
from protocol.wire import ROOT, Leaf

log = logging.getLogger(__name__)

_sql = queries("ingest", "sql/gateways.sql")
_refusal_sql = queries("ingest", "sql/refusals.sql")

RECEIVE_MAX = 100
TURN_S_MAX = 0.2
RETRY_POLL_S = 0.05
CHECK_EVERY_S = 30.0
"""A change is told by the database at once; this often it is looked up all the same."""
PROVISION_PAUSE_S = 2.0
TELL_EVERY_S = 5.0
"""Whom the broker refuses, and how full the disk is, are told so often."""


class GatewayIngest:
    """Proposals in, configurations and credentials out."""

    def __init__(
        self, settings: Settings, metrics: Metrics | None = None, watchdog: Watchdog | None = None
    ) -> None:
        self._metrics = metrics or Metrics(CollectorRegistry())
        watchdog = watchdog or Watchdog()
        self._loop = watchdog.loop("gateways")
        self._metrics.watch_pending(lambda: len(self._waiting))
        self._metrics.watch("connected", "Whether the broker sends us its messages.", lambda: self.connected)
        application = f"anshou ingest gateways {settings.worker}"
        self._database = Database(settings.database_url, application)
        self._register = Database(settings.database_url, f"{application} directory")
        self._directory = Directory(self._register)
        broker = BrokerAddress.parse(settings.mqtt_url)
        self._provisioner = Provisioner(broker)
        self._publisher = ConfigPublisher(broker, f"anshou-ingest-configs-{settings.worker}", watchdog)
        self._told: dict[str, list[Right]] = {}
        """What each gateway may do, as the broker knows it."""
        self._waiting: deque[Incoming] = deque()
        self._listening: Connection | None = None
        self._configs_due_s = self._credentials_due_s = 0.0
        self._refusals = Refusals()
        self._disk_path = settings.disk_path
        self._told_due_s = 0.0
        self._stopping = False
        self._subscriber = Subscriber(
            broker,
            session=Session(
                f"anshou-ingest-gateways-{settings.worker}",
                [f"{ROOT}/+/+/{leaf}" for leaf in (Leaf.PROPOSAL, Leaf.UNHEARD)],
            ),
            receive_max=RECEIVE_MAX,
            keepalive_s=settings.keepalive_s,
            on_message=self._waiting.append,
            status_topics=[refusals.TOPIC],
            on_status=self._refusals.take,
        )

    @property
    def connected(self) -> bool:
        """Whether the broker sends us its messages now."""
        return self._subscriber.subscribed

    def stop(self) -> None:
        """Return from `run` after what is in hand. Safe in a signal handler."""
        self._stopping = True
        self._subscriber.wake()

    def run(self) -> None:
        """Run until `stop`. Raises what no retry can mend; nothing unacknowledged is lost by that."""
        self._publisher.start()
        try:
            while not self._stopping:
                self._loop.beat()
                self._subscriber.turn(RETRY_POLL_S if self._waiting else TURN_S_MAX)
                self._turn()
        finally:
            self._loop.rest()
            self._publisher.stop()
            self._subscriber.close()
            self._database.close()
            self._register.close()

    def _turn(self) -> None:
        """One round with the database, if it is there; what fails is tried again."""
        connection = self._database.connection()
        if connection is None or not self._directory.refresh():
            return
        try:
            self._hear_of_changes(connection)
            while self._waiting and not self._stopping:
                dead = store_said(connection, self._directory, self._waiting[0])
                self._subscriber.acknowledge(self._waiting.popleft())
                self._metrics.took(1)
                self._metrics.died(dead)
            now_s = time.monotonic()
            if now_s >= self._told_due_s:
                self._told_due_s = now_s + TELL_EVERY_S
                self._refusals.store(connection)
                tell_disk(connection, self._disk_path)
            if now_s >= self._configs_due_s:
                self._publisher.set(proposals.configs(connection))
                self._configs_due_s = now_s + CHECK_EVERY_S
            if now_s >= self._credentials_due_s:
                self._settle_with_broker(connection)
        except psycopg.OperationalError as error:
            self._database.failed(error)

    def _hear_of_changes(self, connection: Connection) -> None:
        if connection is not self._listening:
            connection.execute("LISTEN anshou_gateways")
            connection.execute("LISTEN anshou_registry")
            self._listening = connection
            changed = True
        else:
            changed = any(True for _ in connection.notifies(timeout=0))
        if changed:
            self._configs_due_s = self._credentials_due_s = 0.0

    def _settle_with_broker(self, connection: Connection) -> None:
        try:
            rights = provision.gateways_rights(connection)
            settle_credentials(connection, self._provisioner, rights)
            news = {name: may for name, may in rights.items() if self._told.get(name) != may}
            unknown = self._provisioner.set_rights(news)
            # One that is not known yet may be so in a moment: it is recorded first.
            self._told = {name: may for name, may in rights.items() if name not in unknown}
        except ProvisionError as error:
            log.warning("what the broker should know of gateways waits: %s", error)
            self._credentials_due_s = time.monotonic() + PROVISION_PAUSE_S
            return
        self._credentials_due_s = time.monotonic() + CHECK_EVERY_S


def tell_disk(connection: Connection, path: str) -> None:
    """How much room the centre's data has left."""
    try:
        usage = shutil.disk_usage(path)
    except OSError as error:
        log.warning("the room that is left on the disk cannot be told: %s", error)
        return
    params = {"host": socket.gethostname(), "free_bytes": usage.free, "total_bytes": usage.total}
    connection.execute(_refusal_sql["disk"], params)


def store_said(connection: Connection, directory: Directory, incoming: Incoming) -> list[DeadLetter]:
    """Commit one proposal or report of what is not understood, or its dead letter; the dead letters.

    Raises:
        psycopg.OperationalError: the database is away; the same may be tried again.
    """
    entry: Entry | None = None
    dead: list[DeadLetter] = []
    with connection.transaction():
        try:
            topic = wire.parse_topic(incoming.topic)
            entry = directory.find(topic.site, topic.device)
            if entry.kind is not DeviceKind.GATEWAY:
                raise WireError(DeadReason.UNKNOWN_DEVICE, f"{entry.name} is no gateway and proposes nothing")
            if topic.leaf is Leaf.UNHEARD:
                unheard.record(connection, entry.device_id, wire.decode_unheard(incoming.payload))
                return dead
            proposal = wire.decode_proposal(incoming.payload)
            if not proposals.record(connection, entry.device_id, proposal):
                detail = f"{entry.name} has {proposals.OPEN_MAX:,} proposals open already"
                raise WireError(DeadReason.TOO_LARGE, detail)
        except WireError as error:
            dead.append(dead_letter(incoming.topic, incoming.payload, error, entry))
        store_dead_letters(connection, dead)
    return dead


def settle_credentials(
    connection: Connection, provisioner: Provisioner, rights: Mapping[str, Sequence[Right]]
) -> None:
    """Bring the broker up to the record: credentials are told, and taken back when they were revoked.

    Every step may be repeated, and what is not yet done is found again in the database, so that a crash
    anywhere costs nothing but time. `rights` are those of each gateway, by name.

    Raises:
        ProvisionError: the broker is away or refuses; the same may be tried again.
        psycopg.OperationalError: likewise, of the database.
    """
    connection.execute(_sql["revoke_retired"])
    connection.execute(_sql["drop_old_errands"])
    for row in connection.execute(_sql["errands"]).fetchall():
        provisioner.add_credential(
            row["site"], row["gateway"], row["username"], row["secret"], rights.get(row["gateway"])
        )
        with connection.transaction():
            connection.execute(_sql["told"], row)
            connection.execute(_sql["done"], row)
        log.info("the broker lets %s in as %s", row["gateway"], row["username"])
    for row in connection.execute(_sql["revoked"]).fetchall():
        provisioner.remove_credential(row["username"])
        connection.execute(_sql["forgotten"], row)
        log.info("the broker has forgotten %s", row["username"])
