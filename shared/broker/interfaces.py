"""Interfaces of the broker, which RabbitMQ and a simulation implement."""

from collections.abc import Callable
from typing import Protocol, TypeAlias, TypeVar

from shared.broker.messages import NotificationMessage, PaymentMessage, ProbeMessage, ReplyMessage, Work
from shared.tracing.context import TraceContext

Message_co = TypeVar("Message_co", covariant=True)


class MessagePublisher(Protocol):
    """A publisher of payments and replies; each call returns once the broker has confirmed the message."""

    async def publish_payment(self, message: PaymentMessage, *, traceparent: str | None = None) -> None:
        """Publish a payment for the terminal workers; raise NotAccepted (NotRouted) or Unconfirmed."""
        ...

    async def reply(self, reply_to: str, message: ReplyMessage) -> None:
        """Wake the API process of a reply queue; raise NotRouted (it has ended), NotAccepted, Unconfirmed."""
        ...


class ProbePublisher(Protocol):
    """A publisher of probes."""

    async def publish_probe(self, message: ProbeMessage, *, traceparent: str | None = None) -> None:
        """Publish a probe for the terminal workers; raise NotAccepted (NotRouted) or Unconfirmed."""
        ...


class NotificationPublisher(Protocol):
    """A publisher of wake-ups for the notifier workers."""

    async def publish_notification(self, message: NotificationMessage) -> None:
        """Wake a notifier worker for a delivery; raise NotAccepted (NotRouted) or Unconfirmed."""
        ...


class IncomingMessage(Protocol[Message_co]):
    """One delivery of a message. `ack`, `requeue` or `reject` ends it once; none of them raises."""

    @property
    def message(self) -> Message_co: ...

    @property
    def queue(self) -> str: ...

    @property
    def trace(self) -> TraceContext | None: ...

    @property
    def request_id(self) -> str | None:
        """The id of the HTTP request that it was sent for; None where a sweep sent it."""
        ...

    async def ack(self) -> None:
        """Remove the message: its payment has ended, is in doubt, or waits for its terminal."""
        ...

    async def requeue(self) -> None:
        """Return the message unprocessed to another worker; only while draining, never as a retry."""
        ...

    async def reject(self) -> None:
        """Dead-letter the message."""
        ...


#: One delivery of a payment or probe.
Delivery: TypeAlias = IncomingMessage[Work]
#: Called in the broker's delivery task: it must start a task of its own and return at once.
OnDelivery = Callable[[Delivery], None]
#: Called with the id of a payment that has ended or is in doubt.
OnReply = Callable[[str], None]


class WorkConsumer(Protocol):
    """The workers' consumer of payments and probes."""

    async def start(self, on_delivery: OnDelivery) -> None: ...

    async def ready(self) -> str | None:
        """Return None where the broker delivers to this consumer, else the reason."""
        ...

    async def stop(self) -> None:
        """Accept no further delivery and requeue those that arrive; the ones handed off before are kept."""
        ...


class ReplyListener(Protocol):
    """The API's consumer of replies."""

    @property
    def name(self) -> str:
        """The name of the reply queue; read it for each publish."""
        ...

    async def start(self, on_reply: OnReply) -> None: ...

    async def ready(self) -> str | None: ...
