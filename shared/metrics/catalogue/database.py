"""Metrics of the database, as each process sees it."""

from typing import Final

from shared.metrics.definition import PROCESSES, WORKER, Metric

CALLS: Final = ("read", "write")
CALL_FAILURES: Final = ("busy", "unavailable", "commit_unknown")
#: What belongs to payments; a test compares with the purge's own list.
PURGED_TABLES: Final = (
    "delivery_attempts",
    "deliveries",
    "events",
    "evidence",
    "gateway_records",
    "payment_events",
    "responses",
    "idempotency_keys",
    "payments",
)
CALL_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)

CALL_DURATION: Final = Metric(
    kind="histogram",
    name="database_call_duration_seconds",
    help="A read or a transaction: wait for a connection, statements and commit, repetitions included.",
    owners=PROCESSES,
    labels={"call": CALLS},
    buckets=CALL_BUCKETS,
    advice="Slow in all processes: the database's disk (a commit waits for it) or its processor. Slow in"
    " one: its pool is too small (`database_calls_waiting`) or its event loop is busy.",
)
FAILURES: Final = Metric(
    kind="counter",
    name="database_failures",
    help="Reads and transactions that failed because of the database.",
    owners=PROCESSES,
    labels={"kind": CALL_FAILURES},
    advice="`busy`: no connection of the pool was free for 10 s. `unavailable`: no connection to the "
    "database, or a time-out. `commit_unknown`: the answer to a commit was lost; whoever asked "
    "finds out by reading.",
)
IN_USE: Final = Metric(
    kind="gauge",
    name="database_connections_in_use",
    help="Connections of this process's pool that are in use.",
    owners=PROCESSES,
    advice="At the limit for long: see `database_calls_waiting`.",
)
LIMIT: Final = Metric(
    kind="gauge",
    name="database_connections_limit",
    help="Connections that this process's pool may have.",
    owners=PROCESSES,
    advice="`CLOUD_TERMINAL_DATABASE_POOL_SIZE`; the sum of all processes has to stay below the "
    "database's own limit.",
)
WAITING: Final = Metric(
    kind="gauge",
    name="database_calls_waiting",
    help="Calls of this process that wait for a connection of its pool.",
    owners=PROCESSES,
    advice="Short bursts are usual. If some wait always, start more processes or raise the pool's size.",
)
SIZE: Final = Metric(
    kind="gauge",
    name="database_size_bytes",
    help="Size of the database.",
    owners=(WORKER,),
    is_shared=True,
    advice="It grows by some KB a payment. Compare with the disk; see [growth](../operations/growth.md).",
)
PURGED: Final = Metric(
    kind="counter",
    name="purged_rows",
    help="Rows that this worker's purges of old payments and deliveries deleted.",
    owners=(WORKER,),
    labels={"table": PURGED_TABLES},
    advice="One worker a day purges; none moves for the first days of an installation. If it stops while "
    "`purge_age_seconds` grows, see [PurgeOverdue](../operations/alerts.md#purgeoverdue).",
)
PURGE_AGE: Final = Metric(
    kind="gauge",
    name="purge_age_seconds",
    help="Time since a purge of old payments and deliveries last ended; a day before the first one.",
    owners=(WORKER,),
    is_shared=True,
    advice="A day and some minutes at most. Beyond two days purges begin and do not end, or none begins: see "
    "[PurgeOverdue](../operations/alerts.md#purgeoverdue).",
)
OLDEST_KEPT: Final = Metric(
    kind="gauge",
    name="oldest_payment_age_seconds",
    help="Age of the oldest payment that is stored.",
    owners=(WORKER,),
    is_shared=True,
    advice="It grows to `CLOUD_TERMINAL_RETENTION_DAYS` and stays there. Beyond it: a payment that is open "
    "or disputed is never purged (`payments_oldest_age_seconds` shows open ones), or purges fail.",
)

DATABASE: Final = (
    CALL_DURATION,
    FAILURES,
    IN_USE,
    LIMIT,
    WAITING,
    SIZE,
    PURGED,
    PURGE_AGE,
    OLDEST_KEPT,
)
