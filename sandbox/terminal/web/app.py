"""The terminal's HTTP application: its screen with forms and stream, and the control API."""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any, Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, FastAPI, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.responses import HTMLResponse, RedirectResponse

from sandbox.cards import DECK, Mode, card_of_key
from sandbox.pages.app import new_app
from sandbox.pages.language import Chosen, Language, language_routes
from sandbox.pages.problems import show_problems
from sandbox.pages.render import NavLink, Pages
from sandbox.terminal.device.card import TEST_PIN, CardRead
from sandbox.terminal.gateway.collection import TerminalBusy
from sandbox.terminal.script.outcomes import OUTCOMES
from sandbox.terminal.script.script import BadScript, read_script
from sandbox.terminal.server.server import VirtualTerminal
from sandbox.terminal.web.control import LONGEST_DELAY_SECONDS, control_routes, press
from sandbox.terminal.web.view import journal_of, state_of

SYSTEM = "Terminal"


def make_terminal_app(
    terminal: VirtualTerminal,
    *,
    navigation: Sequence[NavLink] = (),
    name: str = "",
    terminals: Sequence[NavLink] = (),
) -> FastAPI:
    """Return the application of one terminal, which the caller starts and ends.

    terminals: the pages of all terminals by name, this one among them.
    Its streams end when the terminal does, or with `terminal.changes.close()`.
    """
    app = new_app(SYSTEM, package="sandbox.terminal.web")
    pages = Pages(
        "sandbox.terminal.web",
        system=SYSTEM,
        subtitle=terminal.device.merchant_name,
        navigation=navigation,
        languages=tuple(Language),
    )
    show_problems(app, pages)
    app.include_router(language_routes())
    app.include_router(control_routes(terminal))
    app.include_router(page_routes(terminal, pages, name, terminals))
    return app


#: Transactions on the page; all are in `GET /journal`.
_SHOWN_TRANSACTIONS: Final = 50
#: Parts of the page that are streamed: element id and template.
_FRAGMENTS: Final = {
    "display": "display.html",
    "deck-hint": "deck_hint.html",
    "side": "side.html",
    "receipts": "receipts.html",
    "journal": "journal.html",
}
_KEYS: Final = ("green", "yellow", "red", *"0123456789")


class ScreenPage:
    """One terminal's page; every form leads back to it, and it shows the result."""

    def __init__(
        self, terminal: VirtualTerminal, pages: Pages, name: str, terminals: Sequence[NavLink]
    ) -> None:
        self._terminal = terminal
        self._pages = pages
        self._fixed: Final[dict[str, Any]] = {
            "deck": DECK,
            "outcomes": OUTCOMES,
            "test_pin": TEST_PIN,
            "name": name,
            "terminals": terminals,
        }

    async def screen(self, language: Chosen) -> HTMLResponse:
        """Show the page."""
        return self._pages.page("terminal.html", language=language, **self._fixed, **_context(self._terminal))

    async def events(self, language: Chosen) -> AsyncIterator[ServerSentEvent]:
        """Yield the page's moving parts after each change."""
        async for number in self._terminal.changes.follow():
            context = _context(self._terminal)
            state = context["state"]
            parts = {name: self._pages.part(file, language, **context) for name, file in _FRAGMENTS.items()}
            yield ServerSentEvent(
                event="screen",
                id=str(number),
                data={"parts": parts, "stage": state["stage"], "takes_card": state["takes_card"]},
            )

    async def card(self, mode: Mode, request: Request) -> RedirectResponse:
        """Present a card of the deck."""
        chosen = card_of_key((await _form(request)).get("card", ""))
        if chosen is not None:
            self._terminal.present(CardRead(chosen, mode))
        return _back()

    async def key(self, request: Request) -> RedirectResponse:
        """Press a key of the keypad."""
        pressed = (await _form(request)).get("key", "")
        if pressed in _KEYS:
            press(self._terminal, pressed)
        return _back()

    async def script(self, request: Request) -> RedirectResponse:
        """Queue the next payment's outcome; a name that is not in the table changes nothing."""
        with suppress(BadScript):
            self._terminal.queue_script(read_script([(await _form(request)).get("outcome", "")]))
        return _back()

    async def clear_script(self) -> RedirectResponse:
        """Drop all steps of the script."""
        self._terminal.forget_script()
        self._terminal.changes.notify()
        return _back()

    async def mode(self, request: Request) -> RedirectResponse:
        """Change whether somebody acts as the customer by hand."""
        self._terminal.set_up(by_hand=(await _form(request)).get("by_hand") == "yes")
        return _back()

    async def delay(self, request: Request) -> RedirectResponse:
        """Change the customer's delay; an invalid number of seconds changes nothing."""
        with suppress(ValueError):
            seconds = float((await _form(request)).get("seconds", ""))
            if 0 <= seconds <= LONGEST_DELAY_SECONDS:
                self._terminal.set_up(delay_seconds=seconds)
        return _back()

    async def collect(self) -> RedirectResponse:
        """Run a remote collection, unless the screen is busy."""
        with suppress(TerminalBusy):
            await self._terminal.collect()
        return _back()


def page_routes(
    terminal: VirtualTerminal, pages: Pages, name: str, terminals: Sequence[NavLink]
) -> APIRouter:
    """Return the page of one terminal, its forms and its stream."""
    router, page = APIRouter(include_in_schema=False), ScreenPage(terminal, pages, name, terminals)
    router.get("/")(page.screen)
    router.get("/screen/events", response_class=EventSourceResponse)(page.events)
    router.post("/screen/card/{mode}")(page.card)
    router.post("/screen/key")(page.key)
    router.post("/screen/script")(page.script)
    router.post("/screen/script/clear")(page.clear_script)
    router.post("/screen/mode")(page.mode)
    router.post("/screen/delay")(page.delay)
    router.post("/screen/collect")(page.collect)
    return router


def _context(terminal: VirtualTerminal) -> dict[str, Any]:
    transactions = journal_of(terminal)[: -_SHOWN_TRANSACTIONS - 1 : -1]
    return {"state": state_of(terminal), "transactions": transactions}


async def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode("utf-8", "replace")))


def _back() -> RedirectResponse:
    return RedirectResponse("/", status_code=303)
