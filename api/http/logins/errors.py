"""Errors of log-ins and of clients that call too often; `errors.py` draws the tree of all."""

from collections.abc import Mapping
from typing import Final

from api.http.errors import ApiError, Forbidden
from shared.security.credentials import CredentialKind, Role

HEADER_NOT_FOUND: Final = "Authorization header not found"
HEADER_EMPTY: Final = "Authorization header is empty"
HEADER_NOT_BASIC: Final = "Authorization header doesn't rely on HTTP Basic Authentication"
HEADER_INVALID: Final = "Invalid authorization header"
INCORRECT_CREDENTIALS: Final = "Incorrect credentials"

_KINDS: Final = {
    CredentialKind.PRIVATE: "a merchant's private",
    CredentialKind.PUBLIC: "a merchant's public",
    CredentialKind.GATEWAY: "a gateway's",
    CredentialKind.OPERATOR: "an operator's",
}


class Unauthorized(ApiError):
    """The client sent no credential, or a wrong one; `details` is the text that names the case."""

    status = 401
    code = "connector.api.login.unauthorized"
    description = "The login has been rejected."
    headers: Mapping[str, str] = {"WWW-Authenticate": "Basic"}

    def __init__(self, details: str) -> None:
        super().__init__(details=details)


class PublicCredential(Forbidden):
    """Public credentials never start a payment."""

    code = "public.forbidden"
    description = "Public credentials are not allowed here; use private ones."


class WrongCredentialKind(Forbidden):
    """The credential, a gateway's, an operator's or a merchant's, is of the wrong kind for this path."""

    code = "credential.forbidden"
    description = "This kind of credential is not allowed here."

    def __init__(self, given: CredentialKind | None = None, needed: CredentialKind | None = None) -> None:
        if given is None or needed is None:
            super().__init__()
            return
        super().__init__(
            f"This is {_KINDS[given]} credential; here only {_KINDS[needed]} is allowed.",
            details={"needed": needed.value},
        )


class RoleTooLow(Forbidden):
    """The operator's role does not allow this."""

    code = "role.forbidden"
    description = "This operator's role does not allow this."

    def __init__(self, needed: Role) -> None:
        super().__init__(
            f"Only operators with the role {needed} may do this.", details={"needed": needed.value}
        )


class TooManyConnections(ApiError):
    """So many connections of one address have not logged in that this one is closed; nothing was read."""

    status = 429
    code = "connections.client.too.many.requests"
    description = "Too many connections of this address have not logged in."
    headers: Mapping[str, str] = {"Retry-After": "1"}


class TooManyRequests(ApiError):
    """The credential calls more often than its share of the API; nothing was done."""

    status = 429
    code = "rate.credential.too.many.requests"
    description = "This credential calls too often; try again after Retry-After seconds."

    def __init__(self, retry_after_seconds: int = 1) -> None:
        super().__init__()
        self.headers = {"Retry-After": str(retry_after_seconds)}


class TooManyFailedLogins(TooManyRequests):
    """So many log-ins of this address, or with this name, failed that no other is looked at yet."""

    code = "login.client.too.many.requests"
    description = "Too many log-ins failed; try again after Retry-After seconds."

    def __init__(self, retry_after_seconds: int = 1, limit: int = 1) -> None:
        """`limit`: failures without a pause."""
        super().__init__(retry_after_seconds)
        self.headers = {
            **self.headers,
            "RateLimit-Limit": str(limit),
            "RateLimit-Remaining": "0",
            "RateLimit-Reset": str(retry_after_seconds),
        }
