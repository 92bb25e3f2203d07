"""Consumers of the workers' queues: deliveries are handed off at once and acknowledged by hand."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, Generic, Protocol, TypeVar, cast

import aiormq
import structlog
from aio_pika import RobustConnection
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue, AbstractRobustChannel
from aiormq.exceptions import ChannelInvalidStateError

from shared.broker.bursts import SettlementBursts
from shared.broker.connections import CLIENT_ERRORS, unavailable_when_failing
from shared.broker.errors import UnreadableMessage
from shared.broker.liveness import missing_consumer
from shared.broker.messages import (
    NotificationMessage,
    Work,
    decode_notification,
    decode_work,
    request_id_of,
    trace_of,
)
from shared.broker.topology import NOTIFICATIONS, PAYMENTS, QueueKind, Topology, declare_queue
from shared.metrics.metrics import Metrics
from shared.runtime.outage_lines import log_outage
from shared.settings.settings import Settings

Settling = Callable[[], Awaitable[None]]


class _Message(Protocol):
    @property
    def id(self) -> str: ...


M = TypeVar("M", bound=_Message)


class QueueDelivery(Generic[M]):
    """One delivery. A requeue is a nack, which RabbitMQ 4.3 does not count against the delivery limit."""

    def __init__(
        self,
        incoming: AbstractIncomingMessage,
        bursts: SettlementBursts,
        message: M,
        queue: str,
        timeout_seconds: float,
    ) -> None:
        self._tag = tag_of(incoming)
        self._bursts = bursts
        self._timeout_seconds = timeout_seconds
        self.message: Final = message
        self.queue: Final = queue
        self.trace: Final = trace_of(incoming.headers)
        self.request_id: Final = request_id_of(incoming.headers)

    async def ack(self) -> None:
        await self._settle("ack", partial(self._bursts.ack, self._tag))

    async def requeue(self) -> None:
        await self._settle("requeue", partial(self._bursts.requeue, self._tag))

    async def reject(self) -> None:
        await self._settle("reject", partial(self._bursts.reject, self._tag))

    async def _settle(self, action: str, call: Settling) -> None:
        await settle(action, call, timeout_seconds=self._timeout_seconds, about=self.message.id)


@dataclass(frozen=True, slots=True)
class Subscription(Generic[M]):
    """A queue with its messages' form, and the most that one consumer has unacknowledged at once."""

    queue: str
    kind: QueueKind
    decode: Callable[[bytes], M]
    tag: str
    prefetch: int


def payment_subscription(topology: Topology, *, process_id: str, session_limit: int) -> Subscription[Work]:
    """Return a terminal worker's subscription to payments and probes; it takes `session_limit` at once."""
    return Subscription(topology.payments, PAYMENTS, decode_work, f"worker.{process_id}", session_limit)


def notification_subscription(
    topology: Topology, kind: str, *, process_id: str, prefetch: int
) -> Subscription[NotificationMessage]:
    """Return a notifier worker's subscription to deliveries of one kind (`hipay` or `merchant`)."""
    tag = f"notifier.{kind}.{process_id}"
    return Subscription(topology.notifications(kind), NOTIFICATIONS, decode_notification, tag, prefetch)


