"""The product that is attacked: started as `anshou up` starts it, with the demonstration county."""

import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.load import Publisher, publish_packet
from care import registry
from database.connections import Connection, connect, url_as
from deploy.local import instance, ports
from deploy.local.data import DataFolder, Passwords
from deploy.local.supervisor import Supervisor
from ingest.provision import Provisioner, gateways_rights
from protocol.broker import BrokerAddress
from protocol.model import DeviceKind

START_S_MAX = 600.0
STOP_S_MAX = 120.0
SOS_WAIT_S_MAX = 60.0
"""So long after the last press an SOS may still come before it counts as lost."""
POLL_S = 0.05


class Device(NamedTuple):
    """A device or gateway that may sign in at the broker."""

    id: int
    site: str
    name: str
    secret: str

    def topic(self, leaf: str, name: str | None = None) -> str:
        """A topic of its site: its own, or that of another device."""
        return f"anshou/v1/{self.site}/{name or self.name}/{leaf}"


class Watched:
    """SOS that a bystander sends while an attack goes on, and how long each took to be committed."""

    def __init__(self) -> None:
        self.pressed = 0
        self.took_s: list[float] = []

    @property
    def stored(self) -> int:
        """How many were committed."""
        return len(self.took_s)

    @property
    def words(self) -> str:
        """For people."""
        worst = f", worst {max(self.took_s):.2f} s" if self.took_s else ""
        return f"{self.stored} of {self.pressed} SOS stored{worst}"


class Product:
    """A running installation, seen from outside and from above.

    Attributes:
        data: Its data folder.
        instance: How to reach it.
        passwords: What its processes say to each other; for attacks that suppose one has leaked.
        owner: The database as its owner, each statement its own transaction.
        watched: What bystanders experienced during the attack that is tried now.
    """

    def __init__(self, data: DataFolder) -> None:
        self.data = data
        self.instance = instance.current(data.root)
        self.passwords: Passwords = data.passwords()
        self.supervisor = Supervisor(data=data)
        self.owner: Connection = connect(self.instance.owner_database_url, autocommit=True)
        self.watched: list[Watched] = []

    @property
    def http_url(self) -> str:
        """The pages, without TLS; ends with a slash."""
        assert self.instance.http_url is not None, "the pages run"
        return self.instance.http_url

    def database_url(self, role: str) -> str:
        """The database as one of the roles that the rooms sign in with, such as `anshou_web`."""
        return url_as(self.instance.owner_database_url, role, self.passwords.roles[role])

    def broker_url(self, user: str, password: str) -> str:
        """Where devices on this machine reach the broker, for anybody."""
        return BrokerAddress(
            host=self.instance.mqtt_host, port=self.instance.mqtt_port, username=user, password=password
        ).url

    def count(self, query: str, *params: Any) -> int:
        """Ask the database, as its owner, for a number."""
        row = self.owner.execute(query, params).fetchone()
        return 0 if row is None else int(next(iter(row.values())) or 0)

    def new_device(self, site: str, kind: DeviceKind = DeviceKind.SOS_BUTTON) -> Device:
        """A device with credentials of its own, as by `anshou device add`."""
        with connect(self.instance.owner_database_url) as connection:
            where = registry.site_by_code(connection, site)
            name = f"x-{secrets.token_hex(5)}"
            new = registry.add_device(connection, site=where, kind=kind, name=name)
            rights = gateways_rights(connection).get(name)
        provisioner = Provisioner(BrokerAddress.parse(self.instance.provisioner_mqtt_url))
        provisioner.add_device(site, name, kind, new.secret, rights)
        return Device(new.device.id, site, name, new.secret)

    def new_gateway(self, site: str) -> Device:
        """A gateway that may sign in, as a paired one may."""
        return self.new_device(site, DeviceKind.GATEWAY)

    def pid_of(self, room: str) -> int:
        """Of a running process, such as `ingest-alarms`."""
        state, pid = self.supervisor.states()[room]
        return pid if state == "RUNNING" else 0

    @contextmanager
    def stopped(self, room: str) -> Iterator[None]:
        """One process is down meanwhile, in good order."""
        self.supervisor.stop_room(room)
        try:
            yield
        finally:
            self.supervisor.start_room(room)

    def said_by(self, room: str) -> str:
        """All that a process has logged."""
        return self.supervisor.log_of(room).read_text(errors="replace")

    @contextmanager
    def watched_sos(self, site: str, *, count: int, every_s: float = 1.0) -> Iterator[Watched]:
        """A new SOS button of the site is pressed so often, meanwhile and to the end of the pressing.

        Its first press is before the attack begins, its last may be after.
        """
        watched = Watched()
        self.watched.append(watched)
        device = self.new_device(site)
        pressing = threading.Thread(target=self._press, args=[device, watched, count, every_s], daemon=True)
        pressing.start()
        try:
            yield watched
        finally:
            pressing.join()
            watched.took_s = self._latencies_s(device, count)

    def forget_watched(self) -> None:
        """Another attack begins."""
        self.watched = []

    def _press(self, device: Device, watched: Watched, count: int, every_s: float) -> None:
        button = Publisher(self.broker_url(device.name, device.secret), device.name)
        for number in range(count):
            signal = {"ts": time.time_ns() // 1_000_000, "alarm": "sos", "id": f"press-{number}"}
            button.send([publish_packet(device.topic("alarm"), json.dumps(signal).encode())])
            watched.pressed += 1
            if number < count - 1:
                time.sleep(every_s)
        button.close()

    def _latencies_s(self, device: Device, count: int) -> list[float]:
        deadline_s = time.monotonic() + SOS_WAIT_S_MAX
        while True:
            rows = self.owner.execute(
                "SELECT extract(epoch FROM received_at - time)::float8 AS took_s FROM care.alarm_signal"
                " WHERE device_id = %s",
                (device.id,),
            ).fetchall()
            if len(rows) >= count or time.monotonic() > deadline_s:
                return [row["took_s"] for row in rows]
            time.sleep(POLL_S)


@contextmanager
def running_product(*, demo: bool = True) -> Iterator[Product]:
    """Start it in a temporary folder, on ports of its own; stop and delete it in the end."""
    with tempfile.TemporaryDirectory(prefix="anshou-attacks-") as folder:
        root = Path(folder) / "data"
        Path(folder).chmod(0o711)
        http = ports.any_quiet()
        mqtt = ports.any_quiet(but=frozenset({http}))
        _anshou(
            "up", "--detach", "--http", str(http), "--mqtt", str(mqtt), "--demo" if demo else "--no-demo",
            data=root, patience_s=START_S_MAX,
        )  # fmt: skip
        try:
            product = Product(DataFolder.at(root))
            _wait_for_ingest(product.owner)
            yield product
            product.owner.close()
        finally:
            _anshou("down", data=root, patience_s=STOP_S_MAX)


def _wait_for_ingest(owner: Connection) -> None:
    deadline_s = time.monotonic() + STOP_S_MAX
    while time.monotonic() < deadline_s:
        rows: Sequence[Any] = owner.execute(
            "SELECT process FROM readings.ingest_health WHERE connected"
        ).fetchall()
        if {"alarms", "readings", "gateways"} <= {row["process"] for row in rows}:
            return
        time.sleep(POLL_S)
    raise TimeoutError("ingest did not connect to the broker")


def _anshou(*arguments: str, data: Path, patience_s: float) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ANSHOU_")}
    done = subprocess.run(
        [str(Path(sys.executable).parent / "anshou"), *arguments, "--data", str(data)],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=patience_s,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"anshou {arguments[0]} failed:\n{done.stdout}")
