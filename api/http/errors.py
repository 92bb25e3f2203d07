"""Every error of the API.

ApiError                           500
+-- UndefinedError                 500  undefined.internal.server.error
+-- BadRequest                     400
|   +-- InvalidRequest             400  <keyword>.openapi.requestValidation
|   +-- UnreadableBody             400  unreadable.body.bad.request
|   +-- MissingMediaType           400  missing.media_type.bad.request
|   +-- InvalidHeader              400  invalid.header.bad.request
|   +-- InvalidQuery               400  invalid.query.bad.request
|   +-- MalformedRequest           400  malformed.request.bad.request
|   +-- UnknownTerminal            400  unavailable.terminal.bad.request
|   +-- UnsupportedByTerminal      400  unsupported.terminal.bad.request
|   +-- UnknownWebhookEndpoint     400  unknown.webhook_endpoint.bad.request
|   +-- ImportRefused              400  rows.import.bad.request
+-- Unauthorized                   401  connector.api.login.unauthorized
+-- Forbidden                      403
|   +-- PublicCredential           403  public.forbidden
|   +-- WrongCredentialKind        403  credential.forbidden
|   +-- ForeignTerminal            403  network.forbidden
|   +-- ReservedTerminal           403  reserved.forbidden
|   +-- MerchantSuspended          403  suspended.forbidden
+-- NotFound                       404  unknown.resource.not.found
+-- MethodNotAllowed               405  unsupported.method.method.not.allowed
+-- RequestTimeout                 408  timeout.request.request.timeout
+-- Conflict                       409
|   +-- OrderConflict              409  <reason>.order.conflict
|   +-- KeyClosed                  409  closed.order.conflict
|   +-- KeyConflict                409  used.key.conflict
|   +-- TerminalDisabled           409  disabled.terminal.conflict
|   +-- TerminalTaken              409  taken.terminal.conflict
|   +-- TerminalHeld               409  held.terminal.conflict
|   +-- TerminalLimit              409  limit.terminal.conflict
|   +-- PaymentConflict            409  <state>.payment.conflict
|   +-- TooEarly                   409  early.payment.conflict
|   +-- LineFree                   409  free.terminal.conflict
|   +-- RecordConflict             409  used.record.conflict
|   +-- WebhookEndpointDisabled    409  disabled.webhook_endpoint.conflict
|   +-- WebhookEndpointLimit       409  limit.webhook_endpoint.conflict
|   +-- WebhookSecretLimit         409  secrets.webhook_endpoint.conflict
+-- BodyTooLarge                   413  large.body.payload.too.large
+-- UnsupportedMediaType           415  unsupported.body.unsupported.media.type
|   +-- EncodedBody                415  encoded.body.unsupported.media.type
+-- TooManyConnections             429  connections.client.too.many.requests
+-- TooManyRequests                429  rate.credential.too.many.requests
|   +-- TooManyOrders              429  rate.order.too.many.requests
|   |   +-- TooManyOpenPayments    429  open.payment.too.many.requests
|   |   +-- TooManyStoredBytes     429  bytes.order.too.many.requests
|   +-- TooManyFailedLogins        429  login.client.too.many.requests
+-- HeadTooLarge                   431  large.head.request.header.fields.too.large
+-- DatabaseOutage                 500  unavailable.database.internal.server.error
+-- BrokerUnavailable              500  unavailable.broker.internal.server.error
+-- TerminalUnavailable            502  unavailable.terminal.bad.gateway
+-- Overloaded                     503  overloaded.connector.service.unavailable
|   +-- OverloadedUnchecked        503  busy.connector.service.unavailable
|   +-- Contended                  503  contended.order.service.unavailable
+-- TerminalTimeout                504  timeout.terminal.gateway.timeout
+-- PaymentExpired                 504  expired.payment.gateway.timeout
+-- ProbeExpired                   504  expired.probe.gateway.timeout
"""

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar, Final

from api.payments.payment_object import payment_object
from shared.payment import answers
from shared.payment.payment import Payment
from shared.payment.states import State


def envelope(
    status: int, code: str, message: str, description: str, details: Mapping[str, Any] | str
) -> dict[str, Any]:
    """Return the contract's error body. `details` is a text for a 401, else an object."""
    return {
        "error": {
            "status": status,
            "code": code,
            "message": message,
            "description": description,
            "details": details if isinstance(details, str) else dict(details),
        }
    }


