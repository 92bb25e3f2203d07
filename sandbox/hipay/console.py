"""The Console's pages: transactions, one transaction, waiting messages; cancel and refund."""

from collections.abc import Sequence
from typing import Annotated, Any, Final
from urllib.parse import parse_qs

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from sandbox.cards import Brand
from sandbox.hipay import json_views
from sandbox.hipay.filters import Filters
from sandbox.hipay.platform import Platform
from sandbox.hipay.rules.ledger import NotAllowed
from sandbox.hipay.rules.statuses import NAMES, Status
from sandbox.hipay.rules.transaction import Transaction, facts_of
from sandbox.pages.formats import NoAmount, cents_of
from sandbox.pages.render import NavLink, Pages
from sandbox.tracing.trace import Trace

#: Transactions on the page; filters lead to others.
LISTED: Final = 200

#: Colour of a status.
_TONES: Final = {
    Status.AUTHORIZED: "info",
    Status.CAPTURED: "good",
    Status.CREDITED: "good",
    Status.REFUSED: "bad",
    Status.CREDIT_REQUESTED: "info",
    Status.REFUNDED: "warn",
    Status.PARTIALLY_REFUNDED: "warn",
}
_BRANDS: Final = {
    Brand.CB: "CB",
    Brand.VISA: "Visa",
    Brand.MASTERCARD: "Mastercard",
    Brand.AMERICAN_EXPRESS: "American Express",
}


class Console:
    """Pages of the platform's ledger."""

    def __init__(self, platform: Platform, pages: Pages) -> None:
        self._platform: Final = platform
        self._pages: Final = pages

    async def overview(self, filters: Annotated[Filters, Query()]) -> HTMLResponse:
        """Show the transactions, the newest first."""
        found = filters.apply(self._platform.ledger.transactions)
        return self._page(
            "list.html",
            tab="list",
            filters=filters,
            rows=[(one, facts_of(one)) for one in found[:LISTED]],
            found=len(found),
            totals=json_views.totals(found),
        )

    async def transaction(self, reference: str) -> HTMLResponse:
        """Show one transaction."""
        return self._transaction(self._found(reference))

    async def waiting(self) -> HTMLResponse:
        """Show pushes without an order and orders without a push."""
        ledger = self._platform.ledger
        return self._page(
            "waiting.html", tab="waiting", pushes=ledger.waiting_pushes(), orders=ledger.waiting_orders()
        )

    async def cancel(self, reference: str) -> Response:
        """Cancel the transaction and show it; 409 with the reason where that is not allowed."""
        transaction = self._found(reference)
        try:
            self._platform.cancel(reference)
        except NotAllowed as error:
            return self._transaction(transaction, problem=str(error))
        return _back_to(reference)

    async def refund(self, reference: str, request: Request) -> Response:
        """Refund the form's `amount` (decimal text) and show it; 409 where that is not allowed."""
        transaction = self._found(reference)
        try:
            form = parse_qs((await request.body()).decode("utf-8", "replace"))
            self._platform.refund(reference, cents_of(form.get("amount", [""])[0]))
        except (NoAmount, NotAllowed) as error:
            return self._transaction(transaction, problem=str(error))
        return _back_to(reference)

    async def notify_again(self, reference: str, number: int) -> Response:
        """Send the transaction's notification of that index once more."""
        sent = self._platform.notifications_of(self._found(reference).reference)
        if not 0 <= number < len(sent):
            raise HTTPException(404, "The transaction has no notification of this number.")
        self._platform.notifications.send_again(sent[number])
        return _back_to(reference)

    def _found(self, reference: str) -> Transaction:
        transaction = self._platform.ledger.transactions.get(reference)
        if transaction is None:
            raise HTTPException(404, "No transaction has this reference.")
        return transaction

    def _transaction(self, transaction: Transaction, problem: str | None = None) -> HTMLResponse:
        return self._page(
            "transaction.html",
            status=200 if problem is None else 409,
            tab="list",
            transaction=transaction,
            facts=facts_of(transaction),
            content=transaction.order.content,
            notifications=self._platform.notifications_of(transaction.reference),
            can_cancel=transaction.status is Status.AUTHORIZED,
            refundable_cents=_refundable(transaction),
            problem=problem,
        )

    def _page(self, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
        ledger = self._platform.ledger
        return self._pages.page(
            template,
            status=status,
            **context,
            names=NAMES,
            tones=_TONES,
            brands=_BRANDS,
            waiting_count=len(ledger.waiting_pushes()),
        )


def console_pages(navigation: Sequence[NavLink], trace: Trace) -> Pages:
    """Return the renderer of pages that show `navigation` and reload after trace events."""
    return Pages(
        "sandbox.hipay", system="Console", subtitle="HiPay platform", navigation=navigation, trace=trace
    )


def console_routes(platform: Platform, pages: Pages) -> APIRouter:
    """Return the Console's routes."""
    console = Console(platform, pages)
    router = APIRouter(include_in_schema=False)
    one = "/console/transactions/{reference}"
    router.get("/", response_class=HTMLResponse)(console.overview)
    router.get("/console/waiting", response_class=HTMLResponse)(console.waiting)
    router.get(one, response_class=HTMLResponse)(console.transaction)
    router.post(f"{one}/cancel")(console.cancel)
    router.post(f"{one}/refund")(console.refund)
    router.post(f"{one}/notifications/{{number}}/again")(console.notify_again)
    return router


def _refundable(transaction: Transaction) -> int:
    if transaction.status not in (Status.CAPTURED, Status.PARTIALLY_REFUNDED):
        return 0
    return transaction.refundable_cents - transaction.requested_cents


def _back_to(reference: str) -> RedirectResponse:
    return RedirectResponse(f"/console/transactions/{reference}", 303)
