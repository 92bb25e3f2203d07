"""Payments as resources: one, many, its history; stop it while it waits; ask for its terminal."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.connector.answer import render_answer
from api.http.cursors import cursor
from api.http.dependencies import Parts
from api.http.errors import NotFound, PaymentConflict
from api.http.query import Query
from api.http.responses import answer
from api.payments.early_release import ask_for_terminal
from api.payments.history import event_object
from api.payments.payment_object import payment_object
from shared.payment.answers import ResponseSpec
from shared.payment.payment import Payment, Reason
from shared.payment.states import State
from shared.runtime.ids import is_payment_id
from shared.storage.payments import claims, listing, waiting
from shared.storage.payments.listing import Filter
from shared.storage.payments.waiting import PaymentSnapshot
from shared.storage.terminals.merchants import Credential

router = APIRouter(prefix="/v1/payments", include_in_schema=False)

_FILTERS = (
    "order_id",
    "terminal",
    "terminal_address",
    "state",
    "created_from",
    "created_to",
    "limit",
    "cursor",
)
_STATES = {state.value: state for state in State}


@router.get("/{payment_id}")
async def get_payment(request: Request, payment_id: str) -> Response:
    """Return the payment; with `?wait=N` once it is settled, or after N seconds as it is then."""
    parts: Parts = request.app.state.parts
    snapshot = await _own(request, payment_id)
    most = int(parts.settings.caller_wait_seconds)
    wait_seconds = Query(request, ("wait",)).number("wait", 0, least=0, most=most)
    if wait_seconds and not snapshot.payment.is_final:
        snapshot = await parts.payments.results.settled(payment_id, wait_seconds)
    return await _shown(parts, snapshot)


@router.get("")
async def list_payments(request: Request) -> Response:
    """Return the merchant's payments, newest first, page by page."""
    parts: Parts = request.app.state.parts
    credential = await parts.credentials.merchant(request.headers.get("authorization"))
    assert credential.merchant_id is not None
    query = Query(request, _FILTERS)
    wanted = Filter(
        order_id=query.text("order_id"),
        terminal_address=await _line(parts, credential, query),
        state=query.choice("state", _STATES),
        created_from=query.time("created_from"),
        created_before=query.time("created_to"),
    )
    page = await listing.payments(
        parts.database, credential.merchant_id, wanted, after=query.place(), limit=query.page_limit()
    )
    body: dict[str, Any] = {"payments": [_object(each.payment, each.told) for each in page.payments]}
    if page.next is not None:
        body["next"] = cursor(page.next)
    return answer(200, body)


@router.get("/{payment_id}/events")
async def list_events(request: Request, payment_id: str) -> Response:
    """Return the payment's history, oldest first."""
    parts: Parts = request.app.state.parts
    await _own(request, payment_id)
    Query(request, ())
    events = await listing.events(parts.database, payment_id)
    return answer(200, {"events": [event_object(event, for_merchant=True) for event in events]})


@router.post("/{payment_id}/cancel")
async def cancel(request: Request, payment_id: str) -> Response:
    """Stop the payment while it is queued; a payment that this merchant cancelled before is as good."""
    parts: Parts = request.app.state.parts
    credential = await parts.credentials.merchant(request.headers.get("authorization"))
    snapshot = await _own(request, payment_id)
    cancelled = await claims.cancel(
        parts.database, payment_id, Reason.CALLER, {"by": f"merchant ({credential.id})"}
    )
    if cancelled is not None:
        await parts.changes.cancelled(cancelled)
        return await _shown(parts, PaymentSnapshot(cancelled, 0, terminal_is_locked=False))
    snapshot = await parts.payments.results.snapshot(payment_id)
    if snapshot.payment.state is State.CANCELLED and snapshot.payment.reason == Reason.CALLER:
        return await _shown(parts, snapshot)
    raise PaymentConflict(
        snapshot.payment.state,
        "it can be cancelled only while it is queued",
        payment=snapshot.payment,
        told=snapshot.told,
    )


@router.post("/{payment_id}/release")
async def release(request: Request, payment_id: str) -> Response:
    """Ask for the terminal of a payment in doubt: a person sees that it shows nothing of it any more."""
    parts: Parts = request.app.state.parts
    credential = await parts.credentials.merchant(request.headers.get("authorization"))
    await _own(request, payment_id)
    await ask_for_terminal(parts.database, parts.settings, payment_id, by=f"merchant ({credential.id})")
    snapshot = await parts.payments.results.snapshot(payment_id)
    return answer(202, {"payment": _object(snapshot.payment, snapshot.told, snapshot.resolving)})


async def _own(request: Request, payment_id: str) -> PaymentSnapshot:
    """Return the caller's payment; somebody else's is as unknown as none. Raises NotFound."""
    parts: Parts = request.app.state.parts
    credential = await parts.credentials.merchant(request.headers.get("authorization"))
    snapshot = (
        (await waiting.snapshots(parts.database, [payment_id])).get(payment_id)
        if is_payment_id(payment_id)
        else None
    )
    if snapshot is None or snapshot.payment.merchant_id != credential.merchant_id:
        raise NotFound
    return snapshot


async def _line(parts: Parts, credential: Credential, query: Query) -> str | None:
    """Return the line that a listing is about: named by its address, or by a registered terminal."""
    terminal_id = query.text("terminal")
    if terminal_id is None:
        return query.text("terminal_address")
    assert credential.merchant_id is not None
    terminal = await parts.terminals.by_id(credential.merchant_id, terminal_id)
    if terminal is None:
        raise NotFound("There is no terminal of this id.")
    return terminal.terminal_address


def _object(payment: Payment, told: ResponseSpec, resolving: bool | None = None) -> dict[str, Any]:
    return payment_object(payment, safe_to_retry=told.safe_to_retry, resolving=resolving)


async def _shown(parts: Parts, snapshot: PaymentSnapshot) -> Response:
    # It may echo the request.
    return await parts.large_work.run(len(snapshot.payment.request), _answer, snapshot)


def _answer(snapshot: PaymentSnapshot) -> Response:
    """The answer of the order, where there is one: a caller who did not wait for it finds it here."""
    told = snapshot.told
    if told.payment_status is not None:
        return answer(200, render_answer(snapshot.payment, told)[1])
    return answer(200, {"payment": _object(snapshot.payment, told, snapshot.resolving)})
