"""Metrics of one subject each, as parts of a process's metrics."""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from shared.metrics.catalogue import broker, database, http, terminals
from shared.metrics.registry import OwnedMetrics


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
        self._duration.labels(route).observe(seconds)

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
