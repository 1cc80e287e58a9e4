"""Ports: chosen once, kept for life, and refused, with who holds them, when somebody else has them."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.local import port_plan, ports
from deploy.local.port_plan import PortPlan, Service

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def usual(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's own: others may hold the well-known ones while we test."""
    taken: frozenset[int] = frozenset()
    for service in port_plan.USUAL:
        port = ports.any_quiet(but=taken)
        taken |= {port}
        monkeypatch.setitem(port_plan.USUAL, service, port)


def plan(folder: Path, asked: Mapping[Service, int] | None = None, **options: str) -> PortPlan:
    return PortPlan(file=folder / "ports.json", asked=asked or {}, **options)  # type: ignore[arg-type]


def test_a_first_start_takes_the_usual_ports_and_the_next_the_same(tmp_path: Path) -> None:
    first, notes = plan(tmp_path).settle()
    assert notes == []
    assert {service: first[service] for service in port_plan.USUAL} == port_plan.USUAL
    assert len(set(first.values())) == len(Service)
    assert plan(tmp_path).settle() == (first, [])


@pytest.mark.parametrize("service", list(port_plan.USUAL))
def test_what_a_first_start_finds_taken_it_replaces_for_life(tmp_path: Path, service: Service) -> None:
    with socket.create_server((ports.LOOPBACK, port_plan.USUAL[service])):
        first, notes = plan(tmp_path).settle()
        assert first[service] != port_plan.USUAL[service]
        assert len(notes) == 1
        assert f"port {port_plan.USUAL[service]} is in use by" in notes[0]
        assert f"--{service}" in notes[0]
    assert plan(tmp_path).settle() == (first, []), "also when the usual port is free again"


@pytest.mark.parametrize("service", list(Service))
def test_a_kept_port_that_another_program_has_is_refused(tmp_path: Path, service: Service) -> None:
    first, _ = plan(tmp_path).settle()
    with socket.create_server((ports.LOOPBACK, first[service])), pytest.raises(DeployError) as refused:
        plan(tmp_path, command="anshou up --data x").settle()
    assert f"{port_plan.TITLES[service]} port {first[service]}" in refused.value.what
    assert "has kept since its first start" in refused.value.what
    assert "(pid " in refused.value.what
    assert f"anshou up --data x --{service} PORT" in refused.value.remedy
    assert plan(tmp_path).settle() == (first, []), "nothing has moved"


@pytest.mark.parametrize("service", list(Service))
def test_a_port_asked_for_by_name_that_is_taken_is_refused(tmp_path: Path, service: Service) -> None:
    first, _ = plan(tmp_path).settle()
    with socket.create_server((ports.LOOPBACK, 0)) as server:
        taken = server.getsockname()[1]
        with pytest.raises(DeployError, match=rf"port {taken} is held by .*\(pid \d+, user .*\)"):
            plan(tmp_path, {service: taken}).settle()
    assert plan(tmp_path).settle() == (first, [])


def test_a_port_asked_for_by_name_is_kept_from_then_on(tmp_path: Path) -> None:
    first, _ = plan(tmp_path).settle()
    wanted = ports.any_quiet(but=frozenset(first.values()))
    assert plan(tmp_path, {Service.HTTPS: wanted}).settle()[0] == {**first, Service.HTTPS: wanted}
    assert plan(tmp_path).settle()[0] == {**first, Service.HTTPS: wanted}


def test_what_is_not_needed_at_this_start_keeps_its_port(tmp_path: Path) -> None:
    first, _ = plan(tmp_path).settle()
    fewer = PortPlan(file=tmp_path / "ports.json", needed=frozenset({Service.HTTP}))
    with socket.create_server((ports.LOOPBACK, first[Service.MQTT])):
        assert fewer.settle()[0] == {Service.HTTP: first[Service.HTTP]}
    assert plan(tmp_path).settle()[0] == first


def test_one_port_for_two_services_is_refused(tmp_path: Path) -> None:
    free = ports.any_quiet()
    with pytest.raises(DeployError, match=f"Port {free} cannot be used twice: for HTTP and for HTTPS"):
        plan(tmp_path, {Service.HTTP: free, Service.HTTPS: free}).settle()


def test_a_damaged_file_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text('{"http": "many"')
    with pytest.raises(DeployError, match="which holds the ports of this installation, is damaged"):
        plan(tmp_path).settle()


def test_an_address_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match=r"203\.0\.113\.9 is no address of this machine.*127\.0\.0\.1"):
        plan(tmp_path, listen="203.0.113.9").settle()


def test_pages_for_one_network_are_there_for_this_machine_too() -> None:
    some = PortPlan(file=Path("ports.json"), listen="192.0.2.1")
    assert some.addresses_of(Service.HTTP) == (ports.LOOPBACK, "192.0.2.1")
    assert some.addresses_of(Service.HTTPS) == ("192.0.2.1",)
    assert some.addresses_of(Service.MQTT) == (ports.LOOPBACK,)
    everywhere = PortPlan(file=Path("ports.json"), listen="0.0.0.0")
    assert everywhere.addresses_of(Service.HTTP) == ("0.0.0.0",)


def test_the_file_is_for_people_to_read(tmp_path: Path) -> None:
    first, _ = plan(tmp_path).settle()
    assert json.loads((tmp_path / "ports.json").read_text()) == {str(k): v for k, v in first.items()}


def test_our_own_addresses_are_found() -> None:
    addresses = port_plan.own_addresses()
    assert ports.LOOPBACK in addresses
    for address in addresses:
        assert ports.trouble(0, address) is None, f"a server can listen at {address}"
