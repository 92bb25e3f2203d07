"""Dependencies of routers: the objects they are wired with, a required credential, a bounded body."""

import asyncio
from dataclasses import dataclass
from typing import Annotated, Final, Protocol

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBase as HttpScheme
from fastapi.security.base import SecurityBase

from api.connector.readiness import Readiness
from api.http.errors import BodyTooLarge, EncodedBody, MissingMediaType, RequestTimeout, UnsupportedMediaType
from api.http.logins.auth import LastUses, merchant_of
from api.http.logins.errors import RoleTooLow
from api.http.server.access import CREDENTIAL
from api.http.server.given_responses import GivenResponses
from api.investigation.exports import Exports
from api.limits.fair_shares import FairShares, Share
from api.operator.administration.issuer import Issuer
from api.payments.changes import PaymentChanges
from api.payments.service import Payments
from api.terminals.lookup import Terminals
from api.terminals.probes import Probing
from api.terminals.service import Registry
from api.webhooks.service import Webhooks
from shared.metrics.metrics import Metrics
from shared.runtime.turns import LargeWork
from shared.security.credentials import CredentialKind, Role
from shared.settings.settings import Settings
from shared.storage.db.engine import Database
from shared.storage.terminals.merchants import Credential


class Logins(Protocol):
    """A checker of credentials."""

    async def of_kind(
        self, authorization: str | None, kind: CredentialKind, share: Share | None
    ) -> Credential:
        """Return the credential of this kind behind an Authorization header, see `api.http.logins.auth`."""
        ...


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Made by the composition root, kept in the application's state."""

    credentials: Logins
    shares: FairShares
    payments: Payments
    readiness: Readiness
    settings: Settings
    registry: Registry
    probing: Probing
    database: Database
    terminals: Terminals
    changes: PaymentChanges
    large_work: LargeWork
    webhooks: Webhooks
    metrics: Metrics
    responses: GivenResponses
    exports: Exports
    issuer: Issuer
    last_uses: LastUses


async def _dependencies(request: Request) -> Dependencies:
    found: Dependencies = request.app.state.dependencies
    return found


#: A route's parameter: `dependencies: Wired`.
Wired = Annotated[Dependencies, Depends(_dependencies)]


class RequiredCredential(SecurityBase):
    """A dependency that returns the client's credential, and refuses every other kind.

    Its route calls it before the body is read; an endpoint that depends on it gets the same credential again.
    """

    def __init__(
        self,
        kind: CredentialKind,
        share: Share | None,
        *,
        scheme: str,
        description: str,
        role: Role | None = None,
    ) -> None:
        """`share` is the share that a call counts for; None: the route counts it. `role`: an operator's."""
        self.kind: Final = kind
        self.role: Final = role
        self.share: Final = share
        self.scheme_name = scheme
        self.model = HttpScheme(scheme="basic", description=description)

    async def __call__(self, request: Request) -> Credential:
        """Return the credential.

        Raises Unauthorized, PublicCredential, WrongCredentialKind, RoleTooLow, TooManyFailedLogins,
        TooManyRequests, DatabaseUnavailable.
        """
        found: Credential | None = request.scope.get(CREDENTIAL)
        if found is None:
            dependencies: Dependencies = request.app.state.dependencies
            authorization = request.headers.get("authorization")
            found = await dependencies.credentials.of_kind(authorization, self.kind, self.share)
            request.scope[CREDENTIAL] = found
        if self.role is not None and (found.role is None or not found.role.includes(self.role)):
            raise RoleTooLow(self.role)
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


def _operator(role: Role) -> RequiredCredential:
    return RequiredCredential(
        CredentialKind.OPERATOR,
        Share.MANAGEMENT,
        scheme="operator",
        description="Credentials of an operator, which belong to no merchant. Each has a role: `read`, "
        "`settle` or `admin`.",
        role=role,
    )


operator: Final = _operator(Role.READ)
deciding_operator: Final = _operator(Role.SETTLE)
administrator: Final = _operator(Role.ADMIN)

Merchant = Annotated[Credential, Depends(merchant)]
OrderingMerchant = Annotated[Credential, Depends(ordering_merchant)]
Gateway = Annotated[Credential, Depends(gateway)]
Operator = Annotated[Credential, Depends(operator)]


async def _merchant_id(merchant: Merchant) -> str:
    return merchant_of(merchant)


#: The id of the merchant whose credential the client has.
MerchantId = Annotated[str, Depends(_merchant_id)]


async def read_body(request: Request) -> bytes:
    """Return the body as it was sent.

    Raises BodyTooLarge as soon as it is too long, whatever Content-Length says; RequestTimeout where it does
    not come; EncodedBody for a compressed one; ClientDisconnect where the client left.
    """
    dependencies: Dependencies = request.app.state.dependencies
    settings = dependencies.settings
    limit_bytes = settings.body_limit_bytes
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit_bytes:
        raise BodyTooLarge
    received = bytearray()
    try:
        async with asyncio.timeout(settings.body_timeout_seconds):
            async for chunk in request.stream():
                received += chunk
                if len(received) > limit_bytes:
                    raise BodyTooLarge
    except TimeoutError:
        raise RequestTimeout from None
    if request.headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
        raise EncodedBody
    return bytes(received)


def check_media_type(content_type: str | None) -> None:
    """Accept any `application/*`, parameters included; raise MissingMediaType or UnsupportedMediaType."""
    if content_type is None or not content_type.strip():
        raise MissingMediaType
    kind, slash, subtype = content_type.partition(";")[0].strip().lower().partition("/")
    if kind != "application" or not slash or not subtype:
        raise UnsupportedMediaType
