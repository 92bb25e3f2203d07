"""The reply queue of one API process: exclusive, on a connection of its own.

The queue keeps its name after a reconnect, because open payments have it in the database. Until the broker
notices that the old connection is dead it refuses the name (at most two heartbeats); the client retries every
second, and results missed meanwhile are found in the database.
"""

import asyncio
from typing import Final

import structlog
from aio_pika import RobustConnection
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue, AbstractRobustChannel

from shared.broker.connections import unavailable_when_failing
from shared.broker.errors import UnreadableMessage
from shared.broker.interfaces import OnReply
from shared.broker.liveness import missing_consumer
from shared.broker.messages import decode_reply
from shared.broker.topology import REPLIES, Topology, declare_queue
from shared.metrics.metrics import Metrics
from shared.settings.settings import Settings


class ReplyQueue:
    """The consumer of replies; a reply only wakes a waiting request, which then reads the database."""

    def __init__(
        self,
        connection: RobustConnection,
        topology: Topology,
        *,
        process_id: str,
        settings: Settings,
        metrics: Metrics,
    ) -> None:
        self._connection = connection
        self._topology = topology
        self._name: Final = topology.reply_queue(process_id)
        self._tag: Final = f"api.{process_id}"
        self._timeout_seconds = settings.broker_call_timeout_seconds
        self._metrics = metrics
        self._channel: AbstractRobustChannel | None = None
        # A reference of our own: the client holds queues weakly and does not restore a collected one.
        self._queue: AbstractQueue | None = None

    @property
    def name(self) -> str:
        """The name of the queue; read it for each publish."""
        return self._name

    async def start(self, on_reply: OnReply) -> None:
        """Declare the queue and call `on_reply` with each id that a reply names; raise BrokerUnavailable.

        After a lost connection it resumes by itself.
        """

        async def on_message(incoming: AbstractIncomingMessage) -> None:
            try:
                reply = decode_reply(incoming.body)
            except Exception as error:
                self._metrics.reply_lost("unreadable")
                structlog.get_logger().warning(
                    "unreadable reply dropped",
                    reason=str(error),
                    exc_info=not isinstance(error, UnreadableMessage),
                )
                return
            # In one turn of the event loop: the requests that wake together are read in one statement.
            for payment_id in reply.ids:
                on_reply(payment_id)

        with unavailable_when_failing():
            async with asyncio.timeout(self._timeout_seconds):
                channel = self._connection.channel(publisher_confirms=False)
                await channel.initialize()
                queue = await declare_queue(
                    channel, self._name, REPLIES, self._topology, timeout_seconds=self._timeout_seconds
                )
                # No acknowledgement: the result of a lost wake-up is found in the database.
                await queue.consume(on_message, no_ack=True, exclusive=False, consumer_tag=self._tag)
        self._channel, self._queue = channel, queue

    async def ready(self) -> str | None:
        """Return None where replies reach this process, else the reason."""
        if self._channel is None:
            return "not consuming"
        return await missing_consumer(
            self._connection, self._channel, self._tag, self._name, timeout_seconds=self._timeout_seconds
        )
