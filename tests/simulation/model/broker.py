"""Broker that keeps its promises only: it doubles, delays and reorders, and loses before the confirm.

Promises kept: a confirmed message is in its queue until it is acked, and comes again when its consumer dies.
"""

import asyncio
import random
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from shared.broker.errors import NotAccepted, NotRouted, Unconfirmed
from shared.broker.interfaces import OnDelivery, OnReply
from shared.broker.messages import NotificationMessage, PaymentMessage, ProbeMessage, ReplyMessage, Work
from tests.simulation.engine.faults import Faults
from tests.simulation.engine.stage import Stage
from tests.simulation.model.processes.process import Process

_PUBLISH_TIMEOUT_SECONDS = 5.0
_PAYMENTS = "payments"
_NOTIFICATIONS_AT_ONCE = 8
_Message = Work | NotificationMessage


def _queue_of(message: _Message) -> str:
    return f"notify.{message.kind}" if isinstance(message, NotificationMessage) else _PAYMENTS


@dataclass(eq=False)
class _Consumer:
    process: Process
    context: Context
    on_delivery: Callable[[Any], None]
    prefetch: int
    queue: str = _PAYMENTS
    unacked: "list[SimulatedDelivery]" = field(default_factory=list)
    is_open: bool = True


class SimulatedDelivery:
    """One delivery; its end is ignored after the consumer was lost."""

    def __init__(self, broker: "Broker", consumer: _Consumer, message: _Message) -> None:
        self._broker = broker
        self._consumer = consumer
        self.message = message
        self.trace = None
        self.queue = "payments"
        self.request_id = None

    async def ack(self) -> None:
        await self._end(lambda: None)

    async def requeue(self) -> None:
        await self._end(lambda: self._broker.put(self.message))

    async def reject(self) -> None:
        self._broker.world.note("dead letter", self.message.id)
        self._broker.dead.append(self.message)
        await self._end(lambda: None)

    async def _end(self, then: Callable[[], None]) -> None:
        broker, consumer = self._broker, self._consumer

        def arrive() -> None:
            if broker.is_unavailable:
                return
            if self in consumer.unacked:
                consumer.unacked.remove(self)
                then()
                broker.deliver_soon()

        broker.world.later(broker.delay(), arrive)


class Broker:
    """Queues of payments and of notifications, and every API's queue of replies."""

    def __init__(self, world: Stage, rng: random.Random, faults: Faults) -> None:
        self.world = world
        self._rng = rng
        self._faults = faults
        self._queues: dict[str, list[_Message]] = {}
        self._consumers: list[_Consumer] = []
        self._reply_queues: dict[str, tuple[Process, Context, OnReply]] = {}
        self.dead: list[_Message] = []
        self.is_unavailable = False

    def delay(self) -> float:
        if self._rng.random() < self._faults.message_delays:
            self._faults.count("message delayed")
            return self._rng.uniform(0.5, 12.0)
        return self._rng.expovariate(500.0)

    def put(self, message: _Message) -> None:
        self._queues.setdefault(_queue_of(message), []).append(message)
        self.deliver_soon()

    def deliver_soon(self) -> None:
        self.world.later(0.001, self._deliver)

    def _deliver(self) -> None:
        for name, waiting in self._queues.items():
            self._deliver_from(name, waiting)

    def _deliver_from(self, queue: str, waiting: list[_Message]) -> None:
        while waiting and not self.is_unavailable:
            free = [
                consumer
                for consumer in self._consumers
                if consumer.queue == queue and consumer.is_open and len(consumer.unacked) < consumer.prefetch
            ]
            if not free:
                return
            reordered = self._rng.random() < self._faults.reorders
            index = self._rng.randrange(len(waiting)) if reordered else 0
            message = waiting.pop(index)
            consumer = self._rng.choice(free)
            delivery = SimulatedDelivery(self, consumer, message)
            consumer.unacked.append(delivery)
            consumer.process.about_to_work()
            self.world.loop.call_soon(consumer.on_delivery, delivery, context=consumer.context)

    def consume(
        self, process: Process, on_delivery: Callable[[Any], None], prefetch: int, queue: str = _PAYMENTS
    ) -> _Consumer:
        consumer = _Consumer(process, process.context, on_delivery, prefetch, queue)
        self._consumers.append(consumer)
        self.deliver_soon()
        return consumer

    def consume_notifications(self, process: Process, kind: str, take: Callable[[Any], None]) -> None:
        self.consume(process, take, _NOTIFICATIONS_AT_ONCE, f"notify.{kind}")

    def stop_consuming(self, process: Process) -> None:
        """Give a process no further delivery; it keeps those that it has."""
        self.limit(process, 0)

    def limit(self, process: Process, prefetch: int) -> None:
        """Set how many deliveries a process may have at once."""
        for consumer in self._consumers:
            if consumer.process is process:
                consumer.prefetch = prefetch
        self.deliver_soon()

    def close_consumer(self, consumer: _Consumer) -> None:
        """Close a consumer and requeue its deliveries."""
        consumer.is_open = False
        for delivery in consumer.unacked:
            self.put(delivery.message)
        consumer.unacked.clear()

    def process_died(self, process: Process) -> None:
        for consumer in self._consumers:
            if consumer.process is process:
                self.close_consumer(consumer)
        for name, (owner, _, _) in list(self._reply_queues.items()):
            if owner is process:
                del self._reply_queues[name]

    def process_paused(self, process: Process) -> None:
        """Close a paused process's connection for missing heartbeats, until it runs again."""
        for consumer in list(self._consumers):
            if consumer.process is process and consumer.is_open and process.is_paused:
                self.close_consumer(consumer)
                process.on_resume.append(partial(self._consume_again, consumer))

    def _consume_again(self, lost: _Consumer) -> None:
        if not lost.process.is_dead and lost in self._consumers:
            self._consumers.remove(lost)
            self.consume(lost.process, lost.on_delivery, lost.prefetch, lost.queue)

    def go_away(self, seconds: float) -> None:
        self.is_unavailable = True
        self.world.later(seconds, self._come_back)

    def _come_back(self) -> None:
        self.is_unavailable = False
        for consumer in list(self._consumers):
            if consumer.is_open:
                self.close_consumer(consumer)
                self.consume(consumer.process, consumer.on_delivery, consumer.prefetch, consumer.queue)
        self.deliver_soon()

    def open_replies(self, process: Process, name: str, on_reply: OnReply) -> None:
        self._reply_queues[name] = (process, process.context, on_reply)

    def route_reply(self, name: str, payment_id: str) -> bool:
        """Return whether the queue is there; the reply itself may still be lost with its process."""
        if name not in self._reply_queues:
            return False
        _, context, on_reply = self._reply_queues[name]
        if self._rng.random() < self._faults.lost_replies:
            self._faults.count("reply lost")
            return True
        self.world.later(
            self.delay(), lambda: self.world.loop.call_soon(on_reply, payment_id, context=context)
        )
        return True


