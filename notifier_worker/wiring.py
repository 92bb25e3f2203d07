"""Wiring of a notifier worker's parts, around the clock, broker and network that are passed in."""

import random
from dataclasses import dataclass

from notifier_worker.attempt import Attempts
from notifier_worker.concurrency import ConcurrencyLimiter
from notifier_worker.dispatch import Dispatcher
from notifier_worker.http.client import HttpClient
from notifier_worker.metrics import NotifierMetrics
from notifier_worker.relay import Relay
from notifier_worker.retry_policy import RetrySchedule
from notifier_worker.webhook_request import OrderNotificationBuilder, RequestBuilder, WebhookRequestBuilder
from shared.broker.interfaces import NotificationPublisher
from shared.metrics.metrics import Metrics
from shared.notification.kinds import HIPAY, MERCHANT
from shared.runtime.clock import Clock
from shared.runtime.resilience import Failpoint
from shared.security.encryption import SecretCipher
from shared.settings.settings import Settings
from shared.storage.db.engine import Database
from shared.storage.webhooks.deliveries import Breaker


@dataclass(frozen=True, slots=True)
class NotifierParts:
    """The parts of a notifier worker that run."""

    hipay: Dispatcher
    merchant: Dispatcher
    relay: Relay


def kinds_of(settings: Settings) -> tuple[str, ...]:
    """Return the kinds that a worker with these settings delivers: HiPay's only where its address is set."""
    return (MERCHANT,) if settings.hipay_url is None else (HIPAY, MERCHANT)


def wire(
    *,
    database: Database,
    publisher: NotificationPublisher,
    client: HttpClient,
    hipay_client: HttpClient,
    cipher: SecretCipher,
    clock: Clock,
    metrics: Metrics,
    settings: Settings,
    failpoint: Failpoint,
    rng: random.Random,
) -> NotifierParts:
    """Wire a notifier worker; HiPay's client has look-ups, connections and allowed addresses of its own."""
    notifier_metrics = NotifierMetrics(metrics.owned)

    def dispatcher(
        kind: str, builder: RequestBuilder, http: HttpClient, *, limit: int, limit_of_target: int
    ) -> Dispatcher:
        attempts = Attempts(
            http,
            RetrySchedule(settings.notify_retry_seconds),
            clock,
            rng,
            timeout_seconds=settings.notify_timeout_seconds,
            life_seconds=settings.notify_lifetime_seconds,
        )
        return Dispatcher(
            kind=kind,
            database=database,
            builder=builder,
            attempts=attempts,
            limiter=ConcurrencyLimiter(
                limit=limit,
                limit_of_target=limit_of_target,
                breaker_failures=settings.notify_breaker_failures,
            ),
            breaker=Breaker(settings.notify_breaker_failures, settings.notify_breaker_seconds),
            notifier_metrics=notifier_metrics,
            failpoint=failpoint,
            rng=rng,
            lease_seconds=settings.notify_lease_seconds,
            spare_seconds=max(0.0, (settings.notify_lease_seconds - settings.notify_timeout_seconds) / 2),
        )

    return NotifierParts(
        hipay=dispatcher(
            HIPAY,
            OrderNotificationBuilder(database, settings, clock),
            hipay_client,
            limit=settings.notify_hipay_concurrency,
            limit_of_target=settings.notify_hipay_concurrency,
        ),
        merchant=dispatcher(
            MERCHANT,
            WebhookRequestBuilder(database, cipher, clock),
            client,
            limit=settings.notify_merchant_concurrency,
            limit_of_target=settings.notify_endpoint_concurrency,
        ),
        relay=Relay(
            database,
            publisher,
            notifier_metrics,
            rng,
            kinds=kinds_of(settings),
            interval_seconds=settings.notify_sweep_interval_seconds,
        ),
    )