class QueueConsumer(Generic[M]):
    """The consumer of one queue, on a channel of its own."""

    def __init__(
        self,
        connection: RobustConnection,
        topology: Topology,
        subscription: Subscription[M],
        *,
        settings: Settings,
        metrics: Metrics,
    ) -> None:
        self._connection = connection
        self._topology = topology
        self._subscription: Final = subscription
        self._name: Final = subscription.queue
        self._tag: Final = subscription.tag
        self._timeout_seconds = settings.broker_call_timeout_seconds
        self._metrics = metrics
        self._channel: AbstractRobustChannel | None = None
        self._queue: AbstractQueue | None = None
        self._stopping = False
        self._late: list[tuple[SettlementBursts, int]] = []
        self._stopped = False
        self._bursts: SettlementBursts | None = None

    async def start(self, on_delivery: Callable[[QueueDelivery[M]], None]) -> None:
        """Start consuming; raise BrokerUnavailable. After a lost connection it resumes by itself."""

        async def on_message(incoming: AbstractIncomingMessage) -> None:
            await self._hand_off(incoming, on_delivery)

        with unavailable_when_failing():
            async with asyncio.timeout(self._timeout_seconds):
                channel = self._connection.channel(publisher_confirms=False)
                await channel.initialize()
                # Before consuming: without a limit the broker sends all its messages.
                await channel.set_qos(prefetch_count=self._subscription.prefetch)
                queue = await declare_queue(
                    channel,
                    self._name,
                    self._subscription.kind,
                    self._topology,
                    timeout_seconds=self._timeout_seconds,
                )
                await queue.consume(on_message, no_ack=False, exclusive=False, consumer_tag=self._tag)
        self._channel, self._queue = channel, queue

    async def ready(self) -> str | None:
        """Return None where the broker delivers to this consumer, else the reason."""
        if self._channel is None or self._stopping:
            return "not consuming"
        return await missing_consumer(
            self._connection,
            self._channel,
            self._tag,
            self._name,
            timeout_seconds=self._timeout_seconds,
        )

    async def stop(self) -> None:
        """Cancel the consumer and requeue what arrives meanwhile; deliveries handed off before are kept."""
        if self._queue is None or self._stopping:
            return
        self._stopping = True
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await self._queue.cancel(self._tag, nowait=False)
        except CLIENT_ERRORS as error:
            structlog.get_logger().warning("consumer not cancelled", reason=type(error).__name__)
        # Only now: requeued earlier they would be delivered to this consumer again.
        self._stopped = True
        for bursts, tag in self._late:
            await self._requeue(bursts, tag)
        self._late.clear()

    async def _hand_off(
        self, incoming: AbstractIncomingMessage, on_delivery: Callable[[QueueDelivery[M]], None]
    ) -> None:
        """Decode one delivery and pass it on; nothing long may run in the client's delivery task, which ends
        with its channel."""
        try:
            bursts, tag = self._bursts_of(incoming), tag_of(incoming)
        except ChannelInvalidStateError:
            event = "delivery came with a lost connection; the broker delivers it again"
            log_outage("broker", event, "info")
            return
        if self._stopped:
            await self._requeue(bursts, tag)
            return
        if self._stopping:
            self._late.append((bursts, tag))
            return
        try:
            message = self._subscription.decode(incoming.body)
        except Exception as error:
            # Whatever the error is: left unacknowledged the message would hold a slot for ever.
            structlog.get_logger().error(
                "unreadable message dead-lettered",
                queue=self._name,
                reason=str(error),
                message_id=incoming.message_id,
                exc_info=not isinstance(error, UnreadableMessage),
            )
            self._metrics.dead_letters.inc()
            reject = partial(bursts.reject, tag)
            await settle("reject", reject, timeout_seconds=self._timeout_seconds)
            return
        on_delivery(QueueDelivery(incoming, bursts, message, self._name, self._timeout_seconds))

    def _bursts_of(self, incoming: AbstractIncomingMessage) -> SettlementBursts:
        """Return the settlements of a delivery's channel, which is another one after a reconnect; raise
        ChannelInvalidStateError where it is closed."""
        if self._bursts is None or self._bursts.channel is not incoming.channel:
            self._bursts = SettlementBursts(cast(aiormq.Channel, incoming.channel))
        return self._bursts

    async def _requeue(self, bursts: SettlementBursts, tag: int) -> None:
        await settle("requeue", partial(bursts.requeue, tag), timeout_seconds=self._timeout_seconds)


def tag_of(incoming: AbstractIncomingMessage) -> int:
    """Return the broker's number of a delivery."""
    tag = incoming.delivery_tag
    assert tag is not None, "only a message that was got without acknowledgement has none"
    return tag


async def settle(action: str, call: Settling, *, timeout_seconds: float, about: str | None = None) -> None:
    """End a delivery; never raises: after a lost connection the broker delivers it again."""
    try:
        async with asyncio.timeout(timeout_seconds):
            await call()
    except CLIENT_ERRORS as error:
        log_outage(
            "broker",
            "delivery not settled; the broker delivers it again",
            "info",
            action=action,
            about=about,
            reason=type(error).__name__,
        )
