"""Every error of the API as one tree; those of log-ins stand in `logins/errors.py`, those of a subject in its
folder's `errors.py`.

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
|   +-- RoleTooLow                 403  role.forbidden
|   +-- ForeignTerminal            403  network.forbidden
|   +-- ReservedTerminal           403  reserved.forbidden
|   +-- MerchantSuspended          403  suspended.forbidden
+-- NotFound                       404  unknown.resource.not.found
+-- MethodNotAllowed               405  unsupported.method.method.not.allowed
+-- RequestTimeout                 408  timeout.request.request.timeout
+-- Conflict                       409
|   +-- OrderConflict              409  <reason>.order.conflict
|   +-- OrderLocked                409  closed.order.conflict
|   +-- KeyConflict                409  used.key.conflict
|   +-- TerminalDisabled           409  disabled.terminal.conflict
|   +-- TerminalTaken              409  taken.terminal.conflict
|   +-- TerminalHeld               409  held.terminal.conflict
|   +-- TerminalLimit              409  limit.terminal.conflict
|   +-- PaymentConflict            409  <state>.payment.conflict
|   +-- TooEarly                   409  early.payment.conflict
|   +-- TerminalFree               409  free.terminal.conflict
|   +-- RecordConflict             409  used.record.conflict
|   +-- CredentialRevoked          409  revoked.credential.conflict
|   +-- CredentialRotating         409  rotating.credential.conflict
|   +-- WebhookEndpointDisabled    409  disabled.webhook_endpoint.conflict
|   +-- WebhookEndpointLimit       409  limit.webhook_endpoint.conflict
|   +-- WebhookSecretLimit         409  secrets.webhook_endpoint.conflict
+-- PreconditionFailed             412  changed.resource.precondition.failed
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

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar, TypeVar

from api.payments.models import Payment as ShownPayment
from shared.payment.payment import Payment

_Found = TypeVar("_Found")


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
    """The root of all errors that a client is answered with; never raised itself."""

    status: ClassVar[int] = 500
    code: str
    description: str
    #: True where certainly no money moved and none can still move; None where no payment is asked for.
    safe_to_retry: ClassVar[bool | None] = None
    #: The status' phrase where a class names no other.
    message: str = ""
    #: HTTP headers that belong to the answer.
    headers: Mapping[str, str] = {}

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
        self.message = self.message or HTTPStatus(self.status).phrase
        self.details: Mapping[str, Any] | str = self._default_details() if details is None else details
        #: The stored payment that the client should know of; it goes beside the error.
        self.payment = payment

    def body(self) -> dict[str, Any]:
        body = envelope(self.status, self.code, self.message, self.description, self.details)
        if self.payment is not None:
            closed = self.payment.contradicted or self.payment.key_closed
            safe_to_retry = bool(self.safe_to_retry) and not closed
            body["payment"] = ShownPayment.of(self.payment, safe_to_retry=safe_to_retry).shown()
        return body

    def _default_details(self) -> dict[str, Any]:
        return {} if self.safe_to_retry is None else {"safe_to_retry": self.safe_to_retry}


class UndefinedError(ApiError):
    """Anything unexpected on our side."""

    code = "undefined.internal.server.error"
    description = "An unexpected error happened; whether a payment was started is not known."
    safe_to_retry = False
    #: The server closes it, since the request's own code failed.
    headers: Mapping[str, str] = {"Connection": "close"}


class BadRequest(ApiError):
    """The request itself is wrong; nothing was stored."""

    status = 400


class InvalidRequest(BadRequest):
    """A field is missing, or has the wrong format or value."""

    def __init__(self, keyword: str, message: str, path: str, description: str | None = None) -> None:
        """`path` is the field's, empty at the root; `description` says more than Ajv's `message`."""
        self.code = f"{keyword}.openapi.requestValidation"
        self.path = path
        self.message = message
        super().__init__(description or message, details={"path": path} if path else {})


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


class Forbidden(ApiError):
    status = 403


class NotFound(ApiError):
    """There is no such path, or nothing of that id belongs to the client."""

    status = 404
    code = "unknown.resource.not.found"
    description = "There is nothing here by that name."


def or_not_found(found: _Found | None) -> _Found:
    """Return what was found; raise NotFound for None."""
    if found is None:
        raise NotFound
    return found


class MethodNotAllowed(ApiError):
    """The path exists and does not take this method."""

    status = 405
    code = "unsupported.method.method.not.allowed"
    description = "This method is not supported here."

    def __init__(self, allow: str | None = None) -> None:
        """`allow` is the value of the Allow header, e.g. `POST`."""
        super().__init__()
        self.headers = {"Allow": allow} if allow else {}


class RequestTimeout(ApiError):
    """The head or the body of the request did not come in time; nothing was done."""

    status = 408
    code = "timeout.request.request.timeout"
    description = "The request did not come in time."
    #: What still comes of it is no request.
    headers: Mapping[str, str] = {"Connection": "close"}


class Conflict(ApiError):
    """The request contradicts what is stored; nothing was done."""

    status = 409
    safe_to_retry: ClassVar[bool | None] = False


class PreconditionFailed(ApiError):
    """The resource is no more the one that If-Match names; nothing was changed."""

    status = 412
    code = "changed.resource.precondition.failed"
    description = "The resource has changed since you read it; read it again, then change it."


class BodyTooLarge(ApiError):
    status = 413
    code = "large.body.payload.too.large"
    description = "The body is too large."
    #: Python renamed the status' phrase between its versions.
    message = "Payload Too Large"


class UnsupportedMediaType(ApiError):
    """The body's Content-Type is not `application/*`."""

    status = 415
    code = "unsupported.body.unsupported.media.type"
    description = "The Content-Type is not supported; send application/json."


class EncodedBody(UnsupportedMediaType):
    """The body is compressed; it would be another size than the one that was checked."""

    code = "encoded.body.unsupported.media.type"
    description = "A Content-Encoding is not supported; send the body as it is."


class HeadTooLarge(ApiError):
    """Request line and headers are larger than the limit; nothing was done."""

    status = 431
    code = "large.head.request.header.fields.too.large"
    description = "The request line and the headers are too large."


class DatabaseOutage(ApiError):
    """The database is unavailable: what is stored is not known."""

    code = "unavailable.database.internal.server.error"
    description = "The database is unavailable; send the same order again before anything else is tried."
    safe_to_retry = False


class Overloaded(ApiError):
    """Too many payments are running: this one was not accepted."""

    status = 503
    code = "overloaded.connector.service.unavailable"
    description = "Too many payments are running; nothing was accepted."
    safe_to_retry = True
    headers: Mapping[str, str] = {"Retry-After": "1"}


class OverloadedUnchecked(Overloaded):
    """The same, where it was not looked whether an earlier request of the order is running."""

    code = "busy.connector.service.unavailable"
    description = "Too many payments are running; send the same order again, it is never charged twice."
    safe_to_retry = False
