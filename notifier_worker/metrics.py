"""Metrics of a notifier worker, by kind of delivery: `hipay` or `merchant`."""

from typing import Final

from shared.metrics.catalogue import notifications
from shared.metrics.registry import OwnedMetrics
from shared.notification.kinds import NOTIFICATION_KINDS
from shared.storage.webhooks.delivery_sweep import Waiting


class NotifierMetrics:
    """A notifier worker's own metrics, in the registry of its `Metrics`."""

    def __init__(self, owned: OwnedMetrics) -> None:
        self._sent: Final = owned.counter(notifications.DELIVERED)
        self._failed: Final = owned.counter(notifications.FAILED)
        self._dead: Final = owned.counter(notifications.GIVEN_UP)
        self._attempt: Final = owned.histogram(notifications.ATTEMPT_DURATION)
        self._first_lag: Final = owned.histogram(notifications.FIRST_ATTEMPT_LAG)
        self._lag: Final = owned.histogram(notifications.DELIVERY_LAG)
        self._waiting: Final = owned.gauge(notifications.WAITING)
        self._oldest: Final = owned.gauge(notifications.OLDEST_AGE)
        self._overdue: Final = owned.gauge(notifications.OVERDUE_AGE)
        self._paused: Final = owned.gauge(notifications.PAUSED)
        self._in_use: Final = owned.gauge(notifications.UNDER_WAY)

    def sent(self, kind: str, lag_seconds: float) -> None:
        """Count a success; `lag_seconds` since the delivery was written."""
        self._sent.labels(kind).inc()
        self._lag.labels(kind).observe(lag_seconds)

    def failed(self, kind: str, status: int | None, error: str | None) -> None:
        """Count a failed attempt; statuses by their class, since a receiver may invent any."""
        self._failed.labels(kind, str(error) if status is None else f"{status // 100}xx").inc()

    def gave_up(self, kind: str, reason: str, number: int = 1) -> None:
        self._dead.labels(kind, reason).inc(number)

    def attempt_ended(self, kind: str, seconds: float) -> None:
        self._attempt.labels(kind).observe(seconds)

    def first_attempt_ended(self, kind: str, lag_seconds: float) -> None:
        self._first_lag.labels(kind).observe(lag_seconds)

    def waiting(self, by_kind: dict[str, Waiting], paused: int) -> None:
        """Set the waiting deliveries of the whole installation, and the number of paused targets."""
        none = Waiting(0, 0.0, 0.0)
        for kind in NOTIFICATION_KINDS:
            waiting = by_kind.get(kind, none)
            self._waiting.labels(kind).set(waiting.number)
            self._oldest.labels(kind).set(waiting.oldest_seconds)
            self._overdue.labels(kind).set(waiting.overdue_seconds)
        self._paused.set(paused)

    def under_way(self, kind: str, number: int) -> None:
        self._in_use.labels(kind).set(number)
