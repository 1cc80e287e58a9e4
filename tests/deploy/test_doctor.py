"""What the doctor sees: each fault by itself, and what to do about it."""

import shutil
import socket
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest

from deploy import authority as authorities
from deploy.authority import Authority
from deploy.local import doctor, doctor_health, doctor_reach, port_plan, ports
from deploy.local.data import DataFolder
from deploy.local.findings import Finding, State
from deploy.local.instance import Instance, Reachable
from deploy.local.port_plan import PortPlan
from tests.servers import Database

pytestmark = pytest.mark.integration


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def of(findings: list[Finding], what: str) -> Finding:
    return next(finding for finding in findings if finding.what == what)


def tell(database: Database, process: str, *, connected: bool, ago_s: int = 0) -> None:
    with psycopg.connect(database.owner_url) as connection:
        connection.execute(
            """
            INSERT INTO readings.ingest_health (process, worker, at, started_at, connected, received, stored,
                repeated_batches, careful_stores, dead, received_per_s, pending)
            VALUES (%s, 'w', clock_timestamp() - %s * interval '1 second', now(), %s, 0, 0, 0, 0, 0, 0, 0)
            """,
            [process, ago_s, connected],
        )


def test_each_process_of_ingest_is_asked_for_its_health(database: Database) -> None:
    tell(database, "alarms", connected=True)
    tell(database, "readings", connected=False)
    tell(database, "gateways", connected=True, ago_s=600)
    found = list(doctor_health.ingest(database.owner_url))
    assert of(found, "Ingest alarms").state is State.GOOD
    assert "not connected to the broker" in of(found, "Ingest readings").detail
    assert "silent for 600 s" in of(found, "Ingest gateways").detail
    assert "never told" in of(found, "Ingest settle").detail
    assert [f.state for f in found].count(State.MISSING) == 3


@pytest.mark.parametrize(
    ("free", "total", "state"),
    [
        (1 * 1024**3, 10 * 1024**3, State.MISSING),
        (3 * 1024**3, 1000 * 1024**3, State.MISSING),
        (100 * 1024**3, 1000 * 1024**3, State.GOOD),
    ],
)
def test_a_disk_that_is_nearly_full_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, total: int, state: State
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(total, total - free, free))
    assert of(list(doctor.examine(tmp_path)), "Disk").state is state


def test_a_kept_port_that_somebody_else_has_is_seen_before_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(port_plan, "USUAL", {})
    folder = DataFolder.at(tmp_path)
    settled, _ = PortPlan(file=folder.ports_file).settle()
    assert list(doctor_reach.kept_ports(folder)) == []
    with socket.create_server((ports.LOOPBACK, settled[port_plan.Service.MQTTS])):
        (found,) = doctor_reach.kept_ports(folder)
    assert found.state is State.MISSING
    assert "MQTT over TLS port" in found.detail
    assert f"--data {tmp_path} --mqtts PORT" in found.remedy


def test_logs_that_stopped_are_seen(tmp_path: Path) -> None:
    log = tmp_path / "supervisor.log"
    log.write_text("CRIT uncaptured python exception, closing channel\nINFO supervisord started with pid 1\n")
    assert doctor_health.logs(log).state is State.GOOD, "that was before this start"
    log.write_text(log.read_text() + "CRIT uncaptured python exception, closing channel <POutputDispatcher\n")
    assert doctor_health.logs(log).state is State.MISSING


@pytest.fixture
def running(tmp_path: Path) -> Instance:
    authority = Authority(folder=tmp_path / "authority")
    authority.prepare(authorities.names_of_this_machine())
    free = [ports.any_free(), ports.any_free()]
    return Instance(
        owner_database_url="",
        service_database_url="",
        mqtt_host="127.0.0.1",
        mqtt_port=1,
        provisioner_mqtt_url="",
        outside=Reachable(
            address="0.0.0.0",
            https_port=free[0],
            mqtts_port=free[1],
            authority=str(authority.certificate),
            certificate=str(authority.server_certificate),
        ),
    )


def test_ports_that_nobody_answers_are_seen(running: Instance) -> None:
    found = list(doctor_reach.outside(running))
    for what in ("Pages over TLS", "Broker over TLS", "Certificate's end"):
        assert of(found, what).state is State.MISSING
    assert of(found, "Certificate").state is State.GOOD
    assert "SHA-256" in of(found, "Authority").detail


def test_an_address_that_the_certificate_lacks_is_seen(
    running: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = authorities.names_of_this_machine() | {"198.51.100.7"}
    monkeypatch.setattr(doctor_reach, "names_of_this_machine", lambda: now)
    found = of(list(doctor_reach.outside(running)), "Certificate")
    assert found.state is State.MISSING
    assert "198.51.100.7" in found.detail
    assert "Restart" in found.remedy
