"""The cash register's application."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from fastapi import APIRouter, FastAPI
from fastapi.sse import EventSourceResponse

from sandbox.pages.app import new_app
from sandbox.pages.language import Language, language_routes
from sandbox.pages.problems import show_problems
from sandbox.pages.render import NavLink, Pages
from sandbox.register.cash_register import CashRegister
from sandbox.register.page import RegisterPage

SYSTEM: Final = "Register"
_PACKAGE: Final = "sandbox.register"


def make_app(register: CashRegister, *, flow_url: str, navigation: Sequence[NavLink] = ()) -> FastAPI:
    """Return the register's application; its lifespan closes the register at the end.

    Its streams end with `register.changes.close()`. flow_url: the live flow page, without a slash at its end.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await register.close()

    pages = Pages(
        _PACKAGE,
        system=SYSTEM,
        subtitle="Boulangerie du Canal",
        navigation=navigation,
        languages=tuple(Language),
    )
    app = new_app(SYSTEM, package=_PACKAGE, lifespan=lifespan)
    show_problems(app, pages)
    app.include_router(language_routes())
    app.include_router(_routes(RegisterPage(register, pages, flow_url)))
    return app


def _routes(page: RegisterPage) -> APIRouter:
    router, one = APIRouter(include_in_schema=False), "/sales/{number}"
    router.get("/")(page.counter)
    router.post("/")(page.act)
    router.get("/events", response_class=EventSourceResponse)(page.sales_events)
    router.get(one)(page.sale)
    router.get(f"{one}/events", response_class=EventSourceResponse)(page.sale_events)
    router.post(f"{one}/again")(page.again)
    router.post(f"{one}/look")(page.look)
    router.post(f"{one}/cancel")(page.cancel)
    router.post(f"{one}/reverse")(page.reverse)
    router.post(f"{one}/refund")(page.refund)
    router.post("/unplug")(page.unplug)
    router.post("/plug")(page.plug)
    router.get("/records")(page.records)
    router.post("/reset")(page.reset)
    return router
