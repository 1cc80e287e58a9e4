"""What the documents name is there: links and headings, files, settings, commands with their options."""

import contextlib
import re
import shlex
import subprocess
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import typer

import benchmarks.__main__
from deploy.cli import app
from deploy.local.instance import DEVICES_VARIABLE
from tests.architecture import CHECKOUT, read_house
from tests.settings import settings_known

ROOMS = read_house().rooms
REPORTS = CHECKOUT / "docs" / "evaluation"
"""Where the reports are written whose words stand in `evaluation/prose`: their links are meant from there."""


def tracked(*patterns: str) -> list[Path]:
    """Files under version control, as paths below the checkout."""
    listed = subprocess.run(
        ["git", "ls-files", "--", *patterns], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    return [
        path for line in listed.stdout.splitlines() if (path := Path(line)) and (CHECKOUT / path).exists()
    ]


DOCUMENTS = tracked("*.md")
HERE = Path("tests/test_documents.py")


def text_of(document: Path) -> str:
    return (CHECKOUT / document).read_text(encoding="utf-8")


# Links


def links(text: str) -> list[str]:
    """Where links and pictures lead to, outside of code."""
    bare = re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    return re.findall(r"\]\(([^)\s]+)\)", bare) + re.findall(
        r"""<(?:a|img)[^>]*(?:href|src)="([^"]+)""", bare
    )


def anchors(text: str) -> set[str]:
    """What can stand behind `#`: headings as GitHub names them, and anchors of our own."""
    bare = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    found = set(re.findall(r'<a id="([^"]+)"', bare))
    for heading in re.findall(r"^#{1,6} +(.+?) *$", bare, re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        again = 0
        while (unique := f"{name}-{again}" if again else name) in found:
            again += 1
        found.add(unique)
    return found


def test_a_heading_gets_the_name_that_github_gives_it() -> None:
    text = "# Who sees what\n## Schema `analytics`\n## At 03:15\n## At 03:15\n```\n# no heading\n```\n"
    assert anchors(text) == {"who-sees-what", "schema-analytics", "at-0315", "at-0315-1"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_each_link_leads_somewhere(document: Path) -> None:
    folder = REPORTS if document.parent.name == "prose" else (CHECKOUT / document).parent
    for link in links(text_of(document)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (folder / name).resolve() if name else CHECKOUT / document
        assert target.exists(), f"{document} links to {link}"
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), f"{document} links to {link}"


# Files


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_each_file_of_ours_that_is_named_is_there(document: Path) -> None:
    """Also after it was moved: `ingest/post.py` and `docs/gateway.md`, wherever they are quoted."""
    if document == Path("CHANGELOG.md"):
        return  # it names what was
    folders = "|".join((*ROOMS, "docs", "tests"))
    for path in re.findall(rf"`((?:{folders})/[\w./-]*)", text_of(document)):
        assert (CHECKOUT / path).exists(), f"{document} names {path}"


# Settings


@pytest.mark.parametrize("document", [*DOCUMENTS, *tracked("deploy/compose", "deploy/systemd")], ids=str)
def test_each_setting_that_is_named_is_known(document: Path) -> None:
    if document == Path("CHANGELOG.md"):
        return
    named = set(re.findall(r"\bANSHOU_\w*[A-Z0-9]\b", text_of(document)))
    assert named <= settings_known(ROOMS) | {DEVICES_VARIABLE}, f"in {document}"


# Commands


def quoted(text: str) -> Iterator[str]:
    """Each `anshou …` in code: between backticks, or at the begin of a line in a block of code."""
    for block in re.findall(r"^ *```\w*\n(.*?)^ *```", text, flags=re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if re.match(r" *(?:sudo |[A-Z_]+=\S+ |[\w.]+/bin/)*anshou ", line):
                yield line[line.index("anshou ") :].partition(" #")[0].strip()
    for code in re.findall(
        r"`([^`]+)`", re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    ):
        if code.startswith("anshou "):
            yield code.replace("\n", " ")


def spelled_out(command: str) -> Iterator[list[str]]:
    """The words behind `anshou`: alternatives (`a|b`) each by itself, what may be left out (`[…]`) given."""
    words = shlex.split(command.replace("[", "").replace("]", ""))[1:]
    yield from map(list, product(*(word.split("|") for word in words if word != "…")))


def misfit(words: list[str]) -> str | None:
    """Why the command `anshou` would not understand these words, or None. Nothing is run."""
    command: Any = typer.main.get_command(app)
    context = _context(command, "anshou", None)
    words = list(words)
    while words and hasattr(command, "get_command") and not words[0].startswith("-"):
        name = words.pop(0)
        command = command.get_command(context, name)
        if command is None:
            return f"there is no verb {name}"
        if name == "bench":
            return _misfit_of_bench(words)
        context = _context(command, name, context)
    if "--help" in words:
        words.remove("--help")
    try:
        _, left, _ = command.make_parser(context).parse_args(words)
    except Exception as error:  # noqa: BLE001 - whatever the parser of typer's version raises
        return str(error)
    return f"too many words: {left}" if left else None


def _context(command: Any, name: str, parent: Any) -> Any:
    return command.context_class(command, info_name=name, parent=parent, **command.context_settings)


def _misfit_of_bench(words: list[str]) -> str | None:
    """Its room parses by itself; letters stand for numbers in the documents."""
    given = ["1" if re.fullmatch("[A-Z]", word) else word for word in words]
    if not given:
        return None
    if given[0] == "NAME":
        given[0] = benchmarks.__main__.NAMES[0]
    try:
        with contextlib.redirect_stderr(None):
            benchmarks.__main__.parser().parse_args(given)
    except SystemExit:
        return f"anshou bench does not know {words}"
    return None


@pytest.mark.parametrize(
    "words",
    [
        "watch",
        "up --nodemo",
        "ingest everything",
        "resident list --site",
        "down now",
        "bench nothing",
        "bench alarm --messages 5",
        "analytics forget",
    ],
)
def test_a_command_that_is_not_is_noticed(words: str) -> None:
    assert misfit(words.split()) is not None


@pytest.mark.parametrize("document", [path for path in DOCUMENTS if "anshou " in text_of(path)], ids=str)
def test_each_command_that_is_quoted_is_understood(document: Path) -> None:
    if document == Path("CHANGELOG.md"):
        return
    for command in quoted(text_of(document)):
        for words in spelled_out(command):
            assert misfit(words) is None, f"{document} quotes {command!r}"


def test_the_readmes_quote_commands() -> None:
    """The finder itself finds: blocks, alternatives and spans."""
    for document in (Path("README.md"), Path("README.zh-CN.md")):
        found = list(quoted(text_of(document)))
        assert any(command.startswith("anshou gateway pair") for command in found)
        assert any("|" in command for command in found)
        assert len(found) >= 8


QUOTED_IN_CODE = re.compile(r"`(anshou [^`\n{}]+)`")


@pytest.mark.parametrize(
    "source",
    [path for path in tracked("*.py") if path != HERE and QUOTED_IN_CODE.search(text_of(path))],
    ids=str,
)
def test_each_command_that_the_code_quotes_is_understood(source: Path) -> None:
    for command in QUOTED_IN_CODE.findall(text_of(source)):
        for words in spelled_out(command):
            assert misfit(words) is None, f"{source} quotes {command!r}"


def test_compose_and_systemd_start_what_there_is() -> None:
    compose = re.findall(r"command: \[anshou, ([^\]]*)\]", text_of(Path("deploy/compose/compose.yaml")))
    assert compose
    started = [[word.strip() for word in command.split(",")] for command in compose]
    unit = re.findall(
        r"^ExecStart=\S*/anshou (.*)$", text_of(Path("deploy/systemd/anshou.service")), re.MULTILINE
    )
    assert unit
    for words in [*started, *map(shlex.split, unit)]:
        assert misfit(words) is None, words
