"""In which language the command line speaks: Chinese where the locale is, else English.

Part of the box, so the catalogue is read with the standard library alone.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

LOCALE_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
"""The first that is set counts, as for every program (locale(7))."""
FIRST_LANGUAGE = "zh_CN"


def is_chinese(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the locale's messages are Chinese."""
    return next((value for name in LOCALE_VARIABLES if (value := environ.get(name))), "").startswith("zh")


def gettext(text: str) -> str:
    """`text` in the language of the locale."""
    return catalogue().get(text, text) if is_chinese() else text


def translate(command: Any, gettext: Callable[[str], str] = gettext) -> Any:
    """The same command with its help in another language; those below it stay as they are."""
    if command.help:
        command.help = gettext(command.help)
    for parameter in command.params:
        if getattr(parameter, "help", None):
            parameter.help = gettext(parameter.help)
    return command


@cache
def catalogue() -> dict[str, str]:
    """Texts by what they are in English."""
    file = resources.files("deploy") / "locale" / FIRST_LANGUAGE / "LC_MESSAGES" / "anshou.po"
    return dict(read_po(file.read_text(encoding="utf-8")))


def read_po(text: str) -> Iterator[tuple[str, str]]:
    """The translated messages of a catalogue in gettext's form; without plurals and contexts: it has none."""
    for entry in text.split("\n\n"):
        parts: dict[str, list[str]] = {"msgid": [], "msgstr": []}
        current: list[str] | None = None
        for line in entry.splitlines():
            word, _, rest = line.partition(" ")
            current = parts.get(word, current)
            piece = rest if word in parts else line
            if current is not None and piece.startswith('"'):
                current.append(ast.literal_eval(piece))
        original, translated = ("".join(parts[name]) for name in ("msgid", "msgstr"))
        if original and translated:
            yield original, translated
