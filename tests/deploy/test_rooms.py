"""What each room is told: the pages above all, which are served twice."""

import os
import stat
from pathlib import Path

import pytest

from deploy.authority import Authority
from deploy.errors import DeployError
from deploy.local.rooms import (
    DASHBOARD,
    DASHBOARD_TLS,
    INGEST,
    Addresses,
    Outside,
    lend_certificate,
    programs,
)

OWN = {
    "ANSHOU_DASHBOARD_TLS_CERTIFICATE": "/etc/own.pem",
    "ANSHOU_DASHBOARD_TLS_KEY": "/etc/own.key",
}


def told(environ: dict[str, str], listen: str = "127.0.0.1") -> dict[str, dict[str, str]]:
    """The environments of the rooms by name."""
    addresses = Addresses(
        ingest_database_url="i",
        service_database_url="s",
        web_database_url="w",
        owner_database_url="o",
        mqtt_urls=dict.fromkeys(("ingest", "alarms", "gateways", "simulator"), "m"),
        http_port=8080,
        metrics_ports=dict(zip(INGEST, range(4), strict=True)),
        outside=Outside(
            authority=Authority(folder=Path("/a")), address=listen, https_port=8443, mqtts_port=8883
        ),
    )
    started = programs(addresses, Path("/run"), with_simulator=False, environ=environ)
    return {program.name: dict(program.environment) for program in started}


def test_without_a_certificate_of_ones_own_the_centres_is_shown() -> None:
    secure = told({})[DASHBOARD_TLS]
    assert secure["ANSHOU_DASHBOARD_TLS_CERTIFICATE"] == "/a/server.pem"
    assert secure["ANSHOU_DASHBOARD_TLS_KEY"] == "/a/server.key"
    assert "ANSHOU_DASHBOARD_TLS_GATEWAY_CERTIFICATE" not in secure


def test_ones_own_certificate_is_for_browsers_and_gateways_keep_theirs() -> None:
    rooms = told(OWN)
    secure = rooms[DASHBOARD_TLS]
    assert {name: secure[name] for name in OWN} == OWN
    assert secure["ANSHOU_DASHBOARD_TLS_GATEWAY_CERTIFICATE"] == "/a/server.pem"
    assert secure["ANSHOU_DASHBOARD_TLS_GATEWAY_KEY"] == "/a/server.key"
    assert not [name for name in rooms[DASHBOARD] if "_TLS_" in name], "this machine is served in clear"


def test_a_key_that_only_root_reads_is_lent_to_the_rooms(tmp_path: Path) -> None:
    shown = tmp_path / "shown"
    shown.mkdir()
    given = {name: tmp_path / Path(path).name for name, path in OWN.items()}
    for name, path in given.items():
        path.write_text(name)
        path.chmod(0o600)
    environ = {"ANSHOU_DASHBOARD_PORT": "1", **{name: str(path) for name, path in given.items()}}
    lent = lend_certificate(environ, shown, os.getegid())
    assert lent.keys() == environ.keys()
    assert lent["ANSHOU_DASHBOARD_PORT"] == "1"
    for name in OWN:
        copy = Path(lent[name])
        assert (copy.parent, copy.read_text()) == (shown, name)
        assert stat.S_IMODE(copy.stat().st_mode) == 0o640
        assert copy.stat().st_gid == os.getegid()
    assert len({lent[name] for name in OWN}) == 2
    rooms = told(lent)
    assert {name: rooms[DASHBOARD_TLS][name] for name in OWN} == {name: lent[name] for name in OWN}


def test_where_the_rooms_are_ourselves_a_certificate_stays_where_it_is(tmp_path: Path) -> None:
    assert lend_certificate(OWN, tmp_path, None) == OWN
    assert lend_certificate({}, tmp_path, os.getegid()) == {}
    assert list(tmp_path.iterdir()) == []


def test_a_certificate_that_is_not_there_is_named(tmp_path: Path) -> None:
    environ = {name: str(tmp_path / "nothing") for name in OWN}
    with pytest.raises(DeployError, match=r"nothing cannot be read: No such file"):
        lend_certificate(environ, tmp_path, os.getegid())


@pytest.mark.parametrize(
    ("listen", "pages"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "0.0.0.0"),
        ("192.0.2.7", "127.0.0.1,192.0.2.7"),
    ],
)
def test_in_clear_others_are_told_where_the_pages_are(listen: str, pages: str) -> None:
    rooms = told({}, listen)
    assert rooms[DASHBOARD]["ANSHOU_DASHBOARD_HOST"] == pages
    assert rooms[DASHBOARD]["ANSHOU_DASHBOARD_TELL_HTTPS_PORT"] == "8443"
    assert rooms[DASHBOARD_TLS]["ANSHOU_DASHBOARD_HOST"] == listen
    assert "ANSHOU_DASHBOARD_TELL_HTTPS_PORT" not in rooms[DASHBOARD_TLS]


def test_whoever_names_an_address_for_a_proxy_is_served_there() -> None:
    rooms = told({"ANSHOU_DASHBOARD_HOST": "10.0.0.1"})
    assert rooms[DASHBOARD]["ANSHOU_DASHBOARD_HOST"] == "10.0.0.1"
    assert "ANSHOU_DASHBOARD_TELL_HTTPS_PORT" not in rooms[DASHBOARD]
