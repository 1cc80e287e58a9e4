"""The command `anshou` tells what it can do, and errors in one clear line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import servers

pytestmark = pytest.mark.integration

ANSHOU = Path(sys.executable).parent / "anshou"


def anshou(*arguments: str | Path, environment: dict[str, str] | None = None) -> tuple[int, str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("ANSHOU_")}
    done = subprocess.run(
        [ANSHOU, *arguments], env={**ours, **(environment or {})}, capture_output=True, text=True, timeout=120
    )
    return done.returncode, done.stdout, done.stderr


def test_help_names_every_verb() -> None:
    code, said, _ = anshou("--help")
    assert code == 0
    verbs = {line.split()[0] for line in said.splitlines() if line.startswith("  ") and line.strip()}
    for verb in ("up", "down", "doctor", "migrate", "ingest", "alarms", "analytics", "dashboard"):
        assert verb in verbs
    for verb in ("operator", "site", "resident", "device", "staff", "simulate"):
        assert verb in verbs


def test_up_explains_itself() -> None:
    code, said, _ = anshou("up", "--help")
    assert code == 0
    for option in ("--data", "--http", "--mqtt", "--no-demo", "--detach"):
        assert option in said


def test_nothing_running_is_said_in_one_line(tmp_path: Path) -> None:
    code, said, complained = anshou("migrate", "--data", tmp_path)
    assert (code, said) == (1, "")
    assert (
        complained == f"anshou: Anshou does not run from {tmp_path}. Start it: anshou up --data {tmp_path}\n"
    )


def test_a_database_that_is_away_is_said_in_one_line() -> None:
    url = "postgresql://nobody@127.0.0.1:9/anshou"
    code, _, complained = anshou("migrate", environment={"ANSHOU_DATABASE_URL": url})
    assert code == 1
    assert complained.startswith("anshou: ")
    assert "Traceback" not in complained


def test_a_folder_that_cannot_be_used_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, _, complained = anshou("up", "--no-demo", "--data", tmp_path / "file" / "data")
    assert code == 1
    assert "Choose another one with --data" in complained
    assert "Traceback" not in complained


@pytest.mark.parametrize("exposed", [("--listen", "0.0.0.0"), ("--listen", "192.0.2.7"), ()], ids=str)
def test_the_demonstration_is_not_for_other_machines(tmp_path: Path, exposed: tuple[str, ...]) -> None:
    environment = {} if exposed else {"ANSHOU_DASHBOARD_HOST": "0.0.0.0"}
    code, _, complained = anshou("up", *exposed, "--data", tmp_path / "data", environment=environment)
    assert code == 1
    assert "--no-demo" in complained
    assert "Traceback" not in complained
    assert not (tmp_path / "data").exists(), "nothing was begun"


def test_migrate_brings_an_empty_database_up_to_date_once(empty_database: str) -> None:
    environment = {"ANSHOU_DATABASE_URL": empty_database}
    code, said, complained = anshou("migrate", environment=environment)
    assert code == 0, complained
    assert "applied 0001_" in said
    code, said, _ = anshou("migrate", environment=environment)
    assert (code, said) == (0, "The database is at the newest schema already.\n")


def test_doctor_finds_what_does_not_run_and_what_is_missing(tmp_path: Path) -> None:
    code, said, _ = anshou("doctor", "--data", tmp_path, environment={"XDG_CACHE_HOME": str(tmp_path)})
    assert f"· Running: Anshou does not run from {tmp_path}." in said
    assert "✓ Python: 3." in said
    assert "✓ Front-end files: as locked" in said
    if os.geteuid() != 0:  # root's cache is elsewhere
        assert "✗ Private servers: not fetched yet\n    → Run: make setup" in said
        assert code == 1


def test_doctor_tells_a_broker_that_lets_us_in_from_one_that_does_not(
    database: servers.Database, broker: servers.Broker
) -> None:
    environment = {
        "ANSHOU_DATABASE_URL": database.owner_url,
        "ANSHOU_MQTT_URL": broker.url("provisioner"),
    }
    _, said, _ = anshou("doctor", environment=environment)
    assert f"✓ Broker: 127.0.0.1:{broker.service_port}, lets us in" in said
    assert "✓ Migrations: all applied" in said
    environment["ANSHOU_MQTT_URL"] = broker.url_with("provisioner", "wrong")
    code, said, _ = anshou("doctor", environment=environment)
    assert code == 1
    assert f"✗ Broker: 127.0.0.1:{broker.service_port}, Not authorized" in said


@pytest.mark.parametrize("room", ["alarms", "analytics", "dashboard"])
def test_a_room_without_its_database_says_which_setting_is_missing(room: str) -> None:
    code, said, complained = anshou(room)
    assert code != 0
    assert "ANSHOU_DATABASE_URL" in said + complained
    assert "Traceback" not in said + complained
