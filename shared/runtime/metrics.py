"""Metrics of a process, under one prefix, with labels of bounded values."""

from importlib.metadata import PackageNotFoundError, version
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.process_collector import ProcessCollector

from shared.payment.payment import Operation, Payment, Reason
from shared.payment.states import State

#: A terminal's session: from an immediate refusal to a slow customer, and beyond the time-out.
SESSION_BUCKETS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 45, 60, 90, 120, 180, 240)
#: The system's own time beside a session.
ADDED_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.035, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
#: From acceptance to the claim.
WAIT_BUCKETS: Final = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30)
#: From a late answer to an operator's decision on the next morning.
DOUBT_BUCKETS: Final = (1, 5, 15, 45, 120, 300, 600, 1800, 7200, 28800, 86400)
LAG_BUCKETS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)

PublishFailure = Literal["not_routed", "not_accepted", "unknown"]
OPEN_STATES: Final = (State.QUEUED, State.IN_SESSION, State.IN_DOUBT)
_REASONS: Final = frozenset(Reason)


class Metrics:
    """One process's metrics, in a registry of its own."""

    def __init__(self, process: str, registry: CollectorRegistry | None = None) -> None:
        self.registry: Final = registry or CollectorRegistry()
        ProcessCollector(registry=self.registry)
        build = self._gauge("build_info", "The running version; always 1.", "version", "process")
        build.labels(running_version(), process).set(1)

        self._payments = self._counter(
            "payments", "Payments that reached an outcome, doubt included.", "operation", "outcome", "reason"
        )
        self._session = self._histogram(
            "session_seconds",
            "From the claim to the outcome of a terminal session.",
            SESSION_BUCKETS,
            "operation",
        )
        self._added = self._histogram(
            "added_seconds",
            "From the request to its answer, less the terminal's session.",
            ADDED_BUCKETS,
        )
        self._queue_wait = self._histogram(
            "queue_wait_seconds", "From the acceptance of a payment to its claim.", WAIT_BUCKETS
        )
        self._open = self._gauge("payments_open", "Payments without a final outcome, by state.", "state")
        for state in OPEN_STATES:
            self._open.labels(state.value).set(0)
        self._replies = self._counter(
            "replies", "Results that woke a waiting request: broker's reply or database poll.", "way"
        )
        self._replies_lost = self._counter(
            "replies_lost",
            "Replies that reached no API process.",
            "cause",
        )
        self.slots_used: Final = self._gauge(
            "session_slots_used", "Terminal sessions running in this worker."
        )
        self.slots_free: Final = self._gauge("session_slots_free", "Further sessions this worker could run.")
        self._publish_failures = self._counter(
            "publish_failures", "Messages that the broker did not confirm.", "kind"
        )
        self.dead_letters: Final = self._counter(
            "dead_letters", "Unreadable messages that were dead-lettered."
        )
        self.takeovers: Final = self._counter("takeovers", "Terminal locks taken over from dead workers.")
        self.orphans: Final = self._counter(
            "orphans", "Payments in session without a terminal lock; there should be none."
        )
        self.contradictions: Final = self._counter(
            "contradictions",
            "Proofs that contradict the stored outcome of a payment: an operator must check.",
        )
        self._resolution = self._histogram(
            "doubt_seconds", "From the beginning of a doubt to what settled it.", DOUBT_BUCKETS, "source"
        )
        self.loop_lag: Final = self._histogram(
            "event_loop_lag_seconds",
            "How late the event loop woke; late heartbeats lose connections.",
            LAG_BUCKETS,
        )
        for way in ("broker", "database"):
            self._replies.labels(way)
        for cause in ("requester_gone", "unreadable", "broker_away"):
            self._replies_lost.labels(cause)
        for kind in ("not_routed", "not_accepted", "unknown"):
            self._publish_failures.labels(kind)

    def payment_ended(self, operation: Operation, outcome: State, reason: str | None) -> None:
        """Count an outcome. A reason that is none of ours is counted as `other`: labels stay few."""
        label = "" if reason is None else reason if reason in _REASONS else "other"
        self._payments.labels(operation.value, outcome.value, label).inc()

    def doubt_resolved(self, payment: Payment) -> None:
        """Note how long a payment was in doubt, and what settled it; nothing where it never was."""
        if payment.resolved_by is None or payment.doubted_at is None or payment.ended_at is None:
            return
        self._resolution.labels(payment.resolved_by).observe((payment.ended_at - payment.doubted_at) / 1000)

    def session_took(self, operation: Operation, seconds: float) -> None:
        self._session.labels(operation.value).observe(seconds)

    def answered(self, total_seconds: float, session_seconds: float) -> None:
        """Note what we added to the session of a payment that was answered with its result."""
        self._added.observe(max(0.0, total_seconds - session_seconds))

    def waited_in_queue(self, seconds: float) -> None:
        self._queue_wait.observe(max(0.0, seconds))

    def open_payments(self, state: State, count: int) -> None:
        """Set the number of the whole installation's payments in a state that is not final (take the maximum
        over processes, not the sum)."""
        self._open.labels(state.value).set(count)

    def slots(self, used: int, limit: int) -> None:
        self.slots_used.set(used)
        self.slots_free.set(limit - used)

    def reply_came(self, way: Literal["broker", "database"]) -> None:
        """Count the cause that woke a waiting request; `database`: the broker's reply did not come in
        time."""
        self._replies.labels(way).inc()

    def reply_lost(self, cause: Literal["requester_gone", "unreadable", "broker_away"]) -> None:
        self._replies_lost.labels(cause).inc()

    def publish_failed(self, kind: PublishFailure) -> None:
        self._publish_failures.labels(kind).inc()

    def _counter(self, name: str, why: str, *labels: str) -> Counter:
        return Counter(name, why, labels, namespace="cloud_terminal", registry=self.registry)

    def _gauge(self, name: str, why: str, *labels: str) -> Gauge:
        return Gauge(name, why, labels, namespace="cloud_terminal", registry=self.registry)

    def _histogram(self, name: str, why: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(
            name, why, labels, namespace="cloud_terminal", buckets=buckets, registry=self.registry
        )


def running_version() -> str:
    """Return the installed distribution's version; `source` where the packages run from a bare checkout."""
    try:
        return version("cloud-terminal")
    except PackageNotFoundError:
        return "source"
