"""The centre of a run: servers and processes of ingest under the supervisor, as by `anshou up`.

Two things are not as on one machine. Every process reaches its servers through a proxy of its own. And what
crosses a proxy is encrypted, because these links stand for a network, and only TLS tells a byte that was
changed on the way from one that was not.
"""

import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from benchmarks.faults.proxy import Proxies, Proxy, proxies
from benchmarks.faults.schedule import Link
from benchmarks.faults.town import Town, found
from database.connections import connect
from database.roles import set_role_passwords
from deploy.local import debian, leftovers, places, ports
from deploy.local.data import DATABASE, DataFolder
from deploy.local.mosquitto import MosquittoBroker
from deploy.local.postgres import PostgresCluster
from deploy.local.progress import run as run_command
from deploy.local.supervisor import Program, Supervisor
from deploy.schema import bring_up_to_date
from ingest import provision

DISK_MIB = 900
WAL_MIB_MAX = 128
STOP_S_MAX = 90.0
INGEST_SETTINGS: Mapping[str, int] = {
    # Shorter than in production, so that a run has time for many connections that swallow everything.
    "keepalive_s": 5,
    "database_answer_s_max": 5,
    # Rollups are due at once, so that the last can be compared at the end of the run.
    "rollup_delay_s": 1,
    "rollup_running_hour_s": 5,
}
ROOMS = ("readings", "alarms", "settle")


@dataclass(frozen=True, kw_only=True)
class Centre:
    """What runs, and how to reach it.

    Attributes:
        data: Its folder.
        supervisor: Starts again what ends.
        cluster: The database server.
        links: The proxies.
        town: Who is registered.
        certificate: Of both servers; whoever connects trusts this one.
        disk: The small file system of the database; None where mounting is not allowed.
    """

    data: DataFolder
    supervisor: Supervisor
    cluster: PostgresCluster
    links: Mapping[Link, Proxy]
    town: Town
    certificate: Path
    disk: Path | None

    @property
    def owner_url(self) -> str:
        """The database, past every proxy."""
        return self.cluster.url(DATABASE)

    def pid_of(self, program: str) -> int | None:
        """The process of a program; None while it is being started again."""
        state, pid = self.supervisor.states()[program]
        return pid if state in {"RUNNING", "STARTING"} and pid else None


@contextmanager
def running_centre(*, homes: int, direct: int, seed: int) -> Iterator[Centre]:
    """Start everything with a town that is registered and says nothing yet; stop and delete it at the end."""
    with ExitStack() as closing:
        root = Path(tempfile.mkdtemp(prefix="anshou-faults-"))
        root.chmod(0o711)
        closing.callback(shutil.rmtree, root, ignore_errors=True)
        data = DataFolder.at(root)
        data.make()
        disk = closing.enter_context(_small_disk(data.postgres))
        tls = _make_certificate(root / "tls")
        cluster = PostgresCluster(
            prefix=debian.install(),
            folder=data.postgres,
            port=ports.any_free(),
            password=data.passwords().superuser,
        )
        port, service_port = ports.several_free(2)
        broker = MosquittoBroker(
            prefix=cluster.prefix, folder=data.mosquitto, port=port, service_port=service_port
        )
        links = _links(closing.enter_context(proxies(seed)), cluster, broker)
        programs = {
            "postgres": _database_program(cluster, tls),
            "mosquitto": _broker_program(broker),
            **{room: _room(room, data, cluster, links, tls) for room in ROOMS},
        }
        cluster.initialise()
        cluster.prepare()
        supervisor = Supervisor(data=data)
        process = supervisor.start(list(programs.values()), detached=False)
        closing.callback(_stop, process, data)
        supervisor.launch(programs["postgres"])
        town = _start_database(cluster, data, homes, direct)
        _prepare_broker(broker, cluster, data, tls)
        supervisor.launch(programs["mosquitto"])
        ports.wait_until(broker.answers, what="The broker", timeout_s=30, remedy=f"See {data.log}.")
        supervisor.launch_rooms()
        yield Centre(
            data=data,
            supervisor=supervisor,
            cluster=cluster,
            links=links,
            town=town,
            certificate=tls.certificate,
            disk=disk,
        )


class _Tls(NamedTuple):
    certificate: Path
    key: Path


