"""Credentials that routers require: a merchant's, a gateway's, an operator's; as dependencies of FastAPI."""

from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBase as HttpScheme
from fastapi.security.base import SecurityBase

from api.http.auth import merchant_of
from api.http.dependencies import Dependencies
from api.limits.fair_shares import Share
from shared.security.credentials import CredentialKind
from shared.storage.terminals.merchants import Credential

_FOUND: Final = "cloud_terminal.credential"


class RequiredCredential(SecurityBase):
    """A dependency that returns the client's credential, and refuses every other kind.

    Its route calls it before the body is read; an endpoint that depends on it gets the same credential again.
    """

    def __init__(self, kind: CredentialKind, share: Share | None, *, scheme: str, description: str) -> None:
        """`share` is the share that a call counts for; None: the route counts it."""
        self.kind: Final = kind
        self.share: Final = share
        self.scheme_name = scheme
        self.model = HttpScheme(scheme="basic", description=description)

    async def __call__(self, request: Request) -> Credential:
        """Return the credential.

        Raises Unauthorized, PublicCredential, WrongCredentialKind, TooManyFailedLogins, TooManyRequests,
        DatabaseUnavailable.
        """
        found: Credential | None = request.scope.get(_FOUND)
        if found is None:
            dependencies: Dependencies = request.app.state.dependencies
            authorization = request.headers.get("authorization")
            found = await dependencies.credentials.of_kind(authorization, self.kind, self.share)
            request.scope[_FOUND] = found
        return found


_MERCHANTS: Final = "Private credentials of a merchant. Public ones are answered with a 403."

merchant: Final = RequiredCredential(
    CredentialKind.PRIVATE, Share.MANAGEMENT, scheme="basic", description=_MERCHANTS
)
importing_merchant: Final = RequiredCredential(
    CredentialKind.PRIVATE, Share.IMPORTS, scheme="basic", description=_MERCHANTS
)
testing_merchant: Final = RequiredCredential(
    CredentialKind.PRIVATE, Share.ENDPOINT_TESTS, scheme="basic", description=_MERCHANTS
)
ordering_merchant: Final = RequiredCredential(
    CredentialKind.PRIVATE, None, scheme="basic", description=_MERCHANTS
)
gateway: Final = RequiredCredential(
    CredentialKind.GATEWAY,
    Share.MANAGEMENT,
    scheme="gateway",
    description="Credentials of a gateway, which belong to no merchant.",
)
operator: Final = RequiredCredential(
    CredentialKind.OPERATOR,
    Share.MANAGEMENT,
    scheme="operator",
    description="Credentials of an operator, which belong to no merchant.",
)

Merchant = Annotated[Credential, Depends(merchant)]
OrderingMerchant = Annotated[Credential, Depends(ordering_merchant)]
Gateway = Annotated[Credential, Depends(gateway)]
Operator = Annotated[Credential, Depends(operator)]


async def _merchant_id(merchant: Merchant) -> str:
    return merchant_of(merchant)


#: The id of the merchant whose credential the client has.
MerchantId = Annotated[str, Depends(_merchant_id)]
