"""Whether what came was signed by who says so. Pure but for the library's look at the clock."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence

from standardwebhooks import Webhook, WebhookVerificationError


def is_signed_with(body: bytes, said: str | None, passphrase: str) -> bool:
    """Whether `said` is SHA-256, in lower-case hex, of the body followed by the passphrase.

    So are X-ALLOPASS-SIGNATURE of HiPay's notifications made, and x-hipay-signature of our webhooks, where
    the passphrase is the endpoint's secret, its prefix included.
    """
    expected = hashlib.sha256(body + passphrase.encode()).hexdigest()
    return said is not None and hmac.compare_digest(said.encode(), expected.encode())


def webhook_problem(body: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> str | None:
    """Return why a webhook is not to be believed; None where one of the secrets (`whsec_...`) fits."""
    problem = "no secret is known"
    for secret in secrets:
        try:
            Webhook(secret).verify(body, dict(headers), json_parse=False)
        except (WebhookVerificationError, ValueError) as error:
            problem = str(error)
        else:
            return None
    return problem
