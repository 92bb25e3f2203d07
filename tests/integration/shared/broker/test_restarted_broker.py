"""A broker of our own is killed and restarted on its data: everything is restored by itself."""

import asyncio
import time

import pytest
from broker_parts import broker_parts, is_ready, payment_id, payment_named_by
from eventually import eventually

from sandbox.servers.start import RunningServer
from shared.broker.errors import NotAccepted
from shared.broker.interfaces import Delivery
from shared.broker.messages import PaymentMessage, ReplyMessage

#: A node that is killed within about a second of declaring a quorum queue comes back without its leader.
LEADER_SECONDS = 2.0


async def test_after_a_killed_broker_payments_and_replies_flow_again_and_none_is_lost(
    own_broker: RunningServer,
) -> None:
    """Publishing fails at once meanwhile; the same consumer gets unacknowledged messages again."""
    async with broker_parts(own_broker.url, "restart.") as parts:
        publisher, consumer, replies = await parts.publisher(), await parts.consumer(), await parts.replies()
        deliveries: asyncio.Queue[Delivery] = asyncio.Queue()
        woken: asyncio.Queue[str] = asyncio.Queue()
        await consumer.start(deliveries.put_nowait)
        await replies.start(woken.put_nowait)
        payment, reply_to = payment_id(), replies.name
        await publisher.publish_payment(PaymentMessage(payment, reply_to))
        before = await deliveries.get()
        await asyncio.sleep(LEADER_SECONDS)

        await asyncio.to_thread(own_broker.kill)
        await eventually(publisher.ready)
        began = time.monotonic()
        with pytest.raises(NotAccepted):
            await publisher.publish_payment(PaymentMessage(payment_id(), reply_to))
        assert time.monotonic() - began < 2
        await before.ack()

        await asyncio.to_thread(own_broker.start)

        async with asyncio.timeout(20):
            again = await deliveries.get()
        assert payment_named_by(again) == payment
        await again.ack()
        await eventually(lambda: is_ready(replies))
        await publisher.reply(reply_to, ReplyMessage(payment))
        async with asyncio.timeout(10):
            assert await woken.get() == payment
