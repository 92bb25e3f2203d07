"""Replies wake the waiting API process, across lost connections."""

import asyncio

import aiormq
from broker_parts import broker_parts, is_ready, payment_id
from eventually import eventually
from wire.amqp_proxy import amqp_proxy

from shared.broker.errors import NotRouted
from shared.broker.messages import ReplyMessage


async def test_a_reply_wakes_the_process_that_asked(amqp_url: str, amqp_prefix: str) -> None:
    """It wakes no other process."""
    async with broker_parts(amqp_url, amqp_prefix) as parts:
        publisher = await parts.publisher()
        one, other = await parts.replies("a1"), await parts.replies("a2")
        woken_one: asyncio.Queue[str] = asyncio.Queue()
        woken_other: asyncio.Queue[str] = asyncio.Queue()
        await one.start(woken_one.put_nowait)
        await other.start(woken_other.put_nowait)
        ids = [payment_id() for _ in range(50)]

        await asyncio.gather(*(publisher.reply(one.name, ReplyMessage(payment)) for payment in ids))

        await eventually(lambda: woken_one.qsize() == 50)
        assert {woken_one.get_nowait() for _ in ids} == set(ids)
        assert woken_other.empty()


async def test_an_unreadable_reply_is_dropped_and_counted(amqp_url: str, amqp_prefix: str) -> None:
    """The next reply is read."""
    async with broker_parts(amqp_url, amqp_prefix) as parts:
        publisher, replies = await parts.publisher(), await parts.replies()
        woken: asyncio.Queue[str] = asyncio.Queue()
        await replies.start(woken.put_nowait)
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


async def test_the_reply_queue_ends_with_its_process(amqp_url: str, amqp_prefix: str) -> None:
    """So that the worker's reply is returned to it."""
    async with broker_parts(amqp_url, amqp_prefix) as parts:
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
    amqp_url: str, amqp_prefix: str
) -> None:
    """Open payments have its name: their replies reach it again."""
    async with broker_parts(amqp_url, amqp_prefix) as parts, amqp_proxy(amqp_url) as proxy:
        publisher, replies = await parts.publisher(), await parts.replies(url=proxy.url)
        woken: asyncio.Queue[str] = asyncio.Queue()
        await replies.start(woken.put_nowait)
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


async def test_a_reply_queue_that_the_broker_still_keeps_for_a_dead_connection_comes_back(
    amqp_url: str, amqp_prefix: str
) -> None:
    """The broker refuses the name until it misses the heartbeats; then it is there again."""
    async with (
        broker_parts(amqp_url, amqp_prefix, broker_heartbeat_seconds=1) as parts,
        amqp_proxy(amqp_url) as proxy,
    ):
        publisher, replies = await parts.publisher(), await parts.replies(url=proxy.url)
        woken: asyncio.Queue[str] = asyncio.Queue()
        await replies.start(woken.put_nowait)

        proxy.orphan_connections()

        await eventually(replies.ready)
        await eventually(lambda: is_ready(replies), within_seconds=30)
        payment = payment_id()
        await publisher.reply(replies.name, ReplyMessage(payment))
        async with asyncio.timeout(10):
            assert await woken.get() == payment
