"""The contract's two paths: a payment order, and the readiness of the service for one."""

from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from api.connector.answer import ACCEPTED, Answer, code_of, render_accepted, render_answer
from api.connector.request import parse_order
from api.http.dependencies import (
    Dependencies,
    OrderingMerchant,
    Wired,
    check_media_type,
    ordering_merchant,
    read_body,
)
from api.http.errors import InvalidHeader, Overloaded
from api.http.json_text import answer
from api.http.logins.errors import (
    HEADER_EMPTY,
    HEADER_INVALID,
    HEADER_NOT_BASIC,
    HEADER_NOT_FOUND,
    Unauthorized,
)
from api.http.query import read_idempotency_key, read_preference
from api.http.responses import answer_exception
from api.http.routing import api_router
from api.http.server.access import note_error, note_response
from api.openapi.components import BODY_ERRORS, error_responses, header, json_body, parameter, string
from api.openapi.examples import (
    EXAMPLE_REQUEST,
    FAILURE_ANSWER,
    FULL_REQUEST,
    MINIMAL_REQUEST,
    PAYMENT_QUEUED,
    SUCCESS_ANSWER,
)
from api.payments.errors import (
    ORDER_CONFLICTS,
    BrokerUnavailable,
    Contended,
    KeyConflict,
    MerchantSuspended,
    OrderConflict,
    OrderLocked,
    PaymentExpired,
    TerminalTimeout,
    TerminalUnavailable,
    TooManyOpenPayments,
    TooManyOrders,
    TooManyStoredBytes,
)
from api.payments.intake import RequestContext
from api.payments.models import Accepted
from api.terminals.errors import ForeignTerminal, UnknownTerminal, UnsupportedByTerminal
from api.webhooks.errors import UnknownWebhookEndpoint
from shared.payment.answers import ResponseSpec
from shared.payment.payment import Payment
from shared.tracing.context import TRACEPARENT, well_formed_traceparent
from shared.tracing.spans import current

router = api_router("/v1/connector", caller=ordering_merchant, tag="connector")
HEALTH_PATH: Final = "/v1/connector/healthcheck"

#: No credential is needed.
public = APIRouter(tags=["connector"])

#: The body and the headers, which the route reads itself: the contract's own schema, in Ajv's wording.
_REQUEST: Final[dict[str, Any]] = {
    "parameters": [
        parameter(
            "Idempotency-Key",
            "header",
            {"type": "string", "pattern": "^[!-~]{1,255}$"},
            "Names the operation; tells equal credits of one order apart.",
        ),
        header("Prefer", "`respond-async` answers at once; `wait=N` waits at most N seconds."),
        header("X-Request-Id", "Returned in the answer and written in the logs."),
    ],
    "requestBody": json_body(
        "OrderRequest",
        {"usual": EXAMPLE_REQUEST, "mandatory fields only": MINIMAL_REQUEST, "every field": FULL_REQUEST},
    ),
}
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "content": {
            "application/json": {
                "examples": {"success": {"value": SUCCESS_ANSWER}, "failure": {"value": FAILURE_ANSWER}}
            }
        }
    },
    202: {
        "model": Accepted,
        "description": "Accepted; the client asked not to wait (`Prefer: respond-async`).",
        "content": {"application/json": {"examples": {"accepted": {"value": {"payment": PAYMENT_QUEUED}}}}},
        "headers": {"Location": string("The path of the payment.")},
    },
}
_ERRORS: Final = error_responses(
    *BODY_ERRORS,
    InvalidHeader("The Idempotency-Key is too long."),
    UnknownTerminal(),
    UnsupportedByTerminal(),
    UnknownWebhookEndpoint(),
    *(
        Unauthorized(details)
        for details in (HEADER_NOT_FOUND, HEADER_EMPTY, HEADER_NOT_BASIC, HEADER_INVALID)
    ),
    ForeignTerminal(),
    MerchantSuspended("unpaid invoices"),
    *(OrderConflict(reason) for reason in ORDER_CONFLICTS),
    KeyConflict(),
    OrderLocked(),
    TooManyOrders(),
    TooManyOpenPayments(),
    TooManyStoredBytes(),
    BrokerUnavailable(),
    TerminalUnavailable(),
    Overloaded(),
    Contended(),
    TerminalTimeout(),
    PaymentExpired(),
)


