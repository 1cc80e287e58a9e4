"""What root writes into the servers' folders, where somebody may have put links; and who can read what."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.authority import Authority
from deploy.compose import passwords
from deploy.errors import DeployError
from deploy.local import debian, places, users
from deploy.local.data import DataFolder
from deploy.local.mosquitto import MosquittoBroker
from deploy.local.postgres import PostgresCluster
from deploy.local.rooms import lend_certificate
from deploy.local.supervisor import Program, render
from gateway import durable
from tests.servers import server_folder

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
NOWHERE = debian.Prefix(root=Path("/nonexistent"))


@pytest.fixture
def folder() -> Iterator[Path]:
    with server_folder() as folder:
        yield folder


@pytest.fixture
def victim(folder: Path) -> Path:
    """A file that is root's alone, though others may pass through its folder."""
    path = folder / "victim"
    path.write_text("precious")
    path.chmod(0o600)
    return path


def planted(link: Path, target: Path) -> None:
    """As the servers' user would put it there."""
    with places.as_servers():
        link.unlink(missing_ok=True)
        link.symlink_to(target)


def is_untouched(victim: Path) -> bool:
    found = victim.stat()
    return victim.read_text() == "precious" and (found.st_uid, stat.S_IMODE(found.st_mode)) == (
        os.geteuid(),
        0o600,
    )


@as_root
def test_root_writes_as_the_servers_in_their_folders(folder: Path, victim: Path) -> None:
    mine = folder / "servers"
    places.make_server_folder(mine)
    for name in ("settings", "settings.new"):
        planted(mine / name, victim)
        with places.as_servers():
            places.write_private(mine / name, "ours")
            with pytest.raises(PermissionError):
                (mine / "link").symlink_to(victim)
                (mine / "link").write_text("stolen")
            (mine / "link").unlink()
        assert (mine / name).read_text() == "ours"
        assert (mine / name).stat().st_uid == places.NOBODY_ID
    assert is_untouched(victim)
    assert os.geteuid() == 0
    assert os.getegid() == 0


@as_root
@pytest.mark.parametrize("make", [os.symlink, os.link])
def test_nothing_is_given_away_through_a_link(folder: Path, victim: Path, make: object) -> None:
    mine = folder / "servers"
    places.make_server_folder(mine)
    assert callable(make)
    make(victim, mine / "planted")
    with pytest.raises(DeployError):
        places.give_to_servers(mine / "planted")
    assert is_untouched(victim)


@as_root
def test_a_broker_is_prepared_past_planted_links(folder: Path, victim: Path) -> None:
    libraries = folder / "usr/lib/x86_64-linux-gnu"
    libraries.mkdir(parents=True)
    (libraries / "libc.so.6").touch()
    broker = MosquittoBroker(
        prefix=debian.Prefix(root=folder), folder=folder / "mosquitto", port=1, service_port=2
    )
    broker.make_folder()
    planted(broker.identities, victim)
    with pytest.raises((DeployError, PermissionError)):
        broker.prepare()
    assert is_untouched(victim)
    with places.as_servers():
        broker.identities.unlink()
        broker.identities.write_text("{}")
    planted(broker.folder / "mosquitto.conf", victim)
    broker.prepare()
    assert "listener 1" in (broker.folder / "mosquitto.conf").read_text()
    assert is_untouched(victim)


@as_root
def test_a_cluster_is_prepared_past_planted_links(folder: Path, victim: Path) -> None:
    cluster = PostgresCluster(prefix=NOWHERE, folder=folder / "postgres", port=1, password="x")
    places.make_server_folder(cluster.folder)
    with places.as_servers():
        cluster.data.mkdir()
    for name in ("postgresql.conf", "pg_hba.conf", "postmaster.pid"):
        planted(cluster.data / name, victim)
    cluster.prepare()
    assert "port = '1'" in (cluster.data / "postgresql.conf").read_text()
    assert is_untouched(victim)
    # A whole folder that leads elsewhere.
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    with places.as_servers():
        cluster.data.rename(cluster.folder / "moved")
    planted(cluster.data, elsewhere)
    with pytest.raises(PermissionError):
        cluster.prepare()
    assert list(elsewhere.iterdir()) == []


