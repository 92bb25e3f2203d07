"""Metrics of the connections to RabbitMQ, as each process sees them."""

from typing import Final

from shared.metrics.definition import NOTIFIER, PROCESSES, WORKER, Metric

PUBLISH_FAILURES: Final = ("not_routed", "not_accepted", "unknown")
_PURPOSES: Final = "what the process uses connections for: `publish`, `consume`, `reply`, `notify` ..."

CONNECTED: Final = Metric(
    kind="gauge",
    name="broker_connected",
    help="1 while this connection to RabbitMQ is open, else 0.",
    owners=PROCESSES,
    labels={"purpose": _PURPOSES},
    advice="0 in all processes: RabbitMQ or the network to it is down; orders are cancelled before "
    "anything is sent. 0 in one process: restart it if it does not come back within a minute.",
)
RECONNECTS: Final = Metric(
    kind="counter",
    name="broker_reconnects",
    help="Connections to RabbitMQ that were lost and made again.",
    owners=PROCESSES,
    labels={"purpose": _PURPOSES},
    advice="A few after a restart of RabbitMQ. A steady rate: a firewall ends idle connections, or the "
    "event loop is blocked for longer than two heartbeats.",
)
BLOCKED: Final = Metric(
    kind="gauge",
    name="broker_blocked",
    help="1 while RabbitMQ accepts no messages of this process because of its memory or disk alarm.",
    owners=PROCESSES,
    advice="Give RabbitMQ memory or disk; see the alert "
    "[BrokerBlocked](../operations/alerts.md#brokerblocked).",
)
PUBLISH_FAILED: Final = Metric(
    kind="counter",
    name="publish_failures",
    help="Messages that RabbitMQ did not confirm.",
    owners=PROCESSES,
    labels={"kind": PUBLISH_FAILURES},
    advice="`not_routed`: the queue is gone (for replies: the API ended). `not_accepted`: no connection,"
    " or an alarm. `unknown`: the confirmation is missing; the sweep publishes again, and nothing"
    " is paid twice.",
)
DEAD_LETTERS: Final = Metric(
    kind="counter",
    name="dead_letters",
    help="Messages that this process put into a dead-letter queue.",
    owners=(WORKER, NOTIFIER),
    advice="The log has the reason beside the id. The payment is not lost: the sweep publishes a queued "
    "one again. See the alert [DeadLetters](../operations/alerts.md#deadletters).",
)

BROKER: Final = (CONNECTED, RECONNECTS, BLOCKED, PUBLISH_FAILED, DEAD_LETTERS)
