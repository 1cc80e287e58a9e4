"""`anshou site|resident|device|staff …`, from an empty record to a button that works."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from database.connections import connect
from deploy import cli
from ingest.alarms import AlarmIngest
from ingest.settings import Settings
from tests.ingest.conftest import Running, eventually
from tests.servers import Broker, Database

Anshou = Callable[..., str]


@pytest.fixture
def anshou(
    database: Database, broker: Broker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Anshou:
    """Run the command on the test's own database and broker; its output, or its error after `!`."""
    monkeypatch.setenv("ANSHOU_DATABASE_URL", database.owner_url)
    monkeypatch.setenv("ANSHOU_MQTT_URL", broker.url("provisioner"))
    monkeypatch.setenv("ANSHOU_DEVICES_MQTT_URL", f"mqtt://{broker.host}:{broker.port}")
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> str:
        monkeypatch.setattr("sys.argv", ["anshou", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return captured.out if ended.value.code in (0, None) else f"!{captured.err}"

    return run


def add_home(anshou: Anshou, site: str) -> None:
    anshou("operator", "add", "--code", "kangle", "--name", "康乐养老")
    anshou(
        *("site", "add", "--code", site, "--kind", "care_home", "--name", "青石敬老院"),
        *("--township", "青石镇", "--operator", "kangle"),
    )
    anshou(
        *("resident", "add", "--site", site, "--name", "李秀英", "--sex", "female", "--born", "1941-05-04"),
        *("--room", "101", "--bed", "1", "--lost", "can_bathe"),
    )


def test_each_command_prints_what_it_did(anshou: Anshou, broker: Broker) -> None:
    site = broker.site
    add_home(anshou, site)
    assert "康乐养老" in anshou("operator", "list")
    assert f"{site}\tcare_home\t青石敬老院\t康乐养老\t青石镇" in anshou("site", "list")
    residents = anshou("resident", "list", "--site", site)
    assert "李秀英" in residents
    assert "partial_loss" in residents
    moved = anshou("resident", "move", "李秀英", "--site", site, "--room", "102", "--bed", "2")
    assert "102" in moved
    assert "\t102\t2\t" in anshou("resident", "list")
    added = anshou(
        *("staff", "add", "--username", "wang", "--name", "王护理", "--role", "caregiver"),
        *("--sees", f"site:{site}"),
    )
    assert "shown this once only" in added
    assert f"wang\t王护理\tcaregiver\tsite\t{site}" in anshou("staff", "list")


def test_a_new_button_is_pressed_with_the_printed_command(
    anshou: Anshou, broker: Broker, database: Database, tmp_path: Path
) -> None:
    add_home(anshou, broker.site)
    password_file = tmp_path / "button's password"
    added = anshou(
        *("device", "add", "--site", broker.site, "--kind", "sos_button", "--resident", "李秀英"),
        *("--name", f"button-{broker.site}", "--password-file", str(password_file)),
    )
    assert password_file.read_text().strip() not in added
    assert password_file.stat().st_mode & 0o777 == 0o600
    assert "李秀英" in added, "whom it watches, by name"
    command = next(line for line in added.splitlines() if "anshou publish" in line).strip()
    command = command.replace("anshou", str(Path(sys.executable).parent / "anshou"), 1)
    settings = Settings(database_url=database.ingest_url, mqtt_url=broker.url("alarms"), worker=broker.site)
    running = Running(AlarmIngest(settings))
    subprocess.run(command, shell=True, check=True, timeout=30)
    with database.connect() as connection:
        alarm = eventually(
            lambda: connection.execute(
                "SELECT resident.name, kind, priority FROM care.alarm JOIN care.resident"
                " ON resident.id = alarm.resident_id"
            ).fetchone()
        )
    assert alarm == ("李秀英", "sos", "high")
    running.stop()
    assert f"button-{broker.site}\tsos_button\t{broker.site}\t李秀英" in anshou("device", "list")
    anshou("device", "move", f"button-{broker.site}", "--room", "101")
    anshou("device", "remove", f"button-{broker.site}")
    assert "button" not in anshou("device", "list")
    refused = subprocess.run(command, shell=True, timeout=30, capture_output=True, text=True)
    assert refused.returncode == 1
    assert "does not let" in refused.stderr


def test_without_a_file_the_password_is_shown_and_never_in_a_command(anshou: Anshou, broker: Broker) -> None:
    add_home(anshou, broker.site)
    added = anshou(
        *("device", "add", "--site", broker.site, "--kind", "sos_button", "--name", f"b2-{broker.site}")
    )
    secret = next(line.split()[-1] for line in added.splitlines() if line.startswith("  password"))
    assert added.count(secret) == 1


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("resident", "list", "--site", "nowhere"), "there is no site 'nowhere'"),
        (
            ("site", "add", "--code", "Bad Code", "--kind", "household", "--name", "x", "--township", "y"),
            "a-z",
        ),
        (("device", "add", "--site", "nowhere", "--kind", "sos_button"), "there is no site 'nowhere'"),
        (
            ("staff", "add", "--username", "a", "--name", "b", "--role", "carer", "--sees", "site:nowhere"),
            "there is no site 'nowhere'",
        ),
        (
            ("staff", "add", "--username", "a", "--name", "b", "--role", "carer", "--sees", "moon"),
            "township:NAME",
        ),
    ],
)
def test_a_mistake_gets_one_clear_line(anshou: Anshou, arguments: tuple[str, ...], error: str) -> None:
    said = anshou(*arguments)
    assert said.startswith("!")
    assert error in said
    assert "Traceback" not in said


def test_a_device_that_the_broker_refuses_is_not_recorded(
    anshou: Anshou, broker: Broker, database: Database
) -> None:
    add_home(anshou, broker.site)
    name = f"twice-{broker.site}"
    anshou("device", "add", "--site", broker.site, "--kind", "sos_button", "--name", name)
    with connect(database.owner_url, autocommit=True) as owner:
        owner.execute("DELETE FROM care.device WHERE name = %s", (name,))
    said = anshou("device", "add", "--site", broker.site, "--kind", "sos_button", "--name", name)
    assert "already exists" in said
    assert name not in anshou("device", "list")
