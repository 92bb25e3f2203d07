"""Liveness of a consumer, which an open connection does not prove."""

import asyncio
from typing import Final, cast

import aiormq
from aio_pika import RobustConnection
from aio_pika.abc import AbstractRobustChannel

from shared.broker.connections import throwaway_channel
from shared.broker.errors import BrokerUnavailable

RESTORED_SECONDS: Final = 1.0


async def missing_consumer(
    connection: RobustConnection,
    channel: AbstractRobustChannel,
    tag: str,
    queue: str,
    *,
    timeout_seconds: float,
) -> str | None:
    """Return the reason why the consumer `tag` gets no messages, or None.

    Three checks: the client has restored the channel, the consume call included; the channel knows the
    consumer (the broker did not cancel it); the broker answers on this connection and counts consumers. No
    call uses the consumer's own channel: one that timed out would close it.
    """
    try:
        async with asyncio.timeout(RESTORED_SECONDS):
            await channel.ready()
            underlay = cast(aiormq.Channel, await channel.get_underlay_channel())
        if tag not in underlay.consumers:
            return f"the broker cancelled the consumer of {queue}"
        async with throwaway_channel(connection, timeout_seconds=timeout_seconds) as probe:
            declared = await probe.declare_queue(queue, passive=True)
            return None if declared.declaration_result.consumer_count else f"nothing consumes {queue}"
    except TimeoutError:
        return f"the consumer of {queue} is not restored; reconnecting"
    except BrokerUnavailable as error:
        return str(error)
