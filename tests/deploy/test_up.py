"""Everything on one machine, started and stopped for real."""

from __future__ import annotations

import os
import signal
import socket

import pytest

from deploy.errors import NotRunningError
from deploy.local import instance, leftovers, ports
from tests.machine import PATIENCE_S, Machine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_up_restart_and_down(machine: Machine) -> None:
    with machine.up("--http", str(ports.any_quiet()), "--mqtt", str(ports.any_quiet())) as process:
        machine.wait_for_page()
        before = machine.wait_until_all_run()

        ports.wait_until(
            lambda: "✗ Ingest" not in machine.run("doctor")[1],
            what="a first word of ingest",
            timeout_s=PATIENCE_S,
            remedy="",
        )
        code, said = machine.run("doctor")
        assert code == 0, said
        for healthy in (
            "Ingest alarms: works",
            "Pages over TLS",
            "Broker over TLS",
            "Certificate's end",
            "Logs",
        ):
            assert f"✓ {healthy}" in said
        assert "· Other machines: cannot open the pages" in said
        assert "✓ Broker" in said
        assert "✓ Migrations: all applied" in said
        assert "Apache 2 edition" in said
        assert "✓ Metrics of ingest-alarms: http://127.0.0.1:" in said

        code, said = machine.run("up", "--no-demo")
        assert code == 1
        assert "already" in said, said
        assert "Traceback" not in said

        # Every process of ours, and both servers, come back by themselves.
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)
        machine.wait_until_all_run(without=set(before.values()))
        machine.wait_for_page()

        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, said
    assert machine.nothing_is_left()
    with pytest.raises(NotRunningError):
        instance.current(machine.data.root)
    assert machine.run("down") == (0, "Nothing was running.\n")


def test_a_killed_supervisor_is_started_again(machine: Machine) -> None:
    with machine.up() as process:
        before = machine.wait_until_all_run()
        supervisor = int((machine.data.run / "supervisor.pid").read_text())
        os.kill(supervisor, signal.SIGKILL)
        ports.wait_until(
            lambda: supervisor not in leftovers.find(machine.data.root),
            what="the kill",
            timeout_s=PATIENCE_S,
            remedy="",
        )
        ports.wait_until(machine.supervisor.answers, what="a new supervisor", timeout_s=PATIENCE_S, remedy="")
        machine.wait_until_all_run(without=set(before.values()))
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, said
    assert machine.nothing_is_left()


def test_the_next_start_takes_over_what_a_kill_left_behind(machine: Machine) -> None:
    code, said = machine.run("up", "--no-demo", "--detach")
    assert code == 0, said
    before = machine.wait_until_all_run()
    os.kill(int((machine.data.run / "supervisor.pid").read_text()), signal.SIGKILL)
    ports.wait_until(
        lambda: not machine.supervisor.answers(), what="the kill", timeout_s=PATIENCE_S, remedy=""
    )
    assert machine.page_answers(), "the rooms go on serving without their supervisor"

    code, said = machine.run("up", "--no-demo", "--detach")
    assert code == 0, said
    machine.wait_until_all_run(without=set(before.values()))
    machine.wait_for_page()
    assert set(before.values()).isdisjoint(leftovers.find(machine.data.root))

    code, said = machine.run("down")
    assert code == 0, said
    assert machine.nothing_is_left()


def test_killing_the_foreground_command_takes_everything_with_it(machine: Machine) -> None:
    with machine.up() as process:
        machine.wait_until_all_run()
        process.kill()
        process.wait(PATIENCE_S)
        ports.wait_until(machine.nothing_is_left, what="the end", timeout_s=PATIENCE_S, remedy="")


def test_ports_stay_and_what_is_taken_is_refused(machine: Machine) -> None:
    with socket.create_server((ports.LOOPBACK, 0)) as server:
        taken = str(server.getsockname()[1])
        code, said = machine.run("up", "--no-demo", "--detach", "--https", taken)
        assert code == 1
        assert f"HTTPS port {taken} is held by" in said
        assert f"anshou up --data {machine.data.root} --https PORT" in said
        assert machine.nothing_is_left()

    code, said = machine.run("up", "--no-demo", "--detach", "--https", str(ports.any_quiet()))
    assert code == 0, said
    assert f"anshou staff add --data {machine.data.root} --help" in said, "nobody can sign in yet"
    machine.wait_for_page()
    first = instance.current(machine.data.root)
    assert first.outside is not None
    code, said = machine.run("down")
    assert code == 0, said

    with socket.create_server((ports.LOOPBACK, first.outside.mqtts_port)):
        code, said = machine.run("up", "--no-demo", "--detach")
        assert code == 1
        assert f"MQTT over TLS port {first.outside.mqtts_port}, which this installation has kept" in said
    code, said = machine.run("up", "--no-demo", "--detach")
    assert code == 0, said
    assert instance.current(machine.data.root) == first
