"""Publishing with confirmations: a call returns once the broker has the message, else it raises."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final, cast

import aiormq
from aio_pika import RobustConnection
from aio_pika.abc import AbstractRobustChannel
from aio_pika.exceptions import DeliveryError, PublishError
from pamqp import commands as spec

from shared.broker.alarms import BrokerAlarm
from shared.broker.bursts import PendingPublish, PublishBursts
from shared.broker.connections import CLIENT_ERRORS, RECONNECTING, unavailable_when_failing
from shared.broker.errors import BrokerFailure, NotAccepted, NotRouted, Unconfirmed
from shared.broker.messages import (
    MOST_OF_A_REPLY,
    NotificationMessage,
    PaymentMessage,
    ProbeMessage,
    ReplyMessage,
    encode_notification,
    encode_payment,
    encode_probe,
    encode_reply,
    properties_of,
)
from shared.broker.topology import Topology
from shared.metrics.metrics import Metrics
from shared.runtime.ids import RandomBytes, new_token
from shared.runtime.logging import request_of
from shared.runtime.shared_reads import Batches
from shared.settings.settings import Settings
from shared.tracing.context import TraceContext
from shared.tracing.messaging import publishing
from shared.tracing.spans import current


class ReplyBatches:
    """The replies of this process, by reply queue; one to each queue is under way at a time.

    What ends while a reply is under way goes with the next one.
    """

    def __init__(self, publish: Callable[[str, ReplyMessage], Awaitable[None]]) -> None:
        """`publish` sends one reply to a reply queue; its error is raised in all that the reply names."""
        self._publish: Final = publish
        self._batches: Final[dict[str, Batches[str, None]]] = {}

    async def reply(self, reply_to: str, message: ReplyMessage) -> None:
        """Send a reply, alone or with others; raise as `publish` does."""
        batches = self._batches.get(reply_to)
        if batches is None:
            batches = Batches(partial(self._send, reply_to), most=MOST_OF_A_REPLY)
            self._batches[reply_to] = batches
        try:
            await batches.get(message.payment_id)
        finally:
            # API processes come and go: their queues' names are not kept.
            if batches.is_idle and self._batches.get(reply_to) is batches:
                del self._batches[reply_to]

    async def _send(self, reply_to: str, ids: Sequence[str]) -> Mapping[str, None]:
        first, *more = ids
        await self._publish(reply_to, ReplyMessage(first, tuple(more)))
        return {}


#: A publish waits this long for a channel that an earlier error closed, while there is a connection.
REOPEN_SECONDS: Final = 1.0
REOPEN_POLL_SECONDS: Final = 0.01


class Publisher:
    """A channel with confirmations; `publish_concurrency` limits the publishes at once.

    Publish several messages concurrently: each confirmation waits for a majority of the nodes, and those of
    one moment go out in one write.
    """

    def __init__(
        self,
        connection: RobustConnection,
        channel: AbstractRobustChannel,
        bursts: PublishBursts,
        topology: Topology,
        *,
        settings: Settings,
        random_bytes: RandomBytes,
        metrics: Metrics,
    ) -> None:
        self._connection = connection
        # A reference of our own: the connection holds its channels weakly.
        self._channel = channel
        self._bursts = bursts
        self._replies: Final = ReplyBatches(self._publish_reply)
        self._topology = topology
        self._timeout_seconds = settings.publish_timeout_seconds
        self._slots = asyncio.Semaphore(settings.publish_concurrency)
        self._random_bytes = random_bytes
        self._metrics = metrics
        #: The time-outs of the running publishes.
        self._under_way: Final[set[asyncio.Timeout]] = set()
        self._alarm: Final = BrokerAlarm(connection, self._give_up)
        metrics.broker.watch_alarm(lambda: self._alarm.reason is not None)
        channel.reopen_callbacks.add(self._reopened)

    @classmethod
    async def open(
        cls,
        connection: RobustConnection,
        topology: Topology,
        *,
        settings: Settings,
        random_bytes: RandomBytes,
        metrics: Metrics,
    ) -> "Publisher":
        """Open the channel; raise BrokerUnavailable. The connection closes it."""
        with unavailable_when_failing():
            async with asyncio.timeout(settings.broker_call_timeout_seconds):
                channel = connection.channel(publisher_confirms=True, on_return_raises=True)
                await channel.initialize()
                bursts = await _bursts_of(channel)
        return cls(
            connection,
            channel,
            bursts,
            topology,
            settings=settings,
            random_bytes=random_bytes,
            metrics=metrics,
        )

    async def _reopened(self, _channel: object) -> None:
        self._bursts = await _bursts_of(self._channel)

    async def publish_payment(self, message: PaymentMessage, *, traceparent: str | None = None) -> None:
        """Publish a payment for the terminal workers; raise NotAccepted (NotRouted) or Unconfirmed."""
        await self._publish(self._topology.payments, encode_payment(message), message.payment_id, traceparent)

    async def publish_probe(self, message: ProbeMessage, *, traceparent: str | None = None) -> None:
        """Publish a probe for the terminal workers; raise NotAccepted (NotRouted) or Unconfirmed."""
        await self._publish(self._topology.payments, encode_probe(message), message.probe_id, traceparent)

    async def publish_notification(self, message: NotificationMessage) -> None:
        """Wake a notifier worker for a delivery; raise NotAccepted (NotRouted) or Unconfirmed."""
        queue = self._topology.notifications(message.kind)
        await self._publish(queue, encode_notification(message), message.delivery_id, None)

    async def reply(self, reply_to: str, message: ReplyMessage) -> None:
        """Wake the API process of a reply queue; raise NotRouted (it has ended), NotAccepted, Unconfirmed.

        What ends while a reply to this queue is under way goes with the next one.
        """
        if not self._topology.is_reply_queue(reply_to):
            raise NotRouted(f"{reply_to!r} is not a reply queue of this installation")
        with publishing(reply_to, message.payment_id, is_temporary=True):
            await self._replies.reply(reply_to, message)

    async def _publish_reply(self, reply_to: str, message: ReplyMessage) -> None:
        # It may name payments of several traces, so it belongs to none.
        await self._send(reply_to, encode_reply(message), message.payment_id, None)

    async def _publish(self, queue: str, body: bytes, about: str, traceparent: str | None) -> None:
        with publishing(queue, about):
            passed_on = None if traceparent is None else TraceContext(traceparent)
            await self._send(queue, body, about, current() or passed_on)

    async def _send(self, queue: str, body: bytes, about: str, trace: TraceContext | None) -> None:
        try:
            await self._within_time(queue, body, about, trace)
        except NotRouted:
            self._metrics.publish_failed("not_routed")
            raise
        except NotAccepted:
            self._metrics.publish_failed("not_accepted")
            raise
        except Unconfirmed:
            self._metrics.publish_failed("unknown")
            raise

    async def _within_time(self, queue: str, body: bytes, about: str, trace: TraceContext | None) -> None:
        publish: PendingPublish | None = None
        try:
            async with asyncio.timeout(self._timeout_seconds) as limit, self._slots:
                bursts = await self._open_bursts()
                self._under_way.add(limit)
                try:
                    publish = bursts.publish(queue, body, self._properties(about, trace))
                    await publish.confirmation
                finally:
                    self._under_way.discard(limit)
        except PublishError as error:
            raise NotRouted(f"there is no queue {queue}") from error
        except DeliveryError as error:
            raise NotAccepted(f"the broker refused a message for {queue}") from error
        except CLIENT_ERRORS as error:
            if publish is None or not publish.is_sent:
                raise NotAccepted("the broker did not accept the message in time") from error
            raise Unconfirmed(f"no confirmation for a message to {queue}") from error
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # The client cancels waiting confirmations when a connection is closed.
            if publish is None or not publish.is_sent:
                raise NotAccepted("the connection was closed before the message was sent") from error
            raise Unconfirmed(f"the connection was closed before {queue} confirmed") from error

    def _give_up(self) -> None:
        """End the running publishes: an alarm may last for hours and delays their confirmations."""
        now = asyncio.get_running_loop().time()
        for limit in self._under_way:
            if not limit.expired():
                limit.reschedule(now)

    async def _open_bursts(self) -> PublishBursts:
        """Wait shortly for a channel that is being reopened; raise at once while the broker accepts
        nothing."""
        if not self._connection.connected.is_set():
            raise NotAccepted(RECONNECTING)
        if self._alarm.reason is not None:
            raise NotAccepted(_blocked(self._alarm.reason))
        if self._bursts.is_closed:
            async with asyncio.timeout(REOPEN_SECONDS):
                while self._bursts.is_closed:
                    # Right after an error the client still reports the closed channel as ready.
                    await asyncio.sleep(REOPEN_POLL_SECONDS)
                    await self._channel.ready()
        return self._bursts

    def _properties(self, about: str, trace: TraceContext | None) -> spec.Basic.Properties:
        return properties_of(
            message_id=new_token(self._random_bytes),
            about=about,
            trace=trace,
            request_id=request_of(about),
        )

    async def ready(self) -> str | None:
        """Return None where the broker accepts messages now, else the reason.

        Publishes to a queue that does not exist, so that the message is returned and stored nowhere. Without
        it an idle process would not notice an alarm.
        """
        if not self._connection.connected.is_set():
            return RECONNECTING
        if self._bursts.is_closed:
            return "the publishing channel is closed"
        try:
            await self._within_time(self._topology.nowhere, b"{}", "readiness", None)
        except NotRouted:
            return None
        except BrokerFailure as error:
            return str(error) if self._alarm.reason is None else _blocked(self._alarm.reason)
        return None


async def _bursts_of(channel: AbstractRobustChannel) -> PublishBursts:
    return PublishBursts(cast(aiormq.Channel, await channel.get_underlay_channel()))


def _blocked(alarm: str) -> str:
    return f"RabbitMQ accepts no messages: {alarm}; publishing resumes when its alarm is over"