def test_a_private_file_is_never_written_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "file").symlink_to(victim)
    places.write_private(tmp_path / "file", "ours")
    assert victim.read_text() == "precious"
    assert not (tmp_path / "file").is_symlink()
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "victim"]


# Whom rooms run as


@as_root
@pytest.mark.integration
def test_rooms_are_nobody_and_write_nothing_of_roots(folder: Path, victim: Path) -> None:
    prefix = users.as_room_user()
    assert prefix, "this machine lets no room give up root"
    attempt = (
        "import os, subprocess, sys\n"
        f"assert sys.base_prefix == {sys.base_prefix!r}, 'another Python'\n"
        "subprocess.run([sys.executable, '-c', 'import psycopg'], check=True)\n"
        "assert os.getresuid() == (65533,) * 3 and os.getresgid() == (65533,) * 3 and os.getgroups() == []\n"
        f"for what in (lambda: open({str(victim)!r}, 'a'), lambda: os.chown({str(victim)!r}, 65533, 65533),\n"
        "             lambda: os.setuid(0)):\n"
        "    try: what()\n"
        "    except PermissionError: continue\n"
        "    sys.exit('it could')\n"
    )
    done = subprocess.run([*prefix, sys.executable, "-c", attempt], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert is_untouched(victim)


@as_root
@pytest.mark.integration
def test_where_the_programs_can_be_read_a_room_reads_nothing_else(folder: Path, victim: Path) -> None:
    authority = Authority(folder=folder / "authority")
    authority.prepare()
    shown = authority.shown_in(folder / "shown", users.ROOMS_ID)
    own = {"ANSHOU_DASHBOARD_TLS_CERTIFICATE": str(victim), "ANSHOU_DASHBOARD_TLS_KEY": str(victim)}
    lent = [*lend_certificate(own, shown.folder, users.ROOMS_ID).values()]
    script = 'for file in "$@"; do cat "$file" > /dev/null 2>&1 && echo "$file"; done'
    asked = [victim, authority.key, authority.server_key, shown.server_key, shown.server_certificate, *lent]
    done = subprocess.run(
        [*users.dropped(), "sh", "-c", script, "sh", *map(str, asked)], capture_output=True, text=True
    )
    assert done.stdout.split() == [str(shown.server_key), str(shown.server_certificate), *lent]
    assert not shown.key.exists()


def test_every_room_gives_root_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users, "as_room_user", users.dropped)
    data = DataFolder.at(tmp_path)
    program = Program(name="room", command=["true"], folder=data.run, as_room_user=True)
    settings = render(data, [program])
    assert "command = setpriv --reuid=65533 --regid=65533 --clear-groups --no-new-privs" in settings
    assert 'environment = HOME="/nonexistent"' in settings
    assert "umask = 077" in settings


# What is written where everybody could look


def test_passwords_are_written_for_the_owner_alone_and_kept(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    before = os.umask(0o022)
    try:
        assert passwords.complete(path) == list(passwords.NAMES)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = path.read_text()
    assert passwords.complete(path) == []
    assert path.read_text() == first
    path.write_text(first.partition("\n")[2] + "HTTP_LISTEN=0.0.0.0:80")
    assert passwords.complete(path) == [passwords.NAMES[0]]
    assert "HTTP_LISTEN=0.0.0.0:80\n" in path.read_text()


def test_an_outbox_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "box" / "outbox.sqlite"
    before = os.umask(0o022)
    try:
        for _ in range(2):
            box = durable.DurableFile(
                path,
                schema="CREATE TABLE IF NOT EXISTS kept (a);",
                pages_max=256,
                prepare=lambda _connection, _damaged: None,
                recall=lambda _connection: None,
            )
            box.transaction(lambda connection: connection.execute("INSERT INTO kept VALUES (1)"))
            modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
            box.close()
            path.chmod(0o644)  # as an older version left it
    finally:
        os.umask(before)
    assert set(modes) == {"outbox.sqlite", "outbox.sqlite-wal", "outbox.sqlite-shm"}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
