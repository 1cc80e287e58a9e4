"""What the services of compose.yaml are told, and that they are told the same."""

import re

import msgspec
import pytest

from dashboard.app import own_names
from dashboard.settings import Settings
from deploy.local import places

FILE = places.checkout() / "deploy" / "compose" / "compose.yaml"
SERVICE = re.compile(r"^  ([a-z-]+):$")
VARIABLE = re.compile(r"^      ([A-Z_]+): (.*)$")
SHARED = re.compile(r"(?:environment:|<<:) ([&*])([a-z-]+-environment)$")


def told() -> dict[str, dict[str, str]]:
    """The environment of each service, with what it takes over from another."""
    services: dict[str, dict[str, str]] = {}
    shared: dict[str, dict[str, str]] = {}
    environment: dict[str, str] = {}
    for line in FILE.read_text(encoding="utf-8").partition("\nservices:\n")[2].splitlines():
        if found := SERVICE.match(line):
            environment = services[found[1]] = {}
        elif found := SHARED.search(line):
            if found[1] == "&":
                shared[found[2]] = environment
            else:
                environment.update(shared[found[2]])
        elif found := VARIABLE.match(line):
            environment[found[1]] = found[2]
    return services


@pytest.mark.parametrize("service", ["dashboard", "dashboard-tls"])
def test_the_pages_know_the_names_that_a_proxy_passes_on(service: str) -> None:
    environment = told()[service]
    assert environment["ANSHOU_DASHBOARD_HOST_NAMES"] == told()["prepare"]["CENTRE_NAMES"]
    assert environment["ANSHOU_DASHBOARD_TRUSTED_PROXIES"] == "${TRUSTED_PROXIES:-}"
    known = {f"ANSHOU_DASHBOARD_{field.name}".upper() for field in msgspec.structs.fields(Settings)}
    assert {name for name in environment if "_DASHBOARD_" in name} <= known


@pytest.mark.parametrize(
    "names", ["10.0.0.5 Desk.example", "10.0.0.5,desk.example", " 10.0.0.5 , desk.example"]
)
def test_names_are_divided_as_those_of_the_certificate_are(names: str) -> None:
    assert own_names(Settings(database_url="", host_names=names)) == {"10.0.0.5", "desk.example"}
    assert own_names(Settings(database_url="")) == set()


def test_the_broker_is_told_of_the_sessions_that_the_rooms_have() -> None:
    """It lets in only those, and they hang on the worker's name."""
    workers = {
        service: environment.get("ANSHOU_INGEST_WORKER")
        for service, environment in told().items()
        if service == "prepare" or service.startswith("ingest-")
    }
    assert len(workers) == 5
    assert set(workers.values()) == {"${ANSHOU_INGEST_WORKER:-1}"}
