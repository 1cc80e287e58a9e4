"""The private servers from Debian's archive."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.local import debian, places, progress

pytestmark = pytest.mark.integration


def test_the_programs_run_with_their_own_libraries() -> None:
    prefix = debian.install()
    for program in (prefix.postgres_bin / "postgres", prefix.postgres_bin / "initdb", prefix.mosquitto_pub):
        done = subprocess.run([program, "--version"], capture_output=True, text=True)
        assert "17." in done.stdout or "mosquitto_pub version 2." in done.stdout, done.stderr
    libraries = str(prefix.library_folder)
    loader = next(prefix.library_folder.glob("ld-linux*.so.*"))
    extension = next(prefix.root.glob("usr/lib/postgresql/17/lib/timescaledb-[0-9]*.so"))
    needed = progress.run(
        [loader, "--library-path", libraries, "--list", prefix.mosquitto], failing="The broker is broken."
    )
    assert "not found" not in needed
    assert libraries in needed
    assert extension.stat().st_size > 100_000


def test_the_second_time_needs_neither_network_nor_apt(monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = debian.install()
    monkeypatch.setenv("PATH", "")
    assert debian.install() == prefix


def test_a_machine_without_apt_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(places, "cache_folder", lambda: tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeployError, match=r"apt-get is not here.*ANSHOU_DATABASE_URL"):
        debian.install()
    assert debian.installed() is None


def test_an_archive_that_is_not_there_leaves_nothing_half_done(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(places, "cache_folder", lambda: tmp_path)
    nowhere = (tmp_path / "no-archive").as_uri()
    monkeypatch.setattr(debian, "_archives", lambda: ([nowhere], []))
    half_done = tmp_path / "servers" / ".unpack-killed"
    half_done.mkdir(parents=True)
    with pytest.raises(DeployError, match="could not read Debian trixie"):
        debian.install()
    assert debian.installed() is None
    assert [path.name for path in (tmp_path / "servers").iterdir()] == ["lock"]


def test_only_debians_own_archives_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = """\
http://somebody.example/debian bookworm stable
http://mirror.example/debian/ bookworm main
http://mirror.example/debian/ bookworm main
http://mirror.example/debian/ bookworm-updates main
http://mirror.example/debian/ bookworm contrib
http://mirror.example/debian-security/ bookworm-security main
"""
    monkeypatch.setattr(debian, "run", lambda *_arguments, **_options: listed)
    assert debian._archives() == (
        ["http://mirror.example/debian/"],
        ["http://mirror.example/debian-security/"],
    )
