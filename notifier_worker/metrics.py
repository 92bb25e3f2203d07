"""Metrics of a notifier worker, by kind of delivery: `hipay` or `merchant`."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from shared.notification.kinds import NOTIFICATION_KINDS

#: From a receiver on the same machine to one that hangs.
TRY_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)


class NotifierMetrics:
    """A notifier worker's own metrics, in the registry of its `Metrics`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, why: str, *labels: str) -> Counter:
            return Counter(name, why, labels, namespace="cloud_terminal", registry=registry)

        def gauge(name: str, why: str) -> Gauge:
            return Gauge(name, why, ("kind",), namespace="cloud_terminal", registry=registry)

        self._sent: Final = counter("notifications_sent", "Deliveries answered with 2xx.", "kind")
        self._failed: Final = counter(
            "notifications_failed", "Attempts that failed, by status or error code.", "kind", "error"
        )
        self._dead: Final = counter(
            "notifications_dead", "Deliveries that are not retried any more.", "kind", "reason"
        )
        self._try_seconds: Final = Histogram(
            "notification_try_seconds",
            "One attempt, from the DNS look-up to the answer.",
            ("kind",),
            namespace="cloud_terminal",
            buckets=TRY_BUCKETS,
            registry=registry,
        )
        self._waiting: Final = gauge(
            "notifications_waiting", "Waiting deliveries of the whole installation (take the maximum)."
        )
        self._oldest: Final = gauge(
            "notifications_oldest_seconds",
            "Age of the oldest waiting delivery, since it was created or replayed.",
        )
        self._in_use: Final = gauge("notifications_under_way", "Deliveries under way in this worker.")
        for kind in NOTIFICATION_KINDS:
            self._sent.labels(kind)
            self.waiting(kind, 0, 0)
            self.under_way(kind, 0)

    def sent(self, kind: str) -> None:
        self._sent.labels(kind).inc()

    def failed(self, kind: str, error: str) -> None:
        self._failed.labels(kind, error).inc()

    def gave_up(self, kind: str, reason: str, number: int = 1) -> None:
        self._dead.labels(kind, reason).inc(number)

    def attempt_ended(self, kind: str, seconds: float) -> None:
        self._try_seconds.labels(kind).observe(seconds)

    def waiting(self, kind: str, number: int, oldest_seconds: float) -> None:
        self._waiting.labels(kind).set(number)
        self._oldest.labels(kind).set(oldest_seconds)

    def under_way(self, kind: str, number: int) -> None:
        self._in_use.labels(kind).set(number)
