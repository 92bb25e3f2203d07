"""How a notifier worker's parts hang together, around whatever clock, broker and network they are given."""

import random
from dataclasses import dataclass

from notifier_worker.dispatch import Dispatcher
from notifier_worker.http import HttpClient
from notifier_worker.lanes import Lanes
from notifier_worker.letters import HipayLetters, Letters, MerchantLetters
from notifier_worker.measures import Measures
from notifier_worker.relay import Relay
from notifier_worker.trying import Trying
from notifier_worker.verdicts import RetrySchedule
from shared.broker.interfaces import PublishesNotifications
from shared.checkpoints import Checkpoint
from shared.clock import Clock
from shared.metrics import Metrics
from shared.sealing import Sealer
from shared.settings.settings import Settings
from shared.storage.deliveries import Breaker
from shared.storage.engine import Database


@dataclass(frozen=True, slots=True)
class NotifierParts:
    """A wired notifier worker; nothing of it runs yet."""

    hipay: Dispatcher
    merchant: Dispatcher
    relay: Relay


def wire(
    *,
    database: Database,
    publisher: PublishesNotifications,
    client: HttpClient,
    sealer: Sealer,
    clock: Clock,
    metrics: Metrics,
    settings: Settings,
    checkpoint: Checkpoint,
    rng: random.Random,
) -> NotifierParts:
    measures = Measures(metrics.registry)
    trying = Trying(
        client,
        RetrySchedule(settings.notify_retry_seconds),
        clock,
        rng,
        timeout_seconds=settings.notify_timeout_seconds,
        life_seconds=settings.notify_lifetime_seconds,
    )

    def dispatcher(kind: str, letters: Letters, *, most: int, most_of_target: int) -> Dispatcher:
        return Dispatcher(
            kind=kind,
            database=database,
            letters=letters,
            trying=trying,
            lanes=Lanes(
                most=most,
                most_of_target=most_of_target,
                breaker_failures=settings.notify_breaker_failures,
            ),
            breaker=Breaker(settings.notify_breaker_failures, settings.notify_breaker_seconds),
            measures=measures,
            checkpoint=checkpoint,
            rng=rng,
            lease_seconds=settings.notify_lease_seconds,
        )

    return NotifierParts(
        hipay=dispatcher(
            "hipay",
            HipayLetters(database, settings, clock),
            most=settings.notify_hipay_concurrency,
            most_of_target=settings.notify_hipay_concurrency,
        ),
        merchant=dispatcher(
            "merchant",
            MerchantLetters(database, sealer, clock),
            most=settings.notify_merchant_concurrency,
            most_of_target=settings.notify_endpoint_concurrency,
        ),
        relay=Relay(
            database, publisher, measures, rng, interval_seconds=settings.notify_sweep_interval_seconds
        ),
    )
