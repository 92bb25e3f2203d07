"""Requests built from leased deliveries: address, headers with their signatures, and body."""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

import structlog
from standardwebhooks import Webhook

from shared.metrics.metrics import running_version
from shared.notification.kinds import envelope, order_notification
from shared.runtime.clock import Clock
from shared.security.encryption import DecryptionFailed, SecretCipher
from shared.settings.settings import Settings
from shared.storage.db.engine import Database
from shared.storage.webhooks import delivery_contents as contents
from shared.storage.webhooks.deliveries import Leased


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


_COMMON_HEADERS: Final = {
    "content-type": "application/json",
    "user-agent": f"cloud-terminal/{running_version()}",
}

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """One post. `failures`: the number of times its target failed in a row before."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    failures: int


class RequestBuilder(Protocol):
    """The builder of requests for one kind of delivery."""

    async def build(self, leased: Sequence[Leased]) -> dict[str, WebhookRequest]:
        """Return requests by delivery id, without those that cannot be built. Raises DatabaseUnavailable."""
        ...


class WebhookRequestBuilder:
    """The builder of webhooks: an event for an endpoint, signed with the endpoint's secrets."""

    def __init__(self, database: Database, cipher: SecretCipher, clock: Clock) -> None:
        self._database: Final = database
        self._cipher: Final = cipher
        self._clock: Final = clock

    async def build(self, leased: Sequence[Leased]) -> dict[str, WebhookRequest]:
        events = await contents.events(
            self._database, [one.event_number for one in leased if one.event_number is not None]
        )
        endpoints = await contents.endpoints(self._database, sorted({one.target for one in leased}))

        def build_one(one: Leased) -> WebhookRequest | None:
            event = None if one.event_number is None else events.get(one.event_number)
            endpoint = endpoints.get(one.target)
            if event is None or endpoint is None:
                return None
            secrets = [self._cipher.decrypt(sealed, endpoint.id) for sealed in endpoint.encrypted_secrets]
            shown = envelope(
                number=event.number,
                payment_id=one.payment_id,
                sequence=one.sequence,
                type_=one.type,
                at=event.at,
                body=event.body,
            )
            return _request(one.id, endpoint.url, shown, secrets, endpoint.failures, self._clock, {})

        return _each(leased, build_one)


class OrderNotificationBuilder:
    """The builder of order notifications for HiPay, signed as webhooks are, with credentials."""

    def __init__(self, database: Database, settings: Settings, clock: Clock) -> None:
        self._database: Final = database
        self._clock: Final = clock
        self._url: Final = settings.hipay_url
        secret = settings.hipay_signing_secret
        self._secrets: Final = [] if secret is None else [secret.get_secret_value()]
        self._authorization: Final = (
            {}
            if settings.hipay_username is None or settings.hipay_password is None
            else basic_authorization(settings.hipay_username, settings.hipay_password.get_secret_value())
        )

    async def build(self, leased: Sequence[Leased]) -> dict[str, WebhookRequest]:
        url = self._url
        if url is None:
            _log.error("order notifications not sent: CLOUD_TERMINAL_HIPAY_URL is not set")
            return {}
        ids = [one.payment_id for one in leased if one.payment_id is not None]
        orders = await contents.orders(self._database, ids)
        failures = await contents.failures_of(self._database, leased[0].target)

        def build_one(one: Leased) -> WebhookRequest | None:
            if one.payment_id is None or one.payment_id not in orders:
                return None
            payment, attempt = orders[one.payment_id]
            shown = order_notification(one.id, payment, attempt)
            return _request(one.id, url, shown, self._secrets, failures, self._clock, self._authorization)

        return _each(leased, build_one)


def _each(
    leased: Sequence[Leased], build_one: Callable[[Leased], WebhookRequest | None]
) -> dict[str, WebhookRequest]:
    """Build the requests one by one, so that one that fails affects no other."""
    requests: dict[str, WebhookRequest] = {}
    for one in leased:
        try:
            request = build_one(one)
        except DecryptionFailed as error:
            _log.error("webhook not signed: check CLOUD_TERMINAL_SECRET_KEY", error=str(error))
        except Exception:
            _log.exception("request not built", delivery_id=one.id)
        else:
            if request is not None:
                requests[one.id] = request
    return requests


def _request(
    delivery_id: str,
    url: str,
    shown: Mapping[str, object],
    secrets: Sequence[str],
    failures: int,
    clock: Clock,
    more_headers: Mapping[str, str],
) -> WebhookRequest:
    # ASCII: a POS's text may hold half a surrogate pair, which UTF-8 cannot encode.
    body = json.dumps(shown, separators=(",", ":")).encode()
    signed = signed_headers(delivery_id, body, secrets, at_seconds=clock.wall_ms() / 1000)
    return WebhookRequest(url, {**_COMMON_HEADERS, **more_headers, **signed}, body, failures)
