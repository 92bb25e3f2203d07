"""FastAPI application for pages: the common style, own static files, security headers."""

from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from importlib.resources import files
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.pages.guard import refusal

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

#: No resource of another origin, no inline script.
CONTENT_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def new_app(title: str, *, package: str | None = None, lifespan: Lifespan | None = None) -> FastAPI:
    """Return an empty application.

    It serves `/static/pages/` (shared: style.css, live.js) and, where `package` is given, that package's
    folder `static` as `/static/`. FastAPI's own documentation pages are left out: they load from other sites.
    """
    app = FastAPI(title=title, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.mount("/static/pages", StaticFiles(directory=_folder(__package__, "static")), name="pages")
    if package is not None:
        app.mount("/static", StaticFiles(directory=_folder(package, "static")), name="static")
    app.add_middleware(_BrowserGuard)
    return app


def go_by(app: FastAPI, names: Iterable[str]) -> None:
    """Make the application answer under these host names, beside addresses and names without a dot."""
    app.state.names = frozenset(name.lower() for name in names)


def _folder(package: str | None, name: str) -> Path:
    assert package is not None
    return Path(str(files(package) / name))


class _BrowserGuard:
    """Middleware that adds the security headers and refuses requests of other sites' pages."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        why = refusal(scope, getattr(scope["app"].state, "names", ()))
        if why is not None:
            await PlainTextResponse(f"Refused: {why}.", 403)(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Content-Security-Policy", CONTENT_POLICY)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Referrer-Policy", "same-origin")
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, send_with_headers)
