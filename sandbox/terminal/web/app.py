"""The terminal's HTTP application: its screen, and the API that scripts it."""

from collections.abc import Sequence

from fastapi import FastAPI

from sandbox.pages.app import new_app
from sandbox.pages.render import NavLink, Pages
from sandbox.terminal.server.server import VirtualTerminal
from sandbox.terminal.web.control import control_routes
from sandbox.terminal.web.page import page_routes

SYSTEM = "Terminal"


def make_terminal_app(terminal: VirtualTerminal, *, navigation: Sequence[NavLink] = ()) -> FastAPI:
    """Return the application of one terminal, which somebody else starts and ends.

    Its streams end when the terminal does, or with `terminal.changes.close()`.
    """
    app = new_app(SYSTEM, package="sandbox.terminal.web")
    pages = Pages(
        "sandbox.terminal.web", system=SYSTEM, subtitle=terminal.device.merchant_name, navigation=navigation
    )
    app.include_router(control_routes(terminal))
    app.include_router(page_routes(terminal, pages))
    return app
