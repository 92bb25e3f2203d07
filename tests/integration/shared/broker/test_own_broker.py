"""A broker of our own runs short of memory, and is killed and started again: everything goes on by itself."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import pytest
from eventually import eventually
from running.broker_parts import BrokerParts, broker_parts, is_ready, payment_id, payment_named_by

from sandbox.servers.server import PRIVATE_SOURCES
from sandbox.servers.start import RunningServer, start_servers
from shared.broker.errors import BrokerFailure, NotAccepted
from shared.broker.interfaces import Delivery
from shared.broker.messages import PaymentMessage, ReplyMessage
from shared.broker.publisher import Publisher

#: A publish that waited for its time-out would take this long.
PUBLISH_TIMEOUT_SECONDS = 25
#: A node that is killed within about a second of declaring a quorum queue comes back without its leader.
LEADER_SECONDS = 2.0


@pytest.fixture(scope="module")
def broker() -> Iterator[RunningServer]:
    """Start one broker for both tests: the start takes six seconds."""
    with start_servers(postgres=False, sources=PRIVATE_SOURCES) as servers:
        yield servers.rabbitmq


@pytest.fixture
async def parts(broker: RunningServer, given: dict[str, Any]) -> AsyncIterator[BrokerParts]:
    async with broker_parts(broker.url, "own.", **given) as made:
        yield made


@pytest.mark.parametrize("given", [{"publish_timeout_seconds": PUBLISH_TIMEOUT_SECONDS}])
async def test_under_an_alarm_publishing_fails_at_once_and_readiness_names_it_until_it_is_over(
    broker: RunningServer, parts: BrokerParts
) -> None:
    """No publish waits for its time-out, and none needs a restart."""
    busy, quiet = await parts.publisher(), await parts.publisher()
    assert await busy.ready() is None
    assert await quiet.ready() is None

    await asyncio.to_thread(broker.raise_alarm)
    try:
        async with asyncio.timeout(PUBLISH_TIMEOUT_SECONDS - 5):
            await eventually(lambda: _fails_to_publish(busy))
        began = time.monotonic()
        with pytest.raises(NotAccepted, match="low on memory"):
            await busy.publish_payment(PaymentMessage(payment_id(), None))
        assert time.monotonic() - began < 1
        assert "low on memory" in (await busy.ready() or "")
        # It published nothing under the alarm: its own check is what tells.
        assert "low on memory" in (await quiet.ready() or "")
    finally:
        await asyncio.to_thread(broker.clear_alarm)

    for publisher in (busy, quiet):
        await eventually(partial(is_ready, publisher))
        await publisher.publish_payment(PaymentMessage(payment_id(), None))


async def _fails_to_publish(publisher: Publisher) -> bool:
    try:
        await publisher.publish_payment(PaymentMessage(payment_id(), None))
    except BrokerFailure:
        return True
    return False


async def test_after_a_killed_broker_payments_and_replies_flow_again_and_none_is_lost(
    broker: RunningServer, parts: BrokerParts
) -> None:
    """Publishing fails at once meanwhile; the same consumer gets unacknowledged messages again."""
    publisher, consumer, replies = await parts.publisher(), await parts.consumer(), await parts.replies()
    deliveries: asyncio.Queue[Delivery] = asyncio.Queue()
    woken: asyncio.Queue[str] = asyncio.Queue()
    await consumer.start(deliveries.put_nowait)
    await replies.start(woken.put_nowait)
    payment, reply_to = payment_id(), replies.name
    await publisher.publish_payment(PaymentMessage(payment, reply_to))
    before = await deliveries.get()
    await asyncio.sleep(LEADER_SECONDS)

    await asyncio.to_thread(broker.kill)
    await eventually(publisher.ready)
    began = time.monotonic()
    with pytest.raises(NotAccepted):
        await publisher.publish_payment(PaymentMessage(payment_id(), reply_to))
    assert time.monotonic() - began < 2
    await before.ack()

    await asyncio.to_thread(broker.start)

    async with asyncio.timeout(20):
        again = await deliveries.get()
    assert payment_named_by(again) == payment
    await again.ack()
    await eventually(lambda: is_ready(replies))
    await publisher.reply(reply_to, ReplyMessage(payment))
    async with asyncio.timeout(10):
        assert await woken.get() == payment
