"""What operators see and decide: doubts, contradictions, a person's word on a payment."""

from typing import Any

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.http.body import read_body
from api.http.cursors import cursor
from api.http.dependencies import Parts
from api.http.errors import InvalidRequest, NotFound, PaymentConflict, TooEarly
from api.http.media_type import check_media_type
from api.http.query import Query
from api.http.responses import answer
from api.operator.decision import DecisionRequest, Person, parse_decision, parse_release
from api.payments.early_release import ask_for_terminal, doubt_window
from api.payments.history import event_object, evidence_object
from api.payments.payment_object import payment_object
from shared.payment.answers import ResponseSpec
from shared.payment.payment import Payment
from shared.payment.states import State
from shared.runtime.ids import is_payment_id
from shared.runtime.logging import bound
from shared.storage.payments import listing, operator
from shared.storage.payments.listing import Place
from shared.storage.payments.operator import Case, Decided, Decision, NotInDoubt
from shared.storage.payments.operator import TooEarly as DecidedTooEarly
from shared.storage.terminals.merchants import Credential

router = APIRouter(prefix="/v1/operator", include_in_schema=False)

_log = structlog.get_logger()


@router.get("/doubts")
async def list_doubts(request: Request) -> Response:
    """Return payments in doubt of all merchants, the oldest first, with everything known of each."""
    parts, query = await _reader(request)
    return await _page(
        parts, *await operator.doubts(parts.database, after=query.place(), limit=query.page_limit())
    )


@router.get("/contradictions")
async def list_contradictions(request: Request) -> Response:
    """Return payments whose final state a proof contradicts, the oldest first."""
    parts, query = await _reader(request)
    return await _page(
        parts, *await operator.contradictions(parts.database, after=query.place(), limit=query.page_limit())
    )


@router.get("/payments/{payment_id}")
async def get_payment(request: Request, payment_id: str) -> Response:
    """Return any merchant's payment with its evidence and its whole history."""
    parts: Parts = request.app.state.parts
    await parts.credentials.operator(request.headers.get("authorization"))
    Query(request, ())
    case = await _case(parts, payment_id)
    events = await listing.events(parts.database, payment_id)
    return answer(
        200,
        {
            **await _case_object(parts, case),
            "events": [event_object(event, for_merchant=False) for event in events],
        },
    )


@router.post("/payments/{payment_id}/resolve")
async def resolve(request: Request, payment_id: str) -> Response:
    """Settle a doubt by a person's word; the same decision again is as good."""
    parts: Parts = request.app.state.parts
    credential, body = await _body(request)
    case = await _case(parts, payment_id)
    said = await parts.large_work.run(len(body), parse_decision, body, parts.settings.body_nesting_limit)
    _check_amount(said, case.payment)
    with bound(payment_id=payment_id):
        decided = await operator.decide(
            parts.database,
            payment_id,
            said.decision,
            name=said.person.name,
            detail=_who(credential, said.person),
            result=said.result,
            early_seconds=parts.settings.operator_after_seconds,
            doubt_window=doubt_window(parts.settings),
        )
        match decided:
            case DecidedTooEarly(payment, seconds_left):
                raise TooEarly(seconds_left, payment=payment)
            case NotInDoubt(payment, told):
                raise PaymentConflict(
                    payment.state, "only one in doubt is decided by a person", payment=payment, told=told
                )
            case Decided(payment, is_new, told):
                if is_new:
                    _log.warning("doubt decided by an operator", decision=said.decision, by=credential.id)
                    await parts.changes.evidence_stored(case.payment, payment)
                return answer(200, {"payment": _object(payment, told)})


@router.post("/payments/{payment_id}/release")
async def release(request: Request, payment_id: str) -> Response:
    """Ask for the terminal of a payment in doubt, which stays in doubt."""
    parts: Parts = request.app.state.parts
    credential, body = await _body(request)
    await _case(parts, payment_id)
    person = await parts.large_work.run(len(body), parse_release, body, parts.settings.body_nesting_limit)
    by = f"operator {person.name} ({credential.id}): {person.reason}"
    await ask_for_terminal(parts.database, parts.settings, payment_id, by=by)
    case = await _case(parts, payment_id)
    return answer(202, {"payment": _object(case.payment, case.told)})


async def _reader(request: Request) -> tuple[Parts, Query]:
    parts: Parts = request.app.state.parts
    await parts.credentials.operator(request.headers.get("authorization"))
    return parts, Query(request, ("limit", "cursor"))


async def _body(request: Request) -> tuple[Credential, bytes]:
    parts: Parts = request.app.state.parts
    credential = await parts.credentials.operator(request.headers.get("authorization"))
    body = await read_body(request)
    check_media_type(request.headers.get("content-type"))
    return credential, body


async def _case(parts: Parts, payment_id: str) -> Case:
    case = await operator.case(parts.database, payment_id) if is_payment_id(payment_id) else None
    if case is None:
        raise NotFound
    return case


async def _page(parts: Parts, cases: list[Case], next_place: Place | None) -> Response:
    body: dict[str, Any] = {"payments": [await _case_object(parts, case) for case in cases]}
    if next_place is not None:
        body["next"] = cursor(next_place)
    return answer(200, body)


async def _case_object(parts: Parts, case: Case) -> dict[str, Any]:
    evidence = await listing.evidence(parts.database, case.payment.id)
    shown: dict[str, Any] = {
        "payment": _object(case.payment, case.told, case.terminal_is_locked),
        "merchant_id": case.payment.merchant_id,
        "terminal_address": case.payment.terminal_address,
        "evidence": [evidence_object(each) for each in evidence],
    }
    if case.payment.state is State.IN_DOUBT:
        window = doubt_window(parts.settings)(case.profile)
        shown["in_doubt_seconds"] = round(case.doubt_age_seconds, 1)
        shown["decision_in_seconds"] = {
            decision.value: round(
                max(0, case.seconds_left(decision, parts.settings.operator_after_seconds, window)), 1
            )
            for decision in Decision
        }
    return shown


def _object(payment: Payment, told: ResponseSpec, terminal_is_locked: bool | None = None) -> dict[str, Any]:
    resolving = terminal_is_locked if payment.state is State.IN_DOUBT else None
    return payment_object(payment, safe_to_retry=told.safe_to_retry, resolving=resolving)


def _who(credential: Credential, person: Person) -> dict[str, object]:
    return {"by": credential.id, "name": person.name, "reason": person.reason}


def _check_amount(said: DecisionRequest, payment: Payment) -> None:
    paid = said.result.paid_cents
    if paid is not None and paid > payment.amount_cents:
        raise InvalidRequest(
            "maximum",
            f"should be <= {payment.amount_cents}",
            "amount",
            "more than was asked for cannot have been paid",
        )