def _make_certificate(folder: Path) -> _Tls:
    """A certificate for the loopback interface, which is its own authority, for both servers."""
    folder.mkdir(mode=0o711)
    tls = _Tls(folder / "certificate.pem", folder / "key.pem")
    run_command(
        [
            *("openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=anshou-faults"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-addext", f"subjectAltName=IP:{ports.LOOPBACK}", "-keyout", tls.key, "-out", tls.certificate),
        ],
        failing="A certificate for the links could not be made; it takes the program openssl.",
        cwd=folder,
    )
    tls.certificate.chmod(0o644)
    tls.key.chmod(0o600)
    places.give_to_servers(tls.key)
    return tls


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path | None]:
    """A file system of `DISK_MIB` at the folder; None, with a line that says so, where it is not allowed."""
    folder.mkdir()
    options = f"size={DISK_MIB}m,mode=700"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "anshou-faults", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        print(f"no full disks: a small file system cannot be mounted ({mounted.stderr.strip()})", flush=True)
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def _links(network: Proxies, cluster: PostgresCluster, broker: MosquittoBroker) -> dict[Link, Proxy]:
    to_database = {Link.READINGS_DATABASE, Link.ALARMS_DATABASE, Link.SETTLE_DATABASE}
    of_devices = {Link.GATEWAYS, Link.DEVICES}
    return {
        link: network.to(
            cluster.port
            if link in to_database
            else broker.port
            if link in of_devices
            else broker.service_port
        )
        for link in Link
    }


def _database_program(cluster: PostgresCluster, tls: _Tls) -> Program:
    settings = {
        "ssl": "on",
        "ssl_cert_file": tls.certificate,
        "ssl_key_file": tls.key,
        "max_wal_size": f"{WAL_MIB_MAX}MB",
    }
    options = [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]
    return Program(
        name="postgres",
        command=[*cluster.command(), *options],
        folder=cluster.folder,
        as_server_user=True,
        stop_signal="INT",
        stop_timeout_s=60,
        is_room=False,
    )


def _broker_program(broker: MosquittoBroker) -> Program:
    return Program(
        name="mosquitto",
        command=broker.command(),
        folder=broker.folder,
        as_server_user=True,
        is_room=False,
    )


def _room(
    room: str, data: DataFolder, cluster: PostgresCluster, links: Mapping[Link, Proxy], tls: _Tls
) -> Program:
    """A process of ingest, with its own ways to both servers."""
    database_link = {
        "readings": Link.READINGS_DATABASE,
        "alarms": Link.ALARMS_DATABASE,
        "settle": Link.SETTLE_DATABASE,
    }[room]
    broker_link = Link.ALARMS_BROKER if room == "alarms" else Link.READINGS_BROKER
    account = "alarms" if room == "alarms" else "ingest"
    passwords = data.passwords()
    own_way = replace(cluster, port=links[database_link].port)
    database_url = own_way.url(DATABASE, "anshou_ingest", passwords.roles["anshou_ingest"])
    broker = f"{account}:{passwords.accounts[account]}@{ports.LOOPBACK}:{links[broker_link].port}"
    return Program(
        name=room,
        command=[sys.executable, "-m", "ingest", room],
        environment={
            "ANSHOU_DATABASE_URL": f"{database_url}?sslmode=verify-ca&sslrootcert={tls.certificate}",
            "ANSHOU_MQTT_URL": f"mqtts://{broker}",
            "SSL_CERT_FILE": str(tls.certificate),
            **{f"ANSHOU_INGEST_{name}".upper(): str(value) for name, value in INGEST_SETTINGS.items()},
        },
        folder=data.run,
    )


def _start_database(cluster: PostgresCluster, data: DataFolder, homes: int, direct: int) -> Town:
    ports.wait_until(
        cluster.is_ready, what="The database", timeout_s=120, remedy=f"See {data.log / 'postgres.log'}."
    )
    cluster.create_database(DATABASE)
    bring_up_to_date(cluster.url(DATABASE))
    set_role_passwords(cluster.url(DATABASE), data.passwords().roles)
    with connect(cluster.url(DATABASE)) as connection:
        return found(connection, homes, direct)


def _prepare_broker(broker: MosquittoBroker, cluster: PostgresCluster, data: DataFolder, tls: _Tls) -> None:
    broker.make_folder()
    accounts = data.passwords().accounts
    provision.write_broker_identities(cluster.url(DATABASE), broker.identities, accounts)
    broker.prepare()
    settings = broker.folder / "mosquitto.conf"
    encrypted = f"\\1\ncertfile {tls.certificate}\nkeyfile {tls.key}"
    text = re.sub(r"(?m)^(listener .*)$", encrypted, settings.read_text(encoding="utf-8"))
    settings.write_text(text, encoding="utf-8")


def _stop(process: subprocess.Popen[bytes], data: DataFolder) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S_MAX)
    finally:
        leftovers.stop(data.root)
