"""Everything on one machine: set it up, start it in the right order, stop it again."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import msgspec

from database.connections import connect, url_as
from database.roles import set_role_passwords
from deploy.authority import Authority, names_of_this_machine
from deploy.county.known import end_known
from deploy.errors import DeployError
from deploy.local import debian, greeting, instance, leftovers, places, ports, users
from deploy.local.data import DATABASE, DataFolder, Passwords
from deploy.local.instance import BROKER_VARIABLE, DATABASE_VARIABLE, Instance
from deploy.local.mosquitto import MosquittoBroker, TlsListener
from deploy.local.port_plan import PortPlan, Service
from deploy.local.postgres import PostgresCluster
from deploy.local.prepare import prepare
from deploy.local.progress import note, step
from deploy.local.rooms import (
    DASHBOARD,
    HOST_VARIABLE,
    INGEST,
    Addresses,
    Outside,
    lend_certificate,
    programs,
)
from deploy.local.supervisor import Program, Supervisor
from deploy.schema import bring_up_to_date
from ingest import provision
from protocol.broker import BrokerAddress

PAGE_TIMEOUT_S = 90.0
# A supervisor that is killed is started again, but not for ever if something kills it at once.
RESTART_PAUSE_S = 2.0
HTTP_SERVER_ERROR = 500
MEBIBYTE = 1024 * 1024
FIRST_START_MIB_MIN = 500
RESTART_MIB_MIN = 20
"""So little, because a start is how a centre whose disk was full comes back."""
COMFORTABLE_MIB = 2048
METRICS = dict(
    zip(
        INGEST,
        (
            Service.METRICS_READINGS,
            Service.METRICS_ALARMS,
            Service.METRICS_GATEWAYS,
            Service.METRICS_SETTLE,
        ),
        strict=True,
    )
)
OUTSIDE = (Service.MQTT, Service.ROOMS, Service.HTTPS, Service.MQTTS)
"""What only a broker of ours needs."""
SIMULATOR = "simulator"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What `anshou up` was asked for.

    Attributes:
        data: The data folder; None for the default one.
        wanted_ports: Those that were asked for by name; the others stay what they were.
        demo: Whether to fill an empty database with the demonstration county and simulate it.
        detached: Whether to leave everything running and return.
        listen: At which address other machines reach the pages and the broker, over TLS.
        names: What this machine is called elsewhere: for the certificate.
    """

    data: Path | None
    demo: bool
    detached: bool
    wanted_ports: Mapping[Service, int] = field(default_factory=dict)
    listen: str = ports.LOOPBACK
    names: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Servers:
    """The database and the broker of this start: private ones, or somebody's own.

    Attributes:
        cluster: The private cluster; None when the database is somebody's own.
        broker: The private broker; None when it is somebody's own.
        database_url: The owner's address of the database.
        broker_url: Of a broker of somebody's own; empty for the private one.
        passwords: Of roles and accounts.
        metrics_ports: Where a room serves its metrics, by its name.
        outside: Where gateways reach us; None with a broker of somebody's own.
        sessions: Client ids of the service accounts, at a private broker.
    """

    cluster: PostgresCluster | None
    broker: MosquittoBroker | None
    database_url: str
    broker_url: str
    passwords: Passwords
    metrics_ports: Mapping[str, int] = field(default_factory=dict)
    outside: Outside | None = None
    sessions: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def mqtt_url(self, account: str) -> str:
        """The broker's address for a service account."""
        if self.broker is None:
            return self.broker_url
        name = f"{account}@" if account in self.sessions else account
        return self.broker.url(name, self.passwords.accounts[account])

    def database_url_as(self, role: str) -> str:
        """The database's address for a role."""
        return url_as(self.database_url, role, self.passwords.roles[role])

    def addresses(self, http_port: int) -> Addresses:
        """What the rooms are told."""
        return Addresses(
            owner_database_url=self.database_url,
            ingest_database_url=self.database_url_as("anshou_ingest"),
            service_database_url=self.database_url_as("anshou_service"),
            web_database_url=self.database_url_as("anshou_web"),
            mqtt_urls={name: self.mqtt_url(name) for name in self.passwords.accounts},
            http_port=http_port,
            metrics_ports=self.metrics_ports,
            outside=self.outside,
        )

    def instance(self, http_url: str) -> Instance:
        """What other commands are told."""
        provisioner_url = self.mqtt_url("provisioner")
        broker = BrokerAddress.parse(provisioner_url)
        return Instance(
            owner_database_url=self.database_url,
            service_database_url=self.database_url_as("anshou_service"),
            mqtt_host=broker.host,
            mqtt_port=broker.port if self.broker is None else self.broker.port,
            provisioner_mqtt_url=provisioner_url,
            http_url=http_url,
            metrics_urls={
                name: f"http://{ports.LOOPBACK}:{port}/metrics" for name, port in self.metrics_ports.items()
            },
            outside=None if self.outside is None else self.outside.reachable,
        )