class ApiError(Exception):
    """The root of all errors that a caller is answered with; never raised itself."""

    status: ClassVar[int] = 500
    code: str
    description: str
    #: Whether it is certain that no money moved and none can still move; None where no payment is asked for.
    safe_to_retry: ClassVar[bool | None] = None

    def __init__(
        self,
        description: str | None = None,
        *,
        details: Mapping[str, Any] | str | None = None,
        payment: Payment | None = None,
    ) -> None:
        if description is not None:
            self.description = description
        super().__init__(self.description)
        self.details: Mapping[str, Any] | str = self._default_details() if details is None else details
        #: The stored payment that the caller should know of; it goes beside the error.
        self.payment = payment

    @property
    def message(self) -> str:
        return HTTPStatus(self.status).phrase

    @property
    def headers(self) -> dict[str, str]:
        """HTTP headers that belong to the answer."""
        return {}

    def body(self) -> dict[str, Any]:
        body = envelope(self.status, self.code, self.message, self.description, self.details)
        if self.payment is not None:
            closed = self.payment.contradicted or self.payment.key_closed
            body["payment"] = payment_object(
                self.payment, safe_to_retry=bool(self.safe_to_retry) and not closed
            )
        return body

    def _default_details(self) -> dict[str, Any]:
        return {} if self.safe_to_retry is None else {"safe_to_retry": self.safe_to_retry}


class UndefinedError(ApiError):
    """Anything unexpected on our side."""

    code = "undefined.internal.server.error"
    description = "An unexpected error happened; whether a payment was started is not known."
    safe_to_retry = False


class BadRequest(ApiError):
    """The request itself is wrong; nothing was stored."""

    status = 400


class InvalidRequest(BadRequest):
    """A field is missing, or has the wrong format or value."""

    def __init__(self, keyword: str, message: str, path: str, description: str | None = None) -> None:
        """`path` is the field's, empty at the root; `description` says more than Ajv's `message`."""
        self.code = f"{keyword}.openapi.requestValidation"
        self._message = message
        super().__init__(description or message, details={"path": path} if path else {})

    @property
    def message(self) -> str:
        return self._message


class UnreadableBody(BadRequest):
    """The body is missing or is no JSON."""

    code = "unreadable.body.bad.request"
    description = "The body is not valid JSON."


class MalformedRequest(BadRequest):
    """The bytes are no HTTP request; nothing was done, and the connection is closed."""

    code = "malformed.request.bad.request"
    description = "The request is not valid HTTP."


class MissingMediaType(BadRequest):
    """A body came without a Content-Type."""

    code = "missing.media_type.bad.request"
    description = "The request has no Content-Type; send application/json."


class InvalidHeader(BadRequest):
    """A header of ours, Idempotency-Key or Prefer, cannot be used."""

    code = "invalid.header.bad.request"
    description = "A request header has a wrong value."


class InvalidQuery(BadRequest):
    """A parameter of the query is unknown or has a wrong value; `details` names it."""

    code = "invalid.query.bad.request"
    description = "A parameter of the query is unknown or has a wrong value."

    def __init__(self, parameter: str, description: str | None = None) -> None:
        super().__init__(description, details={"parameter": parameter})


class UnknownTerminal(BadRequest):
    """The merchant has no terminal of that `pos_technical_info.terminal_id`."""

    code = "unavailable.terminal.bad.request"
    description = "The merchant has no terminal of this terminal_id."


class UnsupportedByTerminal(BadRequest):
    """The terminal's profile cannot bear what the order asks for, e.g. an authorisation."""

    code = "unsupported.terminal.bad.request"
    description = "The terminal's profile does not support what the order asks for."


class UnknownWebhookEndpoint(BadRequest):
    """The merchant has no endpoint of that `order.webhook_endpoint_id`."""

    code = "unknown.webhook_endpoint.bad.request"
    description = "The merchant has no webhook endpoint of this webhook_endpoint_id."


class ImportRefused(BadRequest):
    """Rows of a terminal file cannot be registered; `details.errors` lists them, nothing was stored."""

    code = "rows.import.bad.request"
    description = "Some rows cannot be registered; nothing was stored."


