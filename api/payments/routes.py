"""Payments as resources: one, a list, its history; cancel it while it is queued; ask for its terminal."""

from dataclasses import replace
from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from api.connector.answer import ACCEPTED, Answer, render_answer
from api.http.dependencies import Dependencies, Merchant, Wired, merchant
from api.http.errors import InvalidQuery, NotFound, or_not_found
from api.http.json_text import answer
from api.http.logins.auth import merchant_of
from api.http.models import known
from api.http.query import DIGITS, Page, Text, cursor
from api.http.routing import api_router
from api.http.server.access import note_response
from api.investigation.models import payment_object
from api.investigation.parameters import PAGE_DESCRIPTION, Search
from api.openapi.components import error_responses
from api.payments.early_release import ask_for_terminal
from api.payments.errors import PaymentConflict, TerminalFree, TooEarly
from api.payments.history import event_object
from api.payments.models import Accepted, Payment, PaymentEvents, PaymentId, PaymentPage
from shared.payment.payment import Reason
from shared.payment.states import State
from shared.runtime.ids import is_payment_id
from shared.storage.investigation import search
from shared.storage.payments import claims, listing, snapshots
from shared.storage.payments.snapshots import PaymentSnapshot
from shared.storage.terminals.merchants import Credential

router = api_router("/v1/payments", caller=merchant, tag="payments")


@router.get(
    "/{payment_id}",
    response_model=Answer | Accepted,
    summary="Return a payment, or wait until it is settled",
    response_description="The payment as it is stored now.",
    responses=error_responses(InvalidQuery("wait"), NotFound()),
)
async def get_payment(
    dependencies: Wired,
    merchant: Merchant,
    payment_id: PaymentId,
    wait: Annotated[
        int,
        Query(
            ge=0,
            description="Wait so many seconds at most until the payment is settled, through its doubt too; "
            "at "
            "most as long as this installation lets an order be waited for.",
        ),
        DIGITS,
    ] = 0,
) -> Response:
    """Return the answer of the order where the attempt ended with one, else the payment alone."""
    most = int(dependencies.settings.caller_wait_seconds)
    if wait > most:
        raise InvalidQuery("wait", f"The parameter should be a whole number from 0 to {most}.")
    snapshot = await _own(dependencies, merchant, payment_id)
    if wait and not snapshot.payment.is_final:
        snapshot = await dependencies.payments.results.settled(snapshot.payment, wait)
    return await _answer(dependencies, snapshot)


@router.get(
    "",
    summary="List payments, newest first",
    response_description=PAGE_DESCRIPTION,
    responses=error_responses(InvalidQuery("state"), NotFound()),
)
async def list_payments(
    dependencies: Wired,
    merchant: Merchant,
    page: Page,
    wanted: Search,
    terminal: Annotated[Text, Query(description="On this registered terminal only.")] = None,
) -> PaymentPage:
    """Return the merchant's payments, page by page."""
    assert merchant.merchant_id is not None
    if terminal is not None:
        registered = await dependencies.terminals.by_id(merchant.merchant_id, terminal)
        if registered is None:
            raise NotFound("There is no terminal of this id.")
        wanted = replace(wanted, terminal_address=registered.terminal_address)
    own = replace(wanted, merchant_id=merchant.merchant_id)
    found = await search.payments(dependencies.database, own, after=page.after, limit=page.limit)
    payments = [payment_object(each) for each in found.payments]
    return PaymentPage(payments=payments, **known(next=cursor(found.next)))


@router.get(
    "/{payment_id}/events",
    summary="Return a payment's history, oldest first",
    responses=error_responses(InvalidQuery("limit"), NotFound()),
)
async def list_payment_events(
    dependencies: Wired, merchant: Merchant, payment_id: PaymentId
) -> PaymentEvents:
    """Return every event of the payment."""
    await _own(dependencies, merchant, payment_id)
    events = await listing.events(dependencies.database, payment_id)
    return PaymentEvents(events=[event_object(event, for_merchant=True) for event in events])


@router.post(
    "/{payment_id}/cancel",
    response_model=Answer | Accepted,
    summary="Stop a payment while it is queued",
    response_description="It is cancelled.",
    responses=error_responses(
        NotFound(), PaymentConflict(State.IN_SESSION, "it can be cancelled only while it is queued")
    ),
)
async def cancel_payment(dependencies: Wired, merchant: Merchant, payment_id: PaymentId) -> Response:
    """Cancel the payment. One that a terminal has is not cancelled: the 409 has its state. Repeatable."""
    await _own(dependencies, merchant, payment_id)
    cancelled = await claims.cancel(
        dependencies.database, payment_id, Reason.CALLER, {"by": f"merchant ({merchant.id})"}
    )
    if cancelled is not None:
        await dependencies.changes.cancelled(cancelled)
        return await _answer(dependencies, PaymentSnapshot(cancelled, 0, terminal_is_locked=False))
    snapshot = await dependencies.payments.results.snapshot(payment_id)
    if snapshot.payment.state is State.CANCELLED and snapshot.payment.reason == Reason.CALLER:
        return await _answer(dependencies, snapshot)
    raise PaymentConflict(
        snapshot.payment.state,
        "it can be cancelled only while it is queued",
        payment=snapshot.payment,
        response=snapshot.response,
    )


@router.post(
    "/{payment_id}/release",
    status_code=202,
    summary="Ask for the terminal of a payment in doubt",
    response_description="Asked for.",
    responses=error_responses(
        NotFound(), TooEarly(12), TerminalFree(), PaymentConflict(State.REFUSED, "it is not in doubt")
    ),
)
async def release_terminal(dependencies: Wired, merchant: Merchant, payment_id: PaymentId) -> Accepted:
    """Ask for the terminal, which shows nothing of the payment any more. The payment stays in doubt; the
    terminal is free for others some seconds later."""
    await _own(dependencies, merchant, payment_id)
    await ask_for_terminal(
        dependencies.database, dependencies.settings, payment_id, by=f"merchant ({merchant.id})"
    )
    note_response(payment_id, ACCEPTED)
    return Accepted(payment=_alone(await dependencies.payments.results.snapshot(payment_id)))


async def _own(dependencies: Dependencies, merchant: Credential, payment_id: str) -> PaymentSnapshot:
    """Return the merchant's own payment. Raises NotFound, for another merchant's too."""
    if not is_payment_id(payment_id):
        raise NotFound
    own = await snapshots.own_snapshot(dependencies.database, merchant_of(merchant), payment_id)
    return or_not_found(own)


def _alone(snapshot: PaymentSnapshot) -> Payment:
    return Payment.of(
        snapshot.payment, safe_to_retry=snapshot.response.safe_to_retry, resolving=snapshot.resolving
    )


async def _answer(dependencies: Dependencies, snapshot: PaymentSnapshot) -> Response:
    spec = snapshot.response
    note_response(snapshot.payment.id, ACCEPTED if spec.payment_status is None else spec.payment_status)
    # It may echo the request.
    return await dependencies.large_work.run(len(snapshot.payment.request), _render, snapshot)


def _render(snapshot: PaymentSnapshot) -> Response:
    """Return the order's answer, where there is one: a client that did not wait for it finds it here."""
    if snapshot.response.payment_status is not None:
        return answer(200, render_answer(snapshot.payment, snapshot.response)[1])
    return answer(200, Accepted(payment=_alone(snapshot)).shown())
