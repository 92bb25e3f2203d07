"""Errors of the client as one tree.

CloudTerminalError
+-- NoConnection          no connection was made: nothing was sent
+-- NoAnswer              the request may have arrived, its answer did not
+-- UnreadableAnswer      the answer is not this API's: a proxy's page, or a wrong address
+-- InvalidSignature      a webhook that is not the API's, or too old
+-- ApiError              the API answered with an error
    +-- InvalidRequest        400, 413, 415, 431
    +-- AuthenticationFailed  401
    +-- Forbidden             403
    +-- NotFound              404
    +-- Conflict              409
    +-- TooManyRequests       429
    +-- ServerError           5xx
        +-- Overloaded        503

`pay`, `reverse` and `refund` raise only where nothing of this order was accepted. Where that is not certain
they return `Unknown`.
"""

from collections.abc import Mapping
from typing import Any

from cloud_terminal_client.models import Payment


class CloudTerminalError(Exception):
    """Root of all errors of this client."""


class NoConnection(CloudTerminalError):
    """Raised when no connection could be made: nothing was sent."""


class NoAnswer(CloudTerminalError):
    """Raised when a request was sent and no answer came: it may have been carried out."""


class UnreadableAnswer(CloudTerminalError):
    """Raised for an answer that is not this API's, such as a proxy's page."""


class InvalidSignature(CloudTerminalError):
    """Raised for a webhook with a wrong signature, or one that is too old or too new."""


class ApiError(CloudTerminalError):
    """Raised for an answer with an error; `code` is stable, the texts are for people."""

    def __init__(
        self,
        *,
        status: int,
        code: str,
        message: str,
        description: str,
        details: Any = None,
        payment: Payment | None = None,
        retry_after_seconds: float | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {description or message}")
        self.status = status
        self.code = code
        self.message = message
        self.description = description
        self.details = details
        #: The payment that the error is about, as it is stored.
        self.payment = payment
        self.retry_after_seconds = retry_after_seconds
        self.request_id = request_id

    @property
    def safe_to_retry(self) -> bool:
        """True only where the API says that no money moved and none can still move."""
        if self.payment is not None:
            return self.payment.safe_to_retry
        return isinstance(self.details, Mapping) and self.details.get("safe_to_retry") is True


class InvalidRequest(ApiError):
    """Raised for 400, 413, 415 and 431: the request itself is wrong."""


class AuthenticationFailed(ApiError):
    """Raised for 401: the credential is missing, wrong or revoked."""


class Forbidden(ApiError):
    """Raised for 403: the credential or the merchant may not do this."""


class NotFound(ApiError):
    """Raised for 404: nothing of that id belongs to this merchant."""


class Conflict(ApiError):
    """Raised for 409: what is stored forbids it; `payment` is the one that stands in the way."""


class TooManyRequests(ApiError):
    """Raised for 429, after the retries."""


class ServerError(ApiError):
    """Raised for 5xx, after the retries."""


class Overloaded(ServerError):
    """Raised for 503, after the retries."""


_OF_STATUS: Mapping[int, type[ApiError]] = {
    400: InvalidRequest,
    401: AuthenticationFailed,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: InvalidRequest,
    415: InvalidRequest,
    429: TooManyRequests,
    431: InvalidRequest,
    503: Overloaded,
}


def api_error_class(status: int) -> type[ApiError]:
    """Return the class of the errors with this HTTP status."""
    return _OF_STATUS.get(status, ServerError if status >= 500 else ApiError)
