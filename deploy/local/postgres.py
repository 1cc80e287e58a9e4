"""One private PostgreSQL cluster with TimescaleDB, on a loopback port."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg

from database.roles import LOG_SETTINGS
from deploy.errors import DeployError
from deploy.local import places, ports
from deploy.local.debian import Prefix
from deploy.local.progress import run

SUPERUSER = "postgres"
MEBIBYTE = 1024 * 1024
MAX_CONNECTIONS = 200
"""Shared out among the roles (database/roles.py): intake's share does for several processes of each kind."""
START_TIMEOUT_S = 120.0  # a cluster that was killed replays its log first
STOP_TIMEOUT_S = 60.0

_HOST_BASED_AUTHENTICATION = f"""\
# Loopback only, and never without a password. Nobody signs in as the owner of the tables.
host all anshou_owner {ports.LOOPBACK}/32 reject
host all all {ports.LOOPBACK}/32 scram-sha-256
"""


@dataclass(frozen=True, kw_only=True)
class PostgresCluster:
    """A cluster in a folder: how to make it, start it, reach it and stop it.

    Attributes:
        prefix: The unpacked programs.
        folder: Holds `data/` and nothing else; belongs to the user the server runs as.
        port: On the loopback interface.
        password: The superuser's.
        durable: False gives up safety against power loss for speed, for tests.
        background_workers: How many TimescaleDB may use; none for tests that clone databases.
    """

    prefix: Prefix
    folder: Path
    port: int
    password: str
    durable: bool = True
    background_workers: int = 4

    @property
    def data(self) -> Path:
        """PostgreSQL's own data folder."""
        return self.folder / "data"

    @property
    def is_initialised(self) -> bool:
        """Whether the cluster has been made."""
        # Our settings are written last, so a cluster that was half made when we were killed has none.
        return (self.data / "anshou-initialised").is_file()

    def url(self, database: str, user: str = SUPERUSER, password: str | None = None) -> str:
        """The address of a database, as libpq reads it."""
        secret = quote(self.password if password is None else password, safe="")
        return f"postgresql://{quote(user)}:{secret}@{ports.LOOPBACK}:{self.port}/{quote(database)}"

    def initialise(self) -> None:
        """Make the cluster, once: UTF-8, checksums, SCRAM passwords. Does nothing if it is there."""
        if self.is_initialised:
            return
        places.make_server_folder(self.folder)
        password_file = self.folder / f".password-{secrets.token_hex(8)}"
        with places.as_servers():
            if self.data.exists():
                shutil.rmtree(self.data)
            places.write_private(password_file, self.password)
        try:
            run(
                [
                    *as_server_user(),
                    self.prefix.postgres_bin / "initdb",
                    "--pgdata",
                    self.data,
                    "--username",
                    SUPERUSER,
                    "--pwfile",
                    password_file,
                    "--auth",
                    "scram-sha-256",
                    "--encoding",
                    "UTF8",
                    "--data-checksums",
                    "--locale",
                    "C",
                    "--locale-provider",
                    "builtin",
                    "--builtin-locale",
                    "C.UTF-8",
                    *([] if self.durable else ["--no-sync"]),
                ],
                failing=f"The database could not be created in {self.data}.",
                cwd=self.folder,
            )
        finally:
            with places.as_servers():
                password_file.unlink()
        self._write("anshou-initialised", "")

    def command(self) -> list[str]:
        """The server in the foreground, for a supervisor that runs it as the server's user.

        SIGINT stops it at once but cleanly, SIGTERM waits for the clients first.
        """
        return [str(self.prefix.postgres_bin / "postgres"), "-D", str(self.data)]

    def prepare(self) -> None:
        """Stop what is left of an earlier start, and write the settings for this one."""
        self.stop_leftover()
        self._write("pg_hba.conf", _HOST_BASED_AUTHENTICATION)
        self._write("postgresql.conf", self._settings())

    def start(self, log: Path) -> subprocess.Popen[bytes]:
        """Start the server as a child of ours and wait until it answers.

        Raises:
            DeployError: It did not come up; the log says why.
        """
        self.prepare()
        with log.open("ab") as output:
            server = subprocess.Popen(
                [*as_server_user(), *dying_with_us("INT"), *self.command()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C is for us to handle, in the right order
            )
        try:
            self.wait_until_ready(log)
        except DeployError:
            server.send_signal(signal.SIGINT)
            server.wait(STOP_TIMEOUT_S)
            raise
        return server

    def wait_until_ready(self, log: Path) -> None:
        """Wait until the server takes connections.

        Raises:
            DeployError: It did not within `START_TIMEOUT_S`.
        """
        ports.wait_until(self.is_ready, what="The database", timeout_s=START_TIMEOUT_S, remedy=f"See {log}.")

    def is_ready(self) -> bool:
        """Whether the server takes connections now."""
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=3).close()
        except psycopg.OperationalError:
            return False
        return True

    def create_database(self, name: str) -> bool:
        """Create a database unless it is there; say whether it was created."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                return False
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
        return True

    def stop_leftover(self) -> bool:
        """Stop a server that an earlier start left on this folder; say whether there was one.

        A pid file that names no server of this folder is from before a crash, and is removed:
        PostgreSQL would refuse to start if some other process of the same user had that pid now.
        """
        pid_file = self.data / "postmaster.pid"
        try:
            with places.as_servers():
                pid = int(pid_file.read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return False  # where the folder is closed to the server, its start says so
        if not self._is_our_server(pid):
            with places.as_servers():
                pid_file.unlink(missing_ok=True)
            return False
        for stop_signal, wait_s in ((signal.SIGINT, STOP_TIMEOUT_S), (signal.SIGQUIT, 10.0)):
            try:
                os.kill(pid, stop_signal)
                ports.wait_until(
                    lambda: not self._is_our_server(pid), what="The old database", timeout_s=wait_s, remedy=""
                )
            except ProcessLookupError:
                return True
            except DeployError:
                continue  # the next signal is a stronger one
            return True
        raise DeployError(f"The database server {pid} does not stop.", f"Run: kill -9 {pid}")

    def _is_our_server(self, pid: int) -> bool:
        try:
            # The server changes into its data folder; a zombie has no folder any more.
            return Path(f"/proc/{pid}/cwd").readlink() == self.data.resolve()
        except OSError:
            return False

    def _write(self, name: str, text: str) -> None:
        with places.as_servers():
            places.write_private(self.data / name, text)

    def _settings(self) -> str:
        memory_mib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MEBIBYTE
        settings: dict[str, str | int] = {
            "listen_addresses": ports.LOOPBACK,
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": MAX_CONNECTIONS,
            "password_encryption": "scram-sha-256",
            "timezone": "UTC",
            "log_timezone": "UTC",
            # The machine is shared with the rooms, so an eighth of it, not the usual quarter.
            "shared_buffers": f"{min(max(memory_mib // 8, 64), 4096)}MB",
            "effective_cache_size": f"{max(memory_mib // 2, 128)}MB",
            "work_mem": "16MB",
            "maintenance_work_mem": f"{min(max(memory_mib // 32, 32), 512)}MB",
            "random_page_cost": "1.1",
            "max_wal_size": "2GB",
            "wal_compression": "lz4",
            "default_toast_compression": "lz4",
            "jit": "off",
            "max_worker_processes": 8 + self.background_workers,
            "max_locks_per_transaction": 256,  # one for each chunk of a hypertable that is touched
            "idle_in_transaction_session_timeout": "5min",
            "shared_preload_libraries": "timescaledb",
            "timescaledb.max_background_workers": self.background_workers,
            "timescaledb.telemetry_level": "off",
            "logging_collector": "off",  # the supervisor keeps and rotates what is said on stderr
            "log_line_prefix": "%m [%p] %q%u@%d ",
            "log_checkpoints": "off",
            # Its details hold the rows that were refused: names of residents, hashes of passwords.
            "log_error_verbosity": "terse",
            "log_lock_waits": "on",
            "log_min_duration_statement": "5s",
            **LOG_SETTINGS,
        }
        if not self.durable:
            settings |= {
                "fsync": "off",
                "synchronous_commit": "off",
                "full_page_writes": "off",
                "shared_buffers": "128MB",
                "max_wal_size": "512MB",
            }
        lines = [f"{name} = '{value}'\n" for name, value in settings.items()]
        return "# Written at each start; changes made here are lost.\n" + "".join(lines)


def dying_with_us(stop_signal: str) -> list[str]:
    """What goes before a command so that it is stopped when we die, even by a kill -9."""
    return ["setpriv", "--pdeathsig", stop_signal, "--"]


def as_server_user() -> list[str]:
    """What goes before a command so that it does not run as root."""
    if not places.is_root():
        return []
    return ["setpriv", f"--reuid={places.NOBODY_ID}", f"--regid={places.NOBODY_ID}", "--clear-groups", "--"]
