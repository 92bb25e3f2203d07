"""The baseline: a bare aio-pika request and reply on a durable quorum queue with confirms.

`python -m bench.bare AMQP_URL QUEUE` answers requests; `BareClient` asks.
"""

import asyncio
import sys
from typing import Final

import aio_pika
import uvloop
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue, AbstractRobustConnection

_PREFETCH: Final = 200


async def _declare(channel: AbstractChannel, name: str) -> AbstractQueue:
    return await channel.declare_queue(
        name, durable=True, exclusive=False, arguments={"x-queue-type": "quorum"}
    )


async def answer_requests(amqp_url: str, queue_name: str) -> None:
    """Answer each request with its own body until the process ends."""
    connection = await aio_pika.connect_robust(amqp_url)
    channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
    await channel.set_qos(prefetch_count=_PREFETCH)
    queue = await _declare(channel, queue_name)

    async def on_request(message: AbstractIncomingMessage) -> None:
        assert message.reply_to is not None
        reply = aio_pika.Message(message.body, correlation_id=message.correlation_id)
        await channel.default_exchange.publish(reply, routing_key=message.reply_to)
        await message.ack()

    await queue.consume(on_request)
    await asyncio.Event().wait()


class BareClient:
    """A client that publishes persistent requests with confirms and waits for their replies."""

    def __init__(self, connection: AbstractRobustConnection, channel: AbstractChannel, queue: str) -> None:
        self._connection: Final = connection
        self._channel: Final = channel
        self._queue: Final = queue
        self._reply_queue = ""
        self._waiting: Final[dict[str, asyncio.Future[bytes]]] = {}

    @staticmethod
    async def connect(amqp_url: str, queue: str) -> "BareClient":
        connection = await aio_pika.connect_robust(amqp_url)
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        client = BareClient(connection, channel, queue)
        await _declare(channel, queue)
        replies = await channel.declare_queue(f"{queue}.replies", durable=False, exclusive=True)
        client._reply_queue = replies.name
        await replies.consume(client._on_reply, no_ack=True)
        return client

    async def _on_reply(self, message: AbstractIncomingMessage) -> None:
        future = self._waiting.pop(message.correlation_id or "", None)
        if future is not None:
            future.set_result(message.body)

    async def ask(self, number: int, body: bytes) -> bytes:
        """Return the reply to one request."""
        name = str(number)
        self._waiting[name] = asyncio.get_running_loop().create_future()
        future = self._waiting[name]
        request = aio_pika.Message(
            body,
            correlation_id=name,
            message_id=name,
            reply_to=self._reply_queue,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        await self._channel.default_exchange.publish(request, routing_key=self._queue)
        return await future

    async def close(self) -> None:
        await self._connection.close()


if __name__ == "__main__":
    uvloop.run(answer_requests(*sys.argv[1:]))
