"""Real servers for a benchmark, durable and set up as by `anshou up`, in a temporary folder."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from database.connections import Connection, connect
from database.migrate import migrate
from database.roles import ROLES, set_role_passwords
from deploy.local import debian, ports
from deploy.local.mosquitto import MosquittoBroker
from deploy.local.postgres import PostgresCluster
from ingest import provision

DATABASE = "anshou_bench"
ACCOUNTS = ("ingest", "alarms", "provisioner", "simulator")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, kw_only=True)
class Stack:
    """The running servers."""

    folder: Path
    cluster: PostgresCluster
    broker: MosquittoBroker
    postgres_pid: int
    broker_pid: int
    passwords: dict[str, str]

    @property
    def owner_url(self) -> str:
        """The database's owner."""
        return self.cluster.url(DATABASE)

    @property
    def ingest_url(self) -> str:
        """The database as the role of ingest."""
        return self.cluster.url(DATABASE, "anshou_ingest", self.passwords["anshou_ingest"])

    def mqtt_url(self, account: str) -> str:
        """The broker, as one of the service accounts."""
        return self.broker.url(account, self.passwords[account])

    @contextmanager
    def ingest(self, process: str, **settings: object) -> Iterator[int]:
        """`ingest readings` or `ingest alarms` as a process of its own; its pid."""
        account = "alarms" if process == "alarms" else "ingest"
        environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ANSHOU_")},
            "ANSHOU_DATABASE_URL": self.ingest_url,
            "ANSHOU_MQTT_URL": self.mqtt_url(account),
            **{f"ANSHOU_INGEST_{name}".upper(): str(value) for name, value in settings.items()},
        }
        with (self.folder / f"ingest-{process}.log").open("ab") as log:
            running = subprocess.Popen(
                [sys.executable, "-m", "ingest", process], env=environ, stdout=log, stderr=log
            )
        try:
            yield running.pid
        finally:
            running.send_signal(signal.SIGTERM)
            running.wait(60)

    def wait_until_ingest_is_connected(self, processes: int = 3, timeout_s: float = 120.0) -> None:
        """Until so many processes of ingest have told the database that they are at work."""
        deadline_s = time.monotonic() + timeout_s
        with connect(self.owner_url, autocommit=True) as connection:
            while time.monotonic() < deadline_s:
                row = connection.execute(
                    "SELECT count(*) AS ready FROM readings.ingest_health WHERE connected"
                ).fetchone()
                if row is not None and row["ready"] >= processes:
                    return
                time.sleep(0.1)
        raise TimeoutError(f"ingest did not start within {timeout_s:.0f} s; see {self.folder}/ingest-*.log")

    def postgres_cpu_s(self) -> float:
        """CPU that the database has used since it started, all backends together."""
        return _cpu_s(self.postgres_pid, with_dead_children=True) + sum(
            _cpu_s(pid) for pid in _children(self.postgres_pid)
        )


def cpu_s(pid: int) -> float:
    """CPU that a process has used."""
    return _cpu_s(pid)