class SimulatedPublisher:
    """One process's publisher: `MessagePublisher`."""

    def __init__(self, broker: Broker, faults: Faults, rng: random.Random) -> None:
        self._broker = broker
        self._faults = faults
        self._rng = rng

    async def publish_payment(self, message: PaymentMessage, *, traceparent: str | None = None) -> None:
        del traceparent
        await self._publish(message)

    async def publish_probe(self, message: ProbeMessage, *, traceparent: str | None = None) -> None:
        del traceparent
        await self._publish(message)

    async def publish_notification(self, message: NotificationMessage) -> None:
        await self._publish(message)

    async def _publish(self, message: _Message) -> None:
        def arrive() -> bool:
            self._broker.put(message)
            if self._rng.random() < self._faults.doubled_messages:
                self._faults.count("message doubled")
                self._broker.world.later(self._broker.delay(), self._broker.put, message)
            return True

        await self._send(arrive)

    async def reply(self, reply_to: str, message: ReplyMessage, *, traceparent: str | None = None) -> None:
        del traceparent
        await self._send(lambda: self._broker.route_reply(reply_to, message.payment_id))

    async def _send(self, arrive: Callable[[], bool]) -> None:
        broker, loop = self._broker, self._broker.world.loop
        if broker.is_unavailable:
            # The outage shows at once, or the call hangs until its time-out.
            if self._rng.random() < 0.5:
                raise NotAccepted("the broker is away")
            await asyncio.sleep(_PUBLISH_TIMEOUT_SECONDS)
            raise Unconfirmed("no confirm in time")
        confirmed: asyncio.Future[bool] = loop.create_future()
        is_lost = self._rng.random() < self._faults.lost_publishes
        confirm_is_lost = self._rng.random() < self._faults.lost_confirms

        def at_broker() -> None:
            if broker.is_unavailable or is_lost:
                self._faults.count("publish lost")
                return
            routed = arrive()
            if confirm_is_lost:
                self._faults.count("confirm lost")
                return
            broker.world.later(self._rng.expovariate(1000.0), _set, confirmed, routed)

        broker.world.later(broker.delay(), at_broker)
        try:
            async with asyncio.timeout(_PUBLISH_TIMEOUT_SECONDS):
                routed = await confirmed
        except TimeoutError as error:
            raise Unconfirmed("no confirm in time") from error
        if not routed:
            raise NotRouted("no such queue")


def _set(future: "asyncio.Future[bool]", value: bool) -> None:
    if not future.done():
        future.set_result(value)


class SimulatedConsumer:
    """One worker's consumer: `WorkConsumer`."""

    def __init__(self, broker: Broker, process: Process, prefetch: int) -> None:
        self._broker = broker
        self._process = process
        self._prefetch = prefetch

    async def start(self, on_delivery: OnDelivery) -> None:
        self._broker.consume(self._process, on_delivery, self._prefetch)

    async def ready(self) -> str | None:
        return None

    async def stop(self) -> None:
        self._broker.stop_consuming(self._process)


class SimulatedReplies:
    """One API's reply queue: `ReplyListener`."""

    def __init__(self, broker: Broker, process: Process) -> None:
        self._broker = broker
        self._process = process
        self.name = f"reply.{process.name}"

    async def start(self, on_reply: OnReply) -> None:
        self._broker.open_replies(self._process, self.name, on_reply)

    async def ready(self) -> str | None:
        return None
