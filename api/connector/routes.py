"""The contract's two paths: take a payment order, and say whether we are ready for one."""

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from api.connector.answer import render_accepted, render_answer
from api.connector.request import parse_order
from api.http.body import read_body
from api.http.dependencies import Dependencies
from api.http.headers import read_idempotency_key, read_preference
from api.http.media_type import check_media_type
from api.http.responses import answer
from api.payments.service import RequestContext
from shared.broker.messages import well_formed_traceparent
from shared.payment.answers import ResponseSpec
from shared.payment.payment import Payment

router = APIRouter()


@router.post("/v1/connector/order", include_in_schema=False)
async def take_order(request: Request) -> Response:
    """Pay: check the credential first, then the body; answer when the payment has an outcome."""
    parts: Dependencies = request.app.state.dependencies
    headers = request.headers
    credential = await parts.credentials.merchant(headers.get("authorization"), share=None)
    refusal = parts.shares.take_order(credential)
    body = await read_body(request)
    check_media_type(headers.get("content-type"))
    caller = RequestContext(
        credential,
        idempotency_key=read_idempotency_key(headers.get("idempotency-key")),
        traceparent=well_formed_traceparent(headers.get("traceparent")),
        preference=read_preference(headers.getlist("prefer")),
        refusal=refusal,
    )
    order = await parts.large_work.run(len(body), parse_order, body, parts.settings.body_nesting_limit)
    answered = await parts.payments.pay(order, caller)
    payment, told = answered.payment, answered.told
    if caller.preference.respond_async and not payment.is_final:
        location = {"Location": f"/v1/payments/{payment.id}", "Preference-Applied": "respond-async"}
        return answer(*render_accepted(payment, told), location)
    return await parts.large_work.run(
        len(payment.request), _answer, payment, told, answered.replayed, answered.resolving
    )


@router.get("/v1/connector/healthcheck", include_in_schema=False)
async def healthcheck(request: Request) -> Response:
    """Answer `up` when payments can be taken, else 503 with what is missing."""
    parts: Dependencies = request.app.state.dependencies
    missing = await parts.readiness.missing()
    if missing is None:
        return PlainTextResponse("up")
    return PlainTextResponse(missing, status_code=503)


def _answer(payment: Payment, told: ResponseSpec, replayed: bool, resolving: bool | None) -> Response:
    """Echo the request, which may be large."""
    return answer(*render_answer(payment, told, replayed=replayed, resolving=resolving))
