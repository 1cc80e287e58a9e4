"""The command line in Chinese where the locale is, and mistakes in one line in either language."""

import errno
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg.errors
import pytest
import typer

from database.errors import NotFoundError
from deploy import mistakes, speech
from deploy.cli import app
from deploy.errors import DeployError

pytestmark = pytest.mark.integration

CHINESE, ENGLISH = {"LANG": "zh_CN.UTF-8"}, {"LANG": "en_GB.UTF-8"}
OF_INSTRUMENTS = {"bench", "evaluate"}


def texts(command: Any, below: str = "") -> Iterator[str]:
    """Every help text of the product's command line, in English."""
    yield command.help
    yield from (parameter.help for parameter in command.params if getattr(parameter, "help", None))
    if hasattr(command, "list_commands"):
        context = command.context_class(command)
        for verb in command.list_commands(context):
            if verb not in OF_INSTRUMENTS:
                yield from texts(command.get_command(context, verb))


@pytest.fixture
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in speech.LOCALE_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def chinese(english: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")


def test_every_help_text_is_translated(english: None) -> None:
    known = speech.catalogue()
    missing = {text for text in texts(typer.main.get_command(app)) if text not in known}
    assert missing == set(), "in deploy/locale/zh_CN/LC_MESSAGES/anshou.po"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (CHINESE, True),
        (ENGLISH, False),
        ({}, False),
        ({"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}, False),
        ({"LC_ALL": "", "LC_MESSAGES": "zh_TW", "LANG": "C"}, True),
    ],
)
def test_the_locale_decides(environ: dict[str, str], expected: bool) -> None:
    assert speech.is_chinese(environ) is expected


def anshou(*arguments: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).parent / "anshou", *arguments],
        env={"COLUMNS": "80", **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_help_is_in_the_language_of_the_locale_and_whole() -> None:
    for arguments in (("--help",), ("up", "--help"), ("device", "add", "--help"), ("gateway", "--help")):
        for environ in (CHINESE, ENGLISH):
            done = anshou(*arguments, environ=environ)
            assert done.returncode == 0, done.stderr
            assert "…\n" not in done.stdout
            assert "..." not in done.stdout.replace("[ARGS]...", "")
    assert "守护程序" in anshou("up", "--help", environ=CHINESE).stdout
    assert "database, broker and all rooms" in anshou("up", "--help", environ=ENGLISH).stdout


def test_the_version_is_said() -> None:
    assert anshou("--version", environ=ENGLISH).stdout.startswith("anshou 0.")


MISTAKES = [
    (OSError(errno.ENOSPC, "No space left on device", "/d/x"), "The disk is full: /d/x.", "磁盘已满：/d/x。"),
    (PermissionError(errno.EACCES, "Permission denied", "/d/x"), "We may not read or write /d/x", "没有权限"),
    (OSError(errno.EROFS, "Read-only file system", "/d/x"), "can only be read", "只读"),
    (OSError(errno.EIO, "Input/output error", "/d/x"), "Input/output error", "系统拒绝了操作"),
    (psycopg.errors.DiskFull("no space"), "The disk is full: PostgreSQL", "磁盘已满：PostgreSQL"),
    (psycopg.OperationalError("gone\nand more"), "The database refuses: gone.", "数据库拒绝了操作：gone。"),
    (ModuleNotFoundError("No module", name="psycopg"), "needs the package psycopg", "需要 psycopg 软件包"),
    (NotFoundError("there is no site '%(site)s'", site="x"), "there is no site 'x'", "没有代码为 'x' 的站点"),
    (DeployError("It failed.", "Do this."), "It failed. Do this.", "It failed. Do this."),
]


@pytest.mark.parametrize(("error", "said", "_chinese"), MISTAKES)
def test_a_mistake_is_told_in_one_line(english: None, error: Exception, said: str, _chinese: str) -> None:
    told = mistakes.in_words(error)
    assert said in told
    assert "\n" not in told


@pytest.mark.parametrize(("error", "_english", "said"), MISTAKES)
def test_and_in_chinese(chinese: None, error: Exception, _english: str, said: str) -> None:
    assert said in mistakes.in_words(error)


def test_a_mistake_of_ours_is_kept_for_those_who_mend_it(
    english: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    try:
        raise KeyError("lost")
    except KeyError as error:
        told = mistakes.in_words(error)
    (kept,) = tmp_path.glob("anshou-*.txt")
    assert str(kept) in told
    assert "Traceback" in kept.read_text()
    assert "Traceback" not in told


@pytest.mark.parametrize("instrument", mistakes.INSTRUMENTS)
def test_a_hole_in_our_own_rooms_is_our_mistake(instrument: str) -> None:
    assert mistakes.is_ours(ModuleNotFoundError("no", name=f"{instrument}.x"))
