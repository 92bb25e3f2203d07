"""Metrics of a process; names, labels and owners are defined in `shared.metrics.catalogue`."""

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Final, Literal

from prometheus_client import CollectorRegistry

from shared.metrics.catalogue import broker, payments, process, terminals
from shared.metrics.parts import BrokerMetrics, DatabaseMetrics, HttpMetrics, TerminalMetrics
from shared.metrics.registry import OwnedMetrics
from shared.payment.payment import Operation, Payment, Reason
from shared.payment.states import State

PublishFailure = Literal["not_routed", "not_accepted", "unknown"]
_REASONS: Final = frozenset(Reason)


class Metrics:
    """One process's metrics, in a registry of its own."""

    def __init__(self, process_name: str, registry: CollectorRegistry | None = None) -> None:
        owned = self.owned = OwnedMetrics(process_name, registry or CollectorRegistry())
        self.registry: Final = owned.registry
        owned.gauge(process.BUILD).labels(running_version(), process_name).set(1)
        self.http: Final = HttpMetrics(owned)
        self.terminals: Final = TerminalMetrics(owned)
        self.broker: Final = BrokerMetrics(owned)
        self.database: Final = DatabaseMetrics(owned)
        self._payments: Final = owned.counter(payments.ENDED)
        self._session: Final = owned.histogram(payments.SESSION_DURATION)
        self._added: Final = owned.histogram(payments.ADDED_LATENCY)
        self._queue_wait: Final = owned.histogram(payments.QUEUE_WAIT)
        self._open: Final = owned.gauge(payments.OPEN)
        self._oldest: Final = owned.gauge(payments.OLDEST_AGE)
        self._waiting: Final = owned.gauge(payments.WAITING_REQUESTS)
        self._replies: Final = owned.counter(payments.REPLIES)
        self._replies_lost: Final = owned.counter(payments.REPLIES_LOST)
        self._resolution: Final = owned.histogram(payments.DOUBT_DURATION)
        self._slots_used: Final = owned.gauge(terminals.SLOTS_USED)
        self._slots_free: Final = owned.gauge(terminals.SLOTS_FREE)
        self._publish_failures: Final = owned.counter(broker.PUBLISH_FAILED)
        self.dead_letters: Final = owned.counter(broker.DEAD_LETTERS)
        self.takeovers: Final = owned.counter(terminals.TAKEOVERS)
        self.orphans: Final = owned.counter(payments.ORPHANS)
        self.contradictions: Final = owned.counter(payments.CONTRADICTIONS)
        self.loop_lag: Final = owned.histogram(process.LOOP_LAG)

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

    def open_payments(self, state: State, count: int, oldest_seconds: float) -> None:
        """Set the number of the whole installation's payments in a state that is not final, and the age of
        the oldest."""
        self._open.labels(state.value).set(count)
        self._oldest.labels(state.value).set(oldest_seconds)

    def watch_waiting(self, count: Callable[[], int]) -> None:
        """Ask `count` for the number of waiting requests whenever the metrics are read."""
        self._waiting.set_function(count)

    def slots(self, used: int, limit: int) -> None:
        self._slots_used.set(used)
        self._slots_free.set(limit - used)

    def reply_came(self, way: Literal["broker", "database"]) -> None:
        """Count the cause that woke a waiting request; `database`: the broker's reply did not come in
        time."""
        self._replies.labels(way).inc()

    def reply_lost(self, cause: Literal["requester_gone", "unreadable", "broker_unavailable"]) -> None:
        self._replies_lost.labels(cause).inc()

    def publish_failed(self, kind: PublishFailure) -> None:
        self._publish_failures.labels(kind).inc()


def running_version() -> str:
    """Return the installed distribution's version; `source` where the packages run from a bare checkout."""
    try:
        return version("cloud-terminal")
    except PackageNotFoundError:
        return "source"
