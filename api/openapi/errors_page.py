"""The page of errors: where the `doc_url` of an error leads."""

import re
from collections.abc import Iterator
from functools import cache
from html import escape
from typing import Final

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from api.http import errors
from api.http.errors import ApiError
from api.http.responses import ERRORS_PAGE

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
_STYLE: Final = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;"
    "padding:0 1rem}section:target{outline:2px solid;padding:0 .5rem}code{overflow-wrap:anywhere}"
)
#: A line of the drawn tree: class, status, code.
_DRAWN: Final = re.compile(r"^[|+ -]*(\w+) +(\d{3})  (\S+)$", re.MULTILINE)


def serve_errors_page(app: FastAPI) -> None:
    """Serve the page beside the documentation."""

    @app.get(ERRORS_PAGE, include_in_schema=False)
    async def errors_page() -> HTMLResponse:
        return HTMLResponse(_page(), headers={"Content-Security-Policy": _POLICY})


@cache
def _page() -> str:
    known = {error.__name__: error for error in _classes(ApiError)}
    drawn = _DRAWN.findall(errors.__doc__ or "")
    sections = "".join(
        _section(known[name], status, code) for name, status, code in sorted(drawn, key=lambda one: one[1])
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Errors</title><style>{_STYLE}</style><h1>Errors</h1>"
        "<p>After an answer that is not safe to retry, send the same order again: it joins the running "
        f"payment or gets its stored result, and never charges twice.</p>{sections}</html>"
    )


def _section(error: type[ApiError], status: str, code: str) -> str:
    description = getattr(error, "description", "")
    cause = " ".join((error.__doc__ or "").split())
    retry = {None: "", True: "<p>Safe to retry.</p>", False: "<p>Not safe to retry.</p>"}[error.safe_to_retry]
    said = f"<p>{_marked(description)}</p>" if isinstance(description, str) and description else ""
    return (
        f'<section id="{error.__name__}"><h2>{status} <code>{escape(code)}</code></h2>'
        f"<p>{_marked(cause)}</p>{said}{retry}</section>"
    )


def _marked(text: str) -> str:
    """Return the text as HTML, with its names of fields as code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))


def _classes(root: type[ApiError]) -> Iterator[type[ApiError]]:
    yield root
    for child in root.__subclasses__():
        yield from _classes(child)
