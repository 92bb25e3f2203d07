"""Pages that operators read; each shows what the API's own routes answer."""

from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from api.http.dependencies import Dependencies
from api.http.errors import InvalidQuery
from api.http.query import QUERY_TEXT_CHARACTERS, PageRequest, read_cursor
from api.investigation import operator_routes as investigation
from api.investigation.parameters import WITHIN_MINUTES
from api.operator import delivery_routes, fleet_routes, routes
from api.operator.administration import credential_routes, merchant_routes
from api.operator.audit_routes import list_audit_trail
from api.operator_page.render import Pages
from api.operator_page.sessions import Session
from api.operator_page.timeline import draw
from shared.payment.states import State
from shared.runtime.clock import iso_time
from shared.storage.administration import fleet
from shared.storage.investigation.search import Filter
from shared.storage.webhooks.delivery_list import DeliveryFilter

_LISTED: Final = 20
#: A lock that is held for longer needs a look: a session takes three minutes at most.
_LONG_HELD_MS: Final = 5 * 60_000
_LARGEST_CENTS: Final = 999_999_999
_SEARCHED: Final = ("order", "card", "amount", "number", "receipt", "terminal", "state")


@dataclass(frozen=True, slots=True)
class View:
    """A request of an operator, and what answers it."""

    dependencies: Dependencies
    pages: Pages
    request: Request
    session: Session

    def page(self, template: str, here: str, **context: Any) -> Response:
        """Return a page."""
        return self.pages.page(template, session=self.session, here=here, **context)

    def name(self, parameter: str) -> str:
        """Return a part of the path."""
        return str(self.request.path_params[parameter])

    def given(self, parameter: str) -> str | None:
        """Return a parameter of the query; None: not given, or empty. Raises InvalidQuery."""
        text = self.request.query_params.get(parameter, "").strip()
        if "\0" in text or len(text) > QUERY_TEXT_CHARACTERS:
            raise InvalidQuery(parameter)
        return text or None

    @property
    def rows(self) -> PageRequest:
        """The page of a list. Raises InvalidQuery."""
        cursor = self.given("cursor")
        place = None if cursor is None else read_cursor(cursor)
        if cursor is not None and place is None:
            raise InvalidQuery("cursor")
        return PageRequest(place, _LISTED)


async def show_now(view: View) -> Response:
    """Show what needs a person now."""
    first, parts = PageRequest(None, _LISTED), view.dependencies
    dead = DeliveryFilter(state="dead")
    held = [
        lock
        for lock in await fleet.held_locks(parts.database)
        if lock.held_ms > _LONG_HELD_MS or lock.identify_first
    ]
    async with fleet_routes.opened_heartbeats(parts) as heartbeats:
        silent = await heartbeats.silent(parts.settings.worker_stale_seconds)
    return view.page(
        "now.html",
        "/operator",
        doubts=(await routes.list_doubts(parts, first)).shown()["payments"],
        conflicts=(await routes.list_contradictions(parts, first)).shown()["payments"],
        dead=(await delivery_routes.list_all_deliveries(parts, first, dead)).shown()["deliveries"],
        held=held,
        silent=[(worker, iso_time(worker.beaten_at)) for worker in silent],
    )


async def show_search(view: View) -> Response:
    """Show the form, and the payments that fit it."""
    wanted = {name: view.given(name) for name in _SEARCHED}
    merchant = view.given("merchant")
    twice = view.given("twice") is not None
    filters = _filter(wanted)
    found: dict[str, Any] = {}
    if twice:
        found = (
            await investigation.list_equal_charges(
                view.dependencies, view.rows, filters, merchant, WITHIN_MINUTES
            )
        ).shown()
    else:
        found = (await investigation.search_payments(view.dependencies, view.rows, filters, merchant)).shown()
    kept = {name: value for name, value in view.request.query_params.items() if name != "cursor" and value}
    return view.page(
        "search.html",
        "/operator/payments",
        wanted={**wanted, "merchant": merchant},
        twice=twice,
        states=[state.value for state in State],
        found=found,
        kept=kept,
    )


