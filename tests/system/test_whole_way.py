"""From an SOS button to a caregiver's screen, on the running product, with a client that is not ours."""

import json
import os
import re
import signal
import subprocess
import time
from urllib.parse import urlsplit

import psycopg
import pytest
from playwright.sync_api import Page, expect

from deploy.local import debian, instance
from protocol.wire import ROOT
from tests.machine import Machine

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(600)]

ACKNOWLEDGED_S_MAX = 60


class Button:
    """A device added by `anshou device add`, that speaks by Debian's mosquitto_pub with what it was told."""

    def __init__(self, machine: Machine, resident: str) -> None:
        code, said = machine.run(
            *("device", "add", "--site", "qingshi", "--kind", "sos_button", "--resident", resident)
        )
        assert code == 0, said
        self.alarms = (
            f"care.alarm WHERE resident_id = (SELECT id FROM care.resident WHERE name = '{resident}')"
        )
        told = {words[0]: words[1] for line in said.splitlines() if len(words := line.split()) > 1}
        broker = urlsplit(told["broker"])
        prefix = debian.installed()
        assert prefix is not None
        self.topic = told["topics"]
        self.command = [
            *(str(prefix.mosquitto_pub), "-h", str(broker.hostname), "-p", str(broker.port)),
            *("-V", "5", "-q", "1", "-u", told["user"], "-P", told["password"], "-t", self.topic, "-m", ""),
        ]

    def publish(self, message: str, topic: str | None = None) -> subprocess.CompletedProcess[str]:
        """Publish with the button's own credentials; retried while the broker is being restarted."""
        command = list(self.command)
        command[command.index("-m") + 1] = message
        command[command.index("-t") + 1] = topic or self.topic
        return subprocess.run(command, capture_output=True, text=True, timeout=30)

    def press(self) -> None:
        deadline_s = time.monotonic() + ACKNOWLEDGED_S_MAX
        while self.publish(json.dumps({"alarm": "sos", "ts": time.time_ns() // 1_000_000})).returncode:
            assert time.monotonic() < deadline_s, "the broker did not come back"
            time.sleep(0.1)


@pytest.fixture(scope="module")
def machine(installed: Machine) -> Machine:
    """Up, with a home and somebody who works there."""
    installed.environment["ANSHOU_STAFF_PASSWORD"] = "correct horse"
    installed.open(
        ("staff", "add", "--username", "wang", "--name", "王护理", "--role", "caregiver",
         "--sees", "site:qingshi"),
    )  # fmt: skip
    return installed


@pytest.fixture
def button(machine: Machine) -> Button:
    return Button(machine, "李秀英")


@pytest.fixture
def another_button(machine: Machine) -> Button:
    """Of a neighbour, about whom the other tests say nothing."""
    code, said = machine.run(
        *("resident", "add", "--site", "qingshi", "--name", "王德福", "--sex", "male"),
        *("--born", "1938-02-11", "--room", "102", "--bed", "1"),
    )
    assert code == 0, said
    return Button(machine, "王德福")


def sign_in(machine: Machine, page: Page) -> None:
    url = instance.current(machine.data.root).http_url
    assert url is not None
    page.goto(url)
    page.fill("input[name=username]", "wang")
    page.fill("input[name=password]", "correct horse")
    page.press("input[name=password]", "Enter")
    page.wait_for_url(re.compile("/desk"))


def query(machine: Machine, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(instance.current(machine.data.root).owner_database_url) as connection:
        return connection.execute(statement.encode()).fetchall()


def eventually(machine: Machine, statement: str, expected: list[tuple[object, ...]]) -> None:
    deadline_s = time.monotonic() + 60
    found: object = None
    while time.monotonic() < deadline_s:
        try:
            found = query(machine, statement)
        except psycopg.OperationalError as error:
            found = error
        if found == expected:
            return
        time.sleep(0.1)
    pytest.fail(f"{statement}: {found}, not {expected}")


def wait_until_the_broker_has_saved_its_sessions(machine: Machine) -> None:
    """Mosquitto saves every few seconds; killed before the first time, it knows of no subscriber."""
    saved = machine.data.mosquitto / "mosquitto.db"
    deadline_s = time.monotonic() + 60
    while not (saved.exists() and b"anshou-ingest-alarms" in saved.read_bytes()):
        assert time.monotonic() < deadline_s, "the broker does not save"
        time.sleep(0.1)


def test_an_sos_is_on_the_desk(machine: Machine, button: Button, browser_page: Page) -> None:
    sign_in(machine, browser_page)
    card = browser_page.locator("article.alarm").filter(has_text="李秀英")
    expect(card).to_have_count(0)
    button.press()
    expect(card).to_be_visible()
    assert query(machine, f"SELECT kind, priority::text, signal_count FROM {button.alarms}") == [
        ("sos", "high", 1)
    ]

    button.press()
    eventually(machine, f"SELECT signal_count FROM {button.alarms}", [(2,)])
    expect(card).to_have_count(1)

    stranger = f"{ROOT}/qingshi/another-device/alarm"
    refused = button.publish('{"alarm":"sos"}', stranger)
    assert "not authorized" in (refused.stderr + refused.stdout).lower() or refused.returncode != 0

    button.publish("rubbish")
    eventually(
        machine,
        "SELECT reason, convert_from(payload, 'UTF8') FROM readings.dead_letter",
        [("malformed", "rubbish")],
    )
    assert query(machine, f"SELECT count(*) FROM {button.alarms}") == [(1,)]


def test_any_process_may_be_killed_and_nothing_said_meanwhile_is_lost(
    machine: Machine, another_button: Button, browser_page: Page
) -> None:
    button = another_button
    name = button.topic.split("/")[-2]
    signals = f"care.alarm_signal JOIN care.device ON device.id = device_id WHERE device.name = '{name}'"
    sign_in(machine, browser_page)
    wait_until_the_broker_has_saved_its_sessions(machine)
    for presses, pid in enumerate(machine.wait_until_all_run().values(), start=1):
        os.kill(pid, signal.SIGKILL)
        button.press()
        machine.wait_until_all_run(without={pid})
        eventually(machine, f"SELECT count(*) FROM {signals}", [(presses,)])
        eventually(machine, f"SELECT signal_count FROM {button.alarms}", [(presses,)])
    machine.wait_for_page()
    expect(browser_page.locator("article.alarm").filter(has_text="王德福")).to_be_visible(timeout=60_000)
