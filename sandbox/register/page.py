"""The cash register's pages, forms and JSON."""

import json
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from typing import Any, Final
from urllib.parse import parse_qsl

from fastapi import HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.sse import ServerSentEvent

from sandbox.pages.formats import NoAmount, cents_of, decimal_text, when_exactly
from sandbox.pages.language import Chosen
from sandbox.pages.render import Pages
from sandbox.register.cash_register import CashRegister
from sandbox.register.draft import (
    PRODUCTS,
    InvalidField,
    Operation,
    with_article,
    with_ending,
    with_form,
    with_product,
)
from sandbox.register.sale import Sale, Standing
from sandbox.terminal.script.outcomes import OUTCOMES

FORM_LIMIT_BYTES: Final = 65_536
_SHOWN_SALES: Final = 30
#: Outcomes that an amount chooses; the others are queued at the terminal.
_OUTCOMES: Final = [row for row in OUTCOMES if row.ending is not None]
#: Shown as buttons beside the list, with their endings.
_TEST_AMOUNTS: Final = {
    "00": "Paid",
    "51": "No funds",
    "22": "Abandoned",
    "33": "Answer lost",
    "24": "Silent",
}

#: Colour of a sale's standing.
_TONES: Final = {
    Standing.WAITING: "info",
    Standing.PAID: "good",
    Standing.REVERSED: "good",
    Standing.REFUNDED: "good",
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
    """Pages and forms; every form leads back to a page that shows its result."""

    def __init__(self, register: CashRegister, pages: Pages, flow_url: str) -> None:
        self._register: Final = register
        self._pages: Final = pages
        self._flow_url: Final = flow_url

    async def counter(self, language: Chosen, problem: str | None = None) -> HTMLResponse:
        """Show the draft of the sale."""
        register = self._register
        terminals = await register.terminals()
        if register.draft.terminal_id not in {one["id"] for one in terminals} and terminals:
            register.draft = replace(register.draft, terminal_id=terminals[0]["id"])
        return self._pages.page(
            "register.html",
            status=200 if problem is None else 422,
            language=language,
            **self._common(),
            draft=register.draft,
            products=PRODUCTS,
            terminals=terminals,
            operations=_OPERATION_WORDS,
            outcomes=_OUTCOMES,
            test_amounts=_TEST_AMOUNTS,
            problem=problem,
        )

    async def act(self, request: Request, language: Chosen) -> Response:
        """Carry out the form's button; its fields are kept in any case."""
        register, form = self._register, await _form(request)
        register.draft = with_form(register.draft, form)
        action, _, argument = form.get("do", "").partition(":")
        try:
            match action:
                case "add" | "less":
                    register.draft = with_product(register.draft, argument, 1 if action == "add" else -1)
                case "article":
                    register.draft = with_article(register.draft, form.get("price", ""))
                case "outcome":
                    register.draft = with_ending(register.draft, argument or form.get("outcome", ""))
                case "clear":
                    register.draft = replace(register.draft, lines=())
                case "pay":
                    return _to_sale(register.pay())
                case _:
                    pass
        except (NoAmount, InvalidField) as problem:
            return await self.counter(language, str(problem))
        return RedirectResponse("/", 303)

    async def sale(self, number: int, language: Chosen, problem: str | None = None) -> HTMLResponse:
        """Show one sale."""
        sale = self._found(number)
        return self._pages.page(
            "sale.html",
            status=200 if problem is None else 422,
            language=language,
            **self._sale_context(sale),
            problem=problem,
        )

    async def sale_events(self, number: int, language: Chosen) -> AsyncIterator[ServerSentEvent]:
        """Yield the moving part of a sale's page after each change."""
        async for count in self._register.changes.follow():
            sale = self._register.sale(number)
            if sale is None:
                return
            parts = {"sale": self._pages.part("sale_parts.html", language, **self._sale_context(sale))}
            yield ServerSentEvent(event="parts", id=str(count), data={"parts": parts})

    async def sales_events(self, language: Chosen) -> AsyncIterator[ServerSentEvent]:
        """Yield the list of sales after each change."""
        async for count in self._register.changes.follow():
            parts = {"sales": self._pages.part("sales.html", language, **self._common())}
            yield ServerSentEvent(event="parts", id=str(count), data={"parts": parts})

    async def again(self, number: int) -> Response:
        """Send the same order again."""
        sale = self._found(number)
        self._register.send_again(sale)
        return _to_sale(sale)

    async def look(self, number: int) -> Response:
        """Look up the payment."""
        sale = self._found(number)
        await self._register.look(sale)
        return _to_sale(sale)

    async def cancel(self, number: int) -> Response:
        """Cancel the payment while it is queued."""
        sale = self._found(number)
        await self._register.cancel(sale)
        return _to_sale(sale)

    async def reverse(self, number: int) -> Response:
        """Reverse the debit."""
        sale = self._found(number)
        paid = int(sale.payment.get("amount", sale.amount_cents))
        return _to_sale(self._register.follow_up(sale, Operation.REVERSAL, paid))

    async def refund(self, number: int, request: Request, language: Chosen) -> Response:
        """Refund the form's amount by a credit."""
        sale = self._found(number)
        try:
            amount_cents = cents_of((await _form(request)).get("amount", ""))
        except NoAmount as problem:
            return await self.sale(number, language, str(problem))
        return _to_sale(self._register.follow_up(sale, Operation.CREDIT, amount_cents))

    async def unplug(self, request: Request) -> Response:
        """Unplug the register's network."""
        await self._register.unplug()
        return _back(await _form(request))

    async def plug(self, request: Request) -> Response:
        """Plug the register's network in again."""
        self._register.plug_in()
        return _back(await _form(request))

    async def records(self) -> list[dict[str, Any]]:
        """Return the sales, the oldest first, with all requests and answers."""
        return [sale_json(sale) for sale in self._register.sales]

    async def reset(self) -> dict[str, bool]:
        """Forget all sales."""
        await self._register.reset()
        return {"reset": True}

    def _found(self, number: int) -> Sale:
        sale = self._register.sale(number)
        if sale is None:
            raise HTTPException(404, "This session has no sale of this number.")
        return sale

    def _common(self) -> dict[str, Any]:
        return {
            "is_plugged": self._register.is_plugged,
            "sales": list(reversed(self._register.sales))[:_SHOWN_SALES],
            "tones": _TONES,
            "operation_words": _OPERATION_WORDS,
        }

    def _sale_context(self, sale: Sale) -> dict[str, Any]:
        return {
            **self._common(),
            "sale": sale,
            "flow_url": self._flow_url,
            "curl_of": self._register.curl_of,
            "cancel_curl": self._register.cancel_curl(sale),
            "refund_amount": decimal_text(int(sale.payment.get("amount", sale.amount_cents))),
            "request_text": _pretty(sale.order),
            "answer_text": _pretty(sale.last.body) if sale.last.body is not None else None,
        }


def sale_json(sale: Sale) -> dict[str, Any]:
    """Return a sale as JSON."""
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
        "sent_orders": [asdict(sent_order) for sent_order in sale.sent_orders],
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
