"""Deliveries: handed off at once, as many as sessions can run, acknowledged by hand, never lost."""

import asyncio

import aiormq
import pytest
from aio_pika.robust_queue import RobustQueue
from aiormq.exceptions import ChannelInvalidStateError
from eventually import eventually
from running.broker_parts import BrokerParts, is_ready, payment_id, payment_named_by
from wire.amqp_proxy import AmqpProxy

from shared.broker.consumer import QueueConsumer
from shared.broker.interfaces import Delivery
from shared.broker.messages import PaymentMessage, Work
from shared.broker.publisher import Publisher
from shared.tracing.context import TraceContext


async def publish(publisher: Publisher, count: int) -> list[str]:
    ids = [payment_id() for _ in range(count)]
    await asyncio.gather(*(publisher.publish_payment(PaymentMessage(one, "reply.a")) for one in ids))
    return ids


async def consuming(
    parts: BrokerParts, url: str | None = None
) -> tuple[Publisher, QueueConsumer[Work], "asyncio.Queue[Delivery]"]:
    """Return a publisher, a consumer that has started, and what is delivered to it."""
    publisher, consumer = await parts.publisher(), await parts.consumer(url=url)
    deliveries: asyncio.Queue[Delivery] = asyncio.Queue()
    await consumer.start(deliveries.put_nowait)
    return publisher, consumer, deliveries


async def next_of(deliveries: "asyncio.Queue[Delivery]") -> Delivery:
    async with asyncio.timeout(15):
        return await deliveries.get()


async def put_raw(parts: BrokerParts, body: bytes) -> None:
    raw = await aiormq.connect(parts.settings.require_amqp_url())
    await (await raw.channel()).basic_publish(body, routing_key=parts.topology.payments)
    await raw.close()


async def test_an_acknowledged_payment_is_delivered_once(parts: BrokerParts) -> None:
    """An acknowledged message is not delivered again, to any worker."""
    publisher, consumer, deliveries = await consuming(parts)
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    message = PaymentMessage(payment_id(), parts.topology.reply_queue("a1"))

    await publisher.publish_payment(message, traceparent=trace)

    delivery = await next_of(deliveries)
    assert (delivery.message, delivery.trace) == (message, TraceContext(trace))
    await delivery.ack()
    await consumer.stop()
    assert await parts.waiting_in(parts.topology.payments) == 0


@pytest.mark.parametrize("given", [{"session_limit": 3}])
async def test_a_worker_gets_no_more_than_it_can_run(parts: BrokerParts) -> None:
    """The prefetch is the number of sessions; the rest waits in the broker for other workers."""
    publisher, consumer = await parts.publisher(), await parts.consumer()
    deliveries: asyncio.Queue[Delivery] = asyncio.Queue()
    await publish(publisher, 5)
    await consumer.start(deliveries.put_nowait)

    await eventually(lambda: deliveries.qsize() == 3)
    assert await parts.waiting_in(parts.topology.payments) == 2
    await (await next_of(deliveries)).ack()
    await eventually(lambda: deliveries.qsize() == 3)
    assert await parts.waiting_in(parts.topology.payments) == 1


@pytest.mark.parametrize("given", [{"session_limit": 10}])
async def test_payments_of_a_lost_connection_come_again_and_late_acks_do_no_harm(
    parts: BrokerParts, proxy: AmqpProxy
) -> None:
    """The consumer is restored by itself; acknowledging an old delivery raises nothing and ends no other."""
    publisher, consumer, deliveries = await consuming(parts, url=proxy.url)
    ids = await publish(publisher, 3)
    before = [await next_of(deliveries) for _ in ids]

    proxy.break_connections()

    again = [await next_of(deliveries) for _ in ids]
    assert sorted(payment_named_by(one) for one in again) == sorted(ids)

    for late in before:
        await late.ack()
        await late.requeue()
    await eventually(lambda: is_ready(consumer))
    for one in again:
        await one.ack()
    await consumer.stop()
    assert await parts.waiting_in(parts.topology.payments) == 0


