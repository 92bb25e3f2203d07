"""Forwarder of events to one address, signed as webhooks are, and the check of its signature check."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import httpx

from notifier_worker.webhook_request import signed_headers
from shared.runtime.ids import RandomBytes
from shared.security.credentials import new_webhook_secret

Json = dict[str, Any]

#: As long as a webhook's receiver may take.
TIMEOUT_SECONDS: Final = 10.0
#: Bound to this purpose, so that the secret says nothing about the credential.
_PURPOSE: Final = b"cloud-terminal listen"


class SignatureCheck(StrEnum):
    """The receiver's answer to a copy of the event with a wrong signature, as a code."""

    REFUSED = "forged_copy_refused"
    ACCEPTED = "forged_copy_accepted"
    #: Neither a success nor a refusal.
    UNCLEAR = "unclear"
    NOT_CHECKED = "not_checked"


@dataclass(frozen=True, slots=True)
class Forwarded:
    """One event with the receiver's answer; `status` None: there is none, for the reason in `error`."""

    event: Json
    status: int | None
    error: str | None
    duration_ms: int
    check: SignatureCheck = SignatureCheck.NOT_CHECKED
    #: The answer to the copy with a wrong signature.
    forged_status: int | None = None


class Forwarder:
    """Sends events one after the other; the owner of `client` closes it.

    checks: a copy of each event with a wrong signature is sent before it, under an id of its own, until one
    is accepted: a receiver that does not verify gets no more of them.
    """

    def __init__(
        self,
        client: httpx.Client,
        url: str,
        secret: str,
        *,
        checks: bool,
        random_bytes: RandomBytes,
        wall_seconds: Callable[[], float] = time.time,
    ) -> None:
        self._client: Final = client
        self._url: Final = url
        self._secret: Final = secret
        self._wrong_secret: Final = new_webhook_secret(random_bytes)
        self._checks = checks
        self._wall_seconds: Final = wall_seconds

    def forward(self, event: Json) -> Forwarded:
        """Send the event, after its forged copy where the receiver's check is checked."""
        event_id = str(event["event_id"])
        check, forged_status = SignatureCheck.NOT_CHECKED, None
        if self._checks:
            forged_status, _, _ = self._post(event, f"{event_id}_forged", self._wrong_secret)
            check = _meaning(forged_status)
            self._checks = check is not SignatureCheck.ACCEPTED
        status, error, duration_ms = self._post(event, event_id, self._secret)
        return Forwarded(event, status, error, duration_ms, check, forged_status)

    def again(self, event: Json) -> Forwarded:
        """Send an event once more under its id, without a forged copy."""
        return Forwarded(event, *self._post(event, str(event["event_id"]), self._secret))

    def _post(self, event: Json, message_id: str, secret: str) -> tuple[int | None, str | None, int]:
        # As the product writes a webhook's body.
        body = json.dumps(event, separators=(",", ":")).encode()
        headers: Mapping[str, str] = {
            "content-type": "application/json",
            **signed_headers(message_id, body, [secret], at_seconds=self._wall_seconds()),
        }
        began = time.monotonic()
        status, error = None, None
        try:
            status = self._client.post(self._url, content=body, headers=headers).status_code
        except httpx.HTTPError as failure:
            error = str(failure) or type(failure).__name__
        return status, error, round((time.monotonic() - began) * 1000)


def _meaning(status: int | None) -> SignatureCheck:
    if status is None:
        return SignatureCheck.NOT_CHECKED
    if 400 <= status < 500:
        return SignatureCheck.REFUSED
    return SignatureCheck.ACCEPTED if status < 300 else SignatureCheck.UNCLEAR


def secret_for(credential_secret: str) -> str:
    """Return the signing secret of a credential: the same at each start, and for this purpose only."""
    derived = hmac.new(credential_secret.encode(), _PURPOSE, hashlib.sha256).digest()
    return f"whsec_{base64.b64encode(derived).decode()}"
