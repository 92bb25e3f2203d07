"""The table of queues.

Only the default exchange is used: a routing key is the name of a queue. Durable and exclusive are always
passed, because RabbitMQ 4.3 refuses the client's defaults (neither).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aio_pika.abc import AbstractChannel, AbstractQueue

from shared.notification.kinds import NOTIFICATION_KINDS

Arguments = dict[str, str | int]

REPLY: Final = "reply."


@dataclass(frozen=True, slots=True)
class Topology:
    """The queues of one installation: `prefix` stands before every name."""

    prefix: str
    delivery_limit: int

    @property
    def payments(self) -> str:
        return self.prefix + "payments"

    @property
    def dead_payments(self) -> str:
        return self.prefix + "payments.dead"

    def notifications(self, kind: str) -> str:
        """Return the queue of the deliveries of one kind, `hipay` or `merchant`."""
        return f"{self.prefix}notify.{kind}"

    @property
    def dead_notifications(self) -> str:
        return self.prefix + "notify.dead"

    @property
    def declarations(self) -> tuple[tuple[str, "QueueKind"], ...]:
        """The queues that outlive the processes, each dead letter queue before those that use it."""
        return (
            (self.dead_payments, DEAD_LETTERS),
            (self.dead_notifications, DEAD_LETTERS),
            (self.payments, PAYMENTS),
            *((self.notifications(kind), NOTIFICATIONS) for kind in NOTIFICATION_KINDS),
        )

    @property
    def durable_queues(self) -> tuple[str, ...]:
        """The names of the queues that outlive the processes."""
        return tuple(name for name, _ in self.declarations)

    @property
    def nowhere(self) -> str:
        """A name that no queue has: a message to it is returned, which tests the round trip."""
        return f"{self.prefix}nowhere"

    def reply_queue(self, process_id: str) -> str:
        return f"{self.prefix}{REPLY}{process_id}"

    def is_reply_queue(self, name: str) -> bool:
        """Return True if the name is a reply queue's; replies are published to no other queue."""
        return name.startswith(self.prefix + REPLY)


@dataclass(frozen=True, slots=True)
class QueueKind:
    """The declaration of a queue; no queue is deleted automatically."""

    durable: bool
    exclusive: bool
    arguments: Callable[[Topology], Arguments]


def _work(dead_letters: Callable[[Topology], str]) -> QueueKind:
    """Return the declaration of a queue for competing workers.

    Quorum: a confirmed message survives a node. RabbitMQ's consumer time-out (30 minutes by default) is far
    above the longest session (200 s), and a payment in doubt keeps no delivery, so none is set here.
    """
    return QueueKind(
        durable=True,
        exclusive=False,
        arguments=lambda topology: {
            "x-queue-type": "quorum",
            # Without a limit 3.x redelivers a message that kills its worker for ever, 4.x drops it after 20.
            "x-delivery-limit": topology.delivery_limit,
            # Through the default exchange: a missing exchange would drop messages silently. At most once is
            # enough, since the database is the truth and the sweep publishes again.
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": dead_letters(topology),
        },
    )


#: Payments for the terminal workers.
PAYMENTS: Final = _work(lambda topology: topology.dead_payments)

#: Deliveries for the notifier workers, a queue for each kind, so that neither waits for the other. The
#: messages are wake-ups: a lost or dead-lettered one is replaced by the sweep.
NOTIFICATIONS: Final = _work(lambda topology: topology.dead_notifications)

#: Messages that could not be read or finished, kept for an operator. Nothing consumes them.
DEAD_LETTERS: Final = QueueKind(
    durable=True,
    exclusive=False,
    # The newest ten thousand; the logs and the database have older ones.
    arguments=lambda _: {"x-queue-type": "quorum", "x-max-length": 10_000},
)

#: Wake-ups for one API process. Exclusive: it is deleted with its connection, so that a reply to a process
#: that has ended is returned as unroutable. Classic: quorum queues cannot be exclusive.
REPLIES: Final = QueueKind(
    durable=False,
    exclusive=True,
    # More than a process can have waiting requests; the result of a lost wake-up is found in the database.
    arguments=lambda _: {"x-queue-type": "classic", "x-max-length": 100_000},
)


async def declare_queue(
    channel: AbstractChannel, name: str, kind: QueueKind, topology: Topology, *, timeout_seconds: float
) -> AbstractQueue:
    """Declare one queue; on a robust channel it is declared again after each reconnect."""
    return await channel.declare_queue(
        name,
        durable=kind.durable,
        exclusive=kind.exclusive,
        auto_delete=False,
        arguments=dict(kind.arguments(topology)),
        timeout=timeout_seconds,
    )
