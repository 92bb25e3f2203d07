"""The reply queue of one API process: exclusive, on a connection of its own.

The queue keeps its name over a reconnect, because payments that are under way name it in the database. Until
the broker has noticed that the old connection is dead it refuses the name (at most two heartbeats); the
client tries again every second, and what is missed meanwhile is found in the database.
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
from shared.runtime.metrics import Metrics
from shared.settings.settings import Settings


class ReplyQueue:
    """Calls `on_reply` with the id of each payment that has an outcome; a reply is a wake-up, no answer."""

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
        # Held because the client holds it weakly: a collected queue is not restored.
        self._queue: AbstractQueue | None = None

    @property
    def name(self) -> str:
        """The queue's name at this moment; ask for it at each publish."""
        return self._name

    async def start(self, on_reply: OnReply) -> None:
        """Declare the queue and listen; raise BrokerUnavailable. After a lost connection it goes on by
        itself."""

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
            on_reply(reply.payment_id)

        with unavailable_when_failing():
            async with asyncio.timeout(self._timeout_seconds):
                channel = self._connection.channel(publisher_confirms=False)
                await channel.initialize()
                queue = await declare_queue(
                    channel, self._name, REPLIES, self._topology, timeout_seconds=self._timeout_seconds
                )
                # No acknowledgement: a wake-up that is lost is found in the database.
                await queue.consume(on_message, no_ack=True, exclusive=False, consumer_tag=self._tag)
        self._channel, self._queue = channel, queue

    async def ready(self) -> str | None:
        """Return None where replies really reach us, else what is missing."""
        if self._channel is None:
            return "not listening"
        return await missing_consumer(
            self._connection, self._channel, self._tag, self._name, timeout_seconds=self._timeout_seconds
        )
