"""The queues exist with their arguments when they are needed."""

import aiormq
import pytest
from eventually import eventually
from running.broker_parts import BrokerParts, broker_parts, payment_id
from wire.amqp_proxy import AmqpProxy

from shared.broker.errors import NotAccepted, TopologyMismatch
from shared.broker.messages import PaymentMessage


async def test_declaring_again_changes_nothing(parts: BrokerParts) -> None:
    """Every process declares at its start, in any order."""
    publisher = await parts.publisher()
    await publisher.publish_payment(PaymentMessage(payment_id(), None))

    await parts.publisher()

    await eventually(lambda: parts.waiting_in(parts.topology.payments))


@pytest.mark.parametrize("given", [{"delivery_limit": 5}])
async def test_a_queue_with_other_arguments_stops_the_start_and_says_what_to_do(
    parts: BrokerParts, amqp_url: str, amqp_prefix: str
) -> None:
    """E.g. a changed delivery limit; the queue stays as it was."""
    await parts.publisher()

    async with broker_parts(amqp_url, amqp_prefix, delivery_limit=6) as other:
        with pytest.raises(TopologyMismatch, match=rf"{amqp_prefix}payments exists.*Delete it"):
            await other.publisher()
        assert await parts.waiting_in(parts.topology.payments) == 0


async def test_a_broker_that_comes_back_empty_gets_its_queues_again(
    parts: BrokerParts, proxy: AmqpProxy
) -> None:
    """An API whose broker lost its disk accepts payments again without a restart."""
    publisher = await parts.publisher(url=proxy.url)
    await proxy.cut()
    await parts.delete_queues()
    await proxy.mend()

    async def is_accepted() -> bool:
        if await publisher.ready() is not None:
            return False
        try:
            await publisher.publish_payment(PaymentMessage(payment_id(), None))
        except NotAccepted:  # nor does a queue that is declared at this moment take it
            return False
        return True

    await eventually(is_accepted)


async def test_connections_are_named_for_the_brokers_operator(parts: BrokerParts) -> None:
    """Process and purpose are in the broker's list of connections."""
    connection = await parts.connection("reply")

    transport = connection.transport
    assert transport is not None
    underlay = transport.connection
    assert isinstance(underlay, aiormq.Connection)
    assert underlay.connection_name == "cloud-terminal test reply"
    assert underlay.connection_tune.heartbeat == parts.settings.broker_heartbeat_seconds