def resident_mb(pid: int) -> float:
    """The most memory that a process has held, in MB (VmHWM)."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


@contextmanager
def running_stack() -> Iterator[Stack]:
    """Start everything with an empty, migrated database; stop and delete it at the end."""
    prefix = debian.install()
    folder = Path(tempfile.mkdtemp(prefix="anshou-bench-"))
    folder.chmod(0o711)
    passwords = {name: secrets.token_urlsafe(12) for name in (*ACCOUNTS, *ROLES)}
    with ExitStack() as closing:
        closing.callback(shutil.rmtree, folder, ignore_errors=True)
        cluster = PostgresCluster(
            prefix=prefix,
            folder=folder / "postgres",
            port=ports.any_free(),
            password=secrets.token_urlsafe(12),
        )
        cluster.initialise()
        postgres = cluster.start(folder / "postgres.log")
        closing.callback(_stop, postgres, signal.SIGINT)
        cluster.create_database(DATABASE)
        migrate(cluster.url(DATABASE))
        set_role_passwords(cluster.url(DATABASE), {role: passwords[role] for role in ROLES})
        port, service_port = ports.several_free(2)
        broker = MosquittoBroker(
            prefix=prefix, folder=folder / "mosquitto", port=port, service_port=service_port
        )
        broker.make_folder()
        accounts = {account: passwords[account] for account in ACCOUNTS}
        provision.write_broker_identities(cluster.url(DATABASE), broker.identities, accounts)
        mosquitto = broker.start(folder / "mosquitto.log")
        closing.callback(_stop, mosquitto, signal.SIGTERM)
        yield Stack(
            folder=folder,
            cluster=cluster,
            broker=broker,
            postgres_pid=_server_pid(postgres.pid, "postgres"),
            broker_pid=_server_pid(mosquitto.pid, "mosquitto"),
            passwords=passwords,
        )


def add_fleet(connection: Connection, homes: int, residents_a_home: int) -> list[list[str]]:
    """Homes with a gateway and residents with a wristband each; the devices' names by home.

    Device `w-H-N` is worn by resident N of home H; `gw-H` is the gateway of `home-H`.
    """
    connection.execute(
        """
        INSERT INTO care.site (code, kind, name, township)
        SELECT 'home-' || n, 'care_home', 'Home ' || n, 'Town' FROM generate_series(1, %s) AS n
        """,
        (homes,),
    )
    connection.execute(
        """
        INSERT INTO care.device (site_id, name, kind, power)
        SELECT id, 'gw-' || substring(code FROM 6), 'gateway', 'mains' FROM care.site
        """
    )
    connection.execute(
        """
        WITH wearer AS (
            INSERT INTO care.resident (site_id, name, sex, born_on, category)
            SELECT id, 'Resident ' || n, 'female', '1940-01-01', 'tekun_centralised'
            FROM care.site, generate_series(1, %s) AS n RETURNING id, site_id, name
        ), device AS (
            INSERT INTO care.device (site_id, name, kind, power)
            SELECT site_id, 'w-' || substring(site.code FROM 6) || '-' || substring(wearer.name FROM 10),
                'wristband', 'battery'
            FROM wearer JOIN care.site ON site.id = wearer.site_id RETURNING id, site_id, name
        )
        INSERT INTO care.device_assignment (device_id, resident_id, during)
        SELECT device.id, wearer.id, tstzrange('2020-01-01', NULL)
        FROM device JOIN wearer ON wearer.site_id = device.site_id
            AND wearer.name = 'Resident ' || split_part(device.name, '-', 3)
        """,
        (residents_a_home,),
    )
    return [[f"w-{home}-{n}" for n in range(1, residents_a_home + 1)] for home in range(1, homes + 1)]


def _stop(server: subprocess.Popen[bytes], how: signal.Signals) -> None:
    server.send_signal(how)
    try:
        server.wait(60)
    except subprocess.TimeoutExpired:
        server.kill()


def _server_pid(pid: int, name: str) -> int:
    """The server below the helpers (setpriv and the like) that started it."""
    deadline_s = time.monotonic() + 10
    while time.monotonic() < deadline_s:
        if Path(f"/proc/{pid}/comm").read_text(encoding="ascii").strip() == name:
            return pid
        children = _children(pid)
        pid = children[0] if children else pid
        time.sleep(0.01)
    raise RuntimeError(f"no process {name} was found")


def _children(pid: int) -> list[int]:
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text(encoding="ascii").split()
    ]


def _cpu_s(pid: int, *, with_dead_children: bool = False) -> float:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except FileNotFoundError:
        return 0.0  # it ended; its parent counts it among its dead children
    fields = stat.rpartition(")")[2].split()
    used = fields[11:15] if with_dead_children else fields[11:13]
    return sum(map(int, used)) / TICKS_PER_S
