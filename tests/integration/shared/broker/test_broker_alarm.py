"""A broker of our own runs short of memory: publishing fails at once, and readiness names the alarm."""

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial

import pytest
from broker_parts import BrokerParts, broker_parts, is_ready, payment_id
from eventually import eventually

from sandbox.servers.start import RunningServer
from shared.broker.errors import BrokerFailure, NotAccepted
from shared.broker.messages import PaymentMessage
from shared.broker.publisher import Publisher

#: A publish that waited for its time-out would take this long.
PUBLISH_TIMEOUT_SECONDS = 25


@pytest.fixture
async def parts(own_broker: RunningServer) -> AsyncIterator[BrokerParts]:
    async with broker_parts(
        own_broker.url, "alarm.", publish_timeout_seconds=PUBLISH_TIMEOUT_SECONDS
    ) as parts:
        yield parts


async def test_under_an_alarm_publishing_fails_at_once_and_readiness_names_it_until_it_is_over(
    own_broker: RunningServer, parts: BrokerParts
) -> None:
    """No publish waits for its time-out, and none needs a restart."""
    busy, quiet = await parts.publisher(), await parts.publisher()
    assert await busy.ready() is None
    assert await quiet.ready() is None

    await asyncio.to_thread(own_broker.raise_alarm)
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
        await asyncio.to_thread(own_broker.clear_alarm)

    for publisher in (busy, quiet):
        await eventually(partial(is_ready, publisher))
        await publisher.publish_payment(PaymentMessage(payment_id(), None))


async def _fails_to_publish(publisher: Publisher) -> bool:
    try:
        await publisher.publish_payment(PaymentMessage(payment_id(), None))
    except BrokerFailure:
        return True
    return False