HEADER_NOT_FOUND: Final = "Authorization header not found"
HEADER_EMPTY: Final = "Authorization header is empty"
HEADER_NOT_BASIC: Final = "Authorization header doesn't rely on HTTP Basic Authentication"
HEADER_INVALID: Final = "Invalid authorization header"
INCORRECT_CREDENTIALS: Final = "Incorrect credentials"


class Unauthorized(ApiError):
    """The caller did not say who they are, or not truly; `details` is the text that names the case."""

    status = 401
    code = "connector.api.login.unauthorized"
    description = "The login has been rejected."

    def __init__(self, details: str) -> None:
        super().__init__(details=details)

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": "Basic"}


class Forbidden(ApiError):
    """The caller is known and may not do this."""

    status = 403


class PublicCredential(Forbidden):
    """Public credentials never start a payment."""

    code = "public.forbidden"
    description = "Public credentials are not allowed here; use private ones."


class WrongCredentialKind(Forbidden):
    """The credential, a gateway's, an operator's or a merchant's, is of the wrong kind for this path."""

    code = "credential.forbidden"
    description = "This kind of credential is not allowed here."


class ForeignTerminal(Forbidden):
    """The terminal's address is outside the merchant's allowed networks; no packet was sent."""

    code = "network.forbidden"
    description = "The terminal is outside the merchant's allowed networks."


class ReservedTerminal(Forbidden):
    """An operator confirmed that the terminal's address is another merchant's alone; no packet was sent."""

    code = "reserved.forbidden"
    description = "The terminal's address is another merchant's alone."


class MerchantSuspended(Forbidden):
    """An operator suspended the merchant: no new order is taken, nothing was sent."""

    code = "suspended.forbidden"
    description = "The merchant is suspended."

    def __init__(self, because: str) -> None:
        super().__init__(f"The merchant is suspended: {because.rstrip('.')}.")


class NotFound(ApiError):
    """There is no such path, or nothing of that id belongs to the caller."""

    status = 404
    code = "unknown.resource.not.found"
    description = "There is nothing here by that name."


class MethodNotAllowed(ApiError):
    """The path exists and does not take this method."""

    status = 405
    code = "unsupported.method.method.not.allowed"
    description = "This method is not supported here."

    def __init__(self, allow: str | None = None) -> None:
        """`allow` is the value of the Allow header, e.g. `POST`."""
        super().__init__()
        self._allow = allow

    @property
    def headers(self) -> dict[str, str]:
        return {"Allow": self._allow} if self._allow else {}


class RequestTimeout(ApiError):
    """The head or the body of the request did not come in time; nothing was done."""

    status = 408
    code = "timeout.request.request.timeout"
    description = "The request did not come in time."

    @property
    def headers(self) -> dict[str, str]:
        # What still comes of it is no request.
        return {"Connection": "close"}


class Conflict(ApiError):
    """The request contradicts what is stored; nothing was done."""

    status = 409
    safe_to_retry: ClassVar[bool | None] = False


ORDER_CONFLICTS: Final = {
    "used": "The order was paid before and its stored result is no longer given; use a new order_id.",
    "different": "An attempt of this order with another amount or terminal counts.",
    "live": "The order's debit has no result yet.",
    "no_debit": "The order's debit did not succeed.",
    "terminal": "A reversal goes to the terminal of its debit.",
    "amount": "The amount does not fit what was really paid.",
    "credited": "The order's debit was credited, or a credit is running.",
    "reversed": "The order's debit was reversed, or a reversal is running.",
    "unknown": "No debit of this order is known here.",
    "ambiguous": "The order was charged more than once; a new Idempotency-Key means another charge of it.",
}


class OrderConflict(Conflict):
    """The order's earlier operations forbid this one."""

    def __init__(
        self, reason: str, description: str | None = None, *, payment: Payment | None = None
    ) -> None:
        """`reason` is a key of ORDER_CONFLICTS."""
        self.code = f"{reason}.order.conflict"
        super().__init__(description or ORDER_CONFLICTS[reason], payment=payment)


class KeyClosed(Conflict):
    """A proof contradicts an attempt of this order, or the reversal of one; a person must look."""

    code = answers.KEY_CLOSED
    description = (
        "An earlier attempt of this order, or a reversal of it, is contradicted by a proof;"
        " the order takes no more attempts."
    )