@router.post(
    "/order",
    operation_id="createOrder",
    response_model=Answer,
    summary="Make one payment operation on one terminal",
    response_description="The payment attempt ended, in success or in failure.",
    responses={**_ANSWERS, **_ERRORS},
    openapi_extra=_REQUEST,
)
async def take_order(request: Request, dependencies: Wired, merchant: OrderingMerchant) -> Response:
    """Wait for the result. The same operation sent again (order_id and transaction_type, with the same amount
    and terminal) joins the running payment or gets its stored result; it never charges twice."""
    headers = request.headers
    refusal = dependencies.shares.take_order(merchant)
    body = await read_body(request)
    check_media_type(headers.get("content-type"))
    context = RequestContext(
        merchant,
        idempotency_key=read_idempotency_key(headers.getlist("idempotency-key")),
        traceparent=_traceparent(headers.get(TRACEPARENT)),
        preference=read_preference(headers.getlist("prefer")),
        refusal=refusal,
    )
    large_work = dependencies.large_work
    order = await large_work.run(len(body), parse_order, body, dependencies.settings.body_nesting_limit)
    paying = dependencies.payments.pay(order, context)
    # Thousands of requests wait at once; none of them keeps its body and its order meanwhile.
    del body, order
    answered = await paying
    payment, spec = answered.payment, answered.spec
    note_response(payment.id, code_of(spec))
    if spec.error is not None:
        note_error(spec.error)
    if context.preference.respond_async and not payment.is_final:
        note_response(payment.id, ACCEPTED)
        location = {"Location": f"/v1/payments/{payment.id}", "Preference-Applied": "respond-async"}
        return answer(*render_accepted(payment, spec), location)
    return await large_work.run(
        len(payment.request), _render, payment, spec, answered.replayed, answered.resolving
    )


@public.get(
    HEALTH_PATH,
    operation_id="healthcheck",
    summary="Say whether this server takes requests",
    response_class=PlainTextResponse,
    response_description="Ready for requests: `up`.",
    responses={
        200: {"content": {"text/plain": {"example": "up"}}},
        503: {"description": "Not ready for requests; the text says what is missing."},
    },
)
async def healthcheck(dependencies: Wired) -> PlainTextResponse:
    """Answer `up` when payments can be taken, else 503 with what is missing."""
    missing = await dependencies.readiness.missing()
    if missing is None:
        return PlainTextResponse("up")
    return PlainTextResponse(missing, status_code=503)


def _traceparent(given: str | None) -> str | None:
    """Return the context that the payment is stored with: of our own span, else the client's."""
    own = current()
    return well_formed_traceparent(given) if own is None else own.traceparent


def _render(payment: Payment, spec: ResponseSpec, replayed: bool, resolving: bool | None) -> Response:
    """Return the answer, with the echo of the request, which may be large."""
    return answer(*render_answer(payment, spec, replayed=replayed, resolving=resolving))


_PATH: Final = f"{router.prefix}/order"
_ROUTE: Final = next(route for route in router.routes if getattr(route, "path", None) == _PATH)


class OrderPath:
    """ASGI application of orders, in front of the framework, whose way to them costs a third of it.

    It calls the function that the framework documents, with the same credential and dependencies. What that
    raises is answered by the framework's own handlers. Every other request goes to the framework.
    """

    def __init__(self, framework: FastAPI, dependencies: Dependencies) -> None:
        self._framework: Final = framework
        self._dependencies: Final = dependencies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != _PATH or scope["method"] != "POST":
            await self._framework(scope, receive, send)
            return
        # Where a request finds the dependencies.
        scope["app"] = self._framework
        scope["route"] = _ROUTE
        request = Request(scope, receive, send)
        try:
            merchant = await ordering_merchant(request)
            response = await take_order(request, self._dependencies, merchant)
        except Exception as error:
            response = await answer_exception(request, error)
        await response(scope, receive, send)