async def test_a_consumer_that_loses_its_connection_while_it_stops_ends_in_order(
    parts: BrokerParts, proxy: AmqpProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A delivery of that moment cannot be given back any more: the broker gives it to another worker."""
    publisher, consumer, deliveries = await consuming(parts, url=proxy.url)
    cancelling, lost = asyncio.Event(), asyncio.Event()

    async def cancel(*_: object, **__: object) -> None:
        cancelling.set()
        await lost.wait()
        raise ChannelInvalidStateError("the connection was lost")

    monkeypatch.setattr(RobustQueue, "cancel", cancel)
    stopping = asyncio.ensure_future(consumer.stop())
    await cancelling.wait()
    await publish(publisher, 1)
    await eventually(lambda: _none_waits(parts))

    await proxy.cut()
    await eventually(lambda: parts.waiting_in(parts.topology.payments))
    lost.set()

    await stopping
    assert deliveries.empty()
    assert await parts.waiting_in(parts.topology.payments) == 1


async def _none_waits(parts: BrokerParts) -> bool:
    return await parts.waiting_in(parts.topology.payments) == 0


async def test_an_unreadable_message_is_dead_lettered_and_the_next_one_delivered(parts: BrokerParts) -> None:
    """It stops no worker and is not lost: an operator can look at it."""
    publisher, _, deliveries = await consuming(parts)

    await put_raw(parts, b"\xff not ours")
    [good] = await publish(publisher, 1)

    assert payment_named_by(await next_of(deliveries)) == good
    await eventually(lambda: parts.waiting_in(parts.topology.dead_payments))
    assert parts.metrics.registry.get_sample_value("cloud_terminal_dead_letters_total") == 1


async def test_a_rejected_payment_is_dead_lettered(parts: BrokerParts) -> None:
    """Reject is for a message that no worker can finish."""
    publisher, _, deliveries = await consuming(parts)
    await publish(publisher, 1)

    await (await next_of(deliveries)).reject()

    await eventually(lambda: parts.waiting_in(parts.topology.dead_payments))


@pytest.mark.parametrize("given", [{"delivery_limit": 2}])
async def test_a_message_that_kills_every_worker_ends_among_the_dead_letters(
    parts: BrokerParts, proxy: AmqpProxy
) -> None:
    """After the delivery limit it blocks nothing."""
    publisher, _, deliveries = await consuming(parts, url=proxy.url)
    await publish(publisher, 1)

    for _ in range(3):
        await next_of(deliveries)
        proxy.break_connections()

    await eventually(lambda: parts.waiting_in(parts.topology.dead_payments))
    assert deliveries.empty()


@pytest.mark.parametrize("given", [{"session_limit": 2}])
async def test_a_draining_worker_requeues_what_it_has_not_begun(parts: BrokerParts) -> None:
    """Unclaimed messages go to other workers at once; those in session stay."""
    publisher, consumer, deliveries = await consuming(parts)
    ids = await publish(publisher, 3)
    in_session, unclaimed = await next_of(deliveries), await next_of(deliveries)

    await consumer.stop()
    await unclaimed.requeue()

    other = await parts.consumer("w2")
    taken: asyncio.Queue[Delivery] = asyncio.Queue()
    await other.start(taken.put_nowait)
    got = {payment_named_by(await next_of(taken)) for _ in range(2)}
    assert got == set(ids) - {payment_named_by(in_session)}
    await in_session.ack()
    assert deliveries.empty()
    assert await consumer.ready() == "not consuming"


@pytest.mark.parametrize("given", [{"broker_call_timeout_seconds": 1}])
async def test_ready_is_a_live_consumer_not_an_open_connection(parts: BrokerParts, proxy: AmqpProxy) -> None:
    """Not ready before the start, while the broker is unavailable, and after it cancelled the consumer."""
    await parts.publisher()
    consumer = await parts.consumer(url=proxy.url)
    assert await consumer.ready() == "not consuming"
    await consumer.start(lambda _delivery: pytest.fail("nothing was published"))
    assert await consumer.ready() is None

    await proxy.cut()
    assert await eventually(consumer.ready)
    await proxy.mend()
    await eventually(lambda: is_ready(consumer))

    proxy.freeze()
    assert await consumer.ready() == "no answer in time"


async def test_a_deleted_queue_is_declared_and_consumed_again(parts: BrokerParts) -> None:
    """The broker cancels the consumer; the client declares the queue and consumes again by itself."""
    publisher, consumer, deliveries = await consuming(parts)

    await parts.delete_queues()
    await eventually(lambda: is_ready(consumer))

    [one] = await publish(publisher, 1)
    assert payment_named_by(await next_of(deliveries)) == one
