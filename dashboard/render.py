"""Templates to HTML: one environment a language, with the words and times of that language at hand.

A page is a folder with `templates/`. These are named after it (`desk/desk.html`); those that pages share have
no folder before their name (`base.html`). In a page's templates `words` has the vocabulary and the words of
the page's own `words.py`, if it has one.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import jinja2
import msgspec
from fastapi import Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from dashboard import ROOM, vocabulary
from dashboard.context import Session, context_of, language_of
from dashboard.languages import CODES, Language, language, languages
from dashboard.rooms import room_name
from dashboard.steps import NEEDS_FORM, buttons
from protocol.texts import N_

STATIC = ROOM / "static"
PAGES = tuple(sorted(folder.parent.name for folder in ROOM.glob("*/templates")))
SILENT_BEATS = 2.5
SILENT_MS_MIN = 5_000
"""A page that hears nothing for so many beats, and at least so long, takes itself for cut off."""


@cache
def static_version() -> str:
    """Changes whenever a file below static/ does, so that browsers may keep the files for ever."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            digest.update(str(path.relative_to(STATIC)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def static_url(path: str) -> str:
    """The address of a file below static/."""
    return f"/static/{static_version()}/{path}"


def icon(name: str, css: str = "") -> Markup:
    """An icon of Tabler's, for the eye only: what it means stands beside it or in a label."""
    url = static_url("vendor/icons.svg")
    return Markup('<svg class="icon {}" aria-hidden="true"><use href="{}#tabler-{}"></use></svg>').format(
        css, url, name
    )


@cache
def environment(code: str) -> jinja2.Environment:
    """The templates in one language."""
    speech = language(code)
    made = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [
                jinja2.FileSystemLoader(ROOM / "templates"),
                jinja2.PrefixLoader(
                    {page: jinja2.FileSystemLoader(ROOM / page / "templates") for page in PAGES}
                ),
            ]
        ),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.install_gettext_translations(speech.translations, newstyle=True)  # type: ignore[attr-defined]
    made.policies["ext.i18n.trimmed"] = True

    def word(vocabulary: Mapping[StrEnum, str], member: StrEnum) -> str:
        return speech.word(vocabulary, member)

    def room(name: str | None) -> str:
        return room_name(name, speech)

    made.globals.update(
        icon=icon,
        comma=speech.gettext(N_(", ")),
        colon=speech.gettext(N_(": ")),
        static_url=static_url,
        word=word,
        speech=speech,
        buttons=buttons,
        needs_form=NEEDS_FORM,
        languages=[(code, _OWN_NAMES[code]) for code in CODES],
    )
    made.filters.update(
        room=room,
        time=speech.time,
        when=speech.when,
        day=speech.date,
        duration=speech.duration,
        span=speech.span,
        number=speech.number,
        percent=speech.percent,
        epoch_ms=epoch_ms,
        phones=phones,
        json=_json,
    )
    return made


_OWN_NAMES: Mapping[str, str] = {"zh_CN": "中文", "en": "English"}


@cache
def words_of(page: str) -> SimpleNamespace:
    """The vocabulary, and what the templates of `page` say besides; "" for those that pages share."""
    own = vars(import_module(f"dashboard.{page}.words")) if (ROOM / page / "words.py").is_file() else {}
    return SimpleNamespace(**{**vars(vocabulary), **own})


def template(name: str, code: str) -> jinja2.Template:
    """A template in one language, with the words of its page."""
    page_name = name.rpartition("/")[0]
    return environment(code).get_template(name, globals={"words": words_of(page_name)})


def fragment(name: str, speech: Language, **values: Any) -> str:
    """The HTML of a template in a language."""
    return template(name, speech.code).render(**values)


def page(
    request: Request,
    name: str,
    session: Session | None = None,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **values: Any,
) -> HTMLResponse:
    """A template as an answer, for whoever is signed in (or nobody), never kept by a cache."""
    speech = session.language if session else language_of(request)
    html = fragment(
        name,
        speech,
        request_path=request.url.path,
        staff=session.staff if session else getattr(request.state, "staff", None),
        supervises=session.supervises if session else False,
        server_ms=epoch_ms(datetime.now(UTC)),
        silent_ms=max(SILENT_MS_MIN, int(context_of(request).settings.beat_s * 1000 * SILENT_BEATS)),
        **values,
    )
    return HTMLResponse(html, status_code=status, headers={"Cache-Control": "no-store", **(headers or {})})


def step_taken(
    request: Request, session: Session, text: str, *, about: str, undo: int | None = None
) -> HTMLResponse:
    """The notice that something was done, to whom; the page that shows it fetches itself anew.

    `undo` is the alarm at which the press can be taken back.
    """
    return page(
        request,
        "_notice.html",
        session,
        # After the swap, htmx tells the body where the button has been replaced meanwhile; before, nobody.
        headers={"HX-Trigger-After-Swap": "step-taken"},
        severity="success",
        text=text,
        about=about,
        at=datetime.now(UTC),
        undo=undo,
    )


def warm_up() -> None:
    """Read catalogues and templates before the first request needs them."""
    static_version()
    for code in languages():
        for name in environment(code).list_templates(extensions=["html"]):
            template(name, code)


def phones(text: str | None) -> list[str]:
    """The telephone numbers in what somebody wrote, as one dials them: 女儿李梅 138 0000 0000."""
    return [re.sub(r"[ -]", "", found) for found in _PHONE.findall(text or "")]


_PHONE = re.compile(r"(?<!\d)(?:\+86[ -]?)?(?:1\d{2}[ -]?\d{4}[ -]?\d{4}|0\d{2,3}[ -]?\d{7,8})(?!\d)")


def epoch_ms(at: datetime) -> int:
    """Milliseconds since 1970, as the pages' clocks count."""
    return int(at.timestamp() * 1000)


def _json(value: Any) -> str:
    """JSON for an attribute; texts from the catalogues come as Markup, and are escaped with the rest."""
    return msgspec.json.encode(value, enc_hook=Markup.unescape).decode()
