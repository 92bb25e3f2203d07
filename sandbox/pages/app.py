"""FastAPI application for pages: the common style, own static files, security headers, changes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import AbstractAsyncContextManager
from importlib.resources import files
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Changes:
    """A counter that can be waited for; a slow follower misses numbers in between, never the last one."""

    def __init__(self) -> None:
        self.number = 0
        self._changed = asyncio.Event()
        self._followers = 0
        self._is_closed = False

    @property
    def is_followed(self) -> bool:
        return self._followers > 0

    def notify(self) -> None:
        """Count a change and wake the followers."""
        self.number += 1
        if self._followers:
            self._wake()

    async def follow(self) -> AsyncIterator[int]:
        """Yield the counter now and after every change, until closed."""
        self._followers += 1
        try:
            seen = -1
            while not self._is_closed:
                changed = self._changed
                if self.number != seen:
                    seen = self.number
                    yield seen
                else:
                    await changed.wait()
        finally:
            self._followers -= 1

    def close(self) -> None:
        """End all followers, so that a server with open streams can stop."""
        self._is_closed = True
        self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


_LOCALHOST: Final = "localhost"


def refusal(scope: Scope, names: Collection[str]) -> str | None:
    """Return the reason to refuse the request, or None; `names`: host names of this system."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    host = headers.get(b"host", b"").decode("latin-1").lower()
    if not _is_ours(host, names):
        return "sent to a name that is not this system's"
    if scope["method"] in ("GET", "HEAD"):
        return None
    origin = headers.get(b"origin")
    if origin is not None and _authority(origin.decode("latin-1").lower()) != host:
        return "sent by a page of another site"
    if headers.get(b"sec-fetch-site") == b"cross-site":
        return "sent by a page of another site"
    return None


def _is_ours(host: str, names: Collection[str]) -> bool:
    """Return whether the host cannot be rebound: an address, a known name, or a name without a dot."""
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    if not name:
        return False
    if "." not in name and ":" not in name:
        return True
    if name in names or name.endswith(f".{_LOCALHOST}"):
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _authority(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None


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
    shared_files = StaticFiles(
        directory=_folder(__package__, "static"), packages=[("shared.pages", "static")]
    )
    app.mount("/static/pages", shared_files, name="pages")
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
