"""What a process needs of a broker, so that a simulation can stand in for RabbitMQ."""

from collections.abc import Callable
from typing import Protocol, TypeAlias, TypeVar

from shared.broker.messages import NotificationMessage, PaymentMessage, ProbeMessage, ReplyMessage, Work

Message_co = TypeVar("Message_co", covariant=True)


class MessagePublisher(Protocol):
    """Sends messages. Each call returns once the broker has the message for certain."""

    async def publish_payment(self, message: PaymentMessage, *, traceparent: str | None = None) -> None:
        """Put a payment into the workers' queue; raise NotAccepted (NotRouted) or Unconfirmed."""
        ...

    async def reply(self, reply_to: str, message: ReplyMessage, *, traceparent: str | None = None) -> None:
        """Wake the API behind a reply queue; raise NotRouted (it is gone), NotAccepted, Unconfirmed."""
        ...


class ProbePublisher(Protocol):
    """Sends probes to the workers."""

    async def publish_probe(self, message: ProbeMessage, *, traceparent: str | None = None) -> None:
        """Put a probe into the workers' queue; raise NotAccepted (NotRouted) or Unconfirmed."""
        ...


class NotificationPublisher(Protocol):
    """Wakes the notifier workers."""

    async def publish_notification(self, message: NotificationMessage) -> None:
        """Tell a notifier worker of a delivery; raise NotAccepted (NotRouted) or Unconfirmed."""
        ...


class IncomingMessage(Protocol[Message_co]):
    """One delivery of a message. Exactly one of the three ends it; none of them raises."""

    @property
    def message(self) -> Message_co: ...

    @property
    def redelivered(self) -> bool:
        """Whether the broker delivered it before, to whomever."""
        ...

    @property
    def traceparent(self) -> str | None: ...

    async def ack(self) -> None:
        """The message is done: a payment has an outcome (doubt included), or waits for its line."""
        ...

    async def requeue(self) -> None:
        """Give it back untouched, for another worker; only while draining, never as a retry."""
        ...

    async def reject(self) -> None:
        """Put it aside into the dead letter queue."""
        ...


#: One delivery of a payment or probe.
Delivery: TypeAlias = IncomingMessage[Work]
#: Called in the broker's delivery task: it must hand off to a task of its own and return at once.
OnDelivery = Callable[[Delivery], None]
#: Called with the id of a payment that has an outcome.
OnReply = Callable[[str], None]


class WorkConsumer(Protocol):
    """The workers' side of the payment queue."""

    async def start(self, on_delivery: OnDelivery) -> None: ...

    async def ready(self) -> str | None:
        """Return None where the broker really delivers to us, else what is missing."""
        ...

    async def stop(self) -> None:
        """Take no further delivery, give back those under way; what was handed over stays with its owner."""
        ...


class ReplyListener(Protocol):
    """The API's side of the replies."""

    @property
    def name(self) -> str:
        """The reply queue's name at this moment; ask for it at each publish."""
        ...

    async def start(self, on_reply: OnReply) -> None: ...

    async def ready(self) -> str | None: ...