def _filter(wanted: dict[str, str | None]) -> Filter:
    card, amount, state = wanted["card"], wanted["amount"], wanted["state"]
    if card is not None and not (len(card) == 4 and card.isascii() and card.isdigit()):
        raise InvalidQuery("card", "Give the last four digits of the card.")
    receipt = wanted["receipt"]
    if receipt is not None and not (receipt.isascii() and receipt.isdigit() and 2 <= len(receipt) <= 20):
        raise InvalidQuery("receipt", "Give 2 to 20 digits of the receipt, as it prints them.")
    if state is not None and state not in set(State):
        raise InvalidQuery("state")
    cents = None if amount is None else _cents(amount)
    return Filter(
        order_id=wanted["order"],
        card_last_four=card,
        authorisation_number=wanted["number"],
        receipt_number=receipt,
        terminal_address=wanted["terminal"],
        state=None if state is None else State(state),
        amount_from=cents,
        amount_to=cents,
    )


def _cents(text: str) -> int:
    whole, _, part = text.replace(",", ".").partition(".")
    digits = whole + part.ljust(2, "0")
    if len(part) > 2 or not (digits.isascii() and digits.isdigit()) or int(digits) > _LARGEST_CENTS:
        raise InvalidQuery("amount", "Give an amount like 12.50.")
    return int(digits)


async def show_payment(view: View) -> Response:
    """Show everything that is known of one payment, with its history as a picture."""
    case = (await routes.get_case(view.dependencies, view.name("payment_id"))).shown()
    return view.page("payment.html", "/operator/payments", case=case, timeline=draw(case.get("events", [])))


async def show_terminals(view: View) -> Response:
    """Show terminals with who has each since when, last answer and success rate."""
    found = await fleet_routes.list_all_terminals(
        view.dependencies, view.given("merchant"), view.given("after"), _LISTED
    )
    return view.page(
        "terminals.html", "/operator/terminals", found=found.shown(), merchant=view.given("merchant")
    )


async def show_merchants(view: View) -> Response:
    """Show merchants by name."""
    found = await merchant_routes.list_merchants(view.dependencies, view.rows, view.given("name"))
    return view.page("merchants.html", "/operator/merchants", found=found.shown(), name=view.given("name"))


async def show_merchant(view: View, issued: dict[str, Any] | None = None) -> Response:
    """Show a merchant with its credentials; `issued`: a credential with its new secret, this once."""
    merchant_id = view.name("merchant_id") if issued is None else issued["merchant_id"]
    merchant = await merchant_routes.get_merchant(view.dependencies, merchant_id)
    credentials = await credential_routes.list_credentials(
        view.dependencies, PageRequest(None, 100), None, merchant_id, True
    )
    return view.page(
        "merchant.html",
        "/operator/merchants",
        merchant=merchant.shown(),
        credentials=credentials.shown()["credentials"],
        issued=issued,
    )


async def show_deliveries(view: View) -> Response:
    """Show deliveries, those that failed for good at first."""
    state = view.given("state") or "dead"
    if state not in ("dead", "waiting", "delivered"):
        raise InvalidQuery("state")
    found = await delivery_routes.list_all_deliveries(
        view.dependencies, view.rows, DeliveryFilter(state=state)
    )
    return view.page("deliveries.html", "/operator/deliveries", found=found.shown(), state=state)


async def show_workers(view: View) -> Response:
    """Show terminal workers after two looks at their heartbeats."""
    found = await fleet_routes.list_workers(view.dependencies)
    return view.page("workers.html", "/operator/workers", workers=found.shown()["workers"])


async def show_audit_trail(view: View) -> Response:
    """Show what operators did."""
    found = await list_audit_trail(view.dependencies, view.rows, subject=view.given("subject"))
    return view.page("audit.html", "/operator/audit", found=found.shown(), subject=view.given("subject"))
