"""How a notifier worker's parts hang together, around whatever clock, broker and network they are given."""

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
from shared.broker.interfaces import PublishesNotifications
from shared.notification.kinds import HIPAY, MERCHANT
from shared.runtime.clock import Clock
from shared.runtime.failpoints import Failpoint
from shared.runtime.metrics import Metrics
from shared.security.encryption import Sealer
from shared.settings.settings import Settings
from shared.storage.db.engine import Database
from shared.storage.webhooks.deliveries import Breaker


@dataclass(frozen=True, slots=True)
class NotifierParts:
    """A wired notifier worker; nothing of it runs yet."""

    hipay: Dispatcher
    merchant: Dispatcher
    relay: Relay


def kinds_of(settings: Settings) -> tuple[str, ...]:
    """Return the kinds that a worker with these settings delivers: HiPay's where it knows its address."""
    return (MERCHANT,) if settings.hipay_url is None else (HIPAY, MERCHANT)


def wire(
    *,
    database: Database,
    publisher: PublishesNotifications,
    client: HttpClient,
    hipay_client: HttpClient,
    sealer: Sealer,
    clock: Clock,
    metrics: Metrics,
    settings: Settings,
    failpoint: Failpoint,
    rng: random.Random,
) -> NotifierParts:
    """Wire a notifier worker. HiPay has a client of its own: look-ups, connections and allowed addresses."""
    notifier_metrics = NotifierMetrics(metrics.registry)

    def dispatcher(
        kind: str, builders: RequestBuilder, posts_with: HttpClient, *, most: int, most_of_target: int
    ) -> Dispatcher:
        attempts = Attempts(
            posts_with,
            RetrySchedule(settings.notify_retry_seconds),
            clock,
            rng,
            timeout_seconds=settings.notify_timeout_seconds,
            life_seconds=settings.notify_lifetime_seconds,
        )
        return Dispatcher(
            kind=kind,
            database=database,
            builders=builders,
            attempts=attempts,
            limiter=ConcurrencyLimiter(
                most=most,
                most_of_target=most_of_target,
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
            most=settings.notify_hipay_concurrency,
            most_of_target=settings.notify_hipay_concurrency,
        ),
        merchant=dispatcher(
            MERCHANT,
            WebhookRequestBuilder(database, sealer, clock),
            client,
            most=settings.notify_merchant_concurrency,
            most_of_target=settings.notify_endpoint_concurrency,
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
