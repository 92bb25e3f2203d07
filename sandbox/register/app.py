"""The cash register's application: pages, forms, and JSON beside them."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from typing import Any, Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from sandbox.amounts import NoAmount, cents_of
from sandbox.pages.app import new_app
from sandbox.pages.formats import decimal_text, when_exactly
from sandbox.pages.render import NavLink, Pages, templates
from sandbox.register.catalogue import PRODUCTS
from sandbox.register.draft import (
    NotTyped,
    Operation,
    typed,
    with_article,
    with_product,
)
from sandbox.register.sale import Sale, Standing
from sandbox.register.till import Till

SYSTEM: Final = "Register"
FORM_LIMIT_BYTES: Final = 65_536
_PACKAGE: Final = "sandbox.register"
_SHOWN_SALES: Final = 30

#: How a sale's standing is coloured.
_TONES: Final = {
    Standing.WAITING: "info",
    Standing.PAID: "good",
    Standing.NOT_PAID: "neutral",
    Standing.UNKNOWN: "warn",
    Standing.REFUSED: "bad",
}
_OPERATION_WORDS: Final = {
    Operation.DEBIT.value: "Debit",
    Operation.REVERSAL.value: "Reversal",
    Operation.CREDIT.value: "Credit",
}


class RegisterPage:
    """Every form leads back to a page that shows what became of it."""

    def __init__(self, till: Till, pages: Pages, flow_url: str) -> None:
        self._till: Final = till
        self._pages: Final = pages
        environment = templates(_PACKAGE)
        self._fragments: Final = {
            name: environment.get_template(f"{name}.html") for name in ("sale_parts", "sales")
        }
        self._flow_url: Final = flow_url

    async def counter(self, problem: str | None = None) -> HTMLResponse:
        """Show what is being sold."""
        till = self._till
        terminals = await till.terminals()
        if till.draft.terminal_id not in {one["id"] for one in terminals} and terminals:
            till.draft = replace(till.draft, terminal_id=terminals[0]["id"])
        return self._pages.page(
            "register.html",
            status=200 if problem is None else 422,
            **self._common(),
            draft=till.draft,
            products=PRODUCTS,
            terminals=terminals,
            operations=_OPERATION_WORDS,
            problem=problem,
        )

    async def act(self, request: Request) -> Response:
        """Do what the form's button says; its fields are kept in any case."""
        till, form = self._till, await _form(request)
        till.draft = typed(till.draft, form)
        wish, _, argument = form.get("do", "").partition(":")
        try:
            match wish:
                case "add" | "less":
                    till.draft = with_product(till.draft, argument, 1 if wish == "add" else -1)
                case "article":
                    till.draft = with_article(till.draft, form.get("price", ""))
                case "clear":
                    till.draft = replace(till.draft, lines=())
                case "pay":
                    return _to_sale(till.pay())
                case _:
                    pass
        except (NoAmount, NotTyped) as problem:
            return await self.counter(str(problem))
        return RedirectResponse("/", 303)

    async def sale(self, number: int, problem: str | None = None) -> HTMLResponse:
        """Show one sale."""
        sale = self._found(number)
        return self._pages.page(
            "sale.html",
            status=200 if problem is None else 422,
            **self._sale_context(sale),
            problem=problem,
        )

    async def sale_events(self, number: int) -> AsyncIterator[ServerSentEvent]:
        """Follow one sale: the moving part of its page."""
        async for count in self._till.changes.follow():
            sale = self._till.sale(number)
            if sale is None:
                return
            parts = {"sale": self._fragments["sale_parts"].render(self._sale_context(sale))}
            yield ServerSentEvent(event="parts", id=str(count), data={"parts": parts})

    async def sales_events(self) -> AsyncIterator[ServerSentEvent]:
        """Follow the list of sales."""
        async for count in self._till.changes.follow():
            parts = {"sales": self._fragments["sales"].render(self._common())}
            yield ServerSentEvent(event="parts", id=str(count), data={"parts": parts})

    async def again(self, number: int) -> Response:
        """The same order once more."""
        sale = self._found(number)
        self._till.ask_again(sale)
        return _to_sale(sale)

    async def look(self, number: int) -> Response:
        """Ask for the payment."""
        sale = self._found(number)
        await self._till.look(sale)
        return _to_sale(sale)

    async def cancel(self, number: int) -> Response:
        """Stop it while it is queued."""
        sale = self._found(number)
        await self._till.cancel(sale)
        return _to_sale(sale)

    async def reverse(self, number: int) -> Response:
        """Reverse the debit."""
        sale = self._found(number)
        paid = int(sale.payment.get("amount", sale.amount_cents))
        return _to_sale(self._till.follow_up(sale, Operation.REVERSAL, paid))

    async def refund(self, number: int, request: Request) -> Response:
        """Pay back the form's amount."""
        sale = self._found(number)
        try:
            amount_cents = cents_of((await _form(request)).get("amount", ""))
        except NoAmount as problem:
            return await self.sale(number, str(problem))
        return _to_sale(self._till.follow_up(sale, Operation.CREDIT, amount_cents))

    async def unplug(self, request: Request) -> Response:
        """Pull the plug."""
        await self._till.unplug()
        return _back(await _form(request))

    async def plug(self, request: Request) -> Response:
        """Plug in again."""
        self._till.plug_in()
        return _back(await _form(request))

    async def records(self) -> list[dict[str, Any]]:
        """Return the sales, the oldest first, with everything that was sent and answered."""
        return [sale_json(sale) for sale in self._till.sales]

    async def reset(self) -> dict[str, bool]:
        """Start anew."""
        await self._till.reset()
        return {"reset": True}

    def _found(self, number: int) -> Sale:
        sale = self._till.sale(number)
        if sale is None:
            raise HTTPException(404, "There is no such sale in this session.")
        return sale

    def _common(self) -> dict[str, Any]:
        return {
            "is_plugged": self._till.is_plugged,
            "sales": list(reversed(self._till.sales))[:_SHOWN_SALES],
            "tones": _TONES,
            "operation_words": _OPERATION_WORDS,
        }

    def _sale_context(self, sale: Sale) -> dict[str, Any]:
        return {
            **self._common(),
            "sale": sale,
            "flow_url": self._flow_url,
            "refund_amount": decimal_text(int(sale.payment.get("amount", sale.amount_cents))),
            "request_text": _pretty(sale.order),
            "answer_text": _pretty(sale.last.body) if sale.last.body is not None else None,
        }


