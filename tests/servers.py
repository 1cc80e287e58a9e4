"""One real TimescaleDB and one real Mosquitto for a test run, in a temporary folder.

A database is made once and migrated once; each test that wants one gets a clone of it, or of one that
has been filled once. The broker is shared: a test keeps to sites of its own.
"""

from __future__ import annotations

import copy
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import psycopg
import pytest
from psycopg import sql

from database.connections import Connection, connect
from database.migrate import migrate
from database.roles import ROLES, close_to_public, set_role_passwords
from deploy.authority import Authority
from deploy.local import debian, ports
from deploy.local.mosquitto import CERTIFICATE, KEY, MosquittoBroker, TlsListener
from deploy.local.postgres import PostgresCluster

TEMPLATE = "anshou_template"
SERVICE_ACCOUNTS = ("ingest", "alarms", "provisioner", "gateways", "simulator")
STOP_TIMEOUT_S = 30.0
USED_MAX = 4
"""Databases that tests are done with and that are not yet dropped, some 12 MB each."""
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Population(Generic[T_co]):
    """What a test's database may hold from the beginning, made once for a whole run.

    Attributes:
        name: Tells it from the others.
        fill: Writes it through a connection and returns what tests speak of it by. Given, after the
            connection, what `upon` returned.
        upon: What is there already.
    """

    name: str
    fill: Callable[..., T_co]
    upon: Population[Any] | None = None


def asked_for(request: pytest.FixtureRequest, **populations: Population[Any]) -> Population[Any] | None:
    """The first of these populations that the test speaks of: each is named like its fixture."""
    return next((one for name, one in populations.items() if name in request.fixturenames), None)


@dataclass(frozen=True)
class _Filled:
    """A template with a population in it: what `fill` returned, and the connection that it was given."""

    template: str
    content: Any
    connection: Connection


@dataclass(frozen=True, kw_only=True)
class Database:
    """A database of a test's own, migrated and empty.

    Attributes:
        name: Its name in the cluster.
        owner_url: May do everything; for preparing and inspecting.
        web_url: What the dashboard may do: only what the scope set on the connection allows.
        ingest_url: What ingest may do.
        service_url: What escalation and analytics may do.
    """

    name: str
    owner_url: str
    web_url: str
    ingest_url: str
    service_url: str

    def connect(self, **options: Any) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection as the owner, in autocommit unless said otherwise."""
        return psycopg.connect(self.owner_url, **{"autocommit": True, **options})


@dataclass(frozen=True, kw_only=True)
class Broker:
    """The broker, as one test sees it.

    Attributes:
        host: The loopback address.
        port: Where it listens for devices.
        service_port: Where it listens for the rooms.
        tls_port: Where it listens for devices that speak TLS.
        tls_service_port: Where for rooms that do, as a broker of somebody's own may.
        authority: Certificate (PEM file) that its own is signed with.
        accounts: The passwords of the service accounts, by user name.
        database_url: Owner's address of the database whose devices it was started with (none).
        log: What the broker said, for a test that wants to know why it was refused.
        site: A prefix for site codes that no other test uses.
    """

    host: str
    port: int
    service_port: int
    tls_port: int
    tls_service_port: int
    authority: Path
    accounts: dict[str, str]
    database_url: str
    log: Path
    site: str = field(default_factory=lambda: f"t{secrets.token_hex(4)}")

    def url(self, user: str) -> str:
        """The broker's address for one of the service accounts."""
        return f"mqtt://{user}:{self.accounts[user]}@{self.host}:{self.service_port}"

    def url_with(self, user: str, password: str) -> str:
        """The broker's address for a device, and for whoever poses as one."""
        return f"mqtt://{user}:{password}@{self.host}:{self.port}"

    def tls_url(self, user: str, port: int | None = None) -> str:
        """The same over TLS; `port` of something that stands before the broker."""
        return f"mqtts://{user}:{self.accounts[user]}@{self.host}:{port or self.tls_service_port}"


@dataclass(frozen=True, kw_only=True)
class DatabaseServer:
    """The running cluster, and the templates that databases are cloned from."""

    cluster: PostgresCluster
    role_passwords: dict[str, str]
    admin: psycopg.Connection[tuple[Any, ...]]
    _filled: dict[str, _Filled] = field(default_factory=dict, init=False)
    _used: deque[str] = field(default_factory=deque, init=False)

    @contextmanager
    def clone(self, population: Population[Any] | None = None) -> Iterator[Database]:
        """A fresh database, dropped some time afterwards whoever is still connected to it."""
        name = f"test_{secrets.token_hex(6)}"
        self._copy(TEMPLATE if population is None else self._fill(population).template, name)
        try:
            yield self.database(name)
        finally:
            self._drop(name)

    @contextmanager
    def empty(self) -> Iterator[str]:
        """The owner's address of a database without any migration, dropped afterwards."""
        name = f"empty_{secrets.token_hex(6)}"
        self.cluster.create_database(name)
        try:
            yield self.cluster.url(name)
        finally:
            self._drop(name)

    def database(self, name: str) -> Database:
        """The addresses of a database of this cluster."""

        def as_role(role: str) -> str:
            return self.cluster.url(name, role, self.role_passwords[role])

        return Database(
            name=name,
            owner_url=self.cluster.url(name),
            web_url=as_role("anshou_web"),
            ingest_url=as_role("anshou_ingest"),
            service_url=as_role("anshou_service"),
        )

    def content(self, population: Population[T_co], connection: Connection) -> T_co:
        """What is in a clone of this population, the test's own; `connection` leads to that clone."""
        filled = self._fill(population)
        # What the content keeps a hold of is not the connection that filled the template, but this one.
        content: T_co = copy.deepcopy(filled.content, {id(filled.connection): connection})
        return content

    def _fill(self, population: Population[Any]) -> _Filled:
        """The template with this population, made when it is first asked for."""
        if population.name not in self._filled:
            name = f"anshou_{population.name}"
            below = population.upon
            self._copy(TEMPLATE if below is None else self._fill(below).template, name)
            with connect(self.cluster.url(name)) as connection:
                given = [] if below is None else [self.content(below, connection)]
                content = population.fill(connection, *given)
            self.seal(name)
            self._filled[population.name] = _Filled(name, content, connection)
        return self._filled[population.name]

    def _drop(self, name: str) -> None:
        """Throw out whoever is still connected, and drop the database after some others have been used.

        PostgreSQL takes its time over one that somebody has only just left: a tenth of a second.
        """
        self._used.append(name)
        self.admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        if len(self._used) > USED_MAX:
            used = sql.Identifier(self._used.popleft())
            self.admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(used))

    def _copy(self, template: str, name: str) -> None:
        # Copying files is faster than logging every page of so small a database.
        self.admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        # Rights on a database are not copied with it.
        close_to_public(self.admin, name)

    def seal(self, template: str) -> None:
        """Let nobody into a template any more: PostgreSQL does not copy a database in use."""
        self.admin.execute(
            sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false IS_TEMPLATE true").format(
                sql.Identifier(template)
            )
        )
        self.admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
            [template],
        )


