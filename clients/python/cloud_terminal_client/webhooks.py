"""Webhooks: the signature of Standard Webhooks (HMAC-SHA256 over id, time and body), and the event inside."""

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from typing import Final

from cloud_terminal_client.errors import InvalidSignature
from cloud_terminal_client.models import Event

_PREFIX: Final = "whsec_"
#: A message that is older or newer was recorded by somebody, or a clock is wrong.
TOLERANCE_SECONDS: Final = 300


class WebhookVerifier:
    """Check of webhooks with one secret, or with several while one replaces another."""

    def __init__(
        self,
        *secrets: str,
        tolerance_seconds: float = TOLERANCE_SECONDS,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`secrets` as they were shown: `whsec_...`. Raises ValueError for a text that is none."""
        if not secrets:
            raise ValueError("a secret is needed")
        self._keys = [_key(secret) for secret in secrets]
        self._tolerance_seconds = tolerance_seconds
        self._now = now

    def verify(self, headers: Mapping[str, str], body: bytes) -> Event:
        """Return the event of a webhook. Raises InvalidSignature: answer 400 and do nothing with it.

        `body` is the raw body, byte for byte; header names may have any case.
        """
        lower = {name.lower(): value for name, value in headers.items()}
        try:
            delivery_id, sent_at = lower["webhook-id"], lower["webhook-timestamp"]
            signatures = lower["webhook-signature"].split()
        except KeyError as missing:
            raise InvalidSignature(f"the header {missing} is missing") from None
        # Before the time: only a signed time says anything.
        if not any(self._is_signed(signature, delivery_id, sent_at, body) for signature in signatures):
            raise InvalidSignature("no signature fits")
        if abs(self._now() - int(sent_at)) > self._tolerance_seconds:
            raise InvalidSignature(
                f"it was sent more than {self._tolerance_seconds:.0f} s ago, or in the future"
            )
        try:
            return Event.read(json.loads(body), delivery_id)
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidSignature("it is signed and no event") from error

    def _is_signed(self, signature: str, delivery_id: str, sent_at: str, body: bytes) -> bool:
        version, _, given = signature.partition(",")
        signed = b".".join((delivery_id.encode(), sent_at.encode(), body))
        return version == "v1" and any(
            hmac.compare_digest(_sign(key, signed), given.encode()) for key in self._keys
        )


def _sign(key: bytes, signed: bytes) -> bytes:
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("a secret begins with whsec_ and goes on in base64") from None
