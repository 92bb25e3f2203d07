"""Every queue that we declare, as one table.

Only the default exchange is used: a routing key is the name of a queue. Durable and exclusive are always
passed, because the client's defaults (neither) are refused by RabbitMQ 4.3.
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
        """The queue of the deliveries of one kind: `hipay` or `merchant`."""
        return f"{self.prefix}notify.{kind}"

    @property
    def dead_notifications(self) -> str:
        return self.prefix + "notify.dead"

    @property
    def durable_queues(self) -> tuple[str, ...]:
        """All that stay in the broker when the processes are gone."""
        notifications = (self.notifications(kind) for kind in NOTIFICATION_KINDS)
        return (self.payments, self.dead_payments, *notifications, self.dead_notifications)

    @property
    def nowhere(self) -> str:
        """A name that no queue ever has: a message to it comes back, which shows the round trip."""
        return f"{self.prefix}nowhere"

    def reply_queue(self, process_id: str) -> str:
        return f"{self.prefix}{REPLY}{process_id}"

    def is_reply_queue(self, name: str) -> bool:
        """Whether a message may be sent to this name as a reply: no stored text reaches another queue."""
        return name.startswith(self.prefix + REPLY)


@dataclass(frozen=True, slots=True)
class QueueKind:
    """How a queue is declared. Nothing here is ever deleted automatically by the broker."""

    durable: bool
    exclusive: bool
    arguments: Callable[[Topology], Arguments]


#: Payments for the workers, competing consumers. Quorum: a confirmed message survives a node.
#: RabbitMQ's consumer time-out (30 minutes by default) is far above the longest session (200 s), and a doubt
#: holds no delivery, so none is set here.
PAYMENTS: Final = QueueKind(
    durable=True,
    exclusive=False,
    arguments=lambda topology: {
        "x-queue-type": "quorum",
        # Without a limit 3.x delivers a poisonous message for ever, and 4.x drops it after 20.
        "x-delivery-limit": topology.delivery_limit,
        # By way of the default exchange: a missing one would drop silently. At most once is enough, since the
        # database is the truth and the sweep publishes again.
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": topology.dead_payments,
    },
)

#: Deliveries for the notifier workers, a queue for each kind, so that one never waits behind the other. The
#: messages are wake-ups: what is lost or put aside is found in the database.
NOTIFICATIONS: Final = QueueKind(
    durable=True,
    exclusive=False,
    arguments=lambda topology: {
        "x-queue-type": "quorum",
        "x-delivery-limit": topology.delivery_limit,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": topology.dead_notifications,
    },
)

#: Messages that nobody could read or finish, for a person to look at. Nothing consumes it.
DEAD_LETTERS: Final = QueueKind(
    durable=True,
    exclusive=False,
    # The newest ten thousand: what is older is in the database and in the logs.
    arguments=lambda _: {"x-queue-type": "quorum", "x-max-length": 10_000},
)

#: Wake-ups for one API process. Exclusive: it dies with its connection, so that a reply to a process that is
#: gone comes back as unroutable. Classic: quorum queues cannot be exclusive.
REPLIES: Final = QueueKind(
    durable=False,
    exclusive=True,
    # More than a process can have callers; a lost wake-up is found in the database.
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