def _in_memory() -> Path | None:
    """The machine's file system in memory, if it has room to spare: the data of tests need not reach a disk.

    Cloning a database copies some seven hundred files; on a disk that takes ten times as long.
    """
    folder = Path("/dev/shm")
    if not os.access(folder, os.W_OK | os.X_OK) or not Path("/proc/meminfo").exists():
        return None
    meminfo = dict(line.split(":") for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines())
    available_bytes = int(meminfo["MemAvailable"].removesuffix(" kB")) * 1024
    room_bytes = min(available_bytes, shutil.disk_usage(folder).free)
    return folder if room_bytes >= MEMORY_BYTES_MIN else None


MEMORY_BYTES_MIN = 6 * 2**30


@contextmanager
def server_folder() -> Iterator[Path]:
    """A temporary folder that the servers can reach when the tests run as root."""
    folder = Path(tempfile.mkdtemp(prefix="anshou-test-", dir=_in_memory()))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def cluster_running() -> Iterator[PostgresCluster]:
    """A cluster without anything in it. TimescaleDB's own workers are off: they hold databases."""
    with server_folder() as folder:
        cluster = PostgresCluster(
            prefix=debian.install(),
            folder=folder / "postgres",
            port=ports.any_free(),
            password=secrets.token_urlsafe(12),
            durable=False,
            background_workers=0,
        )
        cluster.initialise()
        with _stopping(cluster.start(folder / "postgres.log"), signal.SIGINT):
            yield cluster


@contextmanager
def database_server_running() -> Iterator[DatabaseServer]:
    """A cluster with a migrated template database."""
    with cluster_running() as cluster:
        cluster.create_database(TEMPLATE)
        migrate(cluster.url(TEMPLATE))
        role_passwords = {role: secrets.token_urlsafe(12) for role in ROLES}
        set_role_passwords(cluster.url(TEMPLATE), role_passwords)
        with psycopg.connect(cluster.url("postgres"), autocommit=True) as admin:
            server = DatabaseServer(cluster=cluster, role_passwords=role_passwords, admin=admin)
            server.seal(TEMPLATE)
            yield server


@dataclass(frozen=True, kw_only=True)
class _ThreeWays(MosquittoBroker):
    """With a listener over TLS where clients name their sessions themselves."""

    tls_service_port: int

    def _settings(self) -> str:
        certificate = f"certfile {self.folder / CERTIFICATE}\nkeyfile {self.folder / KEY}"
        return super()._settings() + f"\nlistener {self.tls_service_port} {ports.LOOPBACK}\n{certificate}\n"


@contextmanager
def broker_running(database_url: str) -> Iterator[Broker]:
    """A broker that knows the service accounts and the devices of a database."""
    from ingest import provision

    accounts = {user: secrets.token_urlsafe(12) for user in SERVICE_ACCOUNTS}
    with server_folder() as folder:
        authority = Authority(folder=folder / "authority")
        authority.prepare([ports.LOOPBACK])
        tls = TlsListener(
            address=ports.LOOPBACK,
            port=ports.any_free(),
            certificate=authority.server_certificate,
            key=authority.server_key,
        )
        port, service_port, tls_service_port = ports.several_free(3)
        broker = _ThreeWays(
            prefix=debian.install(),
            folder=folder / "mosquitto",
            port=port,
            service_port=service_port,
            tls=tls,
            tls_service_port=tls_service_port,
        )
        broker.make_folder()
        provision.write_broker_identities(database_url, broker.identities, accounts)
        log = folder / "mosquitto.log"
        with _stopping(broker.start(log), signal.SIGTERM):
            yield Broker(
                host=ports.LOOPBACK,
                port=broker.port,
                service_port=broker.service_port,
                tls_port=tls.port,
                tls_service_port=tls_service_port,
                authority=authority.certificate,
                accounts=accounts,
                database_url=database_url,
                log=log,
            )


@contextmanager
def _stopping(server: subprocess.Popen[bytes], stop_signal: signal.Signals) -> Iterator[None]:
    try:
        yield
    finally:
        server.send_signal(stop_signal)
        try:
            server.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
            raise
