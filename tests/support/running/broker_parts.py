"""Broker's parts wired as a composition root wires them, over a real RabbitMQ."""

import contextlib
import os
from collections.abc import AsyncIterator
from typing import Protocol

import aiormq
from aio_pika import RobustConnection

from shared.broker.connections import connected, declare_topology, topology_of
from shared.broker.consumer import QueueConsumer, payment_subscription
from shared.broker.interfaces import Delivery
from shared.broker.messages import PaymentMessage, Work
from shared.broker.publisher import Publisher
from shared.broker.replies import ReplyQueue
from shared.broker.topology import Topology
from shared.metrics.metrics import Metrics
from shared.runtime.clock import SystemClock
from shared.runtime.ids import new_payment_id
from shared.settings.load import load_settings
from shared.settings.settings import Settings


def payment_id() -> str:
    return new_payment_id(SystemClock(), os.urandom)


class Part(Protocol):
    async def ready(self) -> str | None: ...


async def is_ready(part: Part) -> bool:
    return await part.ready() is None


class BrokerParts:
    """Factory of publishers, consumers and reply queues with one metrics object."""

    def __init__(
        self, amqp_url: str, amqp_prefix: str, stack: contextlib.AsyncExitStack, **given: object
    ) -> None:
        self.settings: Settings = load_settings(
            **{
                "amqp_url": amqp_url,
                "amqp_prefix": amqp_prefix,
                "broker_reconnect_seconds": 0.1,
                "broker_call_timeout_seconds": 5,
                **given,
            }
        )
        self.topology: Topology = topology_of(self.settings)
        self.metrics = Metrics("test")
        self._stack = stack

    async def connection(self, purpose: str, *, url: str | None = None) -> RobustConnection:
        settings = self.settings if url is None else load_settings(**{**self._given(), "amqp_url": url})
        return await self._stack.enter_async_context(
            connected(settings, process="test", purpose=purpose)  # type: ignore[arg-type]
        )

    async def publisher(self, *, url: str | None = None, declare: bool = True) -> Publisher:
        connection = await self.connection("publish", url=url)
        if declare:
            await self.declare(connection)
        return await Publisher.open(
            connection, self.topology, settings=self.settings, random_bytes=os.urandom, metrics=self.metrics
        )

    async def declare(self, connection: RobustConnection) -> None:
        await declare_topology(
            connection, self.topology, timeout_seconds=self.settings.broker_call_timeout_seconds
        )

    async def consumer(self, name: str = "w1", *, url: str | None = None) -> QueueConsumer[Work]:
        connection = await self.connection("consume", url=url)
        wanted = payment_subscription(
            self.topology, process_id=name, session_limit=self.settings.session_limit
        )
        return QueueConsumer(connection, self.topology, wanted, settings=self.settings, metrics=self.metrics)

    async def replies(self, name: str = "a1", *, url: str | None = None) -> ReplyQueue:
        connection = await self.connection("reply", url=url)
        return ReplyQueue(
            connection, self.topology, process_id=name, settings=self.settings, metrics=self.metrics
        )

    async def waiting_in(self, queue: str) -> int:
        """Return the number of ready messages in a queue; 0 where there is no such queue."""
        connection = await aiormq.connect(self.settings.require_amqp_url())
        try:
            channel = await connection.channel()
            try:
                declared = await channel.queue_declare(queue, passive=True)
            except aiormq.exceptions.ChannelNotFoundEntity:
                return 0
            return declared.message_count or 0
        finally:
            await connection.close()

    async def delete_queues(self) -> None:
        connection = await aiormq.connect(self.settings.require_amqp_url())
        try:
            channel = await connection.channel()
            for name in self.topology.durable_queues:
                await channel.queue_delete(name)
        finally:
            await connection.close()

    def _given(self) -> dict[str, object]:
        return self.settings.model_dump()


@contextlib.asynccontextmanager
async def broker_parts(amqp_url: str, amqp_prefix: str, **given: object) -> AsyncIterator[BrokerParts]:
    """Yield parts whose connections are closed and whose queues are deleted at the end."""
    parts: BrokerParts | None = None
    try:
        async with contextlib.AsyncExitStack() as stack:
            parts = BrokerParts(amqp_url, amqp_prefix, stack, **given)
            yield parts
    finally:
        if parts is not None:
            await parts.delete_queues()


def payment_named_by(delivery: Delivery) -> str:
    """Return the id in a delivery that is about a payment."""
    assert isinstance(delivery.message, PaymentMessage)
    return delivery.message.payment_id
