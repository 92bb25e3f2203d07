"""What a notifier worker measures, by kind of target: `hipay` or `merchant`."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from shared.notification.kinds import NOTIFICATION_KINDS

#: A receiver on the same machine, one far away, one that hangs.
TRY_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)


class NotifierMetrics:
    """Beside a process's `Metrics`, in the same registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, why: str, *labels: str) -> Counter:
            return Counter(name, why, labels, namespace="cloud_terminal", registry=registry)

        def gauge(name: str, why: str) -> Gauge:
            return Gauge(name, why, ("kind",), namespace="cloud_terminal", registry=registry)

        self._sent: Final = counter("notifications_sent", "Deliveries that were received (2xx).", "kind")
        self._failed: Final = counter(
            "notifications_failed", "Tries that failed, by status or stable word.", "kind", "error"
        )
        self._dead: Final = counter(
            "notifications_dead", "Deliveries that nobody tries any more.", "kind", "reason"
        )
        self._try_seconds: Final = Histogram(
            "notification_try_seconds",
            "One try, from the name look-up to the answer.",
            ("kind",),
            namespace="cloud_terminal",
            buckets=TRY_BUCKETS,
            registry=registry,
        )
        self._waiting: Final = gauge(
            "notifications_waiting", "Deliveries that wait, in the whole installation (take the maximum)."
        )
        self._oldest: Final = gauge(
            "notifications_oldest_seconds",
            "Age of the oldest that waits, since it was made or replayed.",
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

    def dead(self, kind: str, reason: str, number: int = 1) -> None:
        self._dead.labels(kind, reason).inc(number)

    def attempt_result(self, kind: str, seconds: float) -> None:
        self._try_seconds.labels(kind).observe(seconds)

    def waiting(self, kind: str, number: int, oldest_seconds: float) -> None:
        self._waiting.labels(kind).set(number)
        self._oldest.labels(kind).set(oldest_seconds)

    def under_way(self, kind: str, number: int) -> None:
        self._in_use.labels(kind).set(number)