def up(request: Request) -> int:
    """Start everything and, unless detached, stay until we are told to stop; the exit code.

    Raises:
        DeployError: Says what failed and what to do; nothing is left running.
    """
    _keep_demonstration_here(request, os.environ)
    folder = DataFolder.at(request.data)
    ports.require_loopback()
    folder.make()
    _require_room(folder)
    with folder.locked(), _stopping_on_signals():
        if Supervisor(data=folder).answers():
            raise DeployError(
                f"Anshou runs from {folder.root} already ({_page_of(folder)}).",
                f"To stop it: anshou down --data {folder.root}",
            )
        try:
            supervisor = _start(folder, request)
            if request.detached:
                return 0
            while _wait(supervisor):
                note("The supervisor was killed; everything is started again.")
                time.sleep(RESTART_PAUSE_S)
                supervisor = _start(folder, request)
        except KeyboardInterrupt:
            _ignore_signals()
            print(flush=True)
            stop(folder)
        except BaseException:
            _ignore_signals()
            stop(folder)
            raise
    print("Anshou has stopped.", flush=True)
    return 0


def _require_room(folder: DataFolder) -> None:
    """A start on a full disk would fail halfway, in words that do not tell of the disk. DeployError."""
    free_mib = shutil.disk_usage(folder.root).free // MEBIBYTE
    needed_mib = RESTART_MIB_MIN if _cluster(folder).is_initialised else FIRST_START_MIB_MIN
    if free_mib < needed_mib:
        raise DeployError(
            f"The disk of {folder.root} has {free_mib} MiB free, and a start needs {needed_mib} MiB.",
            "Make room, or choose another folder with --data.",
        )
    if free_mib < COMFORTABLE_MIB:
        note(f"The disk of {folder.root} has only {free_mib} MiB free: make room before it is full.")


def _keep_demonstration_here(request: Request, environ: Mapping[str, str]) -> None:
    """The demonstration's passwords are known to everybody: DeployError where others could use them."""
    addresses = (request.listen, environ.get(HOST_VARIABLE) or ports.LOOPBACK)
    strange = next((address for address in addresses if not ports.is_loopback(address)), None)
    if request.demo and strange is not None:
        raise DeployError(
            f"The demonstration has passwords that everybody knows, and {strange} can be reached from other "
            "machines.",
            "Add --no-demo, or leave the pages and the broker on 127.0.0.1.",
        )


def stop(folder: DataFolder) -> bool:
    """Stop whatever runs from a data folder, in order; say whether anything did.

    Raises:
        DeployError: Something does not end; says what to do.
    """
    ran = bool(leftovers.find(folder.root))
    if ran:
        with step("Stopping"):
            Supervisor(data=folder).stop()
            _stop_leftovers(folder)
    ran |= _cluster(folder).stop_leftover()
    instance.forget(folder)
    return ran


def _stop_leftovers(folder: DataFolder) -> None:
    """What a killed supervisor left behind: the rooms and the broker first, the database last."""
    leftovers.stop(folder.root)
    _cluster(folder).stop_leftover()


def _cluster(folder: DataFolder) -> PostgresCluster:
    """The cluster in a folder, to be stopped: the address does not matter."""
    prefix = debian.Prefix(root=Path("/nonexistent"))
    return PostgresCluster(prefix=prefix, folder=folder.postgres, port=0, password="")


