"""Who sends an order notification: HTTP Basic and a Standard Webhooks signature, both must be right."""

import base64
import binascii
import hmac
from collections.abc import Mapping

from standardwebhooks import Webhook, WebhookVerificationError

from sandbox.hipay.settings import OrderSource


class NotTheSender(Exception):
    """Raised for wrong credentials or a wrong signature; the message says which."""


def check_sender(source: OrderSource, headers: Mapping[str, str], body: bytes) -> str:
    """Return the webhook-id of a notification of ours. Raises NotTheSender."""
    if not _is_basic(headers.get("authorization", ""), source):
        raise NotTheSender("Wrong credentials.")
    try:
        Webhook(source.secret).verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, ValueError) as error:
        raise NotTheSender(f"Wrong signature: {error}") from error
    return headers["webhook-id"]


def _is_basic(authorization: str, source: OrderSource) -> bool:
    scheme, _, text = authorization.partition(" ")
    try:
        said = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        return False
    expected = f"{source.username}:{source.password}".encode()
    return scheme.lower() == "basic" and hmac.compare_digest(said, expected)
