"""The reader's language: English, or French where it was chosen; one choice for all pages of the sandbox."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final
from urllib.parse import parse_qsl, urlsplit

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse

from sandbox.pages.french import FRENCH


class Language(StrEnum):
    """A language, by its code in HTML."""

    ENGLISH = "en"
    FRENCH = "fr"


#: Names as their speakers write them.
LANGUAGES: Final[Mapping[Language, str]] = {Language.ENGLISH: "English", Language.FRENCH: "Français"}
_COOKIE: Final = "language"
_YEAR_SECONDS: Final = 31_536_000


def language_of(request: Request) -> Language:
    """Return the chosen language; a browser sends the cookie to all ports of a host."""
    chosen = request.cookies.get(_COOKIE)
    return Language.FRENCH if chosen == Language.FRENCH else Language.ENGLISH


Chosen = Annotated[Language, Depends(language_of)]


def translated(text: str, language: Language) -> str:
    """Return a text of the pages in the language; one that has no translation stays as it is."""
    return FRENCH.get(text, text) if language is Language.FRENCH else text


def translated_reason(text: str, language: Language) -> str:
    """Return a refusal's reason in the language; a bank's begins with its code: `51 INSUFFICIENT FUNDS`."""
    code, blank, words = text.partition(" ")
    return f"{code}{blank}{translated(words, language)}" if code.isdigit() else translated(text, language)


def language_routes() -> APIRouter:
    """Return the route of the switch."""
    router = APIRouter(include_in_schema=False)
    router.post("/language")(_choose)
    return router


async def _choose(request: Request) -> RedirectResponse:
    """Remember the form's language and lead back to the page."""
    chosen = dict(parse_qsl((await request.body()).decode("utf-8", "replace"))).get("language")
    # The path alone: this host has sent the form.
    path = urlsplit(request.headers.get("referer", "")).path
    answer = RedirectResponse(f"/{path.lstrip('/')}", 303)
    if chosen in set(Language):
        answer.set_cookie(_COOKIE, chosen, max_age=_YEAR_SECONDS, httponly=True, samesite="lax")
    return answer
