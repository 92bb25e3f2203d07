"""Service of a merchant's webhook endpoints: checks addresses, makes secrets and encrypts them."""

from dataclasses import dataclass
from typing import Final

from api.http.entity_tags import IfMatch
from api.http.errors import InvalidRequest, NotFound, or_not_found
from api.webhooks.errors import (
    UnknownWebhookEndpoint,
    WebhookEndpointDisabled,
    WebhookEndpointLimit,
    WebhookSecretLimit,
)
from api.webhooks.models import NewWebhookEndpoint, WebhookEndpoint, WebhookEndpointChanges, in_order
from shared.network.targets import TargetRefused
from shared.runtime.clock import Clock
from shared.runtime.ids import RandomBytes, new_endpoint_id
from shared.security.credentials import new_webhook_secret
from shared.security.encryption import SecretCipher
from shared.settings.settings import Settings
from shared.storage.db.engine import Database
from shared.storage.webhooks import endpoints, signing_secrets
from shared.storage.webhooks.endpoints import (
    Changes,
    EndpointIsDisabled,
    NewEndpoint,
    NoMoreEndpoints,
    RegisteredEndpoint,
    TooManyEndpoints,
)
from shared.storage.webhooks.signing_secrets import TooManySecrets

#: The warning of an order that names a disabled endpoint.
ENDPOINT_DISABLED: Final = "webhook_endpoint_disabled"


@dataclass(frozen=True, slots=True)
class Rotated:
    """A new secret, and the end of the earlier ones in milliseconds since 1970; None: none signs."""

    secret: str
    earlier_until: int | None


class Webhooks:
    """The endpoints of one merchant at a time; each method raises DatabaseUnavailable and CommitUnknown."""

    def __init__(
        self,
        *,
        database: Database,
        cipher: SecretCipher,
        clock: Clock,
        random_bytes: RandomBytes,
        settings: Settings,
    ) -> None:
        self._database: Final = database
        self._cipher: Final = cipher
        self._clock: Final = clock
        self._random_bytes: Final = random_bytes
        self._limit: Final = settings.webhook_endpoint_limit
        self._total_limit: Final = settings.webhook_endpoint_total_limit
        self._policy: Final = settings.webhook_policy()

    async def create(self, wanted: NewWebhookEndpoint, merchant_id: str) -> tuple[RegisteredEndpoint, str]:
        """Store an endpoint; return it and its secret, which is never shown again.

        Raises InvalidRequest for an address that is not allowed, WebhookEndpointLimit.
        """
        self._check_url(wanted.url)
        endpoint_id = new_endpoint_id(self._clock, self._random_bytes)
        secret, sealed = self._new_secret(endpoint_id)
        new = NewEndpoint(
            id=endpoint_id,
            merchant_id=merchant_id,
            url=wanted.url,
            description=wanted.description,
            types=in_order(wanted.types),
            encrypted_secret=sealed,
        )
        try:
            await endpoints.create(self._database, new, limit=self._limit, total_limit=self._total_limit)
        except TooManyEndpoints:
            raise WebhookEndpointLimit from None
        except NoMoreEndpoints:
            raise WebhookEndpointLimit(
                "The merchant has as many webhook endpoints as it may, disabled ones counted; change one of "
                "those and enable it."
            ) from None
        return await self.get(endpoint_id, merchant_id), secret

    async def get(self, endpoint_id: str, merchant_id: str) -> RegisteredEndpoint:
        """Return the merchant's endpoint. Raises NotFound."""
        return or_not_found(await endpoints.get(self._database, merchant_id, endpoint_id))

    async def change(
        self, endpoint_id: str, wanted: WebhookEndpointChanges, merchant_id: str, if_match: IfMatch
    ) -> RegisteredEndpoint:
        """Change an endpoint and return it.

        Raises NotFound, PreconditionFailed, InvalidRequest, WebhookEndpointLimit.
        """
        seen = None
        if if_match.is_given:
            seen = await self.get(endpoint_id, merchant_id)
            if_match.check(WebhookEndpoint.of(seen))
        if wanted.url is not None:
            self._check_url(wanted.url)
        changes = Changes(
            url=wanted.url,
            description=wanted.description,
            types=None if wanted.types is None else in_order(wanted.types),
            disabled=wanted.disabled,
        )
        try:
            known = await endpoints.change(
                self._database, merchant_id, endpoint_id, changes, limit=self._limit, seen=seen
            )
        except TooManyEndpoints:
            raise WebhookEndpointLimit from None
        if not known:
            raise NotFound
        return await self.get(endpoint_id, merchant_id)

    async def rotate_secret(self, endpoint_id: str, merchant_id: str, overlap_seconds: float) -> Rotated:
        """Store a new secret, which signs at once, and return it. Raises NotFound, WebhookSecretLimit."""
        secret, sealed = self._new_secret(endpoint_id)
        try:
            known, earlier_until = await signing_secrets.rotate(
                self._database, merchant_id, endpoint_id, sealed, overlap_seconds=overlap_seconds
            )
        except TooManySecrets:
            raise WebhookSecretLimit from None
        if not known:
            raise NotFound
        return Rotated(secret, earlier_until)

    async def send_test(self, endpoint_id: str, merchant_id: str) -> str:
        """Store a test event; return the id of its delivery. Raises NotFound, WebhookEndpointDisabled."""
        try:
            return or_not_found(await endpoints.send_test(self._database, merchant_id, endpoint_id))
        except EndpointIsDisabled:
            raise WebhookEndpointDisabled from None

    def _check_url(self, url: str) -> None:
        try:
            self._policy.check_url(url)
        except TargetRefused as error:
            raise InvalidRequest("format", error.text, "url") from error

    def _new_secret(self, endpoint_id: str) -> tuple[str, str]:
        """Return a secret, and the secret encrypted."""
        secret = new_webhook_secret(self._random_bytes)
        return secret, self._cipher.encrypt(secret, endpoint_id, self._random_bytes)


async def warnings_for(database: Database, merchant_id: str, endpoint_id: str | None) -> tuple[str, ...]:
    """Return the warnings of an order for the endpoint that it names, if any.

    Raises UnknownWebhookEndpoint, DatabaseUnavailable.
    """
    if endpoint_id is None:
        return ()
    is_enabled = await endpoints.is_enabled(database, merchant_id, endpoint_id)
    if is_enabled is None:
        raise UnknownWebhookEndpoint(details={"path": "order.webhook_endpoint_id"})
    return () if is_enabled else (ENDPOINT_DISABLED,)
