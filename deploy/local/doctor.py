"""What is set up, what is missing, and what to do about it."""

from __future__ import annotations

import secrets
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import psycopg
from paho.mqtt.enums import CallbackAPIVersion

from database.errors import DomainError
from database.migrate import pending_migrations
from deploy.errors import DeployError, NotRunningError
from deploy.local import (
    bootstrap,
    chromium,
    debian,
    doctor_health,
    doctor_reach,
    frontend,
    instance,
    places,
    ports,
)
from deploy.local.data import DataFolder
from deploy.local.findings import Finding, State, judge
from deploy.local.instance import Instance
from deploy.local.rooms import DEMONSTRATION
from deploy.local.supervisor import Supervisor
from ingest.provision import PROVISIONERS
from protocol.broker import BrokerAddress

DISK_FREE_BYTES_MIN = 2 * 1024**3
DISK_FREE_SHARE_MIN = 0.05
GIBIBYTE = 1024**3
ANSWER_TIMEOUT_S = 10.0
# PostgreSQL reads the system's time zones, not those of its prefix.
CHINA_TIME_ZONE = Path("/usr/share/zoneinfo/Asia/Shanghai")


def examine(data: Path | None) -> Iterator[Finding]:
    """Look at everything, in the order in which one thing needs the other."""
    folder = DataFolder.at(data)
    yield from _this_machine(folder)
    yield from _what_was_set_up()
    yield from _what_runs(folder, data)


def _this_machine(folder: DataFolder) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield judge(
        sys.version_info >= bootstrap.PYTHON_MINIMUM, "Python", version, "Install Python 3.11 or newer."
    )
    known = CHINA_TIME_ZONE.is_file()
    yield judge(known, "Time zones", "known" if known else "Asia/Shanghai is unknown", "Install tzdata.")
    yield _loopback()
    standing = next(path for path in (folder.root, *folder.root.parents) if path.exists())
    usage = shutil.disk_usage(standing)
    share = usage.free / usage.total
    yield judge(
        usage.free >= DISK_FREE_BYTES_MIN and share >= DISK_FREE_SHARE_MIN,
        "Disk",
        f"{usage.free / GIBIBYTE:.1f} GiB free at {standing}, {share:.0%} of it",
        f"Make room before it is full: at least {DISK_FREE_BYTES_MIN // GIBIBYTE} GiB and "
        f"{DISK_FREE_SHARE_MIN:.0%}. A full disk stores no alarm.",
    )


def _loopback() -> Finding:
    try:
        ports.require_loopback()
    except DeployError as error:
        return Finding(state=State.MISSING, what="Loopback", detail=error.what, remedy=error.remedy)
    return Finding(state=State.GOOD, what="Loopback", detail=f"{ports.LOOPBACK} answers")


def _what_was_set_up() -> Iterator[Finding]:
    environments = [
        bootstrap.Environment(checkout=places.checkout(), lock=lock)
        for lock in ("requirements.lock", "requirements-dev.lock")
    ]
    yield _judge_locked(any(environment.is_current for environment in environments), "Python packages")
    prefix = debian.installed()
    if prefix is None:
        yield Finding(
            state=State.MISSING, what="Private servers", detail="not fetched yet", remedy="Run: make setup"
        )
    else:
        versions = prefix.versions
        names = ("postgresql-17", "postgresql-17-timescaledb", "mosquitto")
        detail = ", ".join(f"{name} {versions[name]}" for name in names)
        yield Finding(state=State.GOOD, what="Private servers", detail=f"{detail} in {prefix.root}")
    yield _judge_locked(frontend.of_this_checkout().is_current, "Front-end files")
    browser = chromium.installed()
    yield Finding(
        state=State.NOTE if browser is None else State.GOOD,
        what="Chromium",
        detail=browser or f"missing; only the browser tests need it ({chromium.HINT})",
    )


