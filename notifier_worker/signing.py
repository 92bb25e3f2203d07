"""Headers that authenticate a notification: Standard Webhooks, HiPay's signature, HTTP Basic."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook


def signed_headers(
    message_id: str, body: bytes, secrets: Sequence[str], *, at_seconds: float
) -> Mapping[str, str]:
    """Return the headers for one attempt, at `at_seconds` since 1970.

    `webhook-signature` has a signature for each secret (`whsec_...`, the newest first), so that a receiver
    may use either during a rotation. `x-hipay-signature` is SHA-256 of the body followed by the newest
    secret's text, in hexadecimal digits: weaker, for receivers made for HiPay's Terminal API.
    """
    at = datetime.fromtimestamp(int(at_seconds), tz=UTC)
    signatures = (Webhook(secret).sign(message_id, at, body.decode()) for secret in secrets)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at_seconds)),
        "webhook-signature": " ".join(signatures),
        "x-hipay-signature": hashlib.sha256(body + secrets[0].encode()).hexdigest(),
    }


def basic_authorization(username: str, password: str) -> Mapping[str, str]:
    """Return the header of HTTP Basic."""
    pair = base64.b64encode(f"{username}:{password}".encode()).decode()
    return {"authorization": f"Basic {pair}"}
