"""Publishing with confirmations: a call returns once the broker has the message, or raises what is
certain."""

import asyncio
from typing import Final

from aio_pika import RobustConnection
from aio_pika.abc import AbstractRobustChannel
from aio_pika.exceptions import ChannelInvalidStateError, DeliveryError, PublishError

from shared.broker.alarms import BrokerAlarm
from shared.broker.connections import CLIENT_ERRORS, RECONNECTING, unavailable_when_failing
from shared.broker.errors import BrokerFailure, NotAccepted, NotRouted, Unconfirmed
from shared.broker.messages import (
    NotificationMessage,
    PaymentMessage,
    ProbeMessage,
    ReplyMessage,
    encode_notification,
    encode_payment,
    encode_probe,
    encode_reply,
    to_amqp,
)
from shared.broker.topology import Topology
from shared.runtime.ids import RandomBytes, new_token
from shared.runtime.metrics import Metrics
from shared.settings.settings import Settings

#: A publish waits this long for a channel that an earlier error closed, while there is a connection.
REOPEN_SECONDS: Final = 1.0
REOPEN_POLL_SECONDS: Final = 0.01


class Publisher:
    """A channel with confirmations; `publish_concurrency` limits the publishes at once.

    Publish several messages concurrently: each confirmation waits for a majority of the nodes.
    """

    def __init__(
        self,
        connection: RobustConnection,
        channel: AbstractRobustChannel,
        topology: Topology,
        *,
        settings: Settings,
        random_bytes: RandomBytes,
        metrics: Metrics,
    ) -> None:
        self._connection = connection
        # A reference of our own: the connection holds its channels weakly.
        self._channel = channel
        self._topology = topology
        self._timeout_seconds = settings.publish_timeout_seconds
        self._slots = asyncio.Semaphore(settings.publish_concurrency)
        self._random_bytes = random_bytes
        self._metrics = metrics
        #: The time-outs of the running publishes.
        self._under_way: Final[set[asyncio.Timeout]] = set()
        self._alarm: Final = BrokerAlarm(connection, self._give_up)

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
        return cls(
            connection, channel, topology, settings=settings, random_bytes=random_bytes, metrics=metrics
        )

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

    async def reply(self, reply_to: str, message: ReplyMessage, *, traceparent: str | None = None) -> None:
        """Wake the API process of a reply queue; raise NotRouted (it has ended), NotAccepted, Unconfirmed."""
        if not self._topology.is_reply_queue(reply_to):
            raise NotRouted(f"{reply_to!r} is not a reply queue of this installation")
        await self._publish(reply_to, encode_reply(message), message.payment_id, traceparent)

    async def _publish(self, queue: str, body: bytes, about: str, traceparent: str | None) -> None:
        try:
            await self._within_time(queue, body, about, traceparent)
        except NotRouted:
            self._metrics.publish_failed("not_routed")
            raise
        except NotAccepted:
            self._metrics.publish_failed("not_accepted")
            raise
        except Unconfirmed:
            self._metrics.publish_failed("unknown")
            raise

    async def _within_time(self, queue: str, body: bytes, about: str, traceparent: str | None) -> None:
        sending = False
        try:
            async with asyncio.timeout(self._timeout_seconds) as limit, self._slots:
                await self._channel_is_open()
                self._under_way.add(limit)
                sending = True
                try:
                    await self._attempt(queue, body, about, traceparent)
                except ChannelInvalidStateError:
                    # Closed by an earlier error, found before this message was sent: one more try.
                    sending = False
                    await self._channel_is_open()
                    sending = True
                    await self._attempt(queue, body, about, traceparent)
                finally:
                    self._under_way.discard(limit)
        except PublishError as error:
            raise NotRouted(f"there is no queue {queue}") from error
        except DeliveryError as error:
            raise NotAccepted(f"the broker refused a message for {queue}") from error
        except ChannelInvalidStateError as error:
            raise NotAccepted("the channel was closed before the message was sent") from error
        except CLIENT_ERRORS as error:
            if not sending:
                raise NotAccepted("the broker did not accept the message in time") from error
            raise Unconfirmed(f"no confirmation for a message to {queue}") from error
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # The client cancels waiting confirmations when a connection is closed.
            raise Unconfirmed(f"the connection was closed before {queue} confirmed") from error

    def _give_up(self) -> None:
        """End the running publishes: an alarm may last for hours and delays their confirmations."""
        now = asyncio.get_running_loop().time()
        for limit in self._under_way:
            if not limit.expired():
                limit.reschedule(now)

    async def _channel_is_open(self) -> None:
        """Wait shortly for a channel that is being reopened; raise at once while the broker accepts
        nothing."""
        if not self._connection.connected.is_set():
            raise NotAccepted(RECONNECTING)
        if self._alarm.reason is not None:
            raise NotAccepted(_blocked(self._alarm.reason))
        async with asyncio.timeout(REOPEN_SECONDS):
            while self._channel.is_closed:
                # Right after an error the client still reports the closed channel as ready.
                await asyncio.sleep(REOPEN_POLL_SECONDS)
                await self._channel.ready()

    async def _attempt(self, queue: str, body: bytes, about: str, traceparent: str | None) -> None:
        message = to_amqp(
            body, message_id=new_token(self._random_bytes), about=about, traceparent=traceparent
        )
        await self._channel.default_exchange.publish(message, routing_key=queue, mandatory=True)

    async def ready(self) -> str | None:
        """Return None where the broker accepts messages now, else the reason.

        Publishes to a queue that does not exist, so that the message is returned and stored nowhere. Without
        it an idle process would not notice an alarm.
        """
        if not self._connection.connected.is_set():
            return RECONNECTING
        if self._channel.is_closed:
            return "the publishing channel is closed"
        try:
            await self._within_time(self._topology.nowhere, b"{}", "readiness", None)
        except NotRouted:
            return None
        except BrokerFailure as error:
            return str(error) if self._alarm.reason is None else _blocked(self._alarm.reason)
        return None


def _blocked(alarm: str) -> str:
    return f"RabbitMQ accepts no messages: {alarm}; publishing resumes when its alarm is over"