class KeyConflict(Conflict):
    """The Idempotency-Key was used for another operation."""

    code = "used.key.conflict"
    description = "The Idempotency-Key belongs to another operation."


class PaymentConflict(Conflict):
    """The payment's state forbids what was asked of it."""

    def __init__(
        self,
        state: State,
        wanted: str,
        *,
        payment: Payment | None = None,
        told: answers.ResponseSpec | None = None,
    ) -> None:
        """`wanted` ends the sentence, e.g. `it can be cancelled only while it is queued`; `told` is what the
        payment's caller is told now."""
        self.code = f"{state}.payment.conflict"
        # What was asked for changed nothing: what is true of the stored payment is said.
        self._safe_to_retry = told is not None and told.safe_to_retry
        super().__init__(
            f"The payment is {state}: {wanted}.",
            details={"safe_to_retry": self._safe_to_retry},
            payment=payment,
        )

    def body(self) -> dict[str, Any]:
        body = super().body()
        if self.payment is not None:
            body["payment"] = payment_object(self.payment, safe_to_retry=self._safe_to_retry)
        return body


class TooEarly(Conflict):
    """A look at the terminal proves nothing yet; `details` says in how many seconds it may."""

    code = "early.payment.conflict"
    description = "It is too early for that: what was sent to the terminal could still be carried out."

    def __init__(self, seconds_left: float, *, payment: Payment | None = None) -> None:
        #: Whole seconds, so that one who waits as long does not come a moment too early.
        self.seconds_left: Final = math.ceil(seconds_left)
        super().__init__(details={"safe_to_retry": False, "seconds_left": self.seconds_left}, payment=payment)

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.seconds_left)}


class LineFree(Conflict):
    """The payment is in doubt and holds its terminal no longer: there is nothing to release."""

    code = "free.terminal.conflict"
    description = "The payment does not hold the terminal any more."


class RecordConflict(Conflict):
    """The gateway's record was reported before and said something else."""

    code = "used.record.conflict"
    description = "The record was reported before with another content."


class TerminalDisabled(Conflict):
    """The merchant disabled the terminal: it takes no payments, and this one was not looked at."""

    code = "disabled.terminal.conflict"
    description = "The terminal is disabled; enable it, or use another one."


class TerminalTaken(Conflict):
    """Another of the merchant's terminals has this address and port."""

    code = "taken.terminal.conflict"
    description = "Another terminal is registered at this address and port."
    safe_to_retry = None


class TerminalLimit(Conflict):
    """The merchant would have more registered terminals than it may; nothing was stored."""

    code = "limit.terminal.conflict"
    description = "The merchant has as many terminals as it may; remove some first."
    safe_to_retry = None


class TerminalHeld(Conflict):
    """Somebody's payment or probe holds the terminal at this moment."""

    code = "held.terminal.conflict"
    description = "The terminal is in use."
    safe_to_retry = None


class WebhookEndpointDisabled(Conflict):
    """A test or a replay for an endpoint that hears of nothing."""

    code = "disabled.webhook_endpoint.conflict"
    description = "The webhook endpoint is disabled; enable it first."
    safe_to_retry = None


class WebhookEndpointLimit(Conflict):
    """The merchant has as many endpoints that are not disabled as it may."""

    code = "limit.webhook_endpoint.conflict"
    description = "The merchant has as many webhook endpoints as it may; disable one first."
    safe_to_retry = None


class WebhookSecretLimit(Conflict):
    """So many secrets of the endpoint sign at this moment that no other may be added."""

    code = "secrets.webhook_endpoint.conflict"
    description = "Too many earlier secrets still sign; rotate with a shorter overlap_seconds."
    safe_to_retry = None


class BodyTooLarge(ApiError):
    """The body is larger than the limit."""

    status = 413
    code = "large.body.payload.too.large"
    description = "The body is too large."

    @property
    def message(self) -> str:
        # Python renamed the status' phrase between its versions.
        return "Payload Too Large"


class UnsupportedMediaType(ApiError):
    """The body's Content-Type is not `application/*`."""

    status = 415
    code = "unsupported.body.unsupported.media.type"
    description = "The Content-Type is not supported; send application/json."


class EncodedBody(UnsupportedMediaType):
    """The body is compressed; it would be another size than the one that was checked."""

    code = "encoded.body.unsupported.media.type"
    description = "A Content-Encoding is not supported; send the body as it is."