def _start(folder: DataFolder, request: Request) -> subprocess.Popen[bytes]:
    """Start everything, servers first, and print how to use it; the supervisor's process."""
    environ = os.environ
    own = bool(environ.get(DATABASE_VARIABLE)) and bool(environ.get(BROKER_VARIABLE))
    prepare(servers=not own)
    os.umask(0o077)  # what was fetched is for everybody to read, but nothing that follows
    _stop_leftovers(folder)
    settled, notes = _plan(folder, request, environ).settle()
    for line in notes:
        note(line)
    servers = _servers(folder, request, settled, environ)
    http_port = settled[Service.HTTP]
    server_programs, rooms = _programs(folder, servers, http_port, request)
    supervisor = Supervisor(data=folder)
    process = supervisor.start([*server_programs.values(), *rooms], detached=request.detached)
    with step("Starting the database"):
        _start_database(servers, supervisor, server_programs.get("postgres"))
        applied = _migrate(servers)
    if applied:
        note(f"The database is at migration {applied[-1]}.")
    accounts = _demonstration(servers) if request.demo else _no_demonstration(servers)
    with step("Starting the broker"):
        _start_broker(servers, supervisor, server_programs.get("mosquitto"))
    page = f"http://{ports.LOOPBACK}:{http_port}/"
    with step("Starting the rooms"):
        supervisor.launch_rooms()
        _wait_for_page(supervisor, rooms, http_port)
    running = servers.instance(page)
    instance.save(folder, running)
    greeting.tell(folder.root, running, accounts, named=request.data is not None, detached=request.detached)
    return process


def _plan(folder: DataFolder, request: Request, environ: Mapping[str, str]) -> PortPlan:
    needed = set(Service)
    if environ.get(DATABASE_VARIABLE):
        needed.discard(Service.DATABASE)
    if environ.get(BROKER_VARIABLE):
        needed.difference_update(OUTSIDE)
    return PortPlan(
        file=folder.ports_file,
        asked=request.wanted_ports,
        listen=request.listen,
        needed=frozenset(needed),
        command=greeting.command("up", folder.root, named=request.data is not None),
    )


def _servers(
    folder: DataFolder, request: Request, settled: Mapping[Service, int], environ: Mapping[str, str]
) -> Servers:
    passwords = folder.passwords()
    if not request.demo:  # nobody signs in as the county that speaks for everybody
        accounts = {name: secret for name, secret in passwords.accounts.items() if name != SIMULATOR}
        passwords = msgspec.structs.replace(passwords, accounts=accounts)
    cluster = broker = None
    database_url = environ.get(DATABASE_VARIABLE, "")
    broker_url = environ.get(BROKER_VARIABLE, "")
    if not database_url:
        cluster = PostgresCluster(
            prefix=debian.install(),
            folder=folder.postgres,
            port=settled[Service.DATABASE],
            password=passwords.superuser,
        )
        database_url = cluster.url(DATABASE)
    outside = None
    if not broker_url:
        outside = _outside(folder, request, settled)
        broker = MosquittoBroker(
            prefix=debian.install(),
            folder=folder.mosquitto,
            port=settled[Service.MQTT],
            service_port=settled[Service.ROOMS],
            tls=TlsListener(
                address=outside.address,
                port=outside.mqtts_port,
                certificate=outside.authority.server_certificate,
                key=outside.authority.server_key,
            ),
        )
    return Servers(
        cluster=cluster,
        broker=broker,
        database_url=database_url,
        broker_url=broker_url,
        passwords=passwords,
        metrics_ports={room: settled[service] for room, service in METRICS.items()},
        outside=outside,
        sessions=provision.service_sessions(environ.get("ANSHOU_INGEST_WORKER") or "1"),
    )


def _outside(folder: DataFolder, request: Request, settled: Mapping[Service, int]) -> Outside:
    authority = Authority(folder=folder.authority)
    authority.prepare({*names_of_this_machine(), *request.names})
    return Outside(
        authority=authority.shown_in(folder.shown, users.rooms_group()),
        address=request.listen,
        https_port=settled[Service.HTTPS],
        mqtts_port=settled[Service.MQTTS],
    )


