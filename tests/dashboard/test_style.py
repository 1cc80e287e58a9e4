"""The style sheet: nothing in it is for what no page has."""

import re

from dashboard.render import STATIC
from tests.dashboard.test_catalogues import TEMPLATES

SHEET = re.sub(r"/\*.*?\*/", "", (STATIC / "css" / "anshou.css").read_text(encoding="utf-8"), flags=re.DOTALL)
SELECTORS = re.sub(r"{[^{}]*}", "{}", SHEET)
SCRIPTS = [path.read_text(encoding="utf-8") for path in (STATIC / "js").glob("*.js")]
PAGES = "\n".join([*SCRIPTS, *(path.read_text(encoding="utf-8") for path in TEMPLATES)])


def is_named(name: str) -> bool:
    """Whether pages name a class or an id, whole or as what a value is put behind: alarm-{{ priority }}."""
    stems = [name[: at.end()] for at in re.finditer("-", name)]
    return bool(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", PAGES)) or any(
        re.search(rf"(?<![\w-]){re.escape(stem)}{{{{", PAGES) for stem in stems
    )


def test_every_class_and_id_is_in_a_page() -> None:
    named = set(re.findall(r"[.#]([a-zA-Z][\w-]*)", SELECTORS))
    assert len(named) > 100
    assert {name for name in named if not is_named(name)} == set()


def test_every_variable_is_used() -> None:
    set_ = set(re.findall(r"(--[\w-]+):", SHEET))
    used = set(re.findall(r"var\((--[\w-]+)", SHEET)) | set(re.findall(r"--[\w-]+", "\n".join(SCRIPTS)))
    assert set_ - used == set()
    assert "--accent" in set_


def test_every_animation_is_used() -> None:
    defined = re.findall(r"@keyframes ([\w-]+)", SHEET)
    assert set(defined) == set(re.findall(r"animation: ([\w-]+) \.?\d", SHEET))