def make_app(till: Till, *, flow_url: str, navigation: Sequence[NavLink] = ()) -> FastAPI:
    """Return the register's application, to be served with its lifespan, which ends what the till waits for.

    Its streams end with `till.changes.close()`. flow_url: the live flow page, without a slash at its end.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await till.close()

    pages = Pages(_PACKAGE, system=SYSTEM, subtitle="Boulangerie du Canal", navigation=navigation)
    app = new_app(SYSTEM, package=_PACKAGE, lifespan=lifespan)
    app.include_router(_routes(RegisterPage(till, pages, flow_url)))
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


def sale_json(sale: Sale) -> dict[str, Any]:
    """Return a sale for programs."""
    return {
        "number": sale.number,
        "order_id": sale.order_id,
        "operation": Operation(sale.operation).word,
        "amount_cents": sale.amount_cents,
        "standing": sale.standing,
        "payment": sale.payment,
        "receipt": sale.receipt,
        "created_at": when_exactly(sale.created_at_ms),
        "order": sale.order,
        "askings": [asdict(sent_order) for sent_order in sale.askings],
    }


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


async def _form(request: Request) -> dict[str, str]:
    body = await request.body()
    if len(body) > FORM_LIMIT_BYTES:
        raise HTTPException(413, "The form is too large.")
    return dict(parse_qsl(body.decode("utf-8", "replace")))


def _to_sale(sale: Sale) -> RedirectResponse:
    return RedirectResponse(f"/sales/{sale.number}", 303)


def _back(form: dict[str, str]) -> RedirectResponse:
    number = form.get("sale", "")
    return RedirectResponse(f"/sales/{number}" if number.isdigit() else "/", 303)