def _programs(
    folder: DataFolder, servers: Servers, http_port: int, request: Request
) -> tuple[dict[str, Program], list[Program]]:
    server_programs = {}
    if servers.cluster is not None:
        server_programs["postgres"] = Program(
            name="postgres",
            command=servers.cluster.command(),
            folder=folder.postgres,
            as_server_user=True,
            stop_signal="INT",  # at once but cleanly: TERM would wait for everybody to leave
            stop_timeout_s=60,
            is_room=False,
        )
    if servers.broker is not None:
        server_programs["mosquitto"] = Program(
            name="mosquitto",
            command=servers.broker.command(),
            folder=folder.mosquitto,
            as_server_user=True,
            is_room=False,
        )
    environ: Mapping[str, str] = os.environ
    if servers.outside is not None:
        environ = lend_certificate(environ, folder.shown, users.rooms_group())
    rooms = programs(servers.addresses(http_port), folder.run, with_simulator=request.demo, environ=environ)
    return server_programs, rooms


def _start_database(servers: Servers, supervisor: Supervisor, program: Program | None) -> None:
    cluster = servers.cluster
    if cluster is None or program is None:
        return
    cluster.initialise()
    cluster.prepare()
    supervisor.launch(program)

    def ready() -> bool:
        supervisor.require_alive(program)
        return cluster.is_ready()

    log = supervisor.log_of(program.name)
    ports.wait_until(ready, what="The database", timeout_s=120.0, remedy=f"See {log}.")
    cluster.create_database(DATABASE)


def _migrate(servers: Servers) -> list[str]:
    applied = bring_up_to_date(servers.database_url)
    set_role_passwords(servers.database_url, servers.passwords.roles)
    return applied


def _demonstration(servers: Servers) -> list[greeting.Account]:
    from deploy import demo  # brings numpy, which only the demonstration needs

    first: dict[str, greeting.Account] = {}  # of several accounts with one function, the first is enough
    for account in demo.populate(servers.database_url):
        first.setdefault(account.role, greeting.Account(account.username, account.password, account.role))
    return list(first.values())


def _no_demonstration(servers: Servers) -> list[greeting.Account]:
    """End what an earlier start with the demonstration left behind, as far as it lets strangers in."""
    with connect(servers.database_url, application="anshou-up") as connection, connection.transaction():
        ended = end_known(connection)
    if ended:
        note(f"{len(ended)} accounts of the demonstration were ended: their password is known to everybody.")
    return []


def _start_broker(servers: Servers, supervisor: Supervisor, program: Program | None) -> None:
    broker = servers.broker
    if broker is None or program is None:
        return
    broker.make_folder()
    with places.as_servers():  # what else lies in their folder could be a link
        provision.write_broker_identities(
            servers.database_url, broker.identities, servers.passwords.accounts, servers.sessions
        )
    broker.prepare()
    supervisor.launch(program)

    def ready() -> bool:
        supervisor.require_alive(program)
        return broker.answers()

    log = supervisor.log_of(program.name)
    ports.wait_until(ready, what="The broker", timeout_s=30.0, remedy=f"See {log}.")


def _wait_for_page(supervisor: Supervisor, rooms: list[Program], http_port: int) -> None:
    dashboard = next(room for room in rooms if room.name == DASHBOARD)

    def served() -> bool:
        supervisor.require_alive(dashboard)
        return _answers_http(http_port)

    log = supervisor.log_of(DASHBOARD)
    ports.wait_until(served, what="The page", timeout_s=PAGE_TIMEOUT_S, remedy=f"See {log}.")
    states = supervisor.states()
    for room in rooms:
        state, _ = states[room.name]
        if state not in {"RUNNING", "STARTING"} and not (room.is_errand and state == "EXITED"):
            note(
                f"{room.name} does not run yet ({state}); it is tried again. "
                f"See {supervisor.log_of(room.name)}."
            )


def _answers_http(port: int) -> bool:
    connection = http.client.HTTPConnection(ports.LOOPBACK, port, timeout=5.0)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status < HTTP_SERVER_ERROR
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _page_of(folder: DataFolder) -> str:
    try:
        return instance.current(folder.root).http_url or ""
    except DeployError:
        return "still starting"


def _wait(supervisor: subprocess.Popen[bytes]) -> bool:
    """Wait for the supervisor's end; whether it was killed, and not told to stop."""
    return supervisor.wait() != 0


@contextmanager
def _stopping_on_signals() -> Iterator[None]:
    """A request to end, and the end of the terminal, are like Ctrl-C."""

    def interrupt(_number: int, _frame: object) -> NoReturn:
        raise KeyboardInterrupt

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ignore_signals() -> None:
    # Impatience must not leave half of it running; every wait while stopping is bounded.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
