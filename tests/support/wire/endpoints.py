"""Webhook endpoints of a test's merchants."""

import os
import secrets
from dataclasses import dataclass

from payments import change
from standardwebhooks import Webhook
from wire.webhook_receiver import Received

from shared.security.credentials import new_webhook_secret
from shared.security.encryption import SecretCipher
from shared.security.secret_key import load_secret_key
from shared.settings.settings import Settings
from shared.storage.db.engine import Database


@dataclass(frozen=True)
class GivenEndpoint:
    """A registered endpoint, with the secret that its owner was shown."""

    id: str
    secret: str

    def verify(self, received: Received) -> None:
        """Raise WebhookVerificationError where the signature is not ours."""
        Webhook(self.secret).verify(received.body, received.headers)


async def add_endpoint(
    database: Database, settings: Settings, merchant_id: str | None, url: str, *, types: str = ""
) -> GivenEndpoint:
    """Register an endpoint of the merchant."""
    endpoint = GivenEndpoint(f"whe_{secrets.token_hex(13)}", new_webhook_secret(os.urandom))
    await change(
        database,
        "INSERT INTO webhook_endpoints (id, merchant_id, url, types, created_at, changed_at)"
        " VALUES (:id, :merchant_id, :url, :types, 0, 0)",
        id=endpoint.id,
        merchant_id=merchant_id,
        url=url,
        types=types,
    )
    await add_secret(database, settings, endpoint.id, endpoint.secret)
    return endpoint


async def add_secret(database: Database, settings: Settings, endpoint_id: str, secret: str) -> None:
    """Add a secret, the newest, to an endpoint."""
    encrypted = SecretCipher(load_secret_key(settings, os.urandom)).encrypt(secret, endpoint_id, os.urandom)
    await change(
        database,
        "INSERT INTO webhook_secrets (endpoint_id, encrypted, created_at) VALUES (:id, :encrypted, 0)",
        id=endpoint_id,
        encrypted=encrypted,
    )
