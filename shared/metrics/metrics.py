"""Metrics of a process; names, labels and owners are defined in `shared.metrics.catalogue`."""

from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Final, Literal, Protocol

from prometheus_client import CollectorRegistry

from shared.metrics.catalogue import broker, database, http, payments, process, terminals
from shared.metrics.registry import OwnedMetrics
from shared.payment.payment import Operation, Payment, Reason
from shared.payment.states import State
from shared.tracing.spans import exemplar

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
        self._session.labels(operation.value).observe(seconds, exemplar())

    def answered(self, total_seconds: float, session_seconds: float) -> None:
        """Note what we added to the session of a payment that was answered with its result."""
        self._added.observe(max(0.0, total_seconds - session_seconds), exemplar())

    def waited_in_queue(self, seconds: float) -> None:
        self._queue_wait.observe(max(0.0, seconds), exemplar())

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


class HttpMetrics:
    """Requests to the API."""

    def __init__(self, owned: OwnedMetrics) -> None:
        self._requests: Final = owned.counter(http.REQUESTS)
        self._duration: Final = owned.histogram(http.REQUEST_DURATION)
        self._errors: Final = owned.counter(http.ERRORS)
        self._refused: Final = owned.counter(http.CONNECTIONS_REFUSED)
        self.in_flight: Final = owned.gauge(http.IN_FLIGHT)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        self._requests.labels(method, route, status).inc()
        self._duration.labels(route).observe(seconds, exemplar())

    def failed(self, route: str, code: str) -> None:
        self._errors.labels(route, code).inc()

    def connection_refused(self, reason: str) -> None:
        self._refused.labels(reason).inc()


class TerminalMetrics:
    """Terminals, their locks and the workers that drive them."""

    def __init__(self, owned: OwnedMetrics) -> None:
        self._connect_failures: Final = owned.counter(terminals.CONNECT_FAILED)
        self._locked: Final = owned.gauge(terminals.LOCKED)
        self._overdue: Final = owned.gauge(terminals.LOCKS_OVERDUE)
        self._workers: Final = owned.gauge(terminals.WORKERS)

    def connect_failed(self, reason: str) -> None:
        self._connect_failures.labels(reason).inc()

    def locks(self, by_holder: Mapping[str, int], overdue: int) -> None:
        """Set the numbers of held locks of the whole installation."""
        for holder in terminals.HOLDERS:
            self._locked.labels(holder).set(by_holder.get(holder, 0))
        self._overdue.set(overdue)

    def workers(self, *, alive: int, stale: int) -> None:
        """Set the numbers of registered workers of the whole installation."""
        self._workers.labels("alive").set(alive)
        self._workers.labels("stale").set(stale)


class BrokerMetrics:
    """Connections to RabbitMQ; their state is asked for when the metrics are read."""

    def __init__(self, owned: OwnedMetrics) -> None:
        self._connected: Final = owned.gauge(broker.CONNECTED)
        self._reconnects: Final = owned.counter(broker.RECONNECTS)
        self._alarms: Final[list[Callable[[], bool]]] = []
        owned.gauge(broker.BLOCKED).set_function(lambda: any(is_raised() for is_raised in self._alarms))

    def watch_connection(self, purpose: str, is_connected: Callable[[], bool]) -> None:
        self._connected.labels(purpose).set_function(is_connected)
        self._reconnects.labels(purpose)

    def reconnected(self, purpose: str) -> None:
        self._reconnects.labels(purpose).inc()

    def watch_alarm(self, is_raised: Callable[[], bool]) -> None:
        self._alarms.append(is_raised)


class CallObserver(Protocol):
    """An observer of reads and transactions, as a database calls it."""

    def call_ended(self, call: str, seconds: float) -> None: ...
    def call_failed(self, kind: str) -> None: ...


class ObservedDatabase(Protocol):
    """A database with the use of its connections at this moment."""

    observer: CallObserver | None

    @property
    def connections_limit(self) -> int: ...
    @property
    def connections_in_use(self) -> int: ...
    @property
    def calls_waiting(self) -> int: ...


class DatabaseMetrics:
    """Calls of the database and its connections."""

    def __init__(self, owned: OwnedMetrics) -> None:
        duration, failures = owned.histogram(database.CALL_DURATION), owned.counter(database.FAILURES)
        # Kept: this is called several times for each payment.
        self._durations: Final = {call: duration.labels(call) for call in database.CALLS}
        self._failures: Final = {kind: failures.labels(kind) for kind in database.CALL_FAILURES}
        self._limit: Final = owned.gauge(database.LIMIT)
        self._in_use: Final = owned.gauge(database.IN_USE)
        self._waiting: Final = owned.gauge(database.WAITING)
        self._size: Final = owned.gauge(database.SIZE)
        self._purged: Final = owned.counter(database.PURGED)
        self._purge_age: Final = owned.gauge(database.PURGE_AGE)
        self._oldest_kept: Final = owned.gauge(database.OLDEST_KEPT)

    def call_ended(self, call: str, seconds: float) -> None:
        self._durations[call].observe(seconds)

    def call_failed(self, kind: str) -> None:
        self._failures[kind].inc()

    def observe(self, database: ObservedDatabase) -> None:
        """Measure the calls and the connections of a database."""
        database.observer = self
        self._limit.set(database.connections_limit)
        self._in_use.set_function(lambda: database.connections_in_use)
        self._waiting.set_function(lambda: database.calls_waiting)

    def size(self, size_bytes: int) -> None:
        self._size.set(size_bytes)

    def purged(self, deleted: Mapping[str, int]) -> None:
        """Count the rows that a purge deleted, by table."""
        for table, number in deleted.items():
            self._purged.labels(table).inc(number)

    def retention(self, *, purged_seconds: float, oldest_payment_seconds: float) -> None:
        """Set the age of the last purge and of the oldest payment of the whole installation."""
        self._purge_age.set(purged_seconds)
        self._oldest_kept.set(oldest_payment_seconds)


def running_version() -> str:
    """Return the installed distribution's version; `source` where the packages run from a bare checkout."""
    try:
        return version("cloud-terminal")
    except PackageNotFoundError:
        return "source"