class TooManyConnections(ApiError):
    """So many connections of one address have not logged in that this one is closed; nothing was read."""

    status = 429
    code = "connections.client.too.many.requests"
    description = "Too many connections of this address have not logged in."

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": "1"}


class TooManyRequests(ApiError):
    """The credential calls more often than its share of the API; nothing was done."""

    status = 429
    code = "rate.credential.too.many.requests"
    description = "This credential calls too often; try again after Retry-After seconds."

    def __init__(self, retry_after_seconds: int = 1) -> None:
        super().__init__()
        self.retry_after_seconds = retry_after_seconds

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after_seconds)}


class TooManyOrders(TooManyRequests):
    """The credential sends more orders than its share; this one was not accepted."""

    code = "rate.order.too.many.requests"
    description = "This credential sends too many orders; nothing was accepted, send it again later."
    safe_to_retry = True


class TooManyOpenPayments(TooManyOrders):
    """The merchant has as many payments queued, in session and in doubt as it may."""

    code = "open.payment.too.many.requests"
    description = (
        "The merchant has as many open payments as it may; nothing was accepted. Cancel queued ones, or have"
        " doubts settled."
    )


class TooManyStoredBytes(TooManyOrders):
    """The merchant's orders of today are as many bytes as it may store a day."""

    code = "bytes.order.too.many.requests"
    description = (
        "The merchant's orders of today are as large as may be stored a day; nothing was accepted. Send less,"
        " or wait for the next day (UTC)."
    )


class TooManyFailedLogins(TooManyRequests):
    """So many log-ins of this address, or with this name, failed that no other is looked at yet."""

    code = "login.client.too.many.requests"
    description = "Too many log-ins failed; try again after Retry-After seconds."


class HeadTooLarge(ApiError):
    """Request line and headers are larger than the limit; nothing was done."""

    status = 431
    code = "large.head.request.header.fields.too.large"
    description = "The request line and the headers are too large."


class DatabaseOutage(ApiError):
    """The database is away: what is stored is not known."""

    code = "unavailable.database.internal.server.error"
    description = "The database is away; ask again with the same order before anything else is tried."
    safe_to_retry = False


class BrokerUnavailable(ApiError):
    """The broker is away: the payment was cancelled before anything was sent."""

    code = answers.BROKER_UNAVAILABLE
    description = "The message broker is away; nothing was sent to the terminal."
    safe_to_retry = True


class TerminalUnavailable(ApiError):
    """The terminal is off or has no network: certainly nothing was sent."""

    status = 502
    code = answers.TERMINAL_UNAVAILABLE
    description = "The terminal cannot be reached; nothing was sent to it."
    safe_to_retry = True


class Overloaded(ApiError):
    """Too many payments are running: this one was not accepted."""

    status = 503
    code = "overloaded.connector.service.unavailable"
    description = "Too many payments are running; nothing was accepted."
    safe_to_retry = True

    def __init__(self, retry_after_seconds: int = 1) -> None:
        super().__init__()
        self.retry_after_seconds = retry_after_seconds

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after_seconds)}


class OverloadedUnchecked(Overloaded):
    """The same, where it was not looked whether an earlier request of the order is running."""

    code = "busy.connector.service.unavailable"
    description = "Too many payments are running; send the same order again, it is never charged twice."
    safe_to_retry = False


class Contended(Overloaded):
    """Equal requests came and went so fast that this one found no place among them."""

    code = "contended.order.service.unavailable"
    description = "Requests for the same order came and went at once; ask again with the same order."
    safe_to_retry = False


class TerminalTimeout(ApiError):
    """No valid answer in time: the outcome may be unknown."""

    status = 504
    code = answers.TERMINAL_TIMEOUT
    description = (
        "The terminal gave no valid answer in time; whether the customer was charged is not known yet."
    )
    safe_to_retry = False


class PaymentExpired(ApiError):
    """No worker took the payment in time: nothing was sent."""

    status = 504
    code = answers.PAYMENT_EXPIRED
    description = "The payment expired before anything was sent to the terminal."
    safe_to_retry = True


class ProbeExpired(ApiError):
    """No worker took the probe in time, or its worker stopped: nothing is known of the terminal."""

    status = 504
    code = "expired.probe.gateway.timeout"
    description = "The probe was not carried out in time; ask again."