def _what_runs(folder: DataFolder, data: Path | None) -> Iterator[Finding]:
    supervisor = Supervisor(data=folder)
    if supervisor.answers():
        for name, (state, pid) in sorted(supervisor.states().items()):
            yield judge(
                state == "RUNNING" or (name == DEMONSTRATION and state == "EXITED"),
                f"Process {name}",
                f"{state.lower()}, pid {pid}",
                f"See {supervisor.log_of(name)}.",
            )
        yield doctor_health.logs(supervisor.data.log / "supervisor.log")
    try:
        running = instance.current(data)
    except NotRunningError as error:
        yield Finding(state=State.NOTE, what="Running", detail=str(error))
        yield from doctor_reach.kept_ports(folder)
        return
    except DeployError as error:
        yield Finding(state=State.MISSING, what="Running", detail=error.what, remedy=error.remedy)
        return
    yield from _database(running)
    yield from doctor_health.ingest(running.owner_database_url)
    yield _broker(running)
    yield from doctor_reach.outside(running)
    if running.http_url is not None:
        yield _page(running.http_url)
    for name, url in running.metrics_urls.items():
        yield _metrics(name, url)


def _database(running: Instance) -> Iterator[Finding]:
    url = running.owner_database_url
    try:
        with psycopg.connect(url, connect_timeout=int(ANSWER_TIMEOUT_S)) as connection:
            row = connection.execute(
                """
                SELECT current_setting('server_version'), extversion,
                       current_setting('timescaledb.license', true)
                FROM pg_extension WHERE extname = 'timescaledb'
                """
            ).fetchone()
        pending = pending_migrations(url)
    except (psycopg.Error, DomainError) as error:
        yield Finding(
            state=State.MISSING,
            what="Database",
            detail=str(error).strip(),
            remedy="Check that it runs and that the address and password are right.",
        )
        return
    if row is None:
        detail, remedy = "TimescaleDB is not in it", "Run: anshou migrate"
        yield Finding(state=State.MISSING, what="Database", detail=detail, remedy=remedy)
        return
    server, extension, licence = row
    edition = {"apache": "Apache 2 edition", "timescale": "Community edition"}.get(licence, licence)
    yield Finding(
        state=State.GOOD, what="Database", detail=f"PostgreSQL {server}, TimescaleDB {extension}, {edition}"
    )
    yield judge(
        not pending,
        "Migrations",
        f"{len(pending)} to apply" if pending else "all applied",
        "Run: anshou migrate",
    )


def _broker(running: Instance) -> Finding:
    where = f"{running.mqtt_host}:{running.mqtt_port}"
    outcome = sign_in(running.provisioner_mqtt_url)
    return judge(
        outcome is None,
        "Broker",
        f"{where}, {outcome or 'lets us in'}",
        "Check that it runs and that the name and password are right.",
    )


def sign_in(url: str) -> str | None:
    """Sign in at a broker; None if it lets us in, else why not."""
    broker = BrokerAddress.parse(url)
    answers: list[str | None] = []
    client_id = secrets.choice(PROVISIONERS)
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv5)
    client.connect_timeout = ANSWER_TIMEOUT_S
    broker.for_session(client_id).prepare(client)

    def on_connect(*arguments: object) -> None:
        reason = arguments[3]
        answers.append(None if str(reason) == "Success" else str(reason))

    client.on_connect = on_connect
    try:
        client.connect(broker.host, broker.port)
        client.loop_start()
        ports.wait_until(lambda: bool(answers), what="The broker", timeout_s=ANSWER_TIMEOUT_S, remedy="")
    except (OSError, DeployError) as error:
        return str(error)
    finally:
        client.disconnect()
        client.loop_stop()
    return answers[0]


def _page(url: str) -> Finding:
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_TIMEOUT_S) as answer:  # noqa: S310 - our own
            detail = f"{url} answers {answer.status}"
    except urllib.error.HTTPError as error:
        return judge(
            error.code < 500, "Pages", f"{url} answers {error.code}", "See the log of the dashboard."
        )
    except OSError as error:
        return Finding(
            state=State.MISSING,
            what="Pages",
            detail=f"{url}: {error}",
            remedy="See the log of the dashboard.",
        )
    return Finding(state=State.GOOD, what="Pages", detail=detail)


def _metrics(name: str, url: str) -> Finding:
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_TIMEOUT_S):  # noqa: S310 - our own
            return Finding(state=State.GOOD, what=f"Metrics of {name}", detail=url)
    except OSError as error:
        # The process does its work without them.
        return Finding(state=State.NOTE, what=f"Metrics of {name}", detail=f"{url}: {error}")


def _judge_locked(is_current: bool, what: str) -> Finding:
    return judge(is_current, what, "as locked" if is_current else "not as locked", "Run: make setup")
