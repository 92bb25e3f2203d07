"""Routes of operators for credentials: create, list, change, rotate and revoke."""

from typing import Annotated, Final

import structlog
from fastapi import Path, Query

from api.http.dependencies import Operator, Wired, administrator, operator
from api.http.entity_tags import Unchanged
from api.http.errors import InvalidQuery, InvalidRequest, NotFound, PreconditionFailed, or_not_found
from api.http.models import Omittable, known
from api.http.query import Page, Text, cursor
from api.http.routing import api_router
from api.openapi.components import BODY_ERRORS, error_responses
from api.operator.acting import actor_of
from api.operator.administration.credential_models import (
    CredentialChange,
    CredentialPage,
    CredentialRevoked,
    CredentialRotating,
    IssuedCredential,
    ManagedCredential,
    NewCredential,
    Revocation,
    Rotation,
)
from shared.runtime.clock import iso_time
from shared.security.credentials import CredentialKind
from shared.storage.administration import credential_register
from shared.storage.administration.credential_register import IsRevoked, StillRotating

_PREFIX: Final = "/v1/operator/credentials"
router = api_router(_PREFIX, caller=operator, tag="operator")
administration = api_router(_PREFIX, caller=administrator, tag="operator")

_log = structlog.get_logger()

Username = Annotated[str, Path(description="The user name of HTTP Basic.")]


@router.get(
    "",
    summary="List credentials, newest first",
    response_description="One page.",
    responses=error_responses(InvalidQuery("kind")),
)
async def list_credentials(
    dependencies: Wired,
    page: Page,
    kind: Annotated[Omittable[CredentialKind], Query(description="Of this kind only.")] = None,
    merchant: Annotated[Text, Query(description="Of this merchant only.")] = None,
    revoked: Annotated[bool, Query(description="With those that are revoked.")] = True,
) -> CredentialPage:
    """Return the credentials of all merchants, gateways and operators, page by page."""
    found, place = await credential_register.page(
        dependencies.database,
        kind=kind,
        merchant_id=merchant,
        with_revoked=revoked,
        after=page.after,
        limit=page.limit,
    )
    shown = [ManagedCredential.of(each) for each in found]
    return CredentialPage(credentials=shown, **known(next=cursor(place)))


@administration.post(
    "",
    status_code=201,
    summary="Create a credential",
    response_description="Its secret is shown this once.",
    responses=error_responses(*BODY_ERRORS),
)
async def create_credential(dependencies: Wired, operator: Operator, body: NewCredential) -> IssuedCredential:
    """Create a credential for HTTP Basic."""
    issued = dependencies.issuer.secret()
    new = credential_register.NewCredential(
        id=dependencies.issuer.username(),
        kind=body.kind,
        secret_hash=issued.hash,
        merchant_id=body.merchant_id,
        label=body.label,
        role=body.role,
        expires_at=body.expires_at,
    )
    created = await credential_register.create(dependencies.database, new, actor_of(operator, body.reason))
    if created is None:
        raise InvalidRequest("merchant", "should be the id of a merchant", "merchant_id")
    _log.info("credential created", kind=body.kind, merchant_id=body.merchant_id, by=operator.id)
    return IssuedCredential.with_secret(created, issued.secret)


@router.get("/{username}", summary="Return a credential", responses=error_responses(NotFound()))
async def get_credential(dependencies: Wired, username: Username) -> ManagedCredential:
    """Return the credential with the time of its last use."""
    return ManagedCredential.of(or_not_found(await credential_register.get(dependencies.database, username)))


@administration.patch(
    "/{username}",
    summary="Change a credential",
    response_description="It was changed; every process knows it within 5 seconds.",
    responses=error_responses(*BODY_ERRORS, NotFound(), CredentialRevoked(), PreconditionFailed()),
)
async def change_credential(
    dependencies: Wired, operator: Operator, username: Username, body: CredentialChange, if_match: Unchanged
) -> ManagedCredential:
    """Change what is given."""
    found = await credential_register.get(dependencies.database, username)
    if found is not None and body.role is not None and found.kind is not CredentialKind.OPERATOR:
        raise InvalidRequest("not", "should have no role with this kind", "role")
    try:
        changed = await credential_register.update(
            dependencies.database,
            username,
            label=body.label,
            role=body.role,
            expires_at=body.expires_at,
            never_expires="expires_at" in body.model_fields_set and body.expires_at is None,
            actor=actor_of(operator, body.reason),
            check=lambda found: if_match.check(ManagedCredential.of(found)),
        )
    except IsRevoked:
        raise CredentialRevoked from None
    shown = ManagedCredential.of(or_not_found(changed))
    _log.info("credential changed", username=username, by=operator.id)
    return shown


@administration.post(
    "/{username}/rotate",
    summary="Replace a credential's secret",
    response_description="The new secret is shown this once; the earlier one stays valid for the overlap.",
    responses=error_responses(*BODY_ERRORS, NotFound(), CredentialRevoked(), CredentialRotating()),
)
async def rotate_credential(
    dependencies: Wired, operator: Operator, username: Username, body: Rotation
) -> IssuedCredential:
    """Make a new secret, valid at once. Both are accepted during the overlap, so that no order is refused
    while the tills are changed."""
    issued = dependencies.issuer.secret()
    try:
        rotated = await credential_register.rotate(
            dependencies.database,
            username,
            issued.hash,
            body.overlap_seconds,
            actor_of(operator, body.reason),
        )
    except IsRevoked:
        raise CredentialRevoked from None
    except StillRotating as error:
        raise CredentialRotating(details={"earlier_secret_until": iso_time(error.earlier_until)}) from None
    shown = IssuedCredential.with_secret(or_not_found(rotated), issued.secret)
    _log.info("credential rotated", username=username, by=operator.id)
    return shown


@administration.post(
    "/{username}/revoke",
    summary="Revoke a credential for ever",
    response_description="Every process refuses it within 5 seconds.",
    responses=error_responses(*BODY_ERRORS, NotFound()),
)
async def revoke_credential(
    dependencies: Wired, operator: Operator, username: Username, body: Revocation
) -> ManagedCredential:
    """Revoke the credential; may be repeated."""
    revoked = await credential_register.revoke(
        dependencies.database, username, actor_of(operator, body.reason)
    )
    shown = ManagedCredential.of(or_not_found(revoked))
    _log.warning("credential revoked", username=username, by=operator.id)
    return shown
