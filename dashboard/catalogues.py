"""The catalogues' upkeep: `python -m dashboard.catalogues` writes what the code says into the .po files.

Texts that are new get an empty translation, texts that are gone go; a test fails until every catalogue
is complete. The source language has none: gettext gives the texts themselves.
"""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from dashboard import ROOM
from dashboard.languages import CODES, DOMAIN, SOURCE_LANGUAGE

ROOMS = (ROOM, ROOM.with_name("alarms"), ROOM.with_name("care"), ROOM.with_name("protocol"))
"""Where texts for people are marked."""
METHODS = [("**/templates/**.html", "jinja2"), ("**.py", "python")]
OPTIONS = {"**/templates/**.html": {"newstyle_gettext": "true", "trimmed": "true", "encoding": "utf-8"}}
TRANSLATED = tuple(code for code in CODES if code != SOURCE_LANGUAGE)
"""The languages that have a catalogue."""
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
"""The same date in every file: a real one would change the file without a change of its texts."""
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "N_": None}


def extracted() -> Catalog:
    """Every text that is marked in the code and the templates."""
    catalogue = Catalog(domain=DOMAIN, project="Anshou", charset="utf-8")
    for room in ROOMS:
        for file, _line, message, _comments, context in extract_from_dir(
            room, METHODS, OPTIONS, KEYWORDS, strip_comment_tags=True
        ):
            # No line numbers: they change with every edit and say little.
            catalogue.add(message, locations=[(f"{room.name}/{file}", None)], context=context)  # type: ignore[list-item]
    return catalogue


def file_of(code: str) -> Path:
    """The catalogue of a language."""
    return ROOM / "locale" / code / "LC_MESSAGES" / f"{DOMAIN}.po"


def kept(code: str) -> Catalog:
    """The catalogue as it is in its file; empty when there is none."""
    if not file_of(code).is_file():
        return Catalog(locale=code, domain=DOMAIN, project="Anshou", fuzzy=False)
    return read_po(io.BytesIO(file_of(code).read_bytes()), locale=code, domain=DOMAIN)


def update() -> Iterator[str]:
    """Bring every catalogue up to the code; yields what is still missing, a line each."""
    template = extracted()
    for code in TRANSLATED:
        catalogue = kept(code)
        catalogue.update(template, no_fuzzy_matching=True, update_creation_date=False)
        catalogue.obsolete.clear()
        catalogue.header_comment = (
            f"# The dashboard's texts in {code}. Kept up with: python -m dashboard.catalogues"
        )
        catalogue.msgid_bugs_address = catalogue.last_translator = catalogue.language_team = "Anshou"
        catalogue.version = "1"
        catalogue.creation_date = catalogue.revision_date = EPOCH
        for message in catalogue:
            if message.id and not _is_translated(message):
                yield f"{code}: {message.id}"
        file_of(code).parent.mkdir(parents=True, exist_ok=True)
        with file_of(code).open("wb") as file:
            write_po(file, catalogue, width=110, sort_output=True, include_lineno=False)


def _is_translated(message: Message) -> bool:
    return all(message.string) if isinstance(message.string, list | tuple) else bool(message.string)


if __name__ == "__main__":
    import sys

    sys.stdout.writelines(f"{line}\n" for line in update())
