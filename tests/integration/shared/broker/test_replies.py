"""Replies wake the waiting API process, across lost connections."""

import asyncio

import aiormq
import pytest
from eventually import eventually
from running.broker_parts import BrokerParts, broker_parts, is_ready, payment_id
from wire.amqp_proxy import AmqpProxy

from shared.broker.errors import NotRouted
from shared.broker.messages import ReplyMessage
from shared.broker.replies import ReplyQueue


async def started(replies: ReplyQueue) -> "asyncio.Queue[str]":
    """Start a process's replies; return the payments that they name."""
    woken: asyncio.Queue[str] = asyncio.Queue()
    await replies.start(woken.put_nowait)
    return woken


async def test_a_reply_wakes_the_process_that_asked(parts: BrokerParts) -> None:
    """It wakes no other process."""
    publisher = await parts.publisher()
    one, other = await parts.replies("a1"), await parts.replies("a2")
    woken_one, woken_other = await started(one), await started(other)
    ids = [payment_id() for _ in range(50)]

    await asyncio.gather(*(publisher.reply(one.name, ReplyMessage(payment)) for payment in ids))

    await eventually(lambda: woken_one.qsize() == 50)
    assert {woken_one.get_nowait() for _ in ids} == set(ids)
    assert woken_other.empty()


async def test_an_unreadable_reply_is_dropped_and_counted(parts: BrokerParts, amqp_url: str) -> None:
    """The next reply is read."""
    publisher, replies = await parts.publisher(), await parts.replies()
    woken = await started(replies)
    raw = await aiormq.connect(amqp_url)
    await (await raw.channel()).basic_publish(b"{}", routing_key=replies.name)
    await raw.close()
    good = payment_id()

    await publisher.reply(replies.name, ReplyMessage(good))

    async with asyncio.timeout(10):
        assert await woken.get() == good
    lost = parts.metrics.registry.get_sample_value(
        "cloud_terminal_replies_lost_total", {"cause": "unreadable"}
    )
    assert lost == 1


async def test_the_reply_queue_ends_with_its_process(
    parts: BrokerParts, amqp_url: str, amqp_prefix: str
) -> None:
    """So that the worker's reply is returned to it."""
    publisher = await parts.publisher()
    async with broker_parts(amqp_url, amqp_prefix + "x.") as process:
        replies = await process.replies("a1")
        await replies.start(lambda _payment: None)
    name = parts.topology.reply_queue("a1")

    async def is_gone() -> bool:
        try:
            await publisher.reply(name, ReplyMessage(payment_id()))
        except NotRouted:
            return True
        return False

    await eventually(is_gone)


async def test_the_reply_queue_is_back_under_its_name_after_a_lost_connection(
    parts: BrokerParts, proxy: AmqpProxy
) -> None:
    """Open payments have its name: their replies reach it again."""
    publisher, replies = await parts.publisher(), await parts.replies(url=proxy.url)
    woken = await started(replies)
    name = replies.name

    await proxy.cut()
    await eventually(replies.ready)
    await proxy.mend()
    await eventually(lambda: is_ready(replies))

    payment = payment_id()
    await publisher.reply(name, ReplyMessage(payment))
    async with asyncio.timeout(10):
        assert await woken.get() == payment
    assert replies.name == name


@pytest.mark.parametrize("given", [{"broker_heartbeat_seconds": 1}])
async def test_a_reply_queue_that_the_broker_still_keeps_for_a_dead_connection_comes_back(
    parts: BrokerParts, proxy: AmqpProxy
) -> None:
    """The broker refuses the name until it misses the heartbeats; then it is there again."""
    publisher, replies = await parts.publisher(), await parts.replies(url=proxy.url)
    woken = await started(replies)

    proxy.orphan_connections()

    await eventually(replies.ready)
    await eventually(lambda: is_ready(replies), within_seconds=30)
    payment = payment_id()
    await publisher.reply(replies.name, ReplyMessage(payment))
    async with asyncio.timeout(10):
        assert await woken.get() == payment
